"""What can go wrong in the verbs."""

from datetime import timedelta
from enum import StrEnum

from storage.errors import NewsError


class SettingsError(NewsError):
    """A setting, feeds or topic file is wrong; its text names file, line and remedy."""


class FeedError(NewsError):
    """A feed's bytes could not be read as a feed.

    `outcome` is one of: bot_wall, not_a_feed, unparseable, too_large, bad_encoding; of a listing
    or a sitemap also nothing_selected; of a walk into the past also endless.
    """

    def __init__(self, outcome: str, detail: str) -> None:
        super().__init__(outcome, detail)
        self.outcome, self.detail = outcome, detail

    def __str__(self) -> str:
        return f"{self.outcome}: {self.detail}"


class RunFailed(NewsError):
    """Every feed, or every page, of a run failed: the world is broken, not one article."""


# What is no fault of one source or page, and so ends a run: the rest of what is raised there is
# a mistake of ours, and costs that source or page alone.
BROKEN_WORLD = (NewsError, OSError, MemoryError)


class Fault(StrEnum):
    """Why a page could not be had."""

    BAD_URL = "bad_url"
    BLOCKED_ADDRESS = "blocked_address"
    DNS = "dns"
    TLS = "tls"
    CONNECTION = "connection"  # refused, reset, closed in mid-body, broken protocol
    TIMEOUT_CONNECT = "timeout_connect"
    TIMEOUT_TOTAL = "timeout_total"
    TOO_LARGE = "too_large"
    BAD_ENCODING = "bad_encoding"  # a content coding we did not offer, chained, or broken
    REDIRECT_LOOP = "redirect_loop"
    ROBOTS_DENIED = "robots_denied"
    NOT_FOUND = "not_found"  # 404
    GONE = "gone"  # 410
    FORBIDDEN = "forbidden"  # 401, 403, 451
    BOT_WALL = "bot_wall"  # a firewall's header or page says so, whatever the status: ingest.walls
    RATE_LIMITED = "rate_limited"  # 429
    SERVER_ERROR = "server_error"  # 5xx
    HTTP_ERROR = "http_error"  # any other status that is not 2xx or 304
    NOT_HTML = "not_html"
    NO_CONTENT = "no_content"  # 2xx with nothing in it, or a 202: the answer is still to come
    MAINTENANCE = "maintenance"  # 2xx with a notice to come back later
    INTERNAL_ERROR = "internal_error"  # a mistake of ours: its traceback is in the log
    DEFERRED_HOST = "deferred_host"  # not asked: the host wants to be left alone for long

    @property
    def passing(self) -> bool:
        """Tell whether asking again later may help (story-indexer retries these classes)."""
        return self in PASSING


PASSING = frozenset({
    Fault.DNS, Fault.TLS, Fault.CONNECTION, Fault.TIMEOUT_CONNECT, Fault.TIMEOUT_TOTAL,
    Fault.RATE_LIMITED, Fault.SERVER_ERROR, Fault.DEFERRED_HOST,
    Fault.BOT_WALL, Fault.NO_CONTENT, Fault.MAINTENANCE, Fault.INTERNAL_ERROR,
    Fault.BAD_ENCODING,  # a stream cut on its way mends as a broken connection does
})  # fmt: skip


class FetchError(NewsError):
    """One URL could not be fetched; the run goes on without it."""

    def __init__(
        self,
        url: str,
        fault: Fault,
        detail: str,
        status: int | None = None,
        retry_after: timedelta | None = None,
    ) -> None:
        super().__init__(url, fault, detail, status, retry_after)
        self.url, self.fault, self.detail = url, fault, detail
        self.status, self.retry_after = status, retry_after

    def __str__(self) -> str:
        return f"{self.url}: {self.fault}: {self.detail}"


def internal_error(url: str, error: Exception) -> FetchError:
    """Return the fault of one source or page in which our own code failed."""
    return FetchError(url, Fault.INTERNAL_ERROR, f"{type(error).__name__}: {str(error)[:200]}")
