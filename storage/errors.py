"""What can go wrong on the shelves."""

from pathlib import Path


class NewsError(Exception):
    """The root of every error we raise on purpose; its text says what to do."""


class StorageError(NewsError):
    """A shelf is not as it must be: damaged, of another version, or not reachable."""


class Lost(StorageError):
    """What a shelf should hold is not there or is damaged; the shelf itself is reachable."""


class FormatError(StorageError):
    """A corpus file breaks a rule of its format; names the file, the line and the rule."""


def made(folder: Path, setting: str) -> Path:
    """Return a folder, made if need be; raises StorageError that names the setting."""
    try:
        folder.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise StorageError(
            f"{folder} cannot be made ({error.strerror}): set {setting} to a folder that may be "
            "written"
        ) from error
    return folder
