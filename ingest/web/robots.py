"""robots.txt: asked once per host and day, kept, obeyed (RFC 9309)."""

import re
import threading
from collections.abc import Callable
from contextlib import nullcontext
from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta
from functools import lru_cache

from httpx import URL
from protego import Protego

from ingest.errors import Fault, FetchError
from ingest.responses import Expected
from ingest.web.client import MayAsk, Web, redacted

MAX_BYTES = 500 * 1024  # that much is read and the rest ignored: RFC 9309 section 2.5
MAX_REDIRECTS = 5  # section 2.3.1.2
KEPT = timedelta(hours=24)  # section 2.4
RETRY = timedelta(hours=1)  # ours: how soon a host is asked again whose file could not be had
STALE = timedelta(days=30)  # section 2.3.1.4: so long an old file stands in for one out of reach

_AGENT = re.compile(r"\s*user[- ]?agent\b\s*:?([^#]*)", re.I)
_PRODUCT = re.compile(r"[a-z_-]+", re.I)  # section 2.2.1

Load = Callable[[str], tuple[str, int, datetime] | None]
Save = Callable[[str, str, int, datetime], None]


@dataclass(frozen=True, slots=True, kw_only=True)
class _Rules:
    parsed: Protego
    fetched: datetime
    until: datetime
    error: FetchError | None = None  # the host cannot say, so nothing may be asked: 2.3.1.4


class Robots:
    """Says which URLs a host lets us ask, and how fast; shared by many threads.

    What a host said is kept by the caller, under its origin, "https://www.example.org":
    `load(origin)` returns what `save(origin, text, status, fetched)` was given, or None.
    `may_ask` goes with the requests for robots.txt itself, as in `Web.get`.
    """

    def __init__(
        self,
        web: Web,
        user_agent: str,
        *,
        load: Load = lambda origin: None,
        save: Save = lambda origin, text, status, fetched: None,
        may_ask: MayAsk = lambda url: nullcontext(lambda page: None),
        now: Callable[[], datetime] = lambda: datetime.now(UTC),
    ) -> None:
        product = _PRODUCT.match(user_agent)
        self._token = product[0].lower() if product else ""
        self._web, self._load, self._save = web, load, save
        self._may_ask, self._now = may_ask, now
        self._rules: dict[str, _Rules] = {}
        self._locks: dict[str, threading.Lock] = {}

    def check(self, url: str) -> None:
        """Return if that URL may be asked; it must be one that `Web.get` would ask.

        Raises FetchError: ROBOTS_DENIED if its host says no; if its host cannot say (an error,
        or no answer), the fault that keeps it from saying so.
        """
        rules = self._of(url)
        shown = redacted(url)
        if rules.error is not None:
            why = rules.error
            detail = f"robots.txt: {why.detail}"
            raise FetchError(shown, why.fault, detail, why.status, why.retry_after)
        if not rules.parsed.can_fetch(url, "us"):
            raise FetchError(shown, Fault.ROBOTS_DENIED, f"robots.txt of {_origin(url)}")

    def allows(self, url: str) -> bool:
        """Tell whether `check` would let that URL pass."""
        rules = self._of(url)
        return rules.error is None and rules.parsed.can_fetch(url, "us")

    def crawl_delay(self, url: str) -> timedelta | None:
        """Return the Crawl-delay its host asks of us; not in RFC 9309, but in use."""
        seconds = self._of(url).parsed.crawl_delay("us")
        return None if seconds is None else timedelta(seconds=min(seconds, 86400.0))

    def sitemaps(self, url: str) -> list[str]:
        """Return the sitemaps that its host's robots.txt names, as written."""
        return list(self._of(url).parsed.sitemaps)

    def _of(self, url: str) -> _Rules:
        origin, now = _origin(url), self._now()
        with self._locks.setdefault(origin, threading.Lock()):
            rules = self._rules.get(origin)
            if rules is None and (kept := self._load(origin)) is not None:
                rules = _said(origin, *kept, self._token)
            if rules is None or not rules.fetched <= now < rules.until:
                rules = self._asked(origin, rules, now)
            self._rules[origin] = rules
        return rules

    def _asked(self, origin: str, old: _Rules | None, now: datetime) -> _Rules:
        try:
            page = self._web.get(
                f"{origin}/robots.txt",
                accept="text/plain,*/*;q=0.5",
                max_redirects=MAX_REDIRECTS,
                max_bytes=10 * MAX_BYTES,
                may_ask=self._may_ask,
                expected=Expected.ANYTHING,
            )
        except FetchError as error:
            if error.fault is Fault.DEFERRED_HOST:
                raise  # it has not been asked, so nothing is known
            return self._missed(origin, old, error, now)
        text = _readable(page.content)
        self._save(origin, text, page.status, now)
        return _said(origin, text, page.status, now, self._token)

    def _missed(self, origin: str, old: _Rules | None, error: FetchError, now: datetime) -> _Rules:
        """Return what holds when the file could not be had."""
        # after too many redirects the file may be taken as not there: section 2.3.1.2
        status = 404 if error.fault is Fault.REDIRECT_LOOP else error.status or 0
        rules = _said(origin, "", status, now, self._token)
        if rules.error is not None:
            rules = replace(rules, error=error)
            if old is not None and old.error is None and now - old.fetched < STALE:
                return replace(old, until=rules.until)
        if rules.error is None or error.fault.passing:
            self._save(origin, "", status, now)
        return rules


def _said(origin: str, text: str, status: int, fetched: datetime, token: str) -> _Rules:
    """Return the rules in what a host said; status 0 stands for no answer.

    4xx are no rules (section 2.3.1.3), but for 429: who asks for fewer requests gets none.
    """
    error = None
    if status == 0 or status >= 500 or status == 429:
        fault = {0: Fault.CONNECTION, 429: Fault.RATE_LIMITED}.get(status, Fault.SERVER_ERROR)
        detail = f"status={status}" if status else "no answer"
        error = FetchError(f"{origin}/robots.txt", fault, detail, status or None)
    until = fetched + (RETRY if error else KEPT)
    parsed = Protego.parse(_addressed(text, token))
    return _Rules(parsed=parsed, fetched=fetched, until=until, error=error)


def _addressed(text: str, token: str) -> str:
    """Return the text with each group addressed to "us", "them" or "*".

    So the token is matched whole, and Protego, which keeps every rule once for each name in a
    group, cannot be made to keep hundreds of millions (25,000 names and 10,000 rules do).
    """
    lines = text.splitlines()
    for number, line in enumerate(lines):
        if (agent := _AGENT.match(line)) and (name := agent[1].strip()) != "*":
            product = _PRODUCT.match(name)
            ours = product is not None and product[0].lower() == token
            lines[number] = "User-agent: " + ("us" if ours else "them")
    return "\n".join(lines)


def _readable(content: bytes) -> str:
    """Return the text up to the last whole line below the cap: half a rule is another rule."""
    if len(content) > MAX_BYTES:
        content = content[:MAX_BYTES].rpartition(b"\n")[0]
    return content.decode("utf-8-sig", "replace")


@lru_cache(maxsize=256)  # asked for twice of each page; httpx takes 0.1 ms to read a URL
def _origin(url: str) -> str:
    parts = URL(url)
    return f"{parts.scheme}://{parts.netloc.decode('ascii')}"
