"""One target under atheris: python -m tests.fuzz.child TARGET [ARGUMENTS OF LIBFUZZER...]"""

import sys

import atheris

from tests.fuzz import target

GUIDES = ["ingest", "storage", "feedparser", "protego", "warcio"]  # whose branches lead the way


def main() -> None:
    name, *arguments = sys.argv[1:]
    with atheris.instrument_imports(include=GUIDES):
        run = target(name).run
    atheris.Setup([name, *arguments], run)
    atheris.Fuzz()


if __name__ == "__main__":
    main()
