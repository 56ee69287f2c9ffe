"""What the copy evaluation calls: the product's own functions, in plain values."""

import shutil
import tempfile
import weakref
from datetime import UTC, datetime
from hashlib import sha256
from pathlib import Path

from ingest.fingerprint import fingerprint
from ingest.likeness import kin
from storage.catalog import Catalog
from storage.model import Lookalike, Story

_NOW = datetime(2026, 1, 1, tzinfo=UTC)


class CopyFinder:
    """A fresh catalog on disk, and the texts that a corpus folder would hold."""

    def __init__(self) -> None:
        folder = Path(tempfile.mkdtemp())
        self._catalog = Catalog(f"sqlite:///{folder / 'catalog.sqlite'}")
        self._kept: dict[int, tuple[str, Story]] = {}
        weakref.finalize(self, _clear, self._catalog, folder)

    def check_and_add(self, name: str, text: str) -> str | None:
        """Return the name of the kept story that the text copies, or keep it and return None."""
        title, _, body = text.partition("\n")
        story = Story(title=title, text=body)
        found = fingerprint(story)
        with self._catalog.admission() as admission:
            lookalikes = [
                Lookalike(number=number, name=file, how=how, story=self._kept[number][1])
                for number, file, how, _ in admission.alike((), found)
            ]
            for one in kin(story, lookalikes):
                if one.likeness.is_copy:
                    return one.lookalike.name
            number = len(self._kept)
            digest = sha256(text.encode()).hexdigest()
            admission.take(number, name, story, found, sha256=digest, now=_NOW)
        self._kept[number] = name, story
        return None


def _clear(catalog: Catalog, folder: Path) -> None:
    catalog.close()
    shutil.rmtree(folder)


def copy_finder() -> CopyFinder:
    """Return an empty one."""
    return CopyFinder()
