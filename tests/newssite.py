"""A news site on a loopback address: the Internet of the tests and of the demo.

    with NewsSite() as site, NewsSite("127.0.0.2") as other:
        url = site.publish("/story", "<p>Text</p>")         # 200, with validators, 304 when due
        site.publish("/gone", "", status=410)
        site.redirect("/old", other.url("/new"), status=301)
        site.script("/feed", Reply(body="a"), Reply(status=503, headers={"Retry-After": "7"}))
        site.misbehave("/slow", "drip_body")                # see HOSTILE for the names
        ...
        assert [asked.path for asked in site.asked] == ["/story"]

A real threaded HTTP/1.1 server; every 127.x.y.z is a host of its own. It resolves no names. What
is not published is a 404. Publishing again under a path replaces what was there.
"""

import gzip
import hashlib
import socket
import socketserver
import struct
import sys
import threading
import time
from collections.abc import Callable, Mapping
from contextlib import suppress
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime
from email.utils import format_datetime
from functools import cache
from http.server import BaseHTTPRequestHandler
from typing import Any, Self


@dataclass(frozen=True, kw_only=True)
class Reply:
    """One answer of the site; `etag` and `modified` None stand for values made from the body
    and the time of publishing, "" for none at all."""

    body: str | bytes = ""
    status: int = 200
    content_type: str = "text/html; charset=utf-8"
    headers: Mapping[str, str] = field(default_factory=dict)
    etag: str | None = None
    modified: str | None = None
    gzip: bool = False
    takes: float = 0  # seconds

    def bytes(self) -> bytes:
        body = self.body.encode() if isinstance(self.body, str) else self.body
        return gzip.compress(body, mtime=0) if self.gzip else body


@dataclass(frozen=True)
class Asked:
    """One request as it came."""

    path: str  # with its query
    headers: Mapping[str, str]  # names in lower case
    at: float  # seconds, of time.monotonic
    connection: int = 0  # the port at its other end


class NewsSite:
    """One host. `asked` lists the requests in the order in which they came."""

    def __init__(self, host: str = "127.0.0.1", port: int = 0) -> None:
        self.asked: list[Asked] = []
        self.at_once = self.most_at_once = 0  # requests being answered
        self.closing = threading.Event()
        self._shown: dict[str, list[Reply] | Callable[[_Handler], None]] = {}
        self._server = _Server((host, port), self)
        self.host, self.port = host, int(self._server.server_address[1])
        self._thread = threading.Thread(target=self._server.serve_forever, args=(0.02,))
        self._thread.start()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def close(self) -> None:
        """Stop, whatever is being answered."""
        self.closing.set()
        self._server.shutdown()
        self._server.hang_up()
        self._server.server_close()
        self._thread.join()

    def url(self, path: str = "/") -> str:
        return f"http://{self.host}:{self.port}{path}"

    def paths(self) -> list[str]:
        """Return the paths asked so far, queries and repetitions included."""
        return [asked.path for asked in self.asked]

    def publish(self, path: str, body: str | bytes, **reply: Any) -> str:
        """Show this under that path from now on, with the fields of Reply; return its URL."""
        return self.script(path, Reply(body=body, **reply))

    def script(self, path: str, *replies: Reply) -> str:
        """Give these answers one after the other, the last one for good."""
        now = format_datetime(datetime.now(UTC), usegmt=True)
        self._shown[path] = [
            replace(reply, modified=now)
            if reply.modified is None and reply.status == 200
            else reply
            for reply in replies
        ]
        return self.url(path)

    def redirect(self, path: str, to: str, status: int = 302) -> str:
        return self.publish(path, "", status=status, headers={"Location": to})

    def misbehave(self, path: str, how: str | bytes) -> str:
        """Answer in one of the ways of HOSTILE, or with these very bytes, headers and all."""
        self._shown[path] = _says(how) if isinstance(how, bytes) else HOSTILE[how]
        return self.url(path)

    def withdraw(self, path: str) -> None:
        """Answer 404 from now on."""
        self._shown.pop(path, None)

    def shown(self, path: str) -> "Reply | Callable[[_Handler], None]":
        shown = self._shown.get(path) or self._shown.get(path.partition("?")[0])
        if isinstance(shown, list):
            return shown.pop(0) if len(shown) > 1 else shown[0]
        return shown or Reply(body="Not found", status=404)


class _Server(socketserver.ThreadingTCPServer):
    allow_reuse_address = True
    request_queue_size = 128

    def __init__(self, address: tuple[str, int], site: NewsSite) -> None:
        self.site = site
        self._open: set[socket.socket] = set()
        super().__init__(address, _Handler)

    def get_request(self) -> tuple[socket.socket, Any]:
        request, address = super().get_request()
        self._open.add(request)
        return request, address

    def close_request(self, request: Any) -> None:
        self._open.discard(request)
        super().close_request(request)

    def handle_error(self, request: Any, client_address: object) -> None:
        """Say nothing of a client that hangs up: many tests are about that."""
        if not isinstance(sys.exception(), OSError):
            super().handle_error(request, client_address)

    def hang_up(self) -> None:
        for request in list(self._open):
            with suppress(OSError):  # it was faster
                request.shutdown(socket.SHUT_RDWR)


class _Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    server: _Server
    wbufsize = -1  # a whole answer in one packet
    disable_nagle_algorithm = True

    def do_GET(self) -> None:
        self.site = self.server.site
        headers = {name.lower(): value for name, value in self.headers.items()}
        self.site.asked.append(Asked(self.path, headers, time.monotonic(), self.client_address[1]))
        self.site.at_once += 1
        self.site.most_at_once = max(self.site.most_at_once, self.site.at_once)
        try:
            self.show(self.site.shown(self.path), headers)
        finally:
            self.site.at_once -= 1

    def show(self, shown: "Reply | Callable[[_Handler], None]", headers: Mapping[str, str]) -> None:
        if isinstance(shown, Reply):
            self.answer(shown, headers)
        else:
            self.close_connection = True
            shown(self)

    def answer(self, reply: Reply, asked: Mapping[str, str]) -> None:
        time.sleep(reply.takes)
        body = reply.bytes()
        made = f'"{hashlib.sha256(body).hexdigest()[:16]}"' if reply.status == 200 else ""
        etag = made if reply.etag is None else reply.etag
        status = (
            304 if reply.status == 200 and _unchanged(asked, etag, reply.modified) else reply.status
        )
        self.send_response(status)
        for name, value in (("ETag", etag), ("Last-Modified", reply.modified)):
            if value:
                self.send_header(name, value)
        for name, value in reply.headers.items():
            self.send_header(name, value)
        if status != 304:
            self.send_header("Content-Type", reply.content_type)
            self.send_header("Content-Length", str(len(body)))
            if reply.gzip:
                self.send_header("Content-Encoding", "gzip")
        self.end_headers()
        if status != 304:
            self.wfile.write(body)

    def raw(self, data: bytes) -> None:
        self.wfile.write(data)
        self.wfile.flush()

    def drip(self, data: bytes, first: bytes = b"") -> None:
        """Send a byte now and then until the other side or the site gives up."""
        self.raw(first)
        for byte in data:
            self.raw(bytes([byte]))
            if self.site.closing.wait(0.05):
                return

    def pour(self, data: bytes, first: bytes = b"") -> None:
        """Send the same without end."""
        self.raw(first)
        while not self.site.closing.is_set():
            self.raw(data)

    def log_message(self, format: str, *args: object) -> None:
        """Keep the tests' output clean."""


def _unchanged(asked: Mapping[str, str], etag: str, modified: str | None) -> bool:
    """RFC 9110 section 13.2.2: If-None-Match, compared weakly, outranks If-Modified-Since."""
    if "if-none-match" in asked:
        tags = [tag.strip().removeprefix("W/") for tag in asked["if-none-match"].split(",")]
        return bool(etag) and (etag.removeprefix("W/") in tags or "*" in tags)
    return bool(modified) and asked.get("if-modified-since") == modified


# --- ways to misbehave ------------------------------------------------------------------------

OK = b"HTTP/1.1 200 OK\r\nContent-Type: text/html\r\n"
FOUND = b"HTTP/1.1 302 Found\r\nContent-Length: 0\r\nLocation: %s\r\n\r\n"


def _says(data: bytes) -> Callable[[_Handler], None]:
    return lambda handler: handler.raw(data)


def _coded(coding: bytes, body: bytes) -> bytes:
    length = len(body)
    return OK + b"Content-Encoding: %s\r\nContent-Length: %d\r\n\r\n" % (coding, length) + body


@cache
def _zeros() -> bytes:
    return gzip.compress(bytes(100_000_000), 6)  # 100 MB in 97 kB


def _hang(handler: _Handler) -> None:
    handler.site.closing.wait()


def _reset(handler: _Handler) -> None:
    handler.raw(OK + b"Content-Length: 1000\r\n\r\n<p>sho")
    time.sleep(0.05)  # else the reset overtakes the bytes
    linger = struct.pack("ii", 1, 0)  # closing then sends RST, not FIN
    handler.connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, linger)
    socket.close(handler.connection.detach())  # at once: others hold the socket open


def _redirect_on(handler: _Handler) -> None:
    path, _, number = handler.path.partition("?")
    handler.raw(FOUND % f"{path}?{int(number or 0) + 1}".encode())


HOSTILE: dict[str, Callable[[_Handler], None]] = {
    "hang": _hang,  # takes the request and says nothing
    "hang_up": _says(b""),  # closes without a word
    "babble": _says(b"220 smtp.example.org ESMTP ready\r\n" * 3),  # what is not HTTP
    "drip_headers": lambda handler: handler.drip(OK + b"X-Slow: " + b"z" * 100_000),
    "drip_body": lambda handler: handler.drip(
        b"z" * 100_000, OK + b"Content-Length: 100000\r\n\r\n"
    ),
    "endless_interim": lambda handler: handler.pour(b"HTTP/1.1 103 Early Hints\r\n\r\n" * 1000),
    "endless_header": lambda handler: handler.pour(b"z" * 65536, OK + b"X-Long: "),
    "endless_body": lambda handler: handler.pour(b"z" * 65536, OK + b"\r\n"),
    "endless_chunks": lambda handler: handler.pour(
        b"1\r\nz\r\n" * 1000, OK + b"Transfer-Encoding: chunked\r\n\r\n"
    ),
    "huge_headers": _says(OK + b"".join(b"X-%d: 1\r\n" % n for n in range(100_000)) + b"\r\n"),
    "huge_length": _says(OK + b"Content-Length: 99999999999\r\n\r\n<p>"),
    "gzip_bomb": lambda handler: handler.raw(_coded(b"gzip", _zeros())),
    "double_gzip": lambda handler: handler.raw(  # 100 MB in a few hundred bytes
        _coded(b"gzip, gzip", gzip.compress(_zeros()))
    ),
    "bad_gzip": _says(_coded(b"gzip", b"<p>this is not gzip</p>")),
    "cut_gzip": _says(_coded(b"gzip", gzip.compress(b"<p>text</p>" * 100)[:-12])),
    "brotli": _says(_coded(b"br", b"\x0b\x02\x80text\x03")),  # a coding nobody asked for
    "wrong_length": _says(OK + b"Content-Length: 1000\r\n\r\n<p>short</p>"),
    "reset": _reset,  # resets the connection in mid-body
    "redirect_loop": lambda handler: handler.raw(FOUND % handler.path.encode()),
    "redirect_on": _redirect_on,  # on and on, to ever new URLs
}
