"""What people decide: it outranks the rules, survives every new judgement, and becomes a test."""

import shutil
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from ingest import decisions
from ingest.decisions import Change
from ingest.discover import discover
from ingest.errors import SettingsError
from ingest.fetch import fetch
from ingest.report import life, verify
from ingest.sift import sift
from tests.flow.test_verbs import page
from tests.home import ANYTHING, Home, rss
from tests.newssite import NewsSite

SHORT = "The library van will stop in the square on Tuesdays from May, readers were told."
ELSEWHERE = Path(__file__).resolve().parents[2] / "topics" / "flood-defences.toml"


@pytest.fixture(scope="module")
def site() -> Iterator[NewsSite]:
    with NewsSite() as site:
        yield site


@pytest.fixture(scope="module")
def filled(site: NewsSite, tmp_path_factory: pytest.TempPathFactory) -> Home:
    """A corpus of one story, with a copy of it and a page that was too short."""
    one = page("One purse", 3)
    site.publish("/one", one)
    site.publish("/two", one.replace("</article>", "<p>A further meeting is due in June.</p>"))
    site.publish("/short", f"<article><h1>Short</h1><p>{SHORT}</p></article>")
    links = [(site.url(path), path) for path in ("/one", "/two", "/short")]
    site.publish("/feed", rss(links), content_type="text/xml")
    home = Home(tmp_path_factory.mktemp("filled") / "home", [site.url("/feed")])
    with home.desk() as desk:
        discover(desk)
        fetch(desk)
        sift(desk)
    return home


@pytest.fixture
def home(filled: Home, tmp_path: Path) -> Home:
    home = Home(tmp_path / "home", filled.feeds)
    shutil.copytree(filled.corpus.parent, tmp_path / "home", dirs_exist_ok=True)
    return home


def verdict(home: Home, url: str) -> tuple[str, str]:
    with home.desk() as desk:
        found = (life(desk, url) or {})["verdict"]
    return found["reason"], found["evidence"]


def decide(home: Home, url: str, what: str, why: str, like: str | None = None) -> dict[str, Any]:
    with home.desk() as desk:
        return decisions.decide(desk, url, what, by="Ada", why=why, like=like)


def again(home: Home, dry: bool = False) -> list[Change]:
    with home.desk() as desk:
        return list(decisions.again(desk, dry=dry))


def differences(home: Home) -> list[str]:
    with home.desk() as desk:
        return verify(desk)


def kept_and_copy(home: Home, site: NewsSite) -> tuple[str, str]:
    urls = site.url("/one"), site.url("/two")
    one, other = sorted(urls, key=lambda url: verdict(home, url)[0] != "kept")
    assert verdict(home, other)[0] == "duplicate_near"
    return one, other


def test_an_accepted_story_comes_in_and_stays_in(home: Home, site: NewsSite) -> None:
    url = site.url("/short")
    assert verdict(home, url)[0] == "too_short"

    done = decide(home, url, "accept", "all there is")
    asked = len(site.asked)
    changes = again(home)

    assert done["now"] == "kept"
    assert verdict(home, url) == ("kept", "Ada: all there is")
    assert len(home.files()) == 2
    assert changes == []
    assert len(site.asked) == asked
    assert differences(home) == []


def test_a_refused_story_leaves_and_its_copies_stay_out(home: Home, site: NewsSite) -> None:
    one, copy = kept_and_copy(home, site)

    decide(home, one, "refuse", "an advertisement")
    changes = again(home)

    assert home.files() == {}
    assert verdict(home, one) == ("refused", "Ada: an advertisement")
    assert verdict(home, copy)[0] == "duplicate_near"
    assert changes == []
    assert differences(home) == []


def test_a_refusal_can_be_taken_back(home: Home, site: NewsSite) -> None:
    one, _ = kept_and_copy(home, site)
    before = home.files()

    decide(home, one, "refuse", "a slip")
    decide(home, one, "accept", "it was a slip")

    assert home.files() == before
    assert verdict(home, one)[0] == "kept"
    assert [d["what"] for d in home.newsdesk("decisions")] == ["refuse", "accept"]
    assert differences(home) == []


def test_what_is_not_a_copy_comes_in_and_the_rules_are_told(home: Home, site: NewsSite) -> None:
    _, copy = kept_and_copy(home, site)

    done = decide(home, copy, "not_a_copy", "it has the date")
    checked = home.newsdesk("topic", "check", status=1)

    assert done["now"] == "kept"
    assert len(home.files()) == 2
    (failure,) = checked["failures"]
    assert "Ada said not_a_copy of 0 (it has the date), but kind=" in failure
    assert again(home) == []


def test_a_kept_story_can_be_called_a_copy(home: Home, site: NewsSite) -> None:
    one, copy = kept_and_copy(home, site)
    decide(home, copy, "not_a_copy", "looked new")

    decide(home, copy, "copy_of", "it is one", like=one)

    assert verdict(home, copy) == ("duplicate_near", "like=0 Ada: it is one")
    assert len(home.files()) == 1
    with home.desk() as desk:
        assert decisions.failures(desk) == []
    assert differences(home) == []


def test_a_wrong_text_is_noted_with_the_text_it_was_said_of(home: Home, site: NewsSite) -> None:
    one, _ = kept_and_copy(home, site)

    decide(home, one, "wrong_text", "a sentence is missing")

    with home.desk() as desk:
        (noted,) = (life(desk, one) or {})["decisions"]
    assert (noted["what"], noted["why"]) == ("wrong_text", "a sentence is missing")
    assert noted["story"].encode() in home.files().values()


def test_rescore_tells_what_another_topic_would_change_and_changes_nothing(
    home: Home, site: NewsSite
) -> None:
    one, _ = kept_and_copy(home, site)
    before = home.files()

    changes = home.newsdesk("topic", "rescore", "--topic", str(ELSEWHERE))
    same = again(home, dry=True)

    of_kept = next(change for change in changes if change["url"] == one)
    assert (of_kept["was"], of_kept["now"], of_kept["done"]) == ("kept", "off_topic", False)
    assert of_kept["score_now"] < of_kept["score_was"]
    assert same == []
    assert home.files() == before
    assert verdict(home, one)[0] == "kept"


def test_sift_again_takes_in_what_today_s_rules_would_and_leaves_kept_files(
    home: Home, site: NewsSite, tmp_path: Path
) -> None:
    one, _ = kept_and_copy(home, site)
    before = home.files()
    lenient = tmp_path / "lenient.toml"
    text = ANYTHING.read_text()
    lenient.write_text(text.replace("min_words = ", "min_words = 5 # "))
    home.news["NEWS_TOPIC"] = str(lenient)

    told = again(home, dry=True)
    unchanged = home.files()
    done = again(home)

    assert [(c.was, c.now, c.done) for c in told] == [("too_short", "kept", False)]
    assert unchanged == before
    assert [(c.was, c.now, c.done) for c in done] == [("too_short", "kept", True)]
    assert before.items() < home.files().items()
    assert verdict(home, one)[0] == "kept"
    assert differences(home) == []


def test_what_cannot_be_decided_says_what_to_do(home: Home, site: NewsSite) -> None:
    one, _ = kept_and_copy(home, site)

    for reference, what, remedy in (
        (site.url("/short"), "copy_of", "kept story"),
        ("http://nowhere.example/", "accept", "newsdesk why"),
        (one, "agree", "accept, refuse, not_a_copy"),
        (one, "copy_of", "--like"),
    ):
        with pytest.raises(SettingsError, match=remedy):
            decide(home, reference, what, "x")
    with pytest.raises(SettingsError, match="a copy of itself"):
        decide(home, one, "copy_of", "x", like=one)
