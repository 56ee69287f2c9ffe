"""What can go wrong on the shelves."""


class NewsError(Exception):
    """The root of every error we raise on purpose; its text says what to do."""


class StorageError(NewsError):
    """A shelf is not as it must be: damaged, of another version, or not reachable."""


class FormatError(StorageError):
    """A corpus file breaks a rule of its format; names the file, the line and the rule."""
