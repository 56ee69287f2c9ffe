"""The one spelling under which a page is remembered, and what its URL alone can tell."""

import ipaddress
import re
from collections.abc import Set
from contextlib import suppress
from fnmatch import fnmatchcase
from functools import lru_cache
from urllib.parse import quote, unquote

from tld import get_fld

from storage.tokens import is_token

MAX_LENGTH = 2048  # characters; rss-fetcher drops longer links, few servers answer to them
MAX_WRITTEN = 16_384  # characters before it is cleaned: tracking alone may fill kilobytes
MAX_WRAPS = 3  # redirectors in redirectors

# Say where a reader came from, never which page was meant. Sources: miniflux's cleaner
# (internal/reader/urlcleaner), Matomo's and HubSpot's prefixes; the last lines hold what
# British publishers add (BBC at_, ns_, ocid, xtor; Guardian CMP; Mail and Metro ito).
_PREFIXES = ("utm_", "mtm_", "pk_", "hsa_", "hmb_", "itm_", "at_", "ns_")
_TRACKING = {
    "fbclid", "_openstat", "fb_action_ids", "fb_action_types", "fb_ref", "fb_source",
    "fb_comment_id", "gclid", "dclid", "gbraid", "wbraid", "gclsrc", "srsltid", "campaign_id",
    "campaign_medium", "campaign_name", "campaign_source", "campaign_term", "campaign_content",
    "yclid", "ysclid", "twclid", "msclkid", "mc_cid", "mc_eid", "mc_tc", "wickedid", "_hsenc",
    "__hssc", "__hstc", "__hsfp", "_hsmi", "hsctatracking", "rb_clickid", "oly_anon_id",
    "oly_enc_id", "vero_id", "vero_conv", "mkt_tok", "sc_cid", "_bhlid", "_branch_match_id",
    "_branch_referrer", "__readwiselocation", "_ga", "_gl", "igshid", "cmp", "cmpid", "ito",
    "icid", "ocid", "xtor", "dcmp", "wt.mc_id",
}  # fmt: skip
# Name a visit and no page. The first are always a session's, whatever their value: Java servlets,
# PHP, classic ASP (its name goes on with letters of its own), Liferay's token against forgery.
_SESSIONS = re.compile(r"jsessionid|phpsess(?:ion)?id|aspsessionid\w*|p_auth|oscsid|zenid", re.I)
# These may as well name a story ("?sid=42" of PHP-Nuke): a session's only where the value is as
# long and mixed as one, which no number and no slug is (see storage.tokens), and where the URL
# without it still names a page: by another parameter, or by more than a plain word at its end.
_MAYBE_SESSIONS = {
    "s", "sid", "sess", "sessid", "session", "session_id", "sessionid", "session-id", "sesskey",
    "visit", "visitor", "visitorid", "token", "_s", "ssid",
}  # fmt: skip
_COLDFUSION = {"cfid", "cftoken"}  # written together; a cfid alone may be anything
_IN_PATH = re.compile(r";(?:jsessionid|phpsessid|sid|sessionid)=[^/;?]*", re.IGNORECASE)
_COOKIELESS = re.compile(r"/\((?:(?:[ASFX]\([\w-]+\))+|[a-z0-9]{24})\)(?=/|$)")  # ASP.NET: /(S(x))/
_SLUG = re.compile(r"[0-9_-][^/]*/?$")
_AMPERSAND = re.compile(r"&(?:amp|#0*38|#[xX]0*26);", re.IGNORECASE)

# Redirectors that hold their target: host, beginning of the path, the parameters that have it.
# Sources: Google Alerts and Search, Bing News' feeds, Facebook's, Instagram's, Reddit's,
# YouTube's and Tumblr's links that lead out, Microsoft's Safe Links, Proofpoint's URL Defense,
# DuckDuckGo, Disqus, Slack, VK and Steam, each as its links look.
_GOOGLE = r"(?:www\.|news\.)?google\.(?:com|co\.[a-z]{2}|com\.[a-z]{2}|[a-z]{2})"
_REDIRECTORS: dict[
    str, list[tuple[str, tuple[str, ...]]]
] = {  # by path, in lower case and without a "/" at its end
    "/url": [(_GOOGLE, ("url", "q")), (r"(?:www\.)?disq\.us", ("url",))],
    "/news/url": [(_GOOGLE, ("url", "q"))],
    "/news/apiclick.aspx": [(r"(?:www\.)?bing\.com", ("url",))],
    "/l.php": [(r"(?:www\.|lm?\.)?facebook\.com", ("u",))],
    "": [
        (r"l\.(?:instagram|messenger)\.com", ("u",)),
        (r"[\w.-]+\.safelinks\.protection\.outlook\.com", ("url",)),
        (r"out\.reddit\.com", ("url",)),
    ],
    "/v1/url": [(r"urldefense\.proofpoint\.com", ("u",))],
    "/redirect": [
        (r"(?:www\.)?youtube\.com", ("q",)),
        (r"t\.umblr\.com", ("z",)),
        (r"(?:www\.)?getpocket\.com", ("url",)),
    ],
    "/l": [(r"(?:www\.)?duckduckgo\.com", ("uddg",))],
    "/link": [(r"slack-redir\.net", ("url",))],
    "/away.php": [(r"(?:www\.|m\.)?vk\.com", ("to",))],
    "/linkfilter": [(r"steamcommunity\.com", ("url", "u"))],
    "/redir/redirect": [(r"(?:www\.)?linkedin\.com", ("url",))],
}
_PROOFPOINT = re.compile(r"urldefense(?:\.proofpoint)?\.com")
_PARTS = re.compile(r"(https?)://([^/?#]*)([^?#]*)(?:\?([^#]*))?(?:#.*)?", re.IGNORECASE)
_AUTHORITY = re.compile(r"(\[[0-9a-f:.]+\]|[^:\[\]@]+?)\.?(?::(\d{0,5}))?")
_HOST = re.compile(r"[a-z0-9_-]+(?:\.[a-z0-9_-]+)*")
_PORTS = {"http": 80, "https": 443}
_HOME = re.compile(r"/(?:(?:en|cy|gd|ga|en-gb|home)/?)?(?:(?:index|default|home)\.\w{2,5})?")


def canonical(url: str, extra: Set[str] = frozenset(), from_host: str = "") -> str:
    """Return the one spelling under which we remember a page.

    Lower-cases scheme and host, drops the fragment, the default port, an empty query, tracking
    parameters and sessions; writes an empty path as "/", and spaces and characters beyond ASCII
    as percent-escapes (RFC 3987 section 3.1). All else stays byte for byte: paths are never
    lower-cased, and the query keeps its order and spelling, since sorting it would change
    URLs that had nothing wrong with them, and some servers answer only to the order they gave.

    A session's name in path or query names a visit and no page; one that may name a story, such
    as `sid`, goes only where its value is a session's and something else names the page.
    `extra` names more parameters to remove, in lower case. `ref` goes when it names `from_host`,
    the host of the feed that held the link: Ghost adds it to links that lead out. Idempotent for
    the same `extra` and `from_host`.

    Raises ValueError for anything but an absolute http(s) URL without credentials, of at
    most MAX_LENGTH characters when it is cleaned; also for backslashes and control characters,
    which two parsers may read in two ways (changedetection GHSA-rph4-96w6-q594).
    """
    text = re.sub(r"[\t\r\n]", "", url.strip())  # as browsers do: WHATWG URL, basic parser
    text = re.sub(r"[^\x00-\x1f!-\x7f]", lambda found: quote(found[0]), text[: MAX_WRITTEN + 1])
    parts = _PARTS.fullmatch(text)
    if parts is None or len(text) > MAX_WRITTEN or re.search(r"[\x00-\x1f\x7f\\]", text):
        raise ValueError("not an absolute http(s) URL")
    scheme, path = parts[1].lower(), parts[3] or "/"
    if "(" in path or ";" in path:
        path = _COOKIELESS.sub("", _IN_PATH.sub("", path)) or "/"
    pieces = parts[4].split("&") if parts[4] else []
    if len(pieces) > 1 and {piece.partition("=")[0].lower() for piece in pieces} >= _COLDFUSION:
        pieces = [one for one in pieces if one.partition("=")[0].lower() not in _COLDFUSION]
    kept = [piece for piece in pieces if not _tracks(piece, extra, from_host)]
    if any(map(_is_visit, kept)):
        others = [piece for piece in kept if not _is_visit(piece)]
        kept = others if any(others) or _SLUG.search(path) else kept
    query = "&".join(kept)
    found = f"{scheme}://{_authority(parts[2], scheme)}{path}{'?' if query else ''}{query}"
    if len(found) > MAX_LENGTH:
        raise ValueError("not an absolute http(s) URL")
    return found


def unescaped(link: str) -> str:
    """Return a link whose "&" was escaped once too often, in whatever spelling, as it was meant.

    WordPress writes &#038; into links (esc_url), others escape what is escaped already. No URL
    has a parameter of the name "amp;x" on purpose.
    """
    for _ in range(MAX_WRAPS):
        link, count = _AMPERSAND.subn("&", link)
        if not count:
            break
    return link


def unwrapped(url: str, depth: int = MAX_WRAPS) -> str:
    """Return where a known redirector's URL leads, by its own parameter; other URLs as they are.

    Nothing is asked. The target must be an http(s) URL of another host, as `canonical` takes
    it; a redirector's within a redirector's is opened, too, `depth` in all.
    """
    for target in _targets(url) if depth else ():
        with suppress(ValueError):
            inner = unwrapped(target, depth - 1)
            if host_of(canonical(inner)) != host_of(url):
                return inner
    return url


def _targets(url: str) -> list[str]:
    """Return what a redirector's URL may lead to; nothing for other URLs."""
    parts = _PARTS.fullmatch(url) if len(url) <= MAX_WRITTEN else None
    if parts is None:
        return []
    path = (parts[3] or "").lower().rstrip("/")
    known = _REDIRECTORS.get(path, ())
    defended = "urldefense" in parts[2]
    if not known and not defended:
        return []
    host = parts[2].lower().partition(":")[0].rstrip(".")
    names = [name for hosts, held in known if re.fullmatch(hosts, host) for name in held]
    defended = _PROOFPOINT.fullmatch(host) is not None
    values: dict[str, str] = {}
    for piece in (parts[4] or "").split("&"):
        name, _, value = piece.partition("=")
        values.setdefault(unquote(name).lower(), unquote(value).strip())
    found = [values[name] for name in names if name in values]
    return found + (_decoded(path, values.get("u", ""), url) if defended else [])


def _decoded(path: str, value: str, url: str) -> list[str]:
    """Return what Proofpoint's URL Defense holds: version 2 in a code of its own, 3 in the path.

    Of version 3 only what needs no further decoding: a "*" stands for characters that are told
    at its end.
    """
    if path.startswith("/v2/url"):
        return [unquote(value.replace("-", "%").replace("_", "/"))]
    held = re.search(r"/v3/__(.+?)__;", url)
    return [re.sub(r"^(https?:/)(?!/)", r"\1/", held[1])] if held and "*" not in held[1] else []


@lru_cache(maxsize=4096)
def host_of(url: str) -> str:
    """Return the host a URL names: lower case, no port, IPv6 in brackets.

    Raises ValueError where canonical does so because of the host.
    """
    parts = _PARTS.match(url.strip())
    if parts is None:
        raise ValueError("not an absolute http(s) URL")
    host = _authority(parts[2], parts[1].lower())
    return host if host.endswith("]") else re.sub(r":\d+$", "", host)


def same_site(one: str, other: str) -> bool:
    """Tell whether two URLs belong to one registered domain.

    By the public suffix list that came with the `tld` library; hosts it does not know (IP
    addresses, local names) are compared whole. gov.uk and nhs.uk: the list decides.
    Raises ValueError as host_of does.
    """
    return _site(host_of(one)) == _site(host_of(other))


def is_home_page(url: str) -> bool:
    """Tell whether a canonical URL is a site's front page, in any of its languages.

    Only the root and its usual other names: a short path may well be a story, which
    rss-fetcher's test for one short segment got wrong.
    """
    parts = _PARTS.fullmatch(url)
    return parts is not None and not parts[4] and _HOME.fullmatch(parts[3].lower()) is not None


def refusal(url: str) -> str | None:
    """Return the reason for which we do not follow a canonical URL, or None.

    Google News: its links lead on only through a script of theirs, and to a consent page. A home
    page is no story (rss-fetcher counts them apart, too).
    """
    if host_of(url) == "news.google.com":
        return "google_news"
    return "home_page" if is_home_page(url) else None


def lies_within(url: str, beginning: str) -> bool:
    """Tell whether a canonical URL begins so: a path or a URL, in which "*" is for anything."""
    parts = _PARTS.fullmatch(url)
    path = f"{parts[3]}?{parts[4] or ''}" if parts and beginning[:1] == "/" else url
    return fnmatchcase(path, re.sub(r"[\[?]", r"[\g<0>]", beginning) + "*")


def _authority(text: str, scheme: str) -> str:
    host_and_port = _AUTHORITY.fullmatch(unquote(text).lower())
    if host_and_port is None:
        credentials = "credentials in a URL: a user name or password is never sent; use a ?key="
        raise ValueError(credentials if "@" in text else "a URL without a plain host")
    host, port = host_and_port[1], int(host_and_port[2] or _PORTS[scheme])
    if host.startswith("["):
        host = f"[{ipaddress.IPv6Address(host[1:-1]).compressed}]"
    else:
        host = host[:254].encode("idna").decode()  # [:254]: the codec is slow on long ones
        if len(host) > 253 or not _HOST.fullmatch(host):  # RFC 1035 section 2.3.4
            raise ValueError(f"not a host name: {host[:200]!r}")
    if not 0 < port < 65536:
        raise ValueError(f"not a port: {port}")
    return host if port == _PORTS[scheme] else f"{host}:{port}"


def _tracks(piece: str, extra: Set[str], from_host: str) -> bool:
    name, _, value = piece.partition("=")
    name = unquote(name).lower()
    if name == "ref" and from_host:
        return unquote(value).lower().removeprefix("www.") == from_host.removeprefix("www.")
    return (
        name in _TRACKING
        or name in extra
        or name.startswith(_PREFIXES)
        or _SESSIONS.fullmatch(name) is not None
    )


def _is_visit(piece: str) -> bool:
    name, _, value = piece.partition("=")
    return name.lower() in _MAYBE_SESSIONS and is_token(value)


@lru_cache(maxsize=4096)
def _site(host: str) -> str:
    return get_fld(f"https://{host}/", fail_silently=True) or host
