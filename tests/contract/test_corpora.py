"""Story files under their names, whole or not at all: in a folder and in an object store."""

import subprocess
import sys

import pytest

from storage.corpus import open_corpus
from storage.errors import Lost, StorageError
from tests.objectstore import ObjectStore, Shelf

FILE = "007_0123456789abcdef.txt"


def test_files_are_listed_by_number_and_not_by_letter(shelf: Shelf) -> None:
    corpus = open_corpus(shelf.where)
    names = [f"{n:03d}_{'a' * 16}.txt" for n in (999, 1000, 5)]
    for name in names:
        corpus.keep(name, name.encode())
    shelf.put("README", b"")

    assert corpus.names() == [names[2], names[0], names[1]]
    assert corpus.strangers() == ["README"]
    assert [corpus.read(name).decode() for name in names] == names


def test_the_same_bytes_again_change_nothing_and_others_are_refused(shelf: Shelf) -> None:
    corpus = open_corpus(shelf.where)
    corpus.keep(FILE, b"one")
    before = shelf.fs.modified(shelf.at(FILE))

    corpus.keep(FILE, b"one")
    with pytest.raises(StorageError, match=f"{FILE} holds another text"):
        corpus.keep(FILE, b"two")

    assert (shelf.read(FILE), shelf.fs.modified(shelf.at(FILE))) == (b"one", before)
    assert shelf.names() == [FILE]


def test_what_another_process_has_put_there_is_seen_and_never_replaced(shelf: Shelf) -> None:
    corpus = open_corpus(shelf.where)
    assert corpus.names() == []
    with pytest.raises(Lost):
        corpus.read(FILE)

    code = (
        "import sys; from storage.corpus import open_corpus as o; o(sys.argv[1]).keep({!r}, {!r})"
    )
    theirs = [sys.executable, "-c", code.format(FILE, b"theirs"), shelf.where]
    subprocess.run(theirs, check=True, timeout=60)

    with pytest.raises(StorageError, match="holds another text"):
        corpus.keep(FILE, b"ours")
    assert corpus.names() == [FILE]
    assert corpus.read(FILE) == b"theirs"


def test_a_file_taken_away_is_gone_and_may_be_taken_away_again(shelf: Shelf) -> None:
    corpus = open_corpus(shelf.where)
    corpus.keep(FILE, b"one")
    corpus.read(FILE)

    corpus.remove(FILE)
    corpus.remove(FILE)

    assert (corpus.names(), corpus.strangers()) == ([], [])
    with pytest.raises(Lost, match=FILE):
        corpus.read(FILE)


def test_a_file_that_a_person_gave_the_next_number_does_not_go_unseen(shelf: Shelf) -> None:
    corpus = open_corpus(shelf.where)
    corpus.keep(FILE, b"one")
    before = corpus.mark(8)

    shelf.put("008_0123456789abcdef.txt", b"theirs")

    assert corpus.mark(8) in ("", *([] if corpus.mark(8) == before else [corpus.mark(8)]))


def test_a_place_that_cannot_be_had_says_what_to_set(shelf: Shelf) -> None:
    shelf.spoil()

    with pytest.raises(StorageError, match="set NEWS_CORPUS to a folder"):
        open_corpus(shelf.where)


@pytest.mark.parametrize(
    ("kind", "told"),
    [("careless", "replaces objects in spite of If-None-Match"), ("old", "a store is needed that")],
)
def test_a_store_in_which_writers_could_undo_each_other_is_refused(
    bucket: str, object_store: ObjectStore, kind: str, told: str
) -> None:
    corpus = open_corpus(f"s3://{object_store.bucket(kind)}/corpus")

    with pytest.raises(StorageError, match=told):
        corpus.keep(FILE, b"one")
