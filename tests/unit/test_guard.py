"""The guard: which addresses may be dialled, in whatever spelling they come."""

import socket
import time
from contextlib import suppress
from ipaddress import IPv4Address, IPv6Address, ip_address, ip_network

import pytest
from hypothesis import assume, given
from hypothesis import strategies as st

from ingest.errors import Fault
from ingest.web.guard import NAT64, Guard, Refusal, admitted, look_up, why_refused

NOT_PUBLIC = [
    "0.0.0.0",
    "0.1.2.3",
    "10.0.0.1",
    "100.64.0.1",
    "100.100.100.200",  # metadata of one cloud
    "100.127.255.255",
    "127.0.0.1",
    "127.255.255.254",
    "168.63.129.16",
    "169.254.169.254",  # metadata of most clouds
    "169.254.170.2",
    "172.16.0.1",
    "172.31.255.255",
    "192.0.0.1",
    "192.0.0.192",
    "192.0.2.1",
    "192.88.99.1",
    "192.168.1.1",
    "198.18.0.1",
    "198.19.255.255",
    "198.51.100.7",
    "203.0.113.9",
    "224.0.0.1",
    "239.255.255.250",
    "240.0.0.1",
    "255.255.255.255",
    "::",
    "::1",
    "::7f00:1",  # IPv4-compatible 127.0.0.1
    "::ffff:127.0.0.1",  # IPv4-mapped
    "::ffff:10.0.0.1",
    "::ffff:a9fe:a9fe",
    "::ffff:0:127.0.0.1",  # SIIT
    "64:ff9b::7f00:1",  # NAT64 of 127.0.0.1
    "64:ff9b::10.0.0.1",
    "64:ff9b:1::7f00:1",  # NAT64, local use
    "100::1",
    "2001::7f00:1",  # Teredo
    "2001:0:4136:e378:8000:63bf:3fff:fdd2",
    "2001:10::1",
    "2001:db8::1",
    "2002:7f00:1::",  # 6to4 of 127.0.0.1
    "2002:a00:1::1",
    "3fff::1",
    "4000::1",
    "5f00::1",
    "fc00::1",
    "fd00:ec2::254",  # metadata of one cloud
    "fe80::1",
    "fe80::1%1",
    "fec0::1",
    "ff02::1",
]
PUBLIC = [
    "1.1.1.1",
    "9.255.255.255",
    "11.0.0.1",
    "100.63.255.255",
    "100.128.0.1",
    "151.101.0.81",
    "172.15.255.255",
    "172.32.0.1",
    "192.0.1.1",
    "198.17.255.255",
    "223.255.255.255",
    "2a00:1450:4009::1",
    "2001:4860:4860::8888",
    "2606:4700::1111",
    "::ffff:1.1.1.1",
    "64:ff9b::1.1.1.1",
]
LOOPBACK_SPELT = [
    "127.0.0.1",
    "127.1",
    "127.0.1",
    "0x7f000001",
    "0x7f.1",
    "2130706433",
    "0177.0.0.1",
    "017700000001",
    "localhost",
    "::1",
    "::ffff:127.0.0.1",
    "0:0:0:0:0:ffff:7f00:1",
    "0",
]
BAD_URLS = [
    "",
    "/story",
    "//example.org/story",
    "example.org",
    "file:///etc/passwd",
    "gopher://127.0.0.1:70/1",
    "data:text/html,hello",
    "ftp://example.org/",
    "javascript:alert(1)",
    "httpx://example.org/",
    "http:///story",
    "http://",
    "http://user@example.org/",
    "http://user:word@example.org/",
    "http://example.org:80@127.0.0.1/",
    "http://a\\@b/",
    "http://a\\b/",
    "http://example.org/a\\b",
    " http://example.org/",
    "http://example.org/\n",
    "http://exa mple.org/",
    "http://example.org\r\nHost: b/",
    "http://example.org/\x00",
    "http://example.org:0/",
    "http://example.org:99999/",
    "http://example.org:x/",
    "http://[::1/",
    "http://[::1%25lo]/",
    "http://[nonsense]/",
    "http://a!b/",
    "http://a..b/",
    "http://%31%32%37.0.0.1/",
    "http://１２７.0.0.1/",
    "http://example.org/" + "a" * 8000,
]


@pytest.mark.parametrize("address", NOT_PUBLIC)
def test_an_address_off_the_public_internet_is_refused_with_its_reason(address: str) -> None:
    assert why_refused(ip_address(address))


@pytest.mark.parametrize("address", PUBLIC)
def test_a_public_address_may_be_dialled(address: str) -> None:
    assert why_refused(ip_address(address)) is None


@pytest.mark.parametrize("address", ["127.0.0.2", "::ffff:127.0.0.2", "64:ff9b::127.0.0.2"])
def test_an_allowed_network_may_be_dialled_in_each_of_its_disguises(address: str) -> None:
    allow = (ip_network("127.0.0.0/8"),)

    assert why_refused(ip_address(address), allow) is None


def test_an_allowed_network_opens_no_other() -> None:
    allow = (ip_network("127.0.0.0/8"), ip_network("fd00::/8"))

    assert why_refused(ip_address("10.0.0.1"), allow)
    assert why_refused(ip_address("::1"), allow)
    assert why_refused(ip_address("fd12::1"), allow) is None


@given(st.ip_addresses())
def test_what_python_takes_for_not_global_is_refused(address: IPv4Address | IPv6Address) -> None:
    assume(address not in NAT64)  # Python does not look behind it
    assume(not (isinstance(address, IPv6Address) and address.ipv4_mapped))

    assert address.is_global or why_refused(address)


@given(st.ip_addresses(v=4))
def test_a_mapped_address_is_judged_as_the_one_inside(address: IPv4Address) -> None:
    mapped = IPv6Address(b"\x00" * 10 + b"\xff\xff" + address.packed)

    assert why_refused(mapped) == why_refused(address)


@pytest.mark.parametrize("host", LOOPBACK_SPELT)
def test_every_spelling_the_system_takes_for_loopback_is_refused(host: str) -> None:
    with pytest.raises(Refusal) as caught:
        Guard().addresses(host, 80, 5)

    assert caught.value.fault is Fault.BLOCKED_ADDRESS


def test_one_bad_answer_among_good_ones_refuses_the_host() -> None:
    guard = Guard(resolve=lambda host, port: ["1.1.1.1", "10.0.0.1"])

    with pytest.raises(Refusal, match=r"10\.0\.0\.1: private"):
        guard.addresses("news.example", 443, 5)


def test_addresses_come_in_the_resolvers_order_without_doubles() -> None:
    guard = Guard(resolve=lambda host, port: ["2606:4700::1111", "1.1.1.1", "2606:4700::1111"])

    assert guard.addresses("news.example", 443, 5) == ["2606:4700::1111", "1.1.1.1"]


def test_a_host_without_an_address_is_a_dns_fault() -> None:
    with pytest.raises(Refusal) as caught:
        Guard(resolve=lambda host, port: []).addresses("news.example", 80, 5)

    assert caught.value.fault is Fault.DNS


def test_a_resolver_that_fails_is_a_dns_fault() -> None:
    def fail(host: str, port: int) -> list[str]:
        raise socket.gaierror(socket.EAI_AGAIN, "try again")

    with pytest.raises(Refusal, match="try again") as caught:
        Guard(resolve=fail).addresses("news.example", 80, 5)

    assert caught.value.fault is Fault.DNS


def test_a_label_too_long_for_dns_is_a_dns_fault() -> None:
    with pytest.raises(Refusal) as caught:
        Guard(resolve=look_up).addresses("a" * 64 + ".invalid", 80, 5)

    assert caught.value.fault is Fault.DNS


def test_a_resolver_that_hangs_is_left_behind_in_time() -> None:
    def hang(host: str, port: int) -> list[str]:
        time.sleep(1)
        return ["1.1.1.1"]

    began = time.monotonic()
    with pytest.raises(Refusal) as caught:
        Guard(resolve=hang).addresses("news.example", 80, 0.1)

    assert caught.value.fault is Fault.DNS
    assert time.monotonic() - began < 0.5


@pytest.mark.parametrize("url", BAD_URLS)
def test_a_url_that_is_not_ours_to_ask_is_refused_without_being_repeated(url: str) -> None:
    with pytest.raises(Refusal) as caught:
        admitted(url)

    assert caught.value.fault is Fault.BAD_URL
    assert not url or url not in caught.value.detail


@pytest.mark.parametrize(
    ("url", "asked"),
    [
        ("http://example.org", "http://example.org"),
        ("HTTP://Example.ORG:80/A", "http://example.org/A"),
        ("https://example.org/a%2fb?q=%7e&Q=1", "https://example.org/a%2fb?q=%7e&Q=1"),
        ("https://example.org/a#part", "https://example.org/a"),
        ("https://example.org/caf\u00e9 1", "https://example.org/caf%C3%A9%201"),
        ("https://m\u00fcnchen.example/", "https://xn--mnchen-3ya.example/"),
        ("http://xn--mnchen-3yaample/", "http://xn--mnchen-3yaample/"),  # decodes to no name
        ("http://[2606:4700::1111]:8080/", "http://[2606:4700::1111]:8080/"),
    ],
)
def test_a_good_url_keeps_its_path_and_loses_its_fragment(url: str, asked: str) -> None:
    assert str(admitted(url)) == asked


@given(st.text(max_size=60).map(lambda text: f"http://{text}"))
def test_any_text_is_either_a_url_with_a_host_or_refused(text: str) -> None:
    with suppress(Refusal):
        parts = admitted(text)

        assert parts.host
        assert not parts.userinfo
