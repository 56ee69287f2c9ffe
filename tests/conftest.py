"""What holds for every test."""

from hypothesis import settings

# A busy machine is no fault of the code: speed is measured in benchmarks/, not in tests. What
# fails here fails everywhere: chance is for `pytest --hypothesis-profile=default` and tests.fuzz.
settings.register_profile("newsdesk", deadline=None, derandomize=True)
settings.load_profile("newsdesk")
