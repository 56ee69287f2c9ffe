"""Which addresses we dial: those of the public Internet, and the networks a setting allows."""

import queue
import socket
import threading
from collections.abc import Callable, Iterable, Sequence
from contextlib import suppress
from dataclasses import dataclass
from ipaddress import IPv4Address, IPv4Network, IPv6Address, IPv6Network, ip_address, ip_network

from httpx import URL, InvalidURL

from ingest.errors import Fault
from ingest.urls import host_of

Network = IPv4Network | IPv6Network
Address = IPv4Address | IPv6Address
Resolve = Callable[[str, int], Sequence[str]]

MAX_URL = 8000  # characters; RFC 9110 section 4.1 asks everyone to cope with that many

# The IANA special-purpose registries, IPv4 and IPv6, as of 2026, and what peers add to them.
NOT_PUBLIC: tuple[tuple[Network, str], ...] = tuple(
    (ip_network(network), why)
    for network, why in (
        ("0.0.0.0/8", "this network, RFC 791"),
        ("10.0.0.0/8", "private, RFC 1918"),
        ("100.64.0.0/10", "shared by a carrier's customers, RFC 6598"),
        ("127.0.0.0/8", "loopback, RFC 1122"),
        ("168.63.129.16/32", "Azure's own service to its guests"),
        ("169.254.0.0/16", "link-local, RFC 3927; cloud metadata"),
        ("172.16.0.0/12", "private, RFC 1918"),
        ("192.0.0.0/24", "protocol assignments, RFC 6890"),
        ("192.0.2.0/24", "documentation, RFC 5737"),
        ("192.88.99.0/24", "6to4 relays, RFC 7526"),
        ("192.168.0.0/16", "private, RFC 1918"),
        ("198.18.0.0/15", "benchmarks, RFC 2544"),
        ("198.51.100.0/24", "documentation, RFC 5737"),
        ("203.0.113.0/24", "documentation, RFC 5737"),
        ("224.0.0.0/4", "multicast, RFC 5771"),
        ("240.0.0.0/4", "reserved or broadcast, RFC 1112"),
        ("2001::/23", "protocol assignments with Teredo, RFC 2928 and 4380"),
        ("2001:db8::/32", "documentation, RFC 3849"),
        ("2002::/16", "6to4: an IPv4 address in disguise, RFC 3056"),
        ("3fff::/20", "documentation, RFC 9637"),
    )
)
GLOBAL_UNICAST = IPv6Network("2000::/3")  # RFC 4291 and IANA: all else is not public
NAT64 = IPv6Network("64:ff9b::/96")  # RFC 6052: the last 32 bits are the address really reached


class Refusal(Exception):
    """A request that is not made, or not made further; becomes a FetchError in the client."""

    def __init__(self, fault: Fault, detail: str) -> None:
        super().__init__(fault, detail)
        self.fault, self.detail = fault, detail


def admitted(url: str) -> URL:
    """Return the parts of a URL we may ask, without its fragment.

    Raises Refusal(BAD_URL) for another scheme than http and https, user information (it would
    end in logs), a backslash (parsers disagree where the host ends: changedetection
    GHSA-rph4-96w6-q594), control characters, a port out of range, or more than MAX_URL.
    The detail never repeats the URL.
    """
    if len(url) > MAX_URL:
        raise Refusal(Fault.BAD_URL, f"characters={len(url)} most={MAX_URL}")
    if "\\" in url or url != url.strip():
        raise Refusal(Fault.BAD_URL, "a backslash, or a blank at an end")
    try:
        parts = URL(url)
    except (InvalidURL, UnicodeError, ValueError) as error:
        raise Refusal(Fault.BAD_URL, "not a URL") from error
    if parts.scheme not in ("http", "https"):
        raise Refusal(Fault.BAD_URL, "neither http nor https")
    if parts.userinfo:
        raise Refusal(Fault.BAD_URL, "user name or password in the URL")
    port = 80 if parts.port is None else parts.port
    host = parts.raw_host  # httpx's `host` raises for an "xn--" that is none (fuzzed)
    if not host or b"%" in host or not 0 < port < 65536:
        raise Refusal(Fault.BAD_URL, "no host, or no port, that can be asked")
    try:
        host_of(str(parts))  # whose turn it is; httpx lets pass what no host is called, as "a!b"
    except ValueError as error:
        raise Refusal(Fault.BAD_URL, "not a host name") from error
    as_it_is = "#" not in url and url.startswith(("http://", "https://"))
    return parts if as_it_is else parts.copy_with(fragment=None)  # and :80 goes, after HTTP://


def why_refused(address: Address, allow: Iterable[Network] = ()) -> str | None:
    """Return why that address must not be dialled, or None when it may.

    An IPv4-mapped address (RFC 4291 section 2.5.5.2) is judged as the IPv4 address the kernel
    dials; a NAT64 address as the one behind it.
    """
    if isinstance(address, IPv6Address):
        if address.ipv4_mapped:
            return why_refused(address.ipv4_mapped, allow)
        if address in NAT64:
            return why_refused(IPv4Address(int(address) & 0xFFFF_FFFF), allow)
    if any(address in network for network in allow):
        return None
    if isinstance(address, IPv6Address) and address not in GLOBAL_UNICAST:
        return "not global unicast, RFC 4291"
    return next((why for network, why in NOT_PUBLIC if address in network), None)


def look_up(host: str, port: int) -> list[str]:
    """Ask the system's resolver; every spelling of an IP literal it knows ends as an address."""
    found = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM)
    return [str(address[0]) for *_, address in found]


@dataclass(frozen=True, slots=True)
class Guard:
    """Turns host names into addresses that may be dialled, and refuses the rest.

    The address it returns is the one to connect to: nobody resolves the name again, so an
    answer that changes in between (rebinding) gains nothing.
    """

    allow: tuple[Network, ...] = ()
    resolve: Resolve = look_up

    def addresses(self, host: str, port: int, seconds: float) -> list[str]:
        """Return the addresses of a host in the resolver's order, each without doubles.

        Raises Refusal: BLOCKED_ADDRESS if only one of the answers is not public (miniflux and
        changedetection refuse so too), DNS if there is no answer in time.
        """
        found = list(dict.fromkeys(self._answers(host, port, seconds)))
        for text in found:
            why = why_refused(ip_address(text), self.allow)
            if why is not None:
                raise Refusal(Fault.BLOCKED_ADDRESS, f"{host} is {text}: {why}")
        if not found:
            raise Refusal(Fault.DNS, f"{host} has no address")
        return found

    def _answers(self, host: str, port: int, seconds: float) -> Sequence[str]:
        with suppress(ValueError):
            return [str(ip_address(host))]
        answer: queue.SimpleQueue[Sequence[str] | OSError | UnicodeError] = queue.SimpleQueue()

        def ask() -> None:
            try:
                answer.put(self.resolve(host, port))
            except (OSError, UnicodeError) as error:  # UnicodeError: a label over 63 characters
                answer.put(error)

        # getaddrinfo cannot be told how long to wait: a thread of its own can be left behind
        threading.Thread(target=ask, name=f"resolve {host}", daemon=True).start()
        try:
            got = answer.get(timeout=max(seconds, 0.001))
        except queue.Empty:
            raise Refusal(Fault.DNS, f"{host}: no answer in {seconds:.1f} s") from None
        if isinstance(got, OSError | UnicodeError):
            raise Refusal(Fault.DNS, f"{host}: {got}") from got
        return got
