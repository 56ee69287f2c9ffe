"""The corpus file's form, and the folder that holds the files."""

import hashlib
import os
import re
import subprocess
import sys
from pathlib import Path

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from storage.corpus import (
    Breach,
    FileCorpus,
    compose,
    name_of,
    number_of,
    one_line,
    open_corpus,
    parse,
    render,
    validate,
)
from storage.errors import FormatError, StorageError
from tests.builders import STORY, shared

TEXTS = st.text(max_size=60)
FILE = "007_0123456789abcdef.txt"


def rules(data: bytes, strict: bool = True) -> list[tuple[int, str]]:
    return [(breach.line, breach.rule) for breach in validate("story", data, strict)]


@given(TEXTS, st.lists(TEXTS, max_size=6))
def test_parsing_what_was_rendered_gives_the_story_back(title: str, blocks: list[str]) -> None:
    try:
        story = compose(title, blocks)
    except FormatError:
        return

    data = render(story)

    assert parse(data) == story
    assert render(parse(data)) == data
    assert validate("story", data) == []


@given(st.text())
def test_a_line_made_plain_stays_as_it_is(text: str) -> None:
    assert one_line(one_line(text)) == one_line(text)


@given(st.binary(max_size=200))
def test_any_bytes_are_a_story_or_a_format_error(data: bytes) -> None:
    try:
        story = parse(data)
    except FormatError:
        return

    assert render(story)


@pytest.mark.shared
@pytest.mark.parametrize("number", range(5))
def test_every_seed_is_read_and_its_words_survive(number: int) -> None:
    path = sorted(shared("seeds").iterdir())[number]

    story = parse(path.read_bytes(), path.name)

    assert validate(path.name, path.read_bytes(), strict=False) == []
    lines = path.read_text().replace("\u00a0", " ").splitlines()
    there = " ".join(line for line in lines if not line.startswith("![")).split()
    kept = f"{story.title}\n{story.text}".split()
    assert [word for word in kept if word not in "•-"] == [w for w in there if w not in "•-"]


def test_a_list_keeps_together_and_apart_from_its_neighbours() -> None:
    story = compose("Title", ["Before:", "- one", "• two", "After."])

    assert story.text == "Before:\n\n  • one\n  • two\n\nAfter."


def test_invisible_characters_go_and_typography_stays() -> None:
    story = compose("A\u00a0title", ["in\u00adte\u200bgrated – “care” &amp; <b>more</b> £5m"])

    assert story.title == "A title"
    assert story.text == "integrated – “care” & more £5m"


def test_leading_lines_that_repeat_the_title_go() -> None:
    assert compose("Title", ["TITLE", "title", "Body"]).text == "Body"


@pytest.mark.parametrize(("title", "blocks"), [("", ["x"]), ("x", []), ("x", ["\u200b", "x"])])
def test_a_story_needs_title_and_text(title: str, blocks: list[str]) -> None:
    with pytest.raises(FormatError, match="needs a title and a text"):
        compose(title, blocks)


@pytest.mark.parametrize(
    ("data", "breach"),
    [
        (b"Title\n\nBody\n", (0, "last-newline")),
        (b"\xef\xbb\xbfTitle\n\nBody", (0, "bom")),
        (b"Title\n\nBo\xffdy", (0, "utf-8")),
        (b"Title\n\nBody\r\n\nMore", (3, "control")),
        (b" Title\n\nBody", (0, "title")),
        (b"Title", (0, "body")),
        (b"", (0, "empty")),
        ("Title\n\nBode\u0301".encode(), (3, "nfc")),
    ],
)
def test_what_no_reader_accepts_is_named(data: bytes, breach: tuple[int, str]) -> None:
    assert breach in rules(data, strict=False)


@pytest.mark.parametrize(
    ("data", "breach"),
    [
        (b"Title\nBody", (2, "blank-line")),
        (b"Title\n\nBody\nMore", (4, "blank-line")),
        (b"Title\n\nBody\n\n\nMore", (5, "blank-lines")),
        (b"Title\n\nBody ", (3, "trailing-space")),
        ("Title\n\nBo\u00a0dy".encode(), (3, "characters")),
        (b"Title\n\nBody &amp; soul", (3, "characters")),
        (b"Title\n\n![x](http://a/b.jpg)", (3, "image")),
    ],
)
def test_what_only_the_writer_avoids_is_accepted_by_a_reader(
    data: bytes, breach: tuple[int, str]
) -> None:
    assert breach in rules(data)
    assert breach not in rules(data, strict=False)


def test_a_breach_names_file_line_and_rule() -> None:
    assert str(Breach(FILE, 3, "nfc", "how")) == f"{FILE}:3: nfc: how"


def test_a_name_can_be_checked_with_sha256sum() -> None:
    data = render(STORY)

    assert name_of(7, data) == f"007_{hashlib.sha256(data).hexdigest()[:16]}.txt"
    assert number_of(name_of(1234, data)) == 1234
    assert number_of("7_0123456789abcdef.txt") is None


def test_an_unknown_scheme_is_refused() -> None:
    with pytest.raises(StorageError, match=r"gopher.*set NEWS_CORPUS to a folder or to s3://"):
        open_corpus("gopher://corpus")


@given(number=st.integers(0, 10**9), title=st.text(min_size=1), block=st.text(min_size=1))
@example(number=7, title="../../etc/passwd", block=".hidden")
@example(number=7, title="CON", block="a\\b:c")
def test_no_word_of_a_story_is_in_its_files_name(number: int, title: str, block: str) -> None:
    try:
        data = render(compose(title, [block]))
    except FormatError:
        data = (title + block).encode(errors="replace")

    name = name_of(number, data)

    assert re.fullmatch(r"[0-9]{3,10}_[0-9a-f]{16}\.txt", name)
    assert Path("/corpus", name).resolve().parent == Path("/corpus")


def test_a_folder_has_a_mark_once_its_last_change_is_old_enough(tmp_path: Path) -> None:
    corpus = FileCorpus(tmp_path)
    fresh = corpus.mark(0)
    os.utime(tmp_path, (1, 1))
    old = corpus.mark(0)
    os.utime(tmp_path, (2, 2))

    assert fresh == ""
    assert old not in ("", corpus.mark(0))


def test_what_only_object_stores_or_stories_need_is_not_loaded_before(tmp_path: Path) -> None:
    code = (
        "import sys; import ingest.cli; from storage.corpus import open_corpus as corpus;"
        "from storage.archive import open_archive as archive; corpus(sys.argv[1]);"
        "archive(sys.argv[1]); print({*sys.argv[2:]} & {*sys.modules})"
    )
    some = ["fsspec", "s3fs", "botocore", "numpy", "trafilatura", "pyarrow"]
    command = [sys.executable, "-c", code, str(tmp_path), *some]

    told = subprocess.run(command, capture_output=True, text=True, check=True, timeout=60)

    assert told.stdout.strip() == "set()"
