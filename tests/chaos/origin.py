"""Every host of a world in one thread: answers by the clock, fails as planned, notes it all."""

import asyncio
import gzip
import json
import socket
import ssl
import struct
import threading
from collections import Counter, defaultdict
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from email.utils import format_datetime
from pathlib import Path
from typing import Self
from xml.sax.saxutils import escape

from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec

from tests.chaos.clock import RealClock, SharedClock
from tests.chaos.world import (
    DNS_LIES,
    FORBIDDEN,
    HOUR,
    NEWEST,
    SLOW,
    STAY,
    TLS_FAULTS,
    Feed,
    Host,
    Story,
    Window,
    World,
)

KINDS = {"rss": "application/rss+xml", "atom": "application/atom+xml",
         "rdf": "application/rdf+xml", "json": "application/feed+json"}  # fmt: skip
WALL = (
    b"<!doctype html><title>One more step</title><script id='anubis_challenge'>{}</script>"
    b"<p>Your browser does a sum, and then you will see the page.</p>"
)
REASONS = {200: "OK", 301: "Moved Permanently", 302: "Found", 304: "Not Modified"}


@dataclass(slots=True)
class Asked:
    """One request as it came."""

    host: str
    path: str
    at: float  # seconds of true time
    kind: str  # feed, page, robots or other
    number: int  # of the feed or story; -1 for others
    fault: str  # how the answer failed
    status: int
    etag: str | None
    modified: str | None
    wait: float = 0.0  # seconds of Retry-After


class Origin:
    """The hosts of a world, each at an address of its own; `asked` is what came, in order."""

    def __init__(
        self, world: World, clock: SharedClock | RealClock, folder: Path, calm: bool = False
    ) -> None:
        self.world, self.clock, self.calm = world, clock, calm
        self.asked: list[Asked] = []
        self.forbidden: list[str] = []  # who connected to where nobody may
        self.faults: Counter[str] = Counter()  # answers that failed, by kind
        self.issued: defaultdict[int, set[tuple[str | None, str | None]]] = defaultdict(set)
        self.on_request: Callable[[], None] = lambda: None
        self._tries: Counter[int] = Counter()  # requests for a story's page
        self._shown: dict[tuple[int, object], bytes] = {}
        self._contexts, self.authority = _certificates([host.name for host in world.hosts], folder)
        self._servers: list[asyncio.Server] = []
        self.open: set[asyncio.Transport] = set()
        self._loop = asyncio.new_event_loop()
        self._thread = threading.Thread(target=self._loop.run_forever, name="origin", daemon=True)
        addresses = [host.address for host in world.hosts]
        self.port = self._serve([*addresses, FORBIDDEN], None)
        self.tls_port = self._serve(addresses, self._contexts["good"])
        self._contexts["good"].sni_callback = self._vouch
        self._thread.start()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self._loop.call_soon_threadsafe(self._loop.stop)
        self._thread.join()
        for server in self._servers:
            server.close()
        for transport in list(self.open):
            transport.abort()
        self._loop.run_until_complete(asyncio.sleep(0.05))
        self._loop.close()

    def _serve(self, addresses: list[str], tls: ssl.SSLContext | None) -> int:
        for _ in range(20):
            with socket.create_server((addresses[0], 0)) as probe:
                port = int(probe.getsockname()[1])
            with suppress(OSError):
                server = self._loop.run_until_complete(
                    self._loop.create_server(
                        lambda: _Connection(self), addresses, port, ssl=tls, backlog=200
                    )
                )
                self._servers.append(server)
                return port
        raise OSError("no port is free at every address")

    def _vouch(self, connection: ssl.SSLObject, name: str, _context: ssl.SSLContext) -> None:
        """Show a certificate that is worth nothing while a feed of that host has it so."""
        host = self.world.by_name.get(name)
        for feed in self.world.feeds:
            if host and feed.secure and feed.host == host.number:
                kind = self._fails(feed.windows, only=TLS_FAULTS)
                if kind:
                    self.faults[kind] += 1
                    connection.context = self._contexts[kind]

    # --- URLs --------------------------------------------------------------------------------

    def url(self, feed: Feed) -> str:
        return self._url(feed.host, feed.path, feed.secure)

    def story_url(self, story: Story, renamed: bool = False) -> str:
        return self._url(story.host, story.renamed_path if renamed else story.path)

    def _url(self, host: int, path: str, secure: bool = False) -> str:
        scheme, port = ("https", self.tls_port) if secure else ("http", self.port)
        return f"{scheme}://{self.world.hosts[host].name}:{port}{path}"

    # --- answers -----------------------------------------------------------------------------

    def _fails(self, windows: list[Window], only: tuple[str, ...] = ()) -> str:
        if self.calm:
            return ""
        at = self.clock.seconds
        return next((w.kind for w in windows if w.holds(at) and (not only or w.kind in only)), "")

    def answer(self, to: "_Connection", path: str, headers: dict[str, str]) -> None:
        name = headers.get("host", "").partition(":")[0]
        host = self.world.by_name.get(name)
        note = Asked(
            host=name,
            path=path,
            at=self.clock.seconds,
            kind="other",
            number=-1,
            fault="",
            status=404,
            etag=headers.get("if-none-match"),
            modified=headers.get("if-modified-since"),
        )
        self.asked.append(note)
        self.on_request()
        if host is None:
            to.say(404, b"no such host")
        elif path == "/robots.txt":
            self._robots(to, host, note)
        elif feed := self.world.feed_at.get((host.number, path)):
            note.kind, note.number = "feed", feed.number
            self._feed(to, feed, note)
        else:
            self._page(to, host, path.partition("?")[0], note)
        if note.fault:
            self.faults[note.fault] += 1

    def _robots(self, to: "_Connection", host: Host, note: Asked) -> None:
        note.kind, note.status = "robots", 200
        kind = self._fails(host.windows, only=("robots_503", "robots_reset"))
        if kind:
            note.fault = kind
            self._fail(
                to,
                kind.replace("robots_503", "status_500").replace(
                    "robots_reset", "reset_in_mid_body"
                ),
                b"User-agent: *\n" * 9,
                "text/plain",
                {},
                note,
            )
            return
        said = "User-agent: *\nDisallow: /never/\n"
        said += "Disallow: /private/\n" if host.private else ""
        said += f"Crawl-delay: {host.delay}\n" if host.delay else ""
        to.say(200, said.encode(), "text/plain")

    def _page(self, to: "_Connection", host: Host, path: str, note: Asked) -> None:
        there = self.world.by_moved_path.get((host.number, path))
        story = there or self.world.by_path.get((host.number, path))
        if story is None or story.published > note.at:
            to.say(404, b"not found")
            return
        note.kind, note.number, note.status = "page", story.number, 200
        if not there:
            turn = self._tries[story.number]
            self._tries[story.number] += 1
            if not self.calm and turn < len(story.faults):
                note.fault = story.faults[turn]
                self._fail(to, note.fault, self._html(story), "text/html", {}, note)
                return
        if story.kind == "trap":
            note.status = 302
            to.say(302, b"", headers={"Location": self._trap(story.number)})
        elif story.kind in ("gone", "missing"):
            note.status = 410 if story.kind == "gone" else 404
            to.say(note.status, b"it was here")
        elif story.kind == "pdf":
            to.say(200, b"%PDF-1.4 no text", "application/pdf")
        elif story.renamed_at is not None and path == story.path and note.at >= story.renamed_at:
            note.status = 301
            to.say(301, b"", headers={"Location": self._url(story.host, story.renamed_path)})
        elif story.kind == "moved" and not there:
            note.status = 301
            to.say(301, b"", headers={"Location": self._url(story.moved_to, story.moved_path)})
        else:
            body = self._html(story)
            if story.number % 3 == 0:
                to.say(200, gzip.compress(body, 1), headers={"Content-Encoding": "gzip"})
            else:
                to.say(200, body)

    def _trap(self, number: int) -> str:
        places = (
            f"http://{FORBIDDEN}:{self.port}/secret",
            f"http://{DNS_LIES}:{self.port}/secret",
            f"http://[::ffff:{FORBIDDEN}]:{self.port}/secret",
            f"http://0x7f090909:{self.port}/secret",
            "http://169.254.169.254/latest/meta-data",
            f"//{FORBIDDEN}:{self.port}/secret",
            "http://10.0.0.1/admin",
        )
        return places[number % len(places)]

    def _html(self, story: Story) -> bytes:
        title, told = self.world.text(story, self.clock.seconds)
        day = (self.clock.START + timedelta(seconds=story.published)).isoformat()
        said = "".join(f"<p>{part}</p>" for part in told)
        return (
            f'<!doctype html><html lang="en"><head><meta charset="utf-8"><title>{title}</title>'
            f'<meta property="article:published_time" content="{day}">'
            f"</head><body><article><h1>{title}</h1>{said}</article></body></html>"
        ).encode()

    def _feed(self, to: "_Connection", feed: Feed, note: Asked) -> None:
        at = note.at
        if feed.gone_at is not None and at >= feed.gone_at:
            note.status = 410
            to.say(410, b"gone")
            return
        kind = self._fails(feed.windows)
        if kind in TLS_FAULTS or (kind == "lying_etag" and not (note.etag or note.modified)):
            kind = ""  # it got past that
        if feed.moves_at is not None and at >= feed.moves_at and note.path == feed.path:
            note.status = 301
            where = self._url(feed.moved_host, feed.moved_path, feed.secure)
            to.say(301, b"", headers={"Location": where})
            return
        body, version, changed = self._listing(feed, at)
        etag, modified = _validators(feed, version, changed)
        headers = {"ETag": etag or "", "Last-Modified": modified or ""}
        if feed.max_age is not None:
            headers["Cache-Control"] = f"max-age={feed.max_age}"
        if kind:
            note.fault = kind
            self._fail(to, kind, body, KINDS[feed.format], headers, note)
            if note.status in (200, 304) and kind in ("truncated_feed", "length_too_short"):
                self.issued[feed.number].add((etag, modified))
            return
        liar = feed.validators == "liar" and note.etag == etag
        known = note.etag == etag if note.etag else bool(modified) and note.modified == modified
        if liar or (known and (etag or modified)):
            note.status = 304
            to.say(304, b"", headers=headers)
        else:
            note.status = 200
            to.say(200, body, KINDS[feed.format], headers)
        self.issued[feed.number].add((etag, modified))

    def _fail(
        self, to: "_Connection", kind: str, body: bytes, media: str, headers: dict[str, str],
        note: Asked,
    ) -> None:  # fmt: skip
        """Answer in one of the ways of tests.chaos.world."""
        half = body[: len(body) // 2]
        note.status = 200
        if kind in SLOW:
            note.status = 0
            to.hang(slowly=kind == "slow_drip")
        elif kind == "reset_in_mid_body":
            to.say(200, half, media, headers, length=len(body), then="reset")
        elif kind == "hang_up":
            note.status = 0
            to.raw(b"")
        elif kind == "babble":
            note.status = 0
            to.raw(b"220 smtp.example.org ESMTP ready\r\n" * 3)
        elif kind == "length_too_long":
            to.say(200, body, media, headers, length=len(body) + 100)
        elif kind == "length_too_short":
            to.say(200, body, media, headers, length=len(half))
        elif kind == "bad_chunking":
            to.raw(
                f"HTTP/1.1 200 OK\r\nContent-Type: {media}\r\nTransfer-Encoding: chunked\r\n"
                "Connection: close\r\n\r\n".encode()
                + b"40\r\n"
                + half[:64]
                + b"\r\nzz\r\n"
                + half
            )
        elif kind == "status_503_until_date":
            note.status, note.wait = 503, 2 * HOUR
            until = _http_date(self.clock.true() + timedelta(hours=2))
            to.say(503, b"back soon", headers={"Retry-After": until})
        elif kind == "status_429_seconds":
            note.status, note.wait = 429, 1.5 * HOUR
            to.say(429, b"slow down", headers={"Retry-After": "5400"})
        elif kind == "status_429_mute":
            note.status = 429
            to.say(429, b"slow down")
        elif kind in ("wall_200", "wall_202"):
            note.status = int(kind.removeprefix("wall_"))
            to.say(note.status, WALL)
        elif kind == "notice_200":
            to.say(200, b"<!doctype html><title>Site</title><h1>Down for maintenance</h1>")
        elif kind == "not_there_yet":
            note.status = 404
            to.say(404, b"not found")
        elif kind == "empty_page":
            to.say(200, b"")
        elif kind.startswith("status_"):
            note.status = int(kind.removeprefix("status_"))
            to.say(note.status, b"<h1>Sorry</h1>")
        elif kind == "bad_gzip":
            to.say(200, b"this is not gzip", media, {**headers, "Content-Encoding": "gzip"})
        elif kind == "cut_gzip":
            cut = gzip.compress(body, 1)[:-20]
            to.say(200, cut, media, {**headers, "Content-Encoding": "gzip"})
        elif kind == "gzip_chain":
            twice = gzip.compress(gzip.compress(body, 1), 1)
            to.say(200, twice, media, {**headers, "Content-Encoding": "gzip, gzip"})
        elif kind == "truncated_feed":
            to.say(200, body[: len(body) * 2 // 3], media, headers)
        elif kind == "html_for_feed":
            to.say(200, b"<!doctype html><title>Down</title><p>Back soon", headers={"ETag": '"h"'})
        elif kind == "empty_body":
            to.say(200, b"", media, {"ETag": '"empty"'})
        elif kind == "redirect_loop":
            note.status = 302
            to.say(302, b"", headers={"Location": note.path})
        elif kind == "redirect_to_forbidden":
            note.status = 302
            to.say(302, b"", headers={"Location": self._trap(note.number)})
        elif kind == "huge_headers":
            to.say(200, body, media, {f"X-{n}": "z" * 70 for n in range(1000)})
        elif kind in ("lying_etag", "always_304"):
            note.status = 304
            to.say(304, b"")
        else:
            raise ValueError(kind)

    # --- feeds -------------------------------------------------------------------------------

    def _listing(self, feed: Feed, at: float) -> tuple[bytes, str, float]:
        """Return a feed's body, what its version is called and when that began."""
        shown = [s for s in feed.stories if s.published <= at]
        fresh = [s for s in shown if s.published > at - STAY]
        shown = (fresh if len(fresh) > NEWEST else shown[-NEWEST:])[::-1]
        changed = shown[0].published if shown else 0.0
        turns = (turn for s in shown for turn in (s.renamed_at, s.edited_at))
        over = [turn for turn in turns if turn is not None and turn <= at]
        changed = max([changed, *over])
        new_guids = feed.new_guids_at is not None and at >= feed.new_guids_at
        if new_guids:
            changed = max(changed, feed.new_guids_at or 0.0)
        version = (len(over), shown[0].number, shown[-1].number, new_guids) if shown else ()
        key = (feed.number, version)
        if key not in self._shown:
            self._shown[key] = _render(self, feed, shown, "new-" if new_guids else "", at)
        return self._shown[key], f"{len(shown)}-{version}", changed


def _validators(feed: Feed, version: str, changed: float) -> tuple[str | None, str | None]:
    """Return a feed's ETag and Last-Modified, in its own manner."""
    mark = f"{feed.number}:{version}".replace(" ", "")
    moment = _http_date(SharedClock.START + timedelta(seconds=int(changed)))
    return {
        "both": (f'"{mark}"', moment),
        "weak": (f'W/"{mark}"', moment),
        "odd": (f"{mark}\xe9--gzip", moment.lower().replace(" gmt", " +0000")),
        "etag": (f'"{mark}"', None),
        "modified": (None, moment),
        "none": (None, None),
        "liar": ('"for ever"', None),
    }[feed.validators]


def _http_date(moment: datetime) -> str:
    return format_datetime(moment, usegmt=True)


def _render(origin: Origin, feed: Feed, stories: list[Story], guids: str, at: float) -> bytes:
    told = []
    for story in stories:
        renamed = story.renamed_at is not None and at >= story.renamed_at
        link = origin.story_url(story, renamed)
        if story.kind == "tracked":
            link += f"?utm_source=feed{feed.number}&utm_medium=rss"
        title, _ = origin.world.text(story, at)
        day = origin.clock.START + timedelta(seconds=story.published)
        told.append((link, escape(title), f"{guids}story-{story.number}", day))
    show = {"rss": _rss, "atom": _atom, "rdf": _rdf, "json": _json}[feed.format]
    return show(feed, told).encode()


_Told = list[tuple[str, str, str, datetime]]


def _rss(feed: Feed, told: _Told) -> str:
    hints = f"<ttl>{feed.ttl}</ttl>" if feed.ttl else ""
    hours = "".join(f"<hour>{hour}</hour>" for hour in feed.skip_hours)
    days = "".join(f"<day>{day}</day>" for day in feed.skip_days)
    hints += f"<skipHours>{hours}</skipHours>" if hours else ""
    hints += f"<skipDays>{days}</skipDays>" if days else ""
    shown = "".join(
        f'<item><title>{title}</title><link>{escape(link)}</link><guid isPermaLink="false">{guid}'
        f"</guid><pubDate>{_http_date(day)}</pubDate></item>"
        for link, title, guid, day in told
    )
    return (
        f'<?xml version="1.0"?><rss version="2.0"><channel><title>Feed {feed.number}</title>'
        f"<link>http://x.example/</link>{hints}{shown}</channel></rss>"
    )


def _atom(feed: Feed, told: _Told) -> str:
    shown = "".join(
        f'<entry><title>{title}</title><link href="{escape(link)}"/><id>tag:x.example:{guid}</id>'
        f"<updated>{day.isoformat()}</updated><published>{day.isoformat()}</published></entry>"
        for link, title, guid, day in told
    )
    return (
        f'<feed xmlns="http://www.w3.org/2005/Atom"><title>Feed {feed.number}</title>'
        f"<id>tag:x.example:{feed.number}</id><updated>2026-03-01T00:00:00Z</updated>{shown}</feed>"
    )


def _rdf(feed: Feed, told: _Told) -> str:
    shown = "".join(
        f'<item rdf:about="{escape(link)}"><title>{title}</title><link>{escape(link)}</link>'
        f"<dc:date>{day.isoformat()}</dc:date></item>"
        for link, title, guid, day in told
    )
    return (
        '<rdf:RDF xmlns:rdf="http://www.w3.org/1999/02/22-rdf-syntax-ns#" '
        'xmlns="http://purl.org/rss/1.0/" xmlns:dc="http://purl.org/dc/elements/1.1/">'
        f'<channel rdf:about="http://x.example/"><title>Feed {feed.number}</title></channel>{shown}'
        "</rdf:RDF>"
    )


def _json(feed: Feed, told: _Told) -> str:
    return json.dumps({
        "version": "https://jsonfeed.org/version/1.1",
        "title": f"Feed {feed.number}",
        "items": [
            {"id": guid, "url": link, "title": title, "date_published": day.isoformat()}
            for link, title, guid, day in told
        ],
    })  # fmt: skip


class _Connection(asyncio.Protocol):
    """One connection, one request, one answer."""

    def __init__(self, origin: Origin) -> None:
        self.origin, self.got = origin, b""

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        assert isinstance(transport, asyncio.Transport)
        self.transport = transport
        self.origin.open.add(transport)
        address = transport.get_extra_info("sockname")[0]
        if address == FORBIDDEN:
            self.origin.forbidden.append(str(transport.get_extra_info("peername")))

    def connection_lost(self, error: Exception | None) -> None:
        self.origin.open.discard(self.transport)

    def data_received(self, data: bytes) -> None:
        self.got += data
        if not self.got.endswith(b"\r\n\r\n"):
            return
        first, *lines = self.got.decode("latin-1").rstrip().split("\r\n")
        self.got = b""
        headers = {k.lower(): v.strip() for k, _, v in (line.partition(":") for line in lines)}
        self.origin.answer(self, first.split(" ")[1], headers)

    def say(
        self,
        status: int,
        body: bytes,
        media: str = "text/html; charset=utf-8",
        headers: dict[str, str] | None = None,
        *,
        length: int | None = None,
        then: str = "close",
    ) -> None:
        lines = [
            f"HTTP/1.1 {status} {REASONS.get(status, 'Other')}",
            f"Date: {_http_date(self.origin.clock.true())}",
            *(f"{name}: {value}" for name, value in (headers or {}).items() if value),
            "Connection: close",
        ]
        if status != 304:
            lines += [f"Content-Type: {media}", f"Content-Length: {length or len(body)}"]
        self.raw("\r\n".join([*lines, "", ""]).encode("latin-1") + body, then)

    def raw(self, data: bytes, then: str = "close") -> None:
        self.transport.write(data)
        if then == "reset":
            linger = struct.pack("ii", 1, 0)  # closing then sends RST, not FIN
            with suppress(OSError):
                taken = self.transport.get_extra_info("socket")
                taken.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, linger)
            # a moment later, else the reset overtakes the bytes
            self.origin._loop.call_later(0.02, self.transport.abort)
        else:
            self.transport.close()

    def hang(self, slowly: bool) -> None:
        """Say nothing, or too little, until the other side gives up."""
        if not slowly:
            return
        start = b"HTTP/1.1 200 OK\r\nContent-Length: 100000\r\n\r\n" if not self.got else b"z"
        self.got = b"z"
        if not self.transport.is_closing():
            self.transport.write(start)
            self.origin._loop.call_later(0.1, self.hang, True)


def _certificates(names: list[str], folder: Path) -> tuple[dict[str, ssl.SSLContext], str]:
    """Return server contexts, good and bad, and the PEM of who vouches for the good one."""
    now = datetime.now(UTC).replace(tzinfo=None)
    keys = [ec.generate_private_key(ec.SECP256R1()) for _ in range(2)]
    issuer = x509.Name([x509.NameAttribute(x509.NameOID.COMMON_NAME, "Chaos Root")])
    subject = x509.Name([x509.NameAttribute(x509.NameOID.COMMON_NAME, "Chaos Site")])
    alternatives = x509.SubjectAlternativeName([x509.DNSName(name) for name in names])

    def certificate(days: int, ours: bool) -> x509.Certificate:
        start = now - timedelta(days=10)
        whose = issuer if ours else subject
        built = x509.CertificateBuilder(whose, subject, keys[1].public_key(), 2 + days, start)
        built = built.not_valid_after(start + timedelta(days=days))
        built = built.add_extension(alternatives, critical=False)
        return built.sign(keys[0] if ours else keys[1], hashes.SHA256())

    root = x509.CertificateBuilder(issuer, issuer, keys[0].public_key(), 1, now - timedelta(days=1))
    root = root.not_valid_after(now + timedelta(days=9))
    root = root.add_extension(x509.BasicConstraints(ca=True, path_length=None), critical=True)
    authority = root.sign(keys[0], hashes.SHA256()).public_bytes(serialization.Encoding.PEM)
    contexts = {}
    made = {"good": (99, True), "expired": (5, True), "self_signed": (99, False)}
    for kind, (days, ours) in made.items():
        file = folder / f"{kind}.pem"
        file.write_bytes(
            keys[1].private_bytes(
                serialization.Encoding.PEM,
                serialization.PrivateFormat.PKCS8,
                serialization.NoEncryption(),
            )
            + certificate(days, ours).public_bytes(serialization.Encoding.PEM)
        )
        contexts[kind] = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        contexts[kind].load_cert_chain(file)
    return contexts, authority.decode()
