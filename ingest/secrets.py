"""Keys in the URLs that people wrote down: what everybody but their own site gets to see."""

import re
from collections.abc import Iterable
from hashlib import sha256
from urllib.parse import quote, unquote

from ingest.urls import host_of

NAMES = "key|token|secret|pass|password|passwd|pwd|auth|sig|signature|sid"
_KEY = re.compile(rf"(?i)[?&;]([^?&;#=]*(?:{NAMES}))=([^&;#]+)")
_MARK = re.compile(r"\*\*\*[0-9a-f]{6}")
_TELLING = re.compile(r"(?=.*\d).{8,}|.{16,}")  # long enough not to be a word of some story


class Secrets:
    """The keys this process knows, and the mark that stands for each wherever it is shown or kept.

    A mark holds six digits of the key's digest, so that two feeds which differ in their keys
    alone stay apart. `hide` is for one thread, before others read.
    """

    def __init__(self, urls: Iterable[str] = ()) -> None:
        self._keys: dict[str, tuple[str, set[str]]] = {}  # mark -> key as written, URLs it is of
        self._spelt: dict[str, str] = {}  # each way to write a key -> what stands for it
        for url in urls:
            self.hide(url)

    def hide(self, url: str) -> str:
        """Learn the keys of a URL that a person wrote; return it with marks in their place."""
        spelt = dict(self._spelt)
        for name, key in _KEY.findall(url):
            if _MARK.fullmatch(key):
                continue
            mark = f"***{sha256(key.encode()).hexdigest()[:6]}"
            self._keys.setdefault(mark, (key, set()))[1].add(url)
            for one in {key, unquote(key), quote(unquote(key), safe="")}:
                spelt[f"{name}={one}"] = f"{name}={mark}"
                if _TELLING.fullmatch(one):
                    spelt[one] = mark
        self._spelt = dict(sorted(spelt.items(), key=lambda pair: -len(pair[0])))
        return self.masked(url)

    def masked(self, text: str) -> str:
        """Return text with a mark for every known key in it, however a URL may spell it."""
        for one, mark in self._spelt.items():
            text = text.replace(one, mark)
        return text

    def masked_bytes(self, content: bytes) -> bytes:
        """Return content with a mark for every known key; of charsets in which ASCII is ASCII."""
        for one, mark in self._spelt.items():
            content = content.replace(one.encode(), mark.encode())
        return content

    def revealed(self, url: str) -> str:
        """Return a URL as it is asked: with the keys of its own host, and no others.

        A key goes to the host it was written down for, with or without "www.", and never from
        https to http; whoever else writes a mark into a URL gets the mark. Raises ValueError as
        host_of does.
        """
        for mark in set(_MARK.findall(url)) & set(self._keys):
            key, written = self._keys[mark]
            if any(_same_host(url, one) for one in written):
                url = url.replace(mark, key)
        return url


def _same_host(url: str, written: str) -> bool:
    host, own = (host_of(one).removeprefix("www.") for one in (url, written))
    return host == own and (url.startswith("https:") or not written.startswith("https:"))
