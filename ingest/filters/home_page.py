"""Did the site's front page answer in a story's place?"""

from urllib.parse import urlsplit

from ingest.filters.case import Case
from ingest.urls import is_home_page
from ingest.words import normal

FEW_WORDS = 250  # some sites declare their home page as canonical on every story


def home_page(case: Case) -> str | None:
    """Find fault with a home page: where a redirect ended, or by the page's own statement.

    Signals: feeds research 2c.
    """
    if _home(case.url) and not _home(case.entry.url):
        return f"redirected to the home page {case.url}"
    signals = case.extract.signals
    if signals.text_words >= FEW_WORDS:
        return None
    if _home(signals.canonical) and not _home(case.entry.url):
        return f"canonical={signals.canonical}"
    titles = (normal(signals.head), normal(case.extract.title))
    if signals.site_name and normal(signals.site_name) in titles:
        return f"title={signals.site_name!r} is the site's name"
    return None


def _home(url: str) -> bool:
    return bool(url) and (is_home_page(url) or urlsplit(url).path in ("", "/"))
