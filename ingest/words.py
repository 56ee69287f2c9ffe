"""Text -> its words and its normal form: what two copies share, whatever hands typed them.

Entities, ligatures, full-width digits, accents, quotation marks, case, white space and invisible
characters are typography and not news: undone here, once, for fingerprints and likeness alike.
"""

import html
import re
import unicodedata

from storage.model import Story

# They go and part no word: accents, soft hyphens, zero-width and direction marks, apostrophes.
_DROPPED = re.compile(
    "[\u0300-\u036f\u00ad\u200b-\u200f\u2060\ufeff'`\u00b4\u02b9-\u02bf\u2018\u2019\u201b\u2032]+"
)
# UTF-8 that was read as Windows-1252: a lead byte and what its one or two followers became.
_MOJIBAKE = re.compile("[ÂÃ][\u0080-\u00bf\u0152-\u2122]|â[\u0080-\u00bf\u0152-\u2122]{2}")
_WORD = re.compile(r"[a-z]+[^\W\d_]*|[^\W\d_]+|\d+")  # the first branch is the second, faster


def whole(story: Story) -> str:
    """Return a story's title and text together, as a reader meets them."""
    return f"{story.title}\n\n{story.text}"


def words(text: str) -> list[str]:
    """Return the words of a text in order, in lower case: runs of letters, and runs of digits.

    An apostrophe goes and parts nothing ("don't" is "dont"); every other sign parts words, and
    so does the change from digits to letters, over which house styles differ ("£1.5m" and
    "£1.5 million" both begin with "1" and "5"). Entities are resolved, accents go, characters
    are taken by compatibility (NFKD, Unicode Standard Annex 15).
    """
    return _WORD.findall(_plain(text))


def lines(text: str) -> list[list[str]]:
    """Return the words of each line of a text; together they are its words."""
    return [_WORD.findall(line) for line in _plain(text).splitlines()]


def normal(text: str) -> str:
    """Return the normal form of a text: its words, parted by single spaces. Idempotent."""
    return " ".join(words(text))


def _plain(text: str) -> str:
    if "&" in text:
        text = html.unescape(text)
    if text.isascii():
        return text.lower().replace("'", "").replace("`", "")
    text = unicodedata.normalize("NFKD", _MOJIBAKE.sub(_unspoilt, text))
    return _DROPPED.sub("", text.casefold())


def _unspoilt(spoilt: re.Match[str]) -> str:
    """Return what a run of mojibake stood for, or the run itself when it was none."""
    try:
        # Bytes that Windows-1252 leaves undefined come as C1 controls (WHATWG Encoding, 4.2).
        return b"".join(
            sign.encode("latin-1" if sign <= "ÿ" else "cp1252") for sign in spoilt.group()
        ).decode()
    except UnicodeError:
        return spoilt.group()
