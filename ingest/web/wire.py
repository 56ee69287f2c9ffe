"""Connections to guarded addresses that end at a deadline, whatever the other side does."""

import select
import socket
import ssl
import time
from collections.abc import Callable, Iterator
from contextlib import suppress
from functools import cached_property
from threading import Lock

import h11
from httpx import URL, BaseTransport, Request, Response, SyncByteStream, create_ssl_context

from ingest.errors import Fault
from ingest.web.guard import Guard, Refusal

MAX_HEADER_BYTES = 64 * 1024  # of one answer, what comes before it counted in
KEPT = 256  # connections between two pages
KEPT_SECONDS = 15.0  # servers keep one for 5 to 75
Site = tuple[str, bytes, int | None]  # scheme, host, port
MAX_CONNECT = 10.0  # seconds for one address; Lion Reader's and CommaFeed's limit


class Silence(ConnectionError):
    """A site hung up without a word."""


class Clock:
    """What is left of the time for one page, every redirect included."""

    def __init__(self, seconds: float) -> None:
        self._seconds, self._end = seconds, time.monotonic() + seconds

    def left(self) -> float:
        """Return the seconds left, more than 0; raises Refusal(TIMEOUT_TOTAL) when it is over."""
        left = self._end - time.monotonic()
        if left <= 0:
            raise Refusal(Fault.TIMEOUT_TOTAL, f"not complete after {self._seconds:g} s")
        return left

    def excuse(self, since: float) -> None:
        """Count no time since then: it was ours and not the site's, for the host's turn."""
        self._end += time.monotonic() - since


class Wire:
    """A connection to a site, to where the guard lets it; asks one thing after the other.

    h11 speaks HTTP/1.1 and knows no socket. A socket's timeout is for one operation, so that one
    byte a second would go on for ever: each operation gets what is left of the clock.
    """

    def __init__(self, guard: Guard, tls: ssl.SSLContext | None, clock: Clock, url: URL) -> None:
        """Connect to the URL's host, by TLS where that is given; raises Refusal."""
        self._clock = clock
        self._http = h11.Connection(h11.CLIENT, max_incomplete_event_size=2 * MAX_HEADER_BYTES)
        host = url.raw_host.decode()
        self._socket = self._dialled(guard, host, url.port or (443 if tls else 80))
        try:
            if tls:
                self._secure(tls, host)
        except BaseException:
            self._socket.close()
            raise

    def close(self) -> None:
        """Close the connection."""
        self._socket.close()

    def is_free(self) -> bool:
        """Tell whether all was asked and answered, and the site announced no end."""
        if self._http.their_state is h11.SEND_BODY:  # an empty one, if no more need be received
            self._http.next_event()
        states = {self._http.our_state, self._http.their_state}
        return states == {h11.DONE} and not any(self._http.trailing_data)

    def asks_again(self, clock: Clock) -> bool:
        """Make ready to ask again; False where the site hung up meanwhile, or said more."""
        if isinstance(self._socket, ssl.SSLSocket) and self._socket.pending():
            return False  # deciphered, and no longer in the socket
        poll = select.poll()  # not select(), which knows no file beyond the 1,024th
        poll.register(self._socket, select.POLLIN)
        if poll.poll(0):
            return False
        self._http.start_next_cycle()
        self._clock = clock
        return True

    def ask(self, target: bytes, headers: list[tuple[bytes, bytes]]) -> h11.Response:
        """Send a GET and return the head of its answer.

        Raises TimeoutError, OSError, h11.ProtocolError, Silence, and Refusal for a head without
        end.
        """
        asked = h11.Request(method=b"GET", target=target, headers=headers)
        sent = (self._http.send(asked) or b"") + (self._http.send(h11.EndOfMessage()) or b"")
        with suppress(ConnectionError):  # who hangs up early may have answered all the same
            self._socket.settimeout(self._clock.left())
            self._socket.sendall(sent)
        received = 0
        while not isinstance(answer := self._http.next_event(), h11.Response):
            if answer is h11.NEED_DATA:
                if received >= MAX_HEADER_BYTES:
                    raise Refusal(Fault.TOO_LARGE, f"headers received={received}")
                try:
                    received += self._receive(16 * 1024)
                except ConnectionError as error:
                    raise error if received else Silence(str(error)) from error
                if self._http.trailing_data[1] and not received:
                    raise Silence("the site hung up without an answer")
        return answer

    def body(self) -> Iterator[bytes]:
        """Yield the answer's body, as it arrives and still encoded; raises as `ask` does."""
        while True:
            event = self._http.next_event()
            if event is h11.NEED_DATA:
                self._receive(64 * 1024)
            elif isinstance(event, h11.Data):
                yield event.data
            else:
                return

    def _receive(self, most: int) -> int:
        self._socket.settimeout(self._clock.left())
        got = self._socket.recv(most)
        self._http.receive_data(got)
        return len(got)

    def _dialled(self, guard: Guard, host: str, port: int) -> socket.socket:
        """Try the host's addresses in turn until one answers; no name is resolved after this."""
        failure: OSError | None = None
        for address in guard.addresses(host, port, self._clock.left()):
            seconds = min(self._clock.left(), MAX_CONNECT)
            try:
                dialled = socket.create_connection((address, port), seconds)
            except OSError as error:
                failure = error
            else:
                dialled.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
                return dialled
        if isinstance(failure, TimeoutError):
            raise Refusal(Fault.TIMEOUT_CONNECT, "no connection in time") from failure
        raise Refusal(Fault.CONNECTION, str(failure)[:200]) from failure

    def _secure(self, tls: ssl.SSLContext, host: str) -> None:
        try:
            self._socket.settimeout(self._clock.left())
            self._socket = tls.wrap_socket(self._socket, server_hostname=host)
        except TimeoutError as error:
            raise Refusal(Fault.TIMEOUT_CONNECT, "no connection in time") from error
        except (OSError, ValueError) as error:  # ValueError: a name that cannot be asked for
            raise Refusal(Fault.TLS, str(error)) from error


class Transport(BaseTransport):
    """httpx's way over wires; a request brings `guard` and `clock`. Threads may use it.

    Not httpcore's: that takes twice the processor time (measured: 2.1 ms for a 304, 1.1 so), and
    its timeouts are for one operation each.

    A connection whose answer was read to its end is kept for the site's next page: to connect, by
    TLS above all, costs both sides more than to ask. Where it was closed meanwhile, another is
    dialled; a GET may be sent twice (RFC 9110 section 9.2.2).
    """

    def __init__(self) -> None:
        self._lock = Lock()
        self._kept: dict[Site, tuple[float, Wire]] = {}  # since when; the oldest first

    @cached_property
    def _tls(self) -> ssl.SSLContext:
        """How https is spoken: made when first needed, for that takes 17 ms."""
        tls = create_ssl_context(trust_env=False)
        tls.set_alpn_protocols(["http/1.1"])
        return tls

    def handle_request(self, request: Request) -> Response:
        """Send a request without a body; the response's body is still to be read."""
        clock: Clock = request.extensions["clock"]
        url = request.url
        site = (url.scheme, url.raw_host, url.port)
        wire, answer = self._open(site, clock), None
        if wire:
            with suppress(Silence):
                answer = self._answer(wire, request)
        if wire is None or answer is None:
            tls = self._tls if url.scheme == "https" else None
            wire = Wire(request.extensions["guard"], tls, clock, url)
            answer = self._answer(wire, request)
        body = _Body(wire, lambda: self._keep(site, wire))
        return Response(answer.status_code, headers=answer.headers.raw_items(), stream=body)

    def _open(self, site: Site, clock: Clock) -> Wire | None:
        """Return the connection that is kept of a site, if it can be asked again."""
        with self._lock:
            since, wire = self._kept.pop(site, (0.0, None))
        if wire and time.monotonic() < since + KEPT_SECONDS and wire.asks_again(clock):
            return wire
        if wire:
            wire.close()
        return None

    def _answer(self, wire: Wire, request: Request) -> h11.Response:
        try:
            return wire.ask(request.url.raw_path, request.headers.raw)
        except BaseException:
            wire.close()
            raise

    def _keep(self, site: Site, wire: Wire) -> None:
        with self._lock:
            gone = [self._kept.pop(site)] if site in self._kept else []
            if len(self._kept) >= KEPT:
                gone.append(self._kept.pop(next(iter(self._kept))))
            self._kept[site] = time.monotonic(), wire
        for _, other in gone:
            other.close()

    def close(self) -> None:
        """Close what is kept."""
        while self._kept:
            self._kept.popitem()[1][1].close()


class _Body(SyncByteStream):
    def __init__(self, wire: Wire, keep: Callable[[], None]) -> None:
        self._wire, self._keep = wire, keep

    def __iter__(self) -> Iterator[bytes]:
        return self._wire.body()

    def close(self) -> None:
        try:
            is_free = self._wire.is_free()
        except (h11.ProtocolError, OSError, ValueError):
            is_free = False
        if is_free:
            self._keep()
        else:
            self._wire.close()
