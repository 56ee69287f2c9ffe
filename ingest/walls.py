"""By what a wall against robots gives itself away: feeds research 2c. Nothing here gets round one.

Pure, and below both the client, which sees answers, and the filters, which see pages.
"""

import re
from collections.abc import Iterable

MAX_WALL_BYTES = 40_000  # ours: the challenges that were looked at have 1 to 30 kB
MAX_WALL_PARAGRAPHS = 12  # a page with more is no challenge; it saves looking for signs
MAX_CHALLENGE_WORDS = 300  # visible ones; Anubis explains itself in some 200
MAX_WIDGET_WORDS = 40  # beside what ordinary pages load, too
MAX_SCRIPT_WORDS = 5  # of a page that is nothing but a script

_TITLE = re.compile(
    r"just a moment|attention required|access (?:to this page (?:has been )?)?denied|forbidden"
    r"|are you a robot|robot check|pardon our interruption|(?:\w+ )?security (?:check|verification)"
    r"|ddos-?guard|one moment|(?:human|client|bot|browser) (?:verification|challenge|check)"
    r"|(?:40[13]|429|503)\b|request (?:blocked|rejected|unsuccessful)"
    r"|verif(?:y|ying) (?:that )?you(?:.re| are) (?:a )?(?:human|not a (?:ro)?bot)"
    r"|(?:making|checking|to make) sure (?:that )?you(?:.re| are) (?:a human|not a (?:ro)?bot)"
    r"|prove (?:that )?you(?:.re| are) (?:a )?(?:human|not a (?:ro)?bot)|checking your browser",
    re.IGNORECASE,
)
_TEXT = re.compile(
    r"checking (?:if the site connection is secure|your browser before)|you have been blocked"
    r"|(?:verif(?:y|ying)|making sure|prove) (?:that )?you(?:.re| are) "
    r"(?:(?:a )?human|not a (?:ro)?bot)|unusual (?:traffic|activity) from your"
    r"|complete the security check|(?:ray id|incident id|reference #|support id)[ :]*[\w.]{6,}"
    r"|solve (?:the|this) captcha|enable javascript and cookies to continue",
    re.IGNORECASE,
)
# Headers that stand on a challenge alone: the name, and what its value begins with.
_HEADERS = (
    ("cf-mitigated", "challenge"),  # Cloudflare
    ("x-amzn-waf-action", ""),  # Amazon WAF
    ("sg-captcha", ""),  # SiteGround
    ("x-vercel-mitigated", ""),
    ("x-sucuri-block", ""),
)
# What the page of a challenge alone loads or holds, as its firewall's own pages have it.
_CHALLENGE = (
    b"_cf_chl_opt", b"/cdn-cgi/challenge-platform/h/", b"cf-browser-verification",  # Cloudflare
    b"/.well-known/sgcaptcha",  # SiteGround
    b"anubis_challenge", b"anubis_version", b"/.within.website/x/",  # Anubis
    b"/.well-known/.git.gammaspectra.live/git/go-away/",  # go-away
    b"/.well-known/vercel/security/",
    b"CWUDNSAI",  # in the frame of Imperva's Incapsula
    b"captcha-delivery.com",  # DataDome
    b"px-captcha",  # HUMAN, once PerimeterX
    b"/_sec/cp_challenge/", b"sec-if-cpt-container", b"bm-verify=",  # Akamai
    b"gokuProps",  # Amazon WAF
    b"sucuri_cloudproxy_js",
    b"/_fs-ch-",  # Fastly
    b"validate.perfdrive.com",  # Radware
)  # fmt: skip
# What firewalls put into ordinary pages as well: a sign only where there is hardly a word.
_WIDGET = (
    b"/_Incapsula_Resource", b"/cdn-cgi/challenge-platform/", b"challenges.cloudflare.com",
    b"_pxAppId", b"/TSPD/", b"ddos-guard", b"hcaptcha.com/", b"recaptcha/", b"KPSDK",
    b"token.awswaf.com",
)  # fmt: skip
_OWN_CAPTCHA = re.compile(rb"/\.well-known/[\w./-]{0,80}(?:captcha|challenge)")
_NO_INDEX = re.compile(rb"<meta[^<>]{0,200}\bnoindex")
_FEED = re.compile(rb"<(?:rss|feed|rdf:rdf|urlset|sitemapindex|opml)[\s>]", re.IGNORECASE)
_UNSEEN = re.compile(
    rb"<script\b.*?(?:</script\s*>|\Z)|<style\b.*?(?:</style\s*>|\Z)|<!--.*?(?:-->|\Z)"
    rb"|<head\b[^<>]*>|<title\b.*?(?:</title\s*>|\Z)|<[^<>]*>?",
    re.IGNORECASE | re.DOTALL,
)
_WORD = re.compile(rb"[^\W_]+|[^\x00-\x7f]+")


def by_header(headers: Iterable[tuple[str, str]]) -> str:
    """Return the header by which a firewall says that it stopped us, or ""."""
    for name, value in headers:
        for named, begins in _HEADERS:
            if name.lower() == named and value.lower().startswith(begins):
                return f"header={name}: {value[:40]}"
    return ""


def by_markup(content: bytes) -> str:
    """Return what a page loads or holds as a challenge does, or "".

    Words of its own say nothing: there is a new firewall every year. A page of more than
    MAX_WALL_BYTES or MAX_WALL_PARAGRAPHS is none, nor is one that has more visible words than a
    challenge, whatever it loads.
    """
    if len(content) > MAX_WALL_BYTES or content.lstrip()[:1] != b"<":
        return ""
    if paragraphs(content) > MAX_WALL_PARAGRAPHS:
        return ""
    own = next((sign for sign in _CHALLENGE if sign in content), b"")
    widget = next((sign for sign in _WIDGET if sign in content), b"")
    if not own and (captcha := _OWN_CAPTCHA.search(content)):
        widget = captcha[0]
    lower = content.lower()
    is_script = b"noindex" in lower and b"<script" in lower and bool(_NO_INDEX.search(lower))
    if not (own or widget or is_script) or is_feed(content):
        return ""
    words = visible_words(content)
    if own and words <= MAX_CHALLENGE_WORDS:
        return f"loads={own.decode()!r} words={words}"
    if widget and words <= MAX_WIDGET_WORDS:
        return f"loads={widget.decode()!r} words={words}"
    if is_script and words <= MAX_SCRIPT_WORDS:
        return f"only a script, not to be indexed words={words}"
    return ""


def by_words(text: str, *titles: str) -> str:
    """Return what a page of few words says as walls do, in its titles or its text; or ""."""
    for title in titles:
        if title and _TITLE.match(title):
            return f"title={title!r}"
    found = _TEXT.search(text)
    return f"says={found[0]!r}" if found else ""


def paragraphs(content: bytes) -> int:
    """Return how many paragraphs a page's markup opens, in lower case: a quick measure."""
    return content.count(b"<p>") + content.count(b"<p ")


def is_feed(content: bytes) -> bool:
    """Tell whether a document is XML of a kind that lists things, and no page for readers."""
    return _FEED.search(content, 0, 2_000) is not None


def visible_text(content: bytes) -> bytes:
    """Return what a page shows, less scripts, styles, comments, its title and its markup.

    In one pass, whatever is left open.
    """
    return _UNSEEN.sub(b" ", content)


def visible_words(content: bytes) -> int:
    """Return how many words a page shows, in a charset in which ASCII is ASCII."""
    return len(_WORD.findall(visible_text(content)))
