"""Which pages are walls, stand-ins or no stories; and that each verdict names its signal."""

import time
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import pytest

from ingest import topics, walls
from ingest.extract import Extract, Signals
from ingest.filters.bot_wall import bot_wall
from ingest.filters.case import Case
from ingest.filters.consent_page import consent_page
from ingest.filters.home_page import home_page
from ingest.filters.language import language
from ingest.filters.not_story import extract_failed, extract_timeout, not_story
from ingest.filters.paywall import paywall
from ingest.filters.soft_404 import soft_404
from ingest.filters.teaser import teaser
from ingest.filters.too_short import too_short
from ingest.furniture import Removed
from storage.model import Story
from tests.builders import ENTRY

TEXT = "The board and the council have agreed to share one budget for care at home. " * 30
STORY = Story(title="One budget", text=TEXT)
CASE = Case(
    entry=replace(ENTRY, url="https://ferrynews.co.uk/news/2024/one-budget"),
    url="https://ferrynews.co.uk/news/2024/one-budget",
    hops=("https://ferrynews.co.uk/news/2024/one-budget",),
    extract=Extract(
        title="One budget",
        blocks=(TEXT,),
        language="en",
        signals=Signals(text_words=420, site_name="Ferry News", head="One budget | Ferry News"),
    ),
    story=STORY,
    topic=topics.load(Path(__file__).parents[2] / "topics" / "flood-defences.toml"),
)
WALLS = (
    bot_wall, consent_page, paywall, home_page, soft_404, not_story, language, teaser, too_short
)  # fmt: skip


def short(text: str, *, title: str = "", url: str = CASE.url, **signals: object) -> Case:
    """A page that shows little: `text` is its body and all that can be seen of it."""
    said = Signals(text_words=len(text.split()), sample=text, head=title, **signals)  # type: ignore[arg-type]
    extract = Extract(title=title, blocks=(text,) if text else (), signals=said)
    return replace(CASE, url=url, extract=extract, story=Story(title=title, text=text))


def signalling(**signals: object) -> Case:
    changed = replace(CASE.extract.signals, **signals)  # type: ignore[arg-type]
    return replace(CASE, extract=replace(CASE.extract, signals=changed))


@pytest.mark.parametrize("find", WALLS)
def test_a_story_passes(find: Callable[[Case], str | None]) -> None:
    assert find(CASE) is None


@pytest.mark.parametrize(
    ("case", "evidence"),
    [
        (replace(CASE, same_bytes=3), "the same bytes for 3 titles of its host"),
        (short("Wait a little.", title="Just a moment..."), "title='Just a moment...' words=3"),
        (short("", title="Access Denied"), "title='Access Denied'"),
        (short("Please verify you are human to go on."), "says='verify you are human'"),
        (short("Blocked. Ray ID: 8f2a77c1b0"), "says='Ray ID: 8f2a77c1b0'"),
    ],
)
def test_a_bot_wall_is_named_by_its_signal(case: Case, evidence: str) -> None:
    assert evidence in (bot_wall(case) or "")


CHALLENGES = {
    "loads='_cf_chl_opt'": "<script>window._cf_chl_opt={cType:'managed'}</script><p>Wait.</p>",
    "loads='/.well-known/sgcaptcha'": '<meta http-equiv="refresh" '
    'content="0;/.well-known/sgcaptcha/?r=%2F">',
    "loads='anubis_challenge'": "<h1>A moment of sums</h1><script id='anubis_challenge' "
    f"type='application/json'>{{}}</script><p>{'Your browser adds up. ' * 40}</p>",
    "loads='/.well-known/vercel/security/'": '<script src="/.well-known/vercel/security/a.js">'
    "</script>Checking",
    "loads='captcha-delivery.com'": "<script src='https://geo.captcha-delivery.com/c.js'></script>",
    "loads='px-captcha'": '<div id="px-captcha"></div>Press and hold',
    "loads='bm-verify='": '<meta http-equiv="refresh" content="5; URL=\'/?bm-verify=AAQ\'">',
    "loads='gokuProps'": "<script>window.gokuProps={key:1}</script>",
    "loads='/_Incapsula_Resource'": '<meta name="robots" content="noindex">'
    '<script src="/_Incapsula_Resource?SWJ=1"></script>',
    "loads='/.well-known/new-shield/challenge'": "<script src='/.well-known/new-shield/challenge'>"
    "</script>One moment",
    "only a script": "<meta name='robots' content='noindex, nofollow'><script src='/x9.js'>"
    "</script>",
}


@pytest.mark.parametrize("sign", CHALLENGES)
def test_a_challenge_is_known_by_what_it_loads_whatever_it_says(sign: str) -> None:
    page = f"<html><head><title>Ferry</title></head><body>{CHALLENGES[sign]}</body></html>"

    assert walls.by_markup(page.encode()).startswith(sign)


SHORT_STORY = "<p>The board met the council on Monday, and they agreed to share one budget.</p>" * 4


@pytest.mark.parametrize(
    "loaded",
    [
        "<script src='/cdn-cgi/challenge-platform/scripts/jsd/main.js'></script>",
        "<script src='/_Incapsula_Resource?SWJIYLWA=1'></script>",
        "<script src='https://challenges.cloudflare.com/turnstile/v0/api.js'></script>",
        "<script>window._pxAppId='PX1'</script>",
        "<meta name='robots' content='noindex'><script src='/main.js'></script>",
    ],
)
def test_a_story_behind_a_firewall_that_let_it_pass_is_no_wall(loaded: str) -> None:
    page = f"<html><head>{loaded}</head><body><h1>One budget</h1>{SHORT_STORY}</body></html>"

    assert walls.by_markup(page.encode()) == ""


def test_a_story_on_walls_is_no_wall() -> None:
    text = "<p>What sites put up is called anubis_challenge, and it asks for sums of browsers.</p>"

    assert walls.by_markup(f"<html><body>{text * 25}</body></html>".encode()) == ""


@pytest.mark.parametrize("hostile", [b"<script", b"<!--", b"<p><script>", b"<", b"<meta noindex "])
def test_markup_without_end_takes_no_time(hostile: bytes) -> None:
    page = b"<" + hostile * (walls.MAX_WALL_BYTES // len(hostile) - 1)
    began = time.process_time()

    walls.by_markup(page + b"anubis_challenge")
    walls.visible_words(page)

    assert time.process_time() - began < 1


def test_a_story_headed_like_a_wall_is_no_wall() -> None:
    headed = replace(CASE.extract, title="Access denied: the patients who cannot see a dentist")

    assert bot_wall(replace(CASE, extract=headed)) is None


ASKS = "We value your privacy. We and our partners store and/or access information on a device."


@pytest.mark.parametrize(
    ("case", "evidence"),
    [
        (short("", url="https://consent.ferrynews.co.uk/ask?to=1"), "host=consent.ferrynews.co.uk"),
        (short(f"{ASKS} Accept all. Manage options."), "says='accept all', 'manage options'"),
    ],
)
def test_a_consent_page_is_named_by_its_signal(case: Case, evidence: str) -> None:
    assert evidence in (consent_page(case) or "")


def test_a_cookie_banner_over_a_short_story_is_no_consent_page() -> None:
    case = short("The ferry was refloated at dawn, and no one was hurt, the coastguard said.")
    banner = replace(case.extract.signals, sample=f"{ASKS} Accept all. {case.story.text}")

    assert consent_page(replace(case, extract=replace(case.extract, signals=banner))) is None


TEASER = "The board and the council have agreed to share one budget. " * 4


@pytest.mark.parametrize(
    ("case", "evidence"),
    [
        (signalling(free=False), "isAccessibleForFree=false tier=none words=420"),
        (signalling(free=False, content_tier="metered", text_words=90), "tier=metered words=90"),
        (signalling(free=False, content_tier="absent", text_words=90), "tier=absent words=90"),
        (signalling(content_tier="locked"), "content_tier=locked"),
        (short(f"{TEASER}Subscribe to read the rest."), "says='Subscribe to read the'"),
        (short(f"{TEASER}This article is for subscribers only."), "says='This article is for sub"),
        (short(TEASER, declared_words=900), "wordCount=900 words=44"),
    ],
)
def test_a_paywall_is_named_by_its_signal(case: Case, evidence: str) -> None:
    assert evidence in (paywall(case) or "")


def test_a_prompt_that_was_taken_for_furniture_still_tells() -> None:
    case = short(TEASER)
    gone = (Removed("sign_up", "Already a subscriber? Sign in"),)

    assert "Already a subscriber" in (
        paywall(replace(case, extract=replace(case.extract, removed=gone))) or ""
    )


@pytest.mark.parametrize(
    "case",
    [
        signalling(free=False, content_tier="free"),
        signalling(free=False, content_tier="metered"),
        signalling(free=False, content_tier="absent"),
        signalling(free=True),
        signalling(content_tier="metered"),
        signalling(declared_words=2500),  # of 420: characters, counted as words
        short(TEASER, declared_words=60),
        short(f"{TEASER}To subscribe to the scheme, write to the board."),
    ],
)
def test_what_is_given_in_full_is_behind_no_paywall(case: Case) -> None:
    assert paywall(case) is None


@pytest.mark.parametrize(
    ("case", "evidence"),
    [
        (replace(CASE, url="https://ferrynews.co.uk/"), "redirected to the home page"),
        (
            short("Welcome.", canonical="https://ferrynews.co.uk/"),
            "canonical=https://ferrynews.co.uk/",
        ),
        (short("News.", title="Ferry News", site_name="Ferry News"), "is the site's name"),
    ],
)
def test_a_home_page_is_named_by_its_signal(case: Case, evidence: str) -> None:
    assert evidence in (home_page(case) or "")


def test_a_whole_story_whose_site_declares_its_home_page_everywhere_is_none() -> None:
    assert home_page(signalling(canonical="https://ferrynews.co.uk/")) is None


def test_a_story_that_a_query_tells_from_the_home_page_is_none() -> None:
    url = "https://ferrynews.co.uk/?p=12"

    assert home_page(replace(CASE, entry=replace(ENTRY, url=url), url=url)) is None


@pytest.mark.parametrize(
    ("case", "evidence"),
    [
        (
            replace(CASE, url="https://ferrynews.co.uk/news", hops=("a", "b")),
            "redirected to the section https://ferrynews.co.uk/news",
        ),
        (short("Try the search.", title="Page not found"), "says='Page not found' words=3"),
        (short("", title="404"), "says='404'"),
        (
            short("Go back.", title="The page you requested could not be found"),
            "could not be found",
        ),
        (short("Sorry, this article is no longer available."), "no longer available"),
    ],
)
def test_a_page_that_stands_for_another_is_named_by_its_signal(case: Case, evidence: str) -> None:
    assert evidence in (soft_404(case) or "")


def test_an_amp_page_that_leads_to_its_story_is_no_soft_404() -> None:
    entry = replace(ENTRY, url=f"{CASE.url}/amp", title="One budget")

    assert soft_404(replace(CASE, entry=entry, hops=(entry.url, CASE.url))) is None


@pytest.mark.parametrize(
    ("text", "evidence"),
    [
        (f"{TEASER}The chair of the board said that…", "ends='…' words="),
        (f"{TEASER}The chair said [...]", "ends='[...]'"),
        (f"{TEASER}Continue reading »", "ends='Continue reading »'"),
        (f"{TEASER}Read the full story on Ferry News", "ends='Read the full story on Ferry News'"),
        ("The post One budget appeared first on Ferry News.", "ends='The post One budget app"),
    ],
)
def test_a_teaser_is_named_by_how_it_ends(text: str, evidence: str) -> None:
    assert evidence in (teaser(short(text)) or "")


def test_a_teaser_whose_link_was_taken_for_furniture_is_still_one() -> None:
    case = short(TEASER)
    gone = (Removed("linked", "Read the full report"),)

    assert teaser(replace(case, extract=replace(case.extract, removed=gone)))


@pytest.mark.parametrize(
    "text",
    [
        TEASER,
        TEXT + "And so on …",
        f"{TEASER}She would like to read more.",
        f"{TEASER}Read more: X",
    ],
)
def test_a_short_story_or_a_long_one_with_dots_is_no_teaser(text: str) -> None:
    assert teaser(short(text)) is None


def test_a_page_that_moved_to_another_section_is_no_soft_404() -> None:
    moved = "https://ferrynews.co.uk/health/2024/one-budget"

    assert soft_404(replace(CASE, url=moved, hops=(CASE.url, moved))) is None


@pytest.mark.parametrize("fault", ["live_blog", "gallery", "video", "needs_javascript"])
def test_a_fault_of_the_page_is_told_with_its_evidence(fault: str) -> None:
    case = replace(CASE, extract=Extract(fault=fault, detail="words=3"))

    assert not_story(case) == f"{fault}: words=3"


def test_a_page_that_could_not_be_read_is_told_from_one_that_is_no_story() -> None:
    case = replace(CASE, extract=Extract(fault="extract_timeout", detail="over 10 s"))

    assert extract_timeout(case) == "over 10 s"
    assert extract_failed(case) is None
    assert not_story(case) == "extract_timeout: over 10 s"


def test_a_page_of_links_is_no_story() -> None:
    links = tuple(Removed("linked", f"Story number {n}") for n in range(12))
    extract = replace(CASE.extract, blocks=(TEXT,) * 5, removed=links)

    assert not_story(replace(CASE, extract=extract)) == "index_page: links=12 lines=17"


def test_another_language_is_named() -> None:
    welsh = replace(CASE, extract=replace(CASE.extract, language="cy"))

    assert (language(welsh) or "").startswith("language=cy wanted=en")


def test_a_language_we_do_not_know_passes() -> None:
    assert language(replace(CASE, extract=replace(CASE.extract, language=""))) is None


def test_a_stub_is_too_short() -> None:
    wanted = CASE.topic.min_words

    assert (
        too_short(replace(CASE, story=replace(STORY, text="Flood."))) == f"words=1 wanted={wanted}"
    )
