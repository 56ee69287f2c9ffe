"""Discover, fetch and sift on a loopback site: each bad input has one outcome; runs go on."""

import os
import random
from collections.abc import Iterator
from contextlib import nullcontext
from datetime import timedelta
from pathlib import Path

import pytest

from ingest import decisions
from ingest.discover import discover
from ingest.errors import RunFailed
from ingest.fetch import fetch
from ingest.report import life, verify
from ingest.sift import adopt, sift
from storage.corpus import compose, name_of, parse, render
from tests.home import Clock, Home, rss
from tests.newssite import NewsSite, Reply

WORDS = (
    "The council and the health board have agreed to plan the care of older people in the town "
    "together, and to pay for it from one purse that both of them fill in the spring of the year. "
)


def page(title: str, number: int = 0) -> str:
    told = "".join(
        f"<p>{WORDS} In part {part} of report {number} it says {title.lower()} {number * part}.</p>"
        for part in range(1, 5)
    )
    return f"<html lang=en><title>{title}</title><article><h1>{title}</h1>{told}</article></html>"


@pytest.fixture
def site() -> Iterator[NewsSite]:
    with NewsSite() as site:
        yield site


def announce(site: NewsSite, *paths: str) -> str:
    feed = rss((site.url(path), f"Story {path}") for path in paths)
    return site.publish("/feed", feed, content_type="application/rss+xml")


def reason(home: Home, url: str) -> tuple[str, str]:
    with home.desk() as desk:
        verdict = (life(desk, url) or {})["verdict"]
    return verdict["reason"], verdict["evidence"]


GOOD = rss([("http://127.0.0.1:9/a", "A")])
BOMB = (
    '<?xml version="1.0"?><!DOCTYPE rss [<!ENTITY l0 "ha">'
    + "".join(f'<!ENTITY l{n} "{f"&l{n - 1};" * 10}">' for n in range(1, 9))
    + ']><rss version="2.0"><channel><item><title>&l8;</title></item></channel></rss>'
)


@pytest.mark.parametrize(
    ("body", "outcomes"),
    [
        ("<!doctype html><title>Just a moment...</title><p>Checking", {"bot_wall"}),
        ("<!doctype html><title>News</title><p>We have moved.", {"not_a_feed"}),
        ("", {"no_content"}),
        (GOOD[:-40], {"new"}),
        (BOMB, {"unparseable", "not_a_feed"}),
        (b" " * 200_000_000, {"too_large"}),
        ('<?xml version="1.0" encoding="utf-16"?>' + GOOD, {"new"}),
        ("\x00\x01\x02 not a feed", {"not_a_feed", "unparseable"}),
    ],
    ids=["wall", "html", "empty", "truncated", "entities", "huge", "charset", "noise"],
)
def test_a_bad_feed_has_one_outcome_and_the_others_are_read(
    site: NewsSite, tmp_path: Path, body: str | bytes, outcomes: set[str]
) -> None:
    good = site.publish("/good", rss([(site.url("/b"), "B")]), content_type="text/xml")
    bad = site.publish("/bad", body, content_type="text/xml")
    home = Home(tmp_path, [bad, good])

    with home.desk() as desk:
        counts = discover(desk)
        state = desk.catalog.feed_states()[bad]

    assert state.outcome in outcomes
    assert counts["feeds"] == 2
    assert counts["entries_new"] >= 1


@pytest.mark.parametrize(
    ("how", "fault"),
    [
        ("hang", "timeout_total"),
        ("drip_body", "timeout_total"),
        ("endless_body", "too_large"),
        ("gzip_bomb", "too_large"),
        ("loop", "redirect_loop"),
        ("private", "blocked_address"),
        ("missing", "not_found"),
        ("picture", "not_html"),
    ],
)
def test_a_bad_page_has_one_outcome_and_the_others_are_fetched(
    site: NewsSite, tmp_path: Path, how: str, fault: str
) -> None:
    site.publish("/good", page("A budget for all"))
    if how == "loop":
        site.redirect("/bad", site.url("/bad"))
    elif how == "private":
        site.redirect("/bad", "http://10.1.2.3/secret")
    elif how == "picture":
        site.publish("/bad", b"\x89PNG", content_type="image/png")
    elif how != "missing":
        site.misbehave("/bad", how)
    home = Home(
        tmp_path,
        [announce(site, "/bad", "/good")],
        NEWS_FETCH_DEADLINE="2" if how in ("hang", "drip_body") else "60",
        NEWS_MAX_PAGE_BYTES="200000",
    )

    with home.desk() as desk:
        discover(desk)
        counts = fetch(desk)
        told = life(desk, site.url("/bad"))

    assert counts["pages"] == 2
    assert counts["fetched"] == counts[fault] == 1
    assert told
    assert [one["outcome"] for one in told["fetches"]] == [fault]
    assert told["fetches"][0]["detail"]


def test_a_fault_in_passing_is_tried_seven_times_and_is_then_the_verdict(
    site: NewsSite, tmp_path: Path
) -> None:
    site.publish("/bad", "", status=503)
    clock = Clock()
    home = Home(tmp_path, [announce(site, "/bad")])

    with home.desk(clock) as desk:
        discover(desk)
        for _ in range(16):
            waits = desk.catalog.to_fetch(clock.now(), 1)
            with pytest.raises(RunFailed) if waits else nullcontext():
                fetch(desk)
            clock.time += timedelta(hours=25)
        tally = desk.catalog.tally()

    assert tally == {"server_error": 1}
    assert site.paths().count("/bad") == 7


def test_a_run_in_which_every_feed_fails_is_a_failed_run(site: NewsSite, tmp_path: Path) -> None:
    home = Home(tmp_path, [site.url("/none"), site.url("/nothing")])

    with home.desk() as desk, pytest.raises(RunFailed, match=r"every feed failed \(2 of 2\)"):
        discover(desk)


def test_a_run_in_which_every_page_fails_is_a_failed_run(site: NewsSite, tmp_path: Path) -> None:
    home = Home(tmp_path, [announce(site, "/x", "/y")])

    with home.desk() as desk:
        discover(desk)
        with pytest.raises(RunFailed, match=r"every page failed \(2 of 2\).*not_found"):
            fetch(desk)


def test_a_run_in_which_no_page_can_be_read_is_a_failed_run(site: NewsSite, tmp_path: Path) -> None:
    site.publish("/x", "<html><body><script>write()</script></body></html>")
    home = Home(tmp_path, [announce(site, "/x")])

    with home.desk() as desk:
        discover(desk)
        fetch(desk)
        with pytest.raises(RunFailed, match="every page failed"):
            sift(desk)


def test_feeds_are_asked_again_when_due_and_with_their_validators(
    site: NewsSite, tmp_path: Path
) -> None:
    site.publish("/a", page("A"))
    feed, clock = announce(site, "/a"), Clock()
    home = Home(tmp_path, [feed])

    with home.desk(clock) as desk:
        first = discover(desk)
        at_once = discover(desk)
        clock.time += timedelta(hours=2)
        later = discover(desk)

    assert (first["new"], at_once["feeds"], later["not_modified"]) == (1, 0, 1)
    asked = [one for one in site.asked if one.path == "/feed"]
    assert len(asked) == 2
    assert asked[1].headers["if-none-match"].startswith('"')
    assert "if-modified-since" in asked[1].headers


def test_a_feed_that_fails_is_asked_less_and_less_but_always_again(
    site: NewsSite, tmp_path: Path
) -> None:
    clock, home = Clock(), Home(tmp_path, [site.url("/none")])
    waits = []

    with home.desk(clock) as desk:
        for _ in range(9):
            with pytest.raises(RunFailed):
                discover(desk, ask_all=True)
            (state,) = desk.catalog.feed_states().values()
            assert state.next_poll
            waits.append(state.next_poll - clock.time)

    assert waits == sorted(waits)
    assert timedelta(minutes=30) <= waits[0] <= timedelta(minutes=33)
    assert waits[-1] == timedelta(hours=24)


def test_the_gap_between_requests_to_a_host_is_kept(site: NewsSite, tmp_path: Path) -> None:
    for path in ("/a", "/b", "/c"):
        site.publish(path, page(path))
    clock = Clock()
    home = Home(tmp_path, [announce(site, "/a", "/b", "/c")], NEWS_HOST_GAP="7")

    with home.desk(clock) as desk:
        discover(desk)
        fetch(desk)

    asked = len(site.asked)
    assert asked == 5  # the feed, robots.txt, three pages
    assert clock.time - Clock().time == timedelta(seconds=7 * (asked - 1))


def test_what_robots_forbid_is_not_asked(site: NewsSite, tmp_path: Path) -> None:
    site.publish("/robots.txt", "User-agent: newsdesk-test\nDisallow: /private", status=200)
    site.publish("/open", page("Open"))
    home = Home(tmp_path, [announce(site, "/private/a", "/open")])

    with home.desk() as desk:
        discover(desk)
        counts = fetch(desk)

    assert counts["robots_denied"] == counts["fetched"] == 1
    assert "/private/a" not in site.paths()


def test_each_entry_has_one_verdict_with_evidence_and_the_shelves_agree(
    site: NewsSite, tmp_path: Path
) -> None:
    site.publish("/one", page("One purse", 3))
    site.publish("/copy", page("One purse", 3).replace("<article>", "<nav>Home</nav><article>"))
    other = page("Another matter", 7).replace("council", "parish").replace("care", "needs")
    site.publish("/other", other)
    site.publish("/short", "<article><h1>Short</h1><p>" + WORDS + "</p><p>And more.</p></article>")
    site.publish("/wall", "<html><title>Just a moment...</title><p>Checking your browser</html>")
    home = Home(tmp_path, [announce(site, "/one", "/copy", "/other", "/short", "/wall")])

    with home.desk() as desk:
        discover(desk)
        fetch(desk)
        counts = sift(desk)
        again = sift(desk)
        tally, seen, differences = desk.catalog.tally(), desk.catalog.entries_seen(), verify(desk)

    assert counts["pages"] == 5 == sum(tally.values()) == seen
    assert again["pages"] == 0
    assert tally["kept"] == 2
    assert tally["bot_wall"] == 1
    assert tally["duplicate_exact"] == 1
    assert differences == []
    verdicts = sorted(reason(home, site.url(path)) for path in ("/one", "/copy"))
    assert [verdict for verdict, _ in verdicts] == ["duplicate_exact", "kept"]
    assert "like=00" in verdicts[0][1]
    names = sorted(home.files())
    assert [name[:3] for name in names] == ["000", "001"]
    assert all(render(parse(data)) == data for data in home.files().values())


def test_hand_put_files_are_taken_up_and_their_copies_refused(
    site: NewsSite, tmp_path: Path
) -> None:
    site.publish("/one", page("One purse", 3))
    home = Home(tmp_path / "first", [announce(site, "/one")])
    with home.desk() as desk:
        discover(desk)
        fetch(desk)
        sift(desk)
    ((name, data),) = home.files().items()
    later = Home(tmp_path / "second", home.feeds)
    (later.corpus / name.replace("000_", "041_")).write_bytes(data)

    with later.desk() as desk:
        discover(desk)
        fetch(desk)
        counts = sift(desk)

    assert (counts["adopted"], counts.get("kept", 0)) == (1, 0)
    assert len(later.files()) == 1


def test_numbers_go_on_from_the_highest_present(site: NewsSite, tmp_path: Path) -> None:
    site.publish("/one", page("One purse", 3))
    home = Home(tmp_path, [announce(site, "/one")])
    (home.corpus / "1041_0123456789abcdef.txt").write_bytes(b"An old title\n\nAn old text.")

    with home.desk() as desk:
        discover(desk)
        fetch(desk)
        sift(desk)

    assert sorted(name[:5] for name in home.files()) == ["1041_", "1042_"]


def test_a_folder_that_did_not_change_is_not_looked_into_until_a_file_is_put_there(
    tmp_path: Path,
) -> None:
    home = Home(tmp_path)
    (home.corpus / "000_0123456789abcdef.txt").write_bytes(b"An old title\n\nAn old text.")
    os.utime(home.corpus, (1, 1))

    with home.desk() as desk:
        first = sift(desk)["adopted"]
        (home.corpus / "001_0123456789abcdef.txt").write_bytes(b"A new title\n\nA newer one.")
        os.utime(home.corpus, (1, 1))  # as if nothing had changed
        unchanged = sift(desk)["adopted"]
        os.utime(home.corpus, (2, 2))
        changed = sift(desk)["adopted"]

    assert (first, unchanged, changed) == (1, 0, 1)


def test_a_file_whose_number_is_taken_is_reported_by_every_sift(tmp_path: Path) -> None:
    home = Home(tmp_path)
    for digit, title in (("0", b"One title"), ("1", b"Another title")):
        (home.corpus / f"000_{digit * 16}.txt").write_bytes(title + b"\n\nA text of some words.")
    os.utime(home.corpus, (1, 1))

    with home.desk() as desk:
        counts = [sift(desk) for _ in range(2)]

    assert [(c["adopted"], c["unreadable"]) for c in counts] == [(1, 1), (0, 1)]


def test_a_file_that_is_no_story_is_left_alone_and_reported(tmp_path: Path) -> None:
    home = Home(tmp_path)
    (home.corpus / "000_0123456789abcdef.txt").write_bytes(b"\xff\xfe")
    (home.corpus / "notes.md").write_text("mine")

    with home.desk() as desk:
        counts = adopt(desk)
        differences = verify(desk)

    assert counts == {"adopted": 0, "unreadable": 1}
    assert any("000_0123456789abcdef.txt" in line and "utf-8" in line for line in differences)
    assert any("notes.md: no story file" in line for line in differences)
    assert len(home.files()) == 2


def test_what_a_killed_worker_took_in_is_written_by_the_next(tmp_path: Path) -> None:
    home = Home(tmp_path)
    story = compose("A title", ["A text."])
    data = render(story)
    from hashlib import sha256

    from ingest.fingerprint import fingerprint
    from tests.builders import NOON

    with home.desk() as desk:
        with desk.catalog.admission() as admission:
            admission.take(
                0, name_of(0, data), story, fingerprint(story),
                sha256=sha256(data).hexdigest(), now=NOON, pending=data,
            )  # fmt: skip
        before = verify(desk)
        sift(desk)

        assert home.files() == {name_of(0, data): data}
        assert any("sift again" in line for line in before)
        assert verify(desk) == []


@pytest.mark.parametrize("harm", ["deleted", "changed", "page lost"])
def test_verify_tells_what_differs(site: NewsSite, tmp_path: Path, harm: str) -> None:
    site.publish("/one", page("One purse", 3))
    home = Home(tmp_path, [announce(site, "/one")])
    with home.desk() as desk:
        discover(desk)
        fetch(desk)
        sift(desk)
    (file,) = home.corpus.iterdir()
    if harm == "deleted":
        file.unlink()
    elif harm == "changed":
        file.write_bytes(file.read_bytes() + b" more")
    else:
        for warc in (tmp_path / "archive").iterdir():
            warc.write_bytes(warc.read_bytes()[:100])

    with home.desk() as desk:
        differences = verify(desk)

    wanted = {"deleted": "the file is gone", "changed": "not those that were kept"}
    assert any(wanted.get(harm, "archive: ") in line for line in differences)


def test_a_page_lost_from_the_archive_is_fetched_anew(site: NewsSite, tmp_path: Path) -> None:
    site.publish("/one", page("One purse", 3))
    home = Home(tmp_path, [announce(site, "/one")])
    with home.desk() as desk:
        discover(desk)
        fetch(desk)
    for warc in (tmp_path / "archive").iterdir():
        warc.unlink()

    with home.desk() as desk:
        lost = sift(desk)
        fetch(desk)
        found = sift(desk)

    assert (lost["pages"], found["kept"]) == (0, 1)


def test_validators_come_back_byte_for_byte(site: NewsSite, tmp_path: Path) -> None:
    odd = Reply(
        body=rss([(site.url("/a"), "A")]),
        content_type="text/xml",
        etag='W/"odd \'one"',
        modified="Someday, 32 Foo 2026 25:61 BST",
    )
    clock, home = Clock(), Home(tmp_path, [site.script("/feed", odd, Reply(status=304))])

    with home.desk(clock) as desk:
        discover(desk)
        discover(desk, ask_all=True)

    headers = site.asked[-1].headers
    assert headers["if-none-match"] == 'W/"odd \'one"'
    assert headers["if-modified-since"] == "Someday, 32 Foo 2026 25:61 BST"


MOTTO = "Islander Extra: the weekend"


def telling(number: int) -> str:
    """Return a page of a story of its own, with the site's motto below it."""
    chance = random.Random(number)
    told = "".join(
        f"<p>The {' and the '.join(chance.sample(NAMES, 4))} of {chance.choice(NAMES)} said that"
        f" {chance.randint(20, 900)} people in {chance.choice(NAMES)} had been to the"
        f" {chance.choice(NAMES)} and were with the {chance.choice(NAMES)} as it was.</p>"
        for _ in range(5)
    )
    title = " ".join(chance.sample(NAMES, 5))
    return (
        f"<html lang=en><title>{title}</title><article><h1>{title}</h1>{told}<p>{MOTTO}</p>"
        "</article></html>"
    )


_NAMED = """
harbour council bridge school ferry library market theatre museum station garden hospital church
tower mill forest river valley quarry castle chapel college factory brewery bakery studio gallery
stadium orchard meadow tunnel canal airport prison court bank hotel laundry nursery surgery
"""
NAMES = _NAMED.split()


def test_what_recurs_on_a_site_is_learnt_and_goes_from_its_first_pages_when_judged_again(
    site: NewsSite, tmp_path: Path
) -> None:
    paths = [f"/{n}" for n in range(6)]
    for n, path in enumerate(paths):
        site.publish(path, telling(n))
    home = Home(tmp_path, [announce(site, *paths[:2])])

    with home.desk() as desk:
        for announced in (paths[:2], paths):
            announce(site, *announced)
            discover(desk, ask_all=True)
            fetch(desk)
            sift(desk)
        changes = list(decisions.again(desk, dry=False))
        removed = [(life(desk, site.url(path)) or {})["verdict"]["removed"] for path in paths]

    with_motto = [data for data in home.files().values() if MOTTO.encode() in data]
    assert (len(home.files()), len(with_motto)) == (6, 2)
    assert {(change.url, change.now) for change in changes} == {
        (site.url(path), "other_text") for path in paths[:2]
    }
    assert all(["recurs", MOTTO] in lines for lines in removed[2:])
