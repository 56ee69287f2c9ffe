"""Connections to guarded addresses that end at a deadline, whatever the other side does."""

import ssl
import time
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from typing import Any

import httpcore
import httpx

from ingest.errors import Fault
from ingest.web.guard import Guard, Refusal

MAX_HEADER_BYTES = 64 * 1024  # of one answer; h11 alone stops at 100 KiB and times it not
MAX_CONNECT = 10.0  # seconds for one address; Lion Reader's and CommaFeed's limit


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

    @contextmanager
    def stopped(self) -> Iterator[None]:
        """Let time pass that is ours and not the site's: waiting for the host's turn."""
        before = time.monotonic()
        try:
            yield
        finally:
            self._end += time.monotonic() - before


class Wire(httpcore.NetworkBackend):
    """Connects where the guard lets it, for one request; httpcore's own timeouts are not used.

    Those are per operation, so that one byte a second would go on for ever.
    """

    def __init__(self, guard: Guard, clock: Clock) -> None:
        self._guard, self._clock = guard, clock
        self.in_headers = True

    def connect_tcp(
        self,
        host: str,
        port: int,
        timeout: float | None = None,
        local_address: str | None = None,
        socket_options: Iterable[Any] | None = None,  # Any: httpcore names no public type
    ) -> httpcore.NetworkStream:
        """Dial the host's addresses in turn until one answers; no name is resolved after this."""
        failure: httpcore.NetworkError | httpcore.TimeoutException | None = None
        for address in self._guard.addresses(host, port, self._clock.left()):
            seconds = min(self._clock.left(), MAX_CONNECT)
            try:
                stream = httpcore.SyncBackend().connect_tcp(address, port, seconds)
            except (httpcore.ConnectError, httpcore.ConnectTimeout) as error:
                failure = error
            else:
                return _Stream(stream, self, self._clock)
        assert failure is not None  # the guard returns at least one address
        raise failure


class Transport(httpx.BaseTransport):
    """httpx's way to the wire that a request brings; errors stay httpcore's, which tell more."""

    def __init__(self, tls: ssl.SSLContext) -> None:
        self._tls = tls

    def handle_request(self, request: httpx.Request) -> httpx.Response:
        """Send a request without a body; the response's body is still to be read."""
        url = request.url
        target = httpcore.URL(
            scheme=url.raw_scheme, host=url.raw_host, port=url.port, target=url.raw_path
        )
        connection = httpcore.HTTPConnection(
            target.origin, self._tls, network_backend=request.extensions["wire"]
        )
        try:
            answer = connection.handle_request(
                httpcore.Request(request.method, target, headers=request.headers.raw)
            )
        except BaseException:
            connection.close()
            raise
        body = _Body(connection, answer)
        return httpx.Response(answer.status, headers=answer.headers, stream=body)


class _Body(httpx.SyncByteStream):
    def __init__(self, connection: httpcore.HTTPConnection, answer: httpcore.Response) -> None:
        self._connection, self._answer = connection, answer

    def __iter__(self) -> Iterator[bytes]:
        return self._answer.iter_stream()

    def close(self) -> None:
        self._connection.close()


class _Stream(httpcore.NetworkStream):
    def __init__(self, stream: httpcore.NetworkStream, wire: Wire, clock: Clock) -> None:
        self._stream, self._wire, self._clock = stream, wire, clock
        self._received = 0  # bytes since the connection stood

    def read(self, max_bytes: int, timeout: float | None = None) -> bytes:
        if self._wire.in_headers and self._received >= MAX_HEADER_BYTES:
            raise Refusal(Fault.TOO_LARGE, f"headers received={self._received}")
        most = min(max_bytes, 16 * 1024) if self._wire.in_headers else max_bytes
        got = self._stream.read(most, self._clock.left())
        self._received += len(got)
        return got

    def write(self, buffer: bytes, timeout: float | None = None) -> None:
        self._stream.write(buffer, self._clock.left())

    def close(self) -> None:
        self._stream.close()

    def start_tls(
        self,
        ssl_context: ssl.SSLContext,
        server_hostname: str | None = None,
        timeout: float | None = None,
    ) -> httpcore.NetworkStream:
        try:
            secured = self._stream.start_tls(ssl_context, server_hostname, self._clock.left())
        except httpcore.ConnectError as error:
            raise Refusal(Fault.TLS, str(error)) from error
        return _Stream(secured, self._wire, self._clock)

    def get_extra_info(self, info: str) -> Any:  # Any: whatever the stream below tells
        return self._stream.get_extra_info(info)
