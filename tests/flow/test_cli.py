"""What a person types: status, output, and messages that say what to do."""

import json
from collections.abc import Iterator
from pathlib import Path

import pyarrow.parquet as pq
import pytest

from tests.flow.test_verbs import page
from tests.home import Home, rss
from tests.newssite import NewsSite


@pytest.fixture(scope="module")
def site() -> Iterator[NewsSite]:
    with NewsSite() as site:
        site.publish("/one", page("One purse", 3))
        site.publish("/two", "<title>Just a moment...</title><p>Checking your browser")
        links = [(site.url("/one"), "One \x1b[31mpurse"), (site.url("/two"), "Two")]
        site.publish("/feed", rss(links), content_type="text/xml")
        yield site


@pytest.fixture(scope="module")
def home(site: NewsSite, tmp_path_factory: pytest.TempPathFactory) -> Home:
    home = Home(tmp_path_factory.mktemp("cli"), [site.url("/feed")])
    home.newsdesk("init")
    home.newsdesk("poll")
    return home


@pytest.mark.parametrize(
    "command",
    [
        ["status"],
        ["status", "--settings"],
        ["why", "0"],
        ["verify"],
        ["feeds", "list"],
        ["feeds", "check"],
        ["feeds", "export"],
        ["topic", "check"],
        ["topic", "explain", "0"],
        ["discover"],
        ["fetch"],
        ["sift"],
        ["adopt"],
    ],
    ids=" ".join,
)
def test_every_command_speaks_to_people_and_in_json(home: Home, command: list[str]) -> None:
    status, out, err = home.told(*command)

    assert (status, err) == (0, "")
    assert "\x1b" not in out
    assert home.newsdesk(*command) is not None


def test_why_tells_the_whole_life_of_a_story(home: Home, site: NewsSite) -> None:
    (name,) = home.files()

    lives = [home.newsdesk("why", one) for one in (site.url("/one"), name, "0")]

    assert lives[0] == lives[1] == lives[2]
    life = lives[0]
    assert life["entry"]["source"] == site.url("/feed")
    assert [one["outcome"] for one in life["fetches"]] == ["fetched"]
    assert life["verdict"]["reason"] == "kept"
    assert life["verdict"]["points"]
    assert life["file"].endswith(name)
    assert ".warc.gz at byte" in life["page"]


def test_why_tells_what_kept_a_story_out(home: Home, site: NewsSite) -> None:
    _, out, _ = home.told("why", site.url("/two"))

    assert "bot_wall" in out
    assert "just a moment" in out.lower()


def test_why_shows_a_copy_beside_the_kept_story_and_the_story_its_copies(
    site: NewsSite, tmp_path: Path
) -> None:
    first = page("One purse", 3)
    longer = first.replace("</article>", "<p>A further meeting was called for June.</p></article>")
    (old, new) = (site.publish("/first", first), site.publish("/longer", longer))
    site.publish("/both", rss([(old, "One purse"), (new, "One purse")]), content_type="text/xml")
    home = Home(tmp_path, [site.url("/both")])
    home.newsdesk("poll")
    copy = next(u for u in (old, new) if home.newsdesk("why", u)["verdict"]["reason"] != "kept")

    of_copy, of_story = home.newsdesk("why", copy), home.newsdesk("why", "0")
    _, shown, _ = home.told("why", copy)

    assert of_copy["verdict"]["reason"] == "duplicate_near"
    assert of_copy["verdict"]["kind"] in ("updated", "reissue")
    assert [agree for agree, *_ in of_copy["beside"]].count(True) >= 1
    assert any("June" in old + new for agree, old, new in of_copy["beside"] if not agree)
    assert [one["url"] for one in of_story["copied_by"]] == [copy]
    assert of_story["related"] == []
    assert "the kept story" in shown


def test_why_of_the_unknown_says_so_with_status_1(home: Home) -> None:
    status, _, err = home.told("why", "http://nowhere.example/")

    assert status == 1
    assert "no feed announced http://nowhere.example/" in err


def test_the_tally_adds_up(home: Home) -> None:
    status = home.newsdesk("status")

    assert sum(status["tally"].values()) == status["entries"] == 2


def test_export_writes_texts_json_lines_and_parquet(home: Home, tmp_path: Path) -> None:
    out = tmp_path / "out"

    home.newsdesk("export", str(out))

    (row,) = [json.loads(line) for line in (out / "stories.jsonl").read_text().splitlines()]
    table = pq.read_table(out / "stories.parquet").to_pylist()
    ((name, data),) = home.files().items()
    assert (out / "texts" / name).read_bytes() == data
    assert row["file"] == table[0]["file"] == name
    assert row["page_sha256"] == table[0]["page_sha256"]
    assert len(row["page_sha256"]) == 64
    assert row["archive_file"].endswith(".warc.gz")
    assert {path.name for path in out.iterdir()} == {"texts", "stories.jsonl", "stories.parquet"}


def test_export_refuses_the_corpus_itself(home: Home) -> None:
    status, _, err = home.told("export", str(home.corpus))

    assert status == 2
    assert "export to another folder" in err


def test_a_run_in_which_everything_failed_ends_with_status_1(
    site: NewsSite, tmp_path: Path
) -> None:
    status, _, err = Home(tmp_path, [site.url("/none")]).told("poll")

    assert status == 1
    assert "every feed failed" in err


@pytest.mark.parametrize(
    ("name", "text", "said"),
    [
        ("NEWS_FEEDS", '[[feed]]\nurl = "http://a.example/"\nnick = "A"\n', ["line 3", "nick"]),
        (
            "NEWS_FEEDS",
            '[[feed]]\nurl = "http://a.example/"\ntitle = "A"\nenabled = "si"\n',
            ["enabled"],
        ),
        (
            "NEWS_FEEDS",
            '[[feed]]\nurl = "http://a.example/"\ntitle = "A"\n\n'
            '[[feed]]\nurl = "http://a.example/"\ntitle = "B"\n',
            ["line 5", "line 1"],
        ),
        ("NEWS_FEEDS", "[[feed]\n", ["line 1"]),
        ("NEWS_TOPIC", 'nom = "x"\n', ["line 1", "nom", "no such key"]),
        ("NEWS_TOPIC", 'name = "x\n', ["line 1"]),
    ],
    ids=["unknown key", "wrong type", "twice", "no TOML", "topic key", "topic TOML"],
)
def test_a_wrong_file_is_one_message_with_file_line_and_remedy(
    tmp_path: Path, name: str, text: str, said: list[str]
) -> None:
    file = tmp_path / "wrong.toml"
    file.write_text(text)
    home = Home(tmp_path, **{name: str(file)})

    status, out, err = home.told("topic" if name == "NEWS_TOPIC" else "discover", *(
        ["check"] if name == "NEWS_TOPIC" else []
    ))  # fmt: skip

    assert (status, out) == (2, "")
    assert str(file) in err
    assert all(word in err for word in said), err
    assert "Traceback" not in err


def test_a_wrong_setting_ends_with_status_2(tmp_path: Path) -> None:
    status, _, err = Home(tmp_path, NEWS_HOST_GAP="soon").told("status")

    assert status == 2
    assert "NEWS_HOST_GAP='soon'" in err


def test_without_an_identity_nothing_is_asked(site: NewsSite, tmp_path: Path) -> None:
    before = len(site.asked)

    status, _, err = Home(tmp_path, [site.url("/feed")], NEWS_USER_AGENT="").told("poll")

    assert status == 2
    assert "NEWS_USER_AGENT is not set" in err
    assert len(site.asked) == before


def test_adding_a_feed_costs_one_request_and_is_its_first_poll(
    site: NewsSite, tmp_path: Path
) -> None:
    home = Home(tmp_path)
    before = len(site.asked)

    added = home.newsdesk("feeds", "add", site.url("/feed"), "--title", "Mine")
    counts = home.newsdesk("discover")

    assert added["entries_new"] == 2
    assert counts["feeds"] == 0
    assert len(site.asked) == before + 1
    assert "Mine" in home.feeds.read_text()


def test_opml_goes_out_and_comes_in(home: Home, tmp_path: Path) -> None:
    opml = tmp_path / "feeds.opml"
    other = Home(tmp_path / "other")

    home.newsdesk("feeds", "export", str(opml))
    first = other.newsdesk("feeds", "import", str(opml))
    again = other.newsdesk("feeds", "import", str(opml))

    assert (first["added"], again["added"], again["known"]) == (1, 0, 1)
    assert [feed["url"] for feed in other.newsdesk("feeds", "list")] == [
        feed["url"] for feed in home.newsdesk("feeds", "list")
    ]


def test_a_text_file_can_be_explained(home: Home) -> None:
    (name,) = home.files()

    score = home.newsdesk("topic", "explain", str(home.corpus / name))

    assert score["decision"] == "accepted"
    assert score["points"]
