"""What holds for every test."""

from hypothesis import settings

# A busy machine is no fault of the code: speed is measured in benchmarks/, not in tests.
settings.register_profile("newsdesk", deadline=None)
settings.load_profile("newsdesk")
