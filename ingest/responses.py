"""Is an answer what was asked for, and when is it worth asking again? Pure.

One place for feeds, pages, listings, sitemaps and walks into the past: `problem_of` looks at
status, headers and body of an answer, `after_fault` and `after_verdict` say when a page is asked
for again. A first bad answer is no proof: cache nodes say 404 for a minute, sites answer 200 with
nothing or with a notice, firewalls let through today what they stopped yesterday. Each is asked
again, later each time, a bounded number of times: docs/decisions/029.
"""

import re
from dataclasses import dataclass
from datetime import timedelta
from enum import Enum

from ingest import walls
from ingest.errors import Fault
from storage.model import Page

_BY_STATUS = {
    401: Fault.FORBIDDEN,
    403: Fault.FORBIDDEN,
    404: Fault.NOT_FOUND,
    408: Fault.SERVER_ERROR,  # passing, as the 5xx are: story-indexer asks again after both
    410: Fault.GONE,
    421: Fault.SERVER_ERROR,  # sent to a server that cannot answer it: RFC 9110 section 15.5.20
    423: Fault.SERVER_ERROR,  # locked for now: RFC 4918 section 11.3
    425: Fault.SERVER_ERROR,  # too early: RFC 8470 section 5.2
    429: Fault.RATE_LIMITED,
    451: Fault.FORBIDDEN,
}
_WITH_CONTENT = (200, 203)  # RFC 9110 section 15.3; 202 says that the answer is still to come

MAX_NOTICE_BYTES = 20_000  # ours: of a page that only says to come back later
MAX_NOTICE_WORDS = 80
_TITLE = re.compile(rb"<(?:title|h1)\b[^<>]{0,500}>([^<]{0,300})", re.IGNORECASE)
_NOTICE = re.compile(
    rb"(?:we|it|this \w+)\W{0,8}(?:ll|will) be (?:right )?back"
    rb"|\b(?:be|come|check) back (?:soon|shortly|later|online|in a)"
    rb"|\b(?:site|website|page|service|server|system|portal)s? (?:is |are |has been )?"
    rb"(?:currently |temporarily |briefly )?"
    rb"(?:down|offline|unavailable|closed for|being (?:updated|upgraded|maintained)"
    rb"|(?:under(?:going)?|in) (?:\w+ )?(?:maintenance|upgrade))"
    rb"|\b(?:down|closed|offline|unavailable) for (?:\w+ )?(?:maintenance|upgrade)"
    rb"|(?:under|in|undergoing|scheduled|planned|essential) (?:\w+ )?maintenance"
    rb"|maintenance (?:mode|page|notice|work|in progress|break|window)"
    rb"|(?:temporarily|currently|briefly|service) (?:unavailable|offline)"
    rb"|\b50[0234]\b|bad gateway|gateway time-?out|internal server error|unexpected error"
    rb"|(?:establishing|connecting to) (?:a|the) database|too many connections",
    re.IGNORECASE,
)
_SHELL = re.compile(rb"<(?:script|i?frame|meta[^<>]{0,100}refresh)", re.IGNORECASE)

# How long to wait after each try that failed in passing; then the fault is the verdict.
# story-indexer asks ten times, an hour apart; this reaches as far as an outage of five days.
RETRIES = tuple(timedelta(hours=hours) for hours in (1, 3, 9, 24, 48, 48))
# A 404: a page that a feed has just announced is often late; an old one is not there.
FRESH = timedelta(days=3)
NOT_FOUND_RETRIES = RETRIES[:4]
OLD_NOT_FOUND_RETRIES = (timedelta(hours=24),)
# A wall or a refusal is told at once, and mostly stays: asked again in case it does not.
REFUSED_RETRIES = tuple(timedelta(hours=hours) for hours in (3, 24, 48, 48))
# A page that was had and showed no story.
RECHECKS = (timedelta(hours=24), timedelta(hours=48))
NO_STORY = ("bot_wall", "soft_404", "home_page", "extract_failed")
LONGEST_WAIT = timedelta(days=2)  # a Retry-After beyond this is cut to it


class Expected(Enum):
    """What an answer of status 2xx must be, or is none."""

    ANYTHING = "anything"  # robots.txt may be empty, and a range of a file holds what it holds
    NO_WALL = "no wall"  # a page asked for so often that what it shows is to be judged
    CONTENT = "content"
    PAGE = "page"  # with words to read, or what leads on to some


@dataclass(frozen=True, slots=True)
class Problem:
    """Why an answer is not what was asked for."""

    fault: Fault
    detail: str


@dataclass(frozen=True, slots=True)
class Retry:
    """When a page is asked for again, None: never; and if its fault is the verdict meanwhile."""

    wait: timedelta | None
    is_verdict: bool = False
    tries: int = 1  # in all


def problem_of(page: Page, *, conditional: bool, expected: Expected) -> Problem | None:
    """Return why an answer is not what was asked for, or None.

    `conditional`: validators were sent, so that a 304 is an answer. A 429 stays one, whatever
    its headers say of a firewall. `page.content` is looked at only where the status is 2xx.
    """
    status, sign = page.status, walls.by_header(page.headers)
    if status == 304 and conditional:
        return None
    if sign and status != 429:
        return Problem(Fault.BOT_WALL, f"status={status} {sign}")
    if not 200 <= status < 300:
        other = Fault.SERVER_ERROR if status >= 500 else Fault.HTTP_ERROR
        return Problem(_BY_STATUS.get(status, other), f"status={status}")
    if expected is Expected.ANYTHING:
        return None
    if sign := walls.by_markup(page.content):
        return Problem(Fault.BOT_WALL, f"status={status} {sign}")
    if not page.content.strip(b" \t\r\n\0\xef\xbb\xbf"):
        return Problem(Fault.NO_CONTENT, f"status={status} bytes={len(page.content)}")
    if expected is Expected.NO_WALL:
        return None
    if status not in _WITH_CONTENT:
        return Problem(Fault.NO_CONTENT, f"status={status}")
    return _notice(page, expected)


def _notice(page: Page, expected: Expected) -> Problem | None:
    """Find a page that says to come back later, or one without a word where some are wanted."""
    content = page.content
    if len(content) > MAX_NOTICE_BYTES or content.lstrip()[:1] != b"<":
        return None
    if walls.paragraphs(content) > walls.MAX_WALL_PARAGRAPHS or walls.is_feed(content):
        return None
    words = walls.visible_words(content)
    if expected is Expected.PAGE and words == 0 and not _SHELL.search(content):
        return Problem(Fault.NO_CONTENT, f"status={page.status} no word in {len(content)} bytes")
    if words > MAX_NOTICE_WORDS:
        return None
    shown = b" ".join([*_TITLE.findall(content), walls.visible_text(content)])
    found = _NOTICE.search(b" ".join(shown.split()))
    if not found:
        return None
    text = found[0].decode("utf-8", "replace")
    return Problem(Fault.MAINTENANCE, f"status={page.status} says={text!r} words={words}")


def after_fault(
    fault: Fault,
    attempts: int,
    *,
    live: bool,
    age: timedelta,
    retry_after: timedelta | None = None,
) -> Retry:
    """Return when a page that could not be had is asked for again.

    `attempts` were made before this one. `age` is the time since it was published, as its source
    dates it, or since it was first seen; `live`: a poll saw it, and not its source's past alone.
    """
    ladder: tuple[timedelta, ...] = ()
    refused = fault in (Fault.BOT_WALL, Fault.FORBIDDEN)
    if refused and live:
        ladder = REFUSED_RETRIES
    elif fault.passing and not refused:
        ladder = RETRIES
    elif fault is Fault.NOT_FOUND and live:
        ladder = NOT_FOUND_RETRIES if age <= FRESH else OLD_NOT_FOUND_RETRIES
    tries = len(ladder) + 1
    if attempts >= len(ladder):
        return Retry(None, True, tries)
    wait = max(ladder[attempts], retry_after or timedelta(0))
    return Retry(min(wait, LONGEST_WAIT), refused, tries)


def after_verdict(
    reason: str, attempts: int, *, live: bool, contradicted: bool
) -> timedelta | None:
    """Return when a page that was judged is asked for again, None: never.

    That is one that showed no story; or one that showed none of the words with which its source
    announced it (`contradicted`), be it off the topic or too short: it may have been a notice.
    """
    asked_again = reason in NO_STORY or (contradicted and reason in ("off_topic", "too_short"))
    if not live or not asked_again or not 0 < attempts <= len(RECHECKS):
        return None
    return RECHECKS[attempts - 1]
