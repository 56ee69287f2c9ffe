"""URL -> Page: the one way to the network, bounded in time and bytes."""

import re
import time
from collections.abc import Callable, Iterable
from contextlib import AbstractContextManager, closing, nullcontext, suppress
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import Self

import h11
from httpx import URL, InvalidURL, Request
from isal import isal_zlib  # twice as fast as zlib

from ingest.errors import Fault, FetchError
from ingest.responses import Expected, Problem, problem_of
from ingest.secrets import NAMES, Secrets
from ingest.web.guard import MAX_URL, Guard, Network, Refusal, Resolve, admitted, look_up
from ingest.web.pace import retry_after
from ingest.web.wire import Clock, Transport
from storage.model import Page

# Entered with each URL about to be asked, left once it has answered; to be told the answer.
MayAsk = Callable[[str], AbstractContextManager[Callable[[Page], None]]]
ACCEPT = "text/html,application/xhtml+xml;q=0.9,*/*;q=0.5"
REDIRECTS = (301, 302, 303, 307, 308)
_KEY = re.compile(rf"({NAMES})=(?!\*\*\*).*", re.I | re.S)
_USER = re.compile(r"//[^/?#]*@")


def redacted(url: str) -> str:
    """Return the URL as logs and errors may show it: no user information, no values of keys."""
    shown = _USER.sub("//***@", url[:MAX_URL])
    parts = re.split(r"([?&;#])", shown) if "=" in shown else [shown]
    return "".join(_KEY.sub(r"\1=***", part) for part in parts)


class Web:
    """Asks for pages on behalf of many threads; each `get` has its own clock.

    An httpx transport that dials only what the guard allows (`ingest.web.wire`), and no
    httpx.Client: that would bring cookies, headers, proxies and netrc entries of its own, and
    takes a fifth of the processor time of a 304.
    """

    def __init__(
        self,
        *,
        user_agent: str,
        allow: Iterable[Network] = (),
        max_bytes: int = 10_000_000,
        deadline: timedelta = timedelta(seconds=30),
        now: Callable[[], datetime] = lambda: datetime.now(UTC),
        resolve: Resolve = look_up,
        secrets: Secrets | None = None,
    ) -> None:
        """Take who asks, what it may, and the keys that only their own sites get to see."""
        self._secrets = secrets or Secrets()
        self._user_agent, self._max_bytes, self._deadline = user_agent, max_bytes, deadline
        self._guard, self._now = Guard(tuple(allow), resolve), now
        self._transport, self._is_closed = Transport(), False

    def __enter__(self) -> Self:
        """Return itself."""
        return self

    def __exit__(self, *_: object) -> None:
        """Ask nothing more: a `get` after this is a mistake in the program."""
        self._is_closed = True
        self._transport.close()

    def get(
        self,
        url: str,
        *,
        etag: str | None = None,
        last_modified: str | None = None,
        accept: str = ACCEPT,
        max_redirects: int = 10,
        max_bytes: int | None = None,
        begin: int | None = None,
        may_ask: MayAsk = lambda url: nullcontext(lambda page: None),
        expected: Expected = Expected.CONTENT,
    ) -> Page:
        """Return the answer to a GET, or a 304 when a validator was given.

        What is no answer though its status is 2xx (nothing, a notice, a wall against robots) is
        an error like any other: `ingest.responses` decides.

        With `begin` only max_bytes from there on are asked for (RFC 9110 section 14.2).

        Validators are sent as given, both of them, also after redirects. `may_ask` is entered
        for each URL about to be asked, each hop of a redirect, and left when its answer is read:
        on entering it may sleep, which does not count against the deadline, or raise FetchError.

        Raises FetchError for everything else, its URL and detail redacted; with the status, and
        the wait that Retry-After asks for, when there was an answer.
        """
        if self._is_closed:
            raise RuntimeError("this Web is closed: ask within its with-block")
        most = max_bytes or self._max_bytes
        headers = [
            ("User-Agent", self._user_agent),
            ("Accept", accept),
            ("Accept-Encoding", "gzip" if begin is None else "identity"),  # gzip we can bound
            *([("Range", f"bytes={begin}-{begin + most - 1}")] if begin is not None else []),
            *([("If-None-Match", etag)] if etag else []),
            *([("If-Modified-Since", last_modified)] if last_modified else []),
        ]
        hops: list[str] = []
        try:
            page = self._followed(url, hops, headers, max_redirects, max_bytes, may_ask)
        except Refusal as refusal:
            raise _failed(url, hops, refusal.fault, refusal.detail) from refusal
        except TimeoutError as error:
            detail = f"not complete after {self._deadline.total_seconds():g} s"
            raise _failed(url, hops, Fault.TIMEOUT_TOTAL, detail) from error
        except (OSError, h11.ProtocolError) as error:
            raise _failed(url, hops, Fault.CONNECTION, str(error)[:200]) from error
        expected = expected if begin is None else Expected.ANYTHING
        conditional = bool(etag or last_modified)
        if problem := problem_of(page, conditional=conditional, expected=expected):
            raise _refused(url, page, problem)
        return page

    def _followed(
        self,
        url: str,
        hops: list[str],
        headers: list[tuple[str, str]],
        max_redirects: int,
        max_bytes: int | None,
        may_ask: MayAsk,
    ) -> Page:
        first, moved, for_good = url, None, True
        clock = Clock(self._deadline.total_seconds())
        while True:
            parts = admitted(url)
            if str(parts) in hops or len(hops) > max_redirects:
                raise Refusal(Fault.REDIRECT_LOOP, f"redirects={len(hops)}")
            hops.append(str(parts))
            before = time.monotonic()
            with may_ask(hops[-1]) as heard:
                clock.excuse(before)
                page = self._asked(parts, headers, clock, max_bytes or self._max_bytes)
                heard(page)
            location = page.header("location")
            if page.status not in REDIRECTS or not location:
                return replace(page, url=first, hops=tuple(hops), moved=moved)
            url = self._secrets.masked(_joined(parts, location))
            for_good = for_good and page.status in (301, 308)
            moved = url if for_good else moved

    def _asked(
        self, url: URL, headers: list[tuple[str, str]], clock: Clock, max_bytes: int
    ) -> Page:
        """Send one request; read the body only of a 2xx, and leave nothing open."""
        sent = [(name.encode(), value.encode("latin-1")) for name, value in headers]
        shown = str(url)
        asked = self._secrets.revealed(shown)
        where = url if asked == shown else URL(asked)
        brought = {"guard": self._guard, "clock": clock}
        request = Request("GET", where, headers=sent, extensions=brought)
        with closing(self._transport.handle_request(request)) as answer:
            page = Page(
                url=shown,
                final_url=shown,
                status=answer.status_code,
                headers=tuple(self._header(*pair) for pair in answer.headers.raw),
                payload=b"",
                content=b"",
                fetched=self._now(),
            )
            if page.status // 100 != 2:
                return page
            payload, content = _read(page, answer.iter_raw(), max_bytes)
        page = replace(page, payload=payload, content=content, fetched=self._now())
        if (hidden := self._secrets.masked_bytes(content)) == content:
            return page
        coded = ("content-encoding", "content-length")  # no longer true
        kept = tuple(pair for pair in page.headers if pair[0].lower() not in coded)
        return replace(page, payload=hidden, content=hidden, headers=kept)

    def _header(self, name: bytes, value: bytes) -> tuple[str, str]:
        """Return a header as received, but for keys of ours and cookies.

        latin-1 gives every byte back: RFC 9110 section 5.5.
        """
        if name.lower() in (b"set-cookie", b"set-cookie2"):
            return name.decode("latin-1"), "***"
        return name.decode("latin-1"), self._secrets.masked(value.decode("latin-1"))


def _read(page: Page, chunks: Iterable[bytes], most: int) -> tuple[bytes, bytes]:
    """Return the body as received and decoded, both measured as they grow.

    Raises Refusal: TOO_LARGE beyond `most` bytes of either, BAD_ENCODING for any coding but one
    gzip: a chain of two makes 100 MB of 326 bytes (measured with httpx's decoder).
    """
    said = ",".join(value for name, value in page.headers if name.lower() == "content-encoding")
    codings = [c for c in re.split(r"[\s,]+", said.lower()) if c not in ("", "identity")]
    if codings not in ([], ["gzip"], ["x-gzip"]):
        raise Refusal(Fault.BAD_ENCODING, f"content-encoding={said[:80]!r}")
    announced = page.header("content-length") or "0"  # h11 has seen to it that it is a number
    if int(announced) > most:
        raise Refusal(Fault.TOO_LARGE, f"announced={announced} most={most}")
    payload, content, gunzip = bytearray(), bytearray(), isal_zlib.decompressobj(wbits=31)
    for chunk in chunks:
        payload += chunk
        while codings and chunk:
            if gunzip.eof:  # RFC 1952 section 2.2: members may follow each other
                if not chunk.startswith(b"\x1f"):
                    break  # padding, as gzip(1) ignores it
                gunzip = isal_zlib.decompressobj(wbits=31)
            try:
                content += gunzip.decompress(chunk, most + 1 - len(content))
            except isal_zlib.error as error:  # type: ignore[misc]  # its stub errs
                raise Refusal(Fault.BAD_ENCODING, f"gzip: {error}") from error
            chunk = gunzip.unconsumed_tail or gunzip.unused_data
            if len(content) > most:
                break
        if max(len(payload), len(content)) > most:
            raise Refusal(Fault.TOO_LARGE, f"received={len(payload)} decoded>{most}")
    if codings and payload and not gunzip.eof:
        raise Refusal(Fault.BAD_ENCODING, "gzip: ends in mid-stream")
    whole = bytes(payload)
    return whole, bytes(content) if codings else whole


def _refused(url: str, page: Page, problem: Problem) -> FetchError:
    """Return the error for an answer that is not what was asked for."""
    wait = retry_after(page.header("retry-after"), page.header("date"), page.fetched)
    at = "" if page.final_url == url else f" at {redacted(page.final_url)}"
    return FetchError(redacted(url), problem.fault, problem.detail + at, page.status, wait)


def _failed(url: str, hops: list[str], fault: Fault, detail: str) -> FetchError:
    at = f" at {redacted(hops[-1])}" if hops[1:] else ""
    return FetchError(redacted(url), fault, detail + at)


def _joined(base: URL, location: str) -> str:
    """Return where a redirect leads; raises Refusal(BAD_URL)."""
    with suppress(UnicodeError):  # against RFC 9110 some servers send UTF-8
        location = location.encode("latin-1").decode()
    if "\\" in location:
        raise Refusal(Fault.BAD_URL, "a redirect with a backslash")
    try:
        return str(base.join(location.strip()))
    except (InvalidURL, ValueError) as error:
        raise Refusal(Fault.BAD_URL, "a redirect to what is not a URL") from error
