"""The one seam to the network, against real servers on loopback addresses."""

import atexit
import gzip
import logging
import socket
import socketserver
import ssl
import threading
import time
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack, closing, contextmanager, suppress
from datetime import UTC, datetime, timedelta
from ipaddress import IPv4Address, ip_network
from pathlib import Path

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from ingest.errors import Fault, FetchError
from ingest.web.client import Web, redacted
from storage.model import Page
from tests.newssite import HOSTILE, NewsSite, Reply

LOOPBACK = (ip_network("127.0.0.0/8"),)
AGENT = "Newsdesk-Test/1 (+https://newsdesk.example; desk@newsdesk.example)"
CANARY = "c4n4ry"
OK_TEXT = b"HTTP/1.1 200 OK\r\nContent-Type: text/html\r\nContent-Length: 4\r\n\r\ntext"


OPENED = ExitStack()  # what a test opens, until its end


def a_web(seconds: float = 5, **more: object) -> Web:
    return OPENED.enter_context(
        Web(
            user_agent=AGENT,
            allow=LOOPBACK,
            max_bytes=200_000,
            deadline=timedelta(seconds=seconds),
            **more,  # type: ignore[arg-type]
        )
    )


@pytest.fixture(autouse=True)
def _closing() -> Iterator[None]:
    with OPENED:
        yield


@pytest.fixture
def site() -> Iterator[NewsSite]:
    with NewsSite() as site:
        yield site


@pytest.fixture
def other() -> Iterator[NewsSite]:
    with NewsSite("127.0.0.2") as site:
        yield site


WEB = a_web()
OPENED.pop_all()
atexit.register(WEB.__exit__)


def failure(web: Web, url: str, **more: object) -> FetchError:
    with pytest.raises(FetchError) as caught:
        web.get(url, **more)  # type: ignore[arg-type]
    return caught.value


# --- pages ------------------------------------------------------------------------------------


def test_a_page_comes_with_all_that_was_received(site: NewsSite) -> None:
    url = site.publish("/story", "<p>Caf\u00e9</p>", headers={"X-One": "1", "x-two": "\u00e9"})
    noon = datetime(2026, 3, 2, 12, tzinfo=UTC)

    page = a_web(now=lambda: noon).get(url)

    assert (page.url, page.final_url, page.hops) == (url, url, (url,))
    assert (page.status, page.fetched) == (200, noon)
    assert page.content == page.payload == "<p>Caf\u00e9</p>".encode()
    names = [name for name, _ in page.headers]
    assert names.index("X-One") < names.index("x-two") < names.index("Content-Type")
    assert page.header("X-TWO") == "\u00e9"


def test_who_asks_says_so_and_says_no_more_than_that(site: NewsSite) -> None:
    url = site.publish("/story", "text", headers={"Set-Cookie": "id=1; Path=/"})

    WEB.get(url)
    WEB.get(url, accept="application/atom+xml")

    first, second = (asked.headers for asked in site.asked)
    assert first["user-agent"] == AGENT
    assert first["host"] == f"127.0.0.1:{site.port}"
    assert set(first) == {"host", "user-agent", "accept", "accept-encoding"}
    assert second["accept"] == "application/atom+xml"
    assert first["accept-encoding"] == "gzip"


def test_gzip_is_taken_off_and_kept(site: NewsSite) -> None:
    url = site.publish("/story", "<p>text</p>" * 1000, gzip=True)

    page = WEB.get(url)

    assert page.content == b"<p>text</p>" * 1000
    assert gzip.decompress(page.payload) == page.content


def test_gzip_in_several_members_and_padded_is_read_whole(site: NewsSite) -> None:
    body = gzip.compress(b"one, ") + gzip.compress(b"two") + bytes(100)
    url = site.publish("/story", body, headers={"Content-Encoding": "x-gzip"})

    assert WEB.get(url).content == b"one, two"


def test_a_url_is_asked_as_given_but_for_its_fragment(site: NewsSite) -> None:
    url = site.publish("/a%2fb", "text")

    page = WEB.get(url + "?q=%7E&Q=caf\u00e9#comments")

    assert site.paths() == ["/a%2fb?q=%7E&Q=caf%C3%A9"]
    assert page.url.endswith("#comments")
    assert page.final_url == url + "?q=%7E&Q=caf%C3%A9"


def test_many_threads_share_one_web(site: NewsSite) -> None:
    urls = [site.publish(f"/{n}", f"page {n}") for n in range(50)]

    with a_web() as web, ThreadPoolExecutor(16) as pool:
        pages = list(pool.map(web.get, urls))

    assert [page.content for page in pages] == [f"page {n}".encode() for n in range(50)]


def test_a_site_is_asked_again_by_the_connection_that_is_open(site: NewsSite) -> None:
    site.publish("/", "text", gzip=True)
    site.publish("/gone", "no such page", status=404)
    tag = {"etag": WEB.get(site.url()).header("etag")}

    assert WEB.get(site.url(), **tag).status == 304  # type: ignore[arg-type]
    assert WEB.get(site.url()).content == b"text"
    failure(WEB, site.url("/gone"))  # whose text is not read
    assert WEB.get(site.url()).content == b"text"

    used = [asked.connection for asked in site.asked]
    assert used[0] == used[1] == used[2] == used[3] != used[4]


@pytest.mark.parametrize("late", [False, True])
def test_a_connection_that_the_site_closed_is_made_anew(late: bool) -> None:
    with socket.create_server(("127.0.0.1", 0)) as listening:

        def answer() -> None:
            for _ in range(2):
                connection, _address = listening.accept()
                with connection:
                    connection.recv(4096)
                    connection.sendall(OK_TEXT)
                    if late:  # the next question has come when it hangs up
                        connection.recv(1)

        with ThreadPoolExecutor(1) as pool:
            done = pool.submit(answer)
            web, url = a_web(), f"http://127.0.0.1:{listening.getsockname()[1]}/"
            assert web.get(url).content == web.get(url).content == b"text"
            web.__exit__()
            done.result(5)


def test_a_site_that_says_more_than_it_was_asked_is_not_asked_so_again(site: NewsSite) -> None:
    url = site.misbehave("/", OK_TEXT + OK_TEXT.replace(b"text", b"lies"))

    assert WEB.get(url).content == WEB.get(url).content == b"text"
    assert len({asked.connection for asked in site.asked}) == 2


def test_a_closed_web_asks_nothing(site: NewsSite) -> None:
    with a_web() as web:
        pass

    with pytest.raises(RuntimeError):
        web.get(site.url())
    assert site.asked == []


# --- conditional requests ---------------------------------------------------------------------


@pytest.mark.parametrize("etag", ['"abc"', 'W/"abc"', "abc", '"a,b\u00e9"', '""'])
@pytest.mark.parametrize("modified", ["Mon, 02 Mar 2026 12:00:00 GMT", "2026-03-02 yesterday"])
def test_validators_go_back_byte_for_byte(site: NewsSite, etag: str, modified: str) -> None:
    url = site.publish("/feed", "text", etag=etag, modified=modified)

    first = WEB.get(url)
    WEB.get(url, etag=first.header("etag"), last_modified=first.header("last-modified"))

    assert site.asked[1].headers["if-none-match"] == etag
    assert site.asked[1].headers["if-modified-since"] == modified


def test_an_unchanged_page_is_a_304_without_content(site: NewsSite) -> None:
    url = site.publish("/feed", "text")
    first = WEB.get(url)

    again = WEB.get(url, etag=first.header("etag"))
    dated = WEB.get(url, last_modified=first.header("last-modified"))
    site.publish("/feed", "new text")
    changed = WEB.get(url, etag=first.header("etag"))

    assert (again.status, again.content) == (304, b"")
    assert again.header("etag") == first.header("etag")
    assert dated.status == 304
    assert (changed.status, changed.content) == (200, b"new text")


def test_a_304_nobody_asked_for_is_no_page(site: NewsSite) -> None:
    url = site.publish("/feed", "", status=304)

    assert failure(WEB, url).fault is Fault.HTTP_ERROR


# --- answers that are no page -----------------------------------------------------------------


@pytest.mark.parametrize(
    ("status", "fault"),
    [
        (400, Fault.HTTP_ERROR),
        (401, Fault.FORBIDDEN),
        (403, Fault.FORBIDDEN),
        (404, Fault.NOT_FOUND),
        (408, Fault.SERVER_ERROR),
        (410, Fault.GONE),
        (418, Fault.HTTP_ERROR),
        (429, Fault.RATE_LIMITED),
        (451, Fault.FORBIDDEN),
        (500, Fault.SERVER_ERROR),
        (503, Fault.SERVER_ERROR),
        (599, Fault.SERVER_ERROR),
        (300, Fault.HTTP_ERROR),
        (302, Fault.HTTP_ERROR),  # with no Location
    ],
)
def test_each_status_has_its_fault(site: NewsSite, status: int, fault: Fault) -> None:
    url = site.publish("/story", "no", status=status)

    error = failure(WEB, url)

    assert (error.url, error.fault, error.status) == (url, fault, status)
    assert error.detail == f"status={status}"
    assert error.retry_after is None


@pytest.mark.parametrize("status", [429, 503])
@pytest.mark.parametrize(("value", "seconds"), [("0", 0), ("120", 120), ("soon", None)])
def test_retry_after_comes_with_the_error(
    site: NewsSite, status: int, value: str, seconds: int | None
) -> None:
    url = site.publish("/feed", "", status=status, headers={"Retry-After": value})

    wait = failure(WEB, url).retry_after

    assert wait == (None if seconds is None else timedelta(seconds=seconds))


def test_retry_after_as_a_date_is_measured_by_the_sites_clock(site: NewsSite) -> None:
    soon = datetime.now(UTC) + timedelta(seconds=3600)
    date = soon.strftime("%a, %d %b %Y %H:%M:%S GMT")
    url = site.publish("/feed", "", status=503, headers={"Retry-After": date})
    wrong = datetime(2031, 1, 1, tzinfo=UTC)

    wait = failure(a_web(now=lambda: wrong), url).retry_after

    assert wait is not None
    assert 3590 <= wait.total_seconds() <= 3600


@pytest.mark.parametrize(
    ("status", "header", "fault"),
    [
        (403, {"cf-mitigated": "challenge"}, Fault.BOT_WALL),
        (503, {"CF-Mitigated": "challenge"}, Fault.BOT_WALL),
        (202, {"x-amzn-waf-action": "challenge"}, Fault.BOT_WALL),
        (405, {"X-Amzn-Waf-Action": "captcha"}, Fault.BOT_WALL),
        (429, {"cf-mitigated": "challenge"}, Fault.RATE_LIMITED),
        (403, {"server": "cloudflare"}, Fault.FORBIDDEN),
    ],
)
def test_a_bot_wall_is_known_by_its_header(
    site: NewsSite, status: int, header: dict[str, str], fault: Fault
) -> None:
    url = site.publish("/story", "<title>Hm</title>", status=status, headers=header)

    error = failure(WEB, url)

    assert error.fault is fault
    assert f"status={status}" in error.detail
    assert (f"header={next(iter(header))}: " in error.detail) is (fault is Fault.BOT_WALL)


# --- hostile behaviour ------------------------------------------------------------------------

ENDS = {
    "hang": Fault.TIMEOUT_TOTAL,
    "hang_up": Fault.CONNECTION,
    "babble": Fault.CONNECTION,
    "drip_headers": Fault.TIMEOUT_TOTAL,
    "drip_body": Fault.TIMEOUT_TOTAL,
    "endless_interim": Fault.TOO_LARGE,
    "endless_header": Fault.TOO_LARGE,
    "endless_body": Fault.TOO_LARGE,
    "endless_chunks": Fault.TIMEOUT_TOTAL,  # a byte at a time is slow work
    "huge_headers": Fault.TOO_LARGE,
    "huge_length": Fault.TOO_LARGE,
    "gzip_bomb": Fault.TOO_LARGE,
    "double_gzip": Fault.BAD_ENCODING,
    "bad_gzip": Fault.BAD_ENCODING,
    "cut_gzip": Fault.BAD_ENCODING,
    "brotli": Fault.BAD_ENCODING,
    "wrong_length": Fault.CONNECTION,
    "reset": Fault.CONNECTION,
    "redirect_loop": Fault.REDIRECT_LOOP,
    "redirect_on": Fault.REDIRECT_LOOP,
}


@pytest.mark.parametrize("how", HOSTILE)
def test_a_hostile_site_ends_in_its_fault_within_the_deadline(site: NewsSite, how: str) -> None:
    url = site.misbehave("/story", how)
    if how.endswith("gzip") or how == "gzip_bomb":
        failure(a_web(20), url)  # while the site makes its bomb

    began = time.monotonic()
    error = failure(a_web(0.6), url)

    assert error.fault is ENDS[how]
    assert time.monotonic() - began < 2


STATUS_LINES = st.sampled_from(
    [b"HTTP/1.1 200 OK\r\n", b"HTTP/1.0 302 x\r\n", b"HTTP/1.1 304\r\n", b""]
)
HEADERS = st.sampled_from(
    [
        b"Content-Length: 3\r\n",
        b"Content-Length: -1\r\n",
        b"Content-Length: " + b"9" * 5000 + b"\r\n",
        b"Transfer-Encoding: chunked\r\n",
        b"Transfer-Encoding: gzip, chunked\r\n",
        b"Content-Encoding: gzip\r\n",
        b"Location: http://[\r\n",
        b"Location: \xff\xfe:\r\n",
        b"Retry-After: \xb2\r\n",
        b"X: \x00\r\n",
        b" folded\r\n",
        b"no colon\r\n",
    ]
)


@given(STATUS_LINES, st.lists(HEADERS, max_size=4), st.binary(max_size=40))
@settings(suppress_health_check=[HealthCheck.function_scoped_fixture], deadline=None)
def test_whatever_bytes_a_site_sends_it_is_a_page_or_a_fault(
    site: NewsSite, line: bytes, headers: list[bytes], body: bytes
) -> None:
    url = site.misbehave("/story", line + b"".join(headers) + b"\r\n" + body)

    with suppress(FetchError):
        page = WEB.get(url, etag='"e"')

        assert page.status in (200, 304)


def test_a_bomb_is_never_unpacked_beyond_the_cap(site: NewsSite) -> None:
    tracemalloc = pytest.importorskip("tracemalloc")
    url = site.misbehave("/story", "gzip_bomb")
    failure(WEB, url)  # the site makes its bomb

    tracemalloc.start()
    error = failure(WEB, url)
    _, peak = tracemalloc.get_traced_memory()
    tracemalloc.stop()

    assert error.fault is Fault.TOO_LARGE
    assert peak < 5_000_000


def test_a_body_of_exactly_the_cap_is_a_page(site: NewsSite) -> None:
    plain = site.publish("/plain", b"z" * 1000)
    coded = site.publish("/coded", b"z" * 1000, gzip=True)

    assert len(WEB.get(plain, max_bytes=1000).content) == 1000
    assert len(WEB.get(coded, max_bytes=1000).content) == 1000
    assert failure(WEB, plain, max_bytes=999).fault is Fault.TOO_LARGE
    assert failure(WEB, coded, max_bytes=999).fault is Fault.TOO_LARGE


def test_redirects_share_one_deadline(site: NewsSite) -> None:
    for n in range(5):
        site.redirect(f"/{n}", site.url(f"/{n + 1}"))
    site.misbehave("/5", "hang")

    began = time.monotonic()
    error = failure(a_web(0.5), site.url("/0"))

    assert error.fault is Fault.TIMEOUT_TOTAL
    assert time.monotonic() - began < 1


def test_a_port_nobody_listens_on_is_a_connection_fault() -> None:
    with closing(socket.socket()) as taken:
        taken.bind(("127.0.0.1", 0))
        port = taken.getsockname()[1]

        assert failure(WEB, f"http://127.0.0.1:{port}/").fault is Fault.CONNECTION


def test_a_host_that_takes_no_connection_ends_in_time() -> None:
    with closing(socket.socket()) as full:
        full.bind(("127.0.0.1", 0))
        full.listen(0)
        waiting = [socket.socket() for _ in range(3)]
        for one in waiting:  # fill the queue: the kernel then drops what comes
            one.setblocking(False)
            one.connect_ex(full.getsockname())

        began = time.monotonic()
        error = failure(a_web(0.4), f"http://127.0.0.1:{full.getsockname()[1]}/")

        assert error.fault is Fault.TIMEOUT_CONNECT
        assert time.monotonic() - began < 1
        for one in waiting:
            one.close()


# --- redirects --------------------------------------------------------------------------------


@pytest.mark.parametrize("status", [301, 302, 303, 307, 308])
def test_a_redirect_is_followed_and_every_hop_recorded(
    site: NewsSite, other: NewsSite, status: int
) -> None:
    there = other.publish("/new", "text")
    headers = {"Location": there, "Set-Cookie": "id=1; Domain=127.0.0.2"}
    here = site.publish("/old", "", status=status, headers=headers)

    page = WEB.get(here, etag='"e"')

    assert (page.url, page.final_url, page.hops) == (here, there, (here, there))
    assert page.content == b"text"
    assert other.asked[0].headers["if-none-match"] == '"e"'
    assert {"referer", "cookie", "authorization"}.isdisjoint(other.asked[0].headers)


@pytest.mark.parametrize(
    ("statuses", "moved"),
    [
        ([], None),
        ([301], "/1"),
        ([308, 301], "/2"),
        ([301, 302], "/1"),
        ([301, 302, 301], "/1"),
        ([302, 301], None),
        ([303], None),
        ([307], None),
    ],
    ids=str,
)
def test_a_page_tells_how_far_it_moved_for_good(
    site: NewsSite, statuses: list[int], moved: str | None
) -> None:
    for n, status in enumerate(statuses):
        site.redirect(f"/{n}", f"/{n + 1}", status)
    site.publish(f"/{len(statuses)}", "text")

    page = WEB.get(site.url("/0"))

    assert page.final_url == site.url(f"/{len(statuses)}")
    assert page.moved == (site.url(moved) if moved else None)


@pytest.mark.parametrize(
    ("location", "path"),
    [
        ("/new", "/new"),
        ("new", "/a/new"),
        ("../new?x=1#part", "/new?x=1"),
        ("?page=2", "/a/old?page=2"),
        ("/caf\u00e9", "/caf%C3%A9"),
        ("  /new  ", "/new"),
    ],
)
def test_a_relative_redirect_is_joined_to_where_it_was_met(
    site: NewsSite, location: str, path: str
) -> None:
    site.redirect("/a/old", location.encode().decode("latin-1"))
    site.publish(path, "text")

    page = WEB.get(site.url("/a/old"))

    assert site.paths()[1] == path
    assert page.final_url == site.url(path)


@pytest.mark.parametrize(
    ("to", "fault"),
    [
        ("http://10.0.0.1/", Fault.BLOCKED_ADDRESS),
        ("http://169.254.169.254/latest/meta-data/", Fault.BLOCKED_ADDRESS),
        ("http://[::1]/", Fault.BLOCKED_ADDRESS),
        ("//0x0a000001/", Fault.BLOCKED_ADDRESS),
        ("file:///etc/passwd", Fault.BAD_URL),
        ("gopher://127.0.0.1/", Fault.BAD_URL),
        ("javascript:alert(1)", Fault.BAD_URL),
        (f"http://user:{CANARY}@127.0.0.1/", Fault.BAD_URL),
        ("http://127.0.0.1\\@10.0.0.1/", Fault.BAD_URL),
        ("http://[", Fault.BAD_URL),
    ],
)
def test_a_redirect_to_where_we_do_not_go_is_refused(site: NewsSite, to: str, fault: Fault) -> None:
    error = failure(WEB, site.redirect("/story", to))

    assert error.fault is fault
    assert CANARY not in str(error)
    assert site.paths() == ["/story"]


def test_no_more_redirects_are_followed_than_asked_for(site: NewsSite) -> None:
    for n in range(6):
        site.redirect(f"/{n}", f"/{n + 1}")
    site.publish("/6", "text")

    assert WEB.get(site.url("/1"), max_redirects=5).content == b"text"
    assert failure(WEB, site.url("/0"), max_redirects=5).fault is Fault.REDIRECT_LOOP


def test_each_hop_has_its_turn_which_ends_with_its_answer(site: NewsSite, other: NewsSite) -> None:
    there = other.publish("/new", "text")
    here = site.redirect("/old", there)
    about: list[tuple[str, object]] = []

    @contextmanager
    def turn(url: str) -> Iterator[Callable[[Page], None]]:
        about.append((url, len(site.asked + other.asked)))
        yield lambda page: about.append((url, page.content))
        about.append((url, "left"))

    WEB.get(here, may_ask=turn)

    assert about == [
        *[(here, 0), (here, b""), (here, "left")],
        *[(there, 1), (there, b"text"), (there, "left")],
    ]


def test_who_may_not_ask_does_not(site: NewsSite, other: NewsSite) -> None:
    here = site.redirect("/old", other.publish("/new", "text"))

    @contextmanager
    def only_here(url: str) -> Iterator[Callable[[Page], None]]:
        if url != here:
            raise FetchError(url, Fault.ROBOTS_DENIED, "no")
        yield lambda page: None

    assert failure(WEB, here, may_ask=only_here).fault is Fault.ROBOTS_DENIED
    assert other.asked == []


def test_waiting_for_ones_turn_does_not_count(site: NewsSite) -> None:
    here = site.redirect("/old", site.publish("/new", "text"))

    @contextmanager
    def wait(url: str) -> Iterator[Callable[[Page], None]]:
        time.sleep(0.4)
        yield lambda page: None

    page = a_web(0.3).get(here, may_ask=wait)

    assert page.content == b"text"


# --- addresses --------------------------------------------------------------------------------


@pytest.mark.parametrize("host", ["127.0.0.1", "localhost", "127.1", "0x7f000001", "2130706433"])
def test_the_guard_refuses_loopback_unless_allowed(site: NewsSite, host: str) -> None:
    site.publish("/admin", "secret")
    url = f"http://{host}:{site.port}/admin"

    error = failure(Web(user_agent=AGENT), url)

    assert error.fault is Fault.BLOCKED_ADDRESS
    assert site.asked == []
    assert WEB.get(f"http://127.1:{site.port}/admin").content == b"secret"


def test_a_name_that_changes_its_address_gains_nothing(site: NewsSite, other: NewsSite) -> None:
    site.publish("/", "checked", headers={"Connection": "close"})
    answers: list[Sequence[str]] = [["127.0.0.1"], ["10.0.0.1"], ["127.0.0.1", "10.0.0.1"]]
    web = a_web(resolve=lambda host, port: answers.pop(0))
    url = f"http://rebinding.example:{site.port}/"

    assert web.get(url).content == b"checked"
    assert len(answers) == 2  # asked once for one connection
    assert failure(web, url).fault is Fault.BLOCKED_ADDRESS
    assert failure(web, url).fault is Fault.BLOCKED_ADDRESS
    assert len(site.asked) == 1


def test_the_host_header_is_the_name_and_the_next_address_is_tried(site: NewsSite) -> None:
    site.publish("/", "text")
    web = a_web(resolve=lambda host, port: ["127.9.9.9", "127.0.0.1"])

    web.get(f"http://news.example:{site.port}/")

    assert site.asked[0].headers["host"] == f"news.example:{site.port}"


def test_a_resolver_that_hangs_ends_with_the_deadline() -> None:
    def hang(host: str, port: int) -> list[str]:
        time.sleep(1)
        return ["127.0.0.1"]

    began = time.monotonic()
    error = failure(a_web(0.2, resolve=hang), "http://news.example/")

    assert error.fault is Fault.DNS
    assert time.monotonic() - began < 0.8


def test_proxies_of_the_environment_are_ignored(
    site: NewsSite, other: NewsSite, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name in ("HTTP_PROXY", "http_proxy", "ALL_PROXY", "all_proxy", "HTTPS_PROXY"):
        monkeypatch.setenv(name, other.url())

    WEB.get(site.publish("/story", "text"))

    assert len(site.asked) == 1
    assert other.asked == []


# --- TLS --------------------------------------------------------------------------------------


def a_certificate(folder: Path) -> Path:
    """Return a file with a key and a certificate for 127.0.0.1 that only itself vouches for."""
    key, name = ec.generate_private_key(ec.SECP256R1()), x509.Name([])
    now = datetime.now(UTC)
    alternatives = x509.SubjectAlternativeName([x509.IPAddress(IPv4Address("127.0.0.1"))])
    built = x509.CertificateBuilder(name, name, key.public_key(), 1, now, now + timedelta(days=2))
    certificate = built.add_extension(alternatives, critical=True).sign(key, hashes.SHA256())
    file = folder / "site.pem"
    file.write_bytes(
        key.private_bytes(
            serialization.Encoding.PEM,
            serialization.PrivateFormat.PKCS8,
            serialization.NoEncryption(),
        )
        + certificate.public_bytes(serialization.Encoding.PEM)
    )
    return file


def test_a_certificate_nobody_vouches_for_is_a_tls_fault(tmp_path: Path) -> None:
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(a_certificate(tmp_path))

    def serve(listening: socket.socket) -> None:
        connection, _ = listening.accept()
        with connection, pytest.raises(ssl.SSLError):
            context.wrap_socket(connection, server_side=True)

    with closing(socket.create_server(("127.0.0.1", 0))) as listening:
        server = threading.Thread(target=serve, args=(listening,))
        server.start()
        error = failure(WEB, f"https://127.0.0.1:{listening.getsockname()[1]}/")
        server.join()

    assert error.fault is Fault.TLS
    assert "certificate" in error.detail


@pytest.mark.parametrize(("said", "connections"), [(OK_TEXT, 1), (OK_TEXT + OK_TEXT, 3)])
def test_by_tls_too_a_connection_is_kept_unless_the_site_says_more(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, said: bytes, connections: int
) -> None:
    file = a_certificate(tmp_path)
    trusting = ssl.create_default_context(cafile=file)
    monkeypatch.setattr("ingest.web.wire.create_ssl_context", lambda **_: trusting)
    context, came = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER), list[int]()
    context.load_cert_chain(file)

    class Answer(socketserver.BaseRequestHandler):
        def handle(self) -> None:
            came.append(self.client_address[1])
            with suppress(OSError), context.wrap_socket(self.request, server_side=True) as secured:
                while secured.recv(4096):
                    secured.sendall(said)

    with socketserver.ThreadingTCPServer(("127.0.0.1", 0), Answer) as server:
        threading.Thread(target=server.serve_forever, args=(0.02,)).start()
        url = f"https://127.0.0.1:{server.server_address[1]}/"
        with a_web() as web:
            pages = [web.get(url).content for _ in range(3)]
        server.shutdown()

    assert pages == [b"text"] * 3
    assert len(came) == connections


def test_a_handshake_that_never_ends_ends_with_the_deadline() -> None:
    with closing(socket.create_server(("127.0.0.1", 0))) as silent:
        began = time.monotonic()
        error = failure(a_web(0.3), f"https://127.0.0.1:{silent.getsockname()[1]}/")

    assert error.fault is Fault.TIMEOUT_CONNECT
    assert time.monotonic() - began < 1


# --- secrets ----------------------------------------------------------------------------------


@pytest.mark.parametrize("where", ["http://user:{}@{}/", "http://{1}/?q=1&api-key={0}&page=2"])
def test_no_secret_of_a_url_is_in_logs_or_errors(
    site: NewsSite, caplog: pytest.LogCaptureFixture, where: str
) -> None:
    url = where.format(CANARY, f"{site.host}:{site.port}")
    site.publish("/", "", status=500, headers={"Set-Cookie": CANARY, "X-Key": CANARY})

    with caplog.at_level(logging.DEBUG):
        error = failure(WEB, url)

    assert CANARY not in caplog.text
    assert CANARY not in str(error) + repr(error)
    assert error.url.startswith("http://")


def test_no_secret_of_a_redirect_is_in_logs_or_errors(
    site: NewsSite, caplog: pytest.LogCaptureFixture
) -> None:
    url = site.redirect("/old", f"/new?token={CANARY}")

    with caplog.at_level(logging.DEBUG):
        error = failure(WEB, url)

    assert CANARY not in caplog.text
    assert str(error) == f"{url}: not_found: status=404 at {site.url('/new?token=***')}"


@pytest.mark.parametrize(
    ("url", "shown"),
    [
        ("http://a.example/?page=2&author=b", "http://a.example/?page=2&author=b"),
        ("http://u:p@a.example/", "http://***@a.example/"),
        ("http://a.example/?apiKey=x&b=1", "http://a.example/?apiKey=***&b=1"),
        ("http://a.example/?b=1;access_token=x=y", "http://a.example/?b=1;access_token=***"),
        ("http://a.example/#token=x", "http://a.example/#token=***"),
    ],
)
def test_a_url_is_shown_without_its_secrets(url: str, shown: str) -> None:
    assert redacted(url) == shown


def test_a_hostile_url_is_redacted_in_no_time() -> None:
    began = time.monotonic()

    redacted("http://a/?" + "key" * 1_000_000)

    assert time.monotonic() - began < 0.1


# --- the site itself --------------------------------------------------------------------------


def test_the_site_scripts_its_answers_and_forgets_what_is_withdrawn(site: NewsSite) -> None:
    url = site.script("/feed", Reply(body="one"), Reply(status=503), Reply(body="two"))

    assert WEB.get(url).content == b"one"
    assert failure(WEB, url).status == 503
    assert WEB.get(url).content == b"two"
    assert WEB.get(url).content == b"two"
    site.withdraw("/feed")
    assert failure(WEB, url).fault is Fault.NOT_FOUND
