"""What others make of the fingerprints of a corpus; datatrove and Spark: `-m benchmarks.join`."""

from pathlib import Path

import pyarrow.parquet as pq
import pytest

from benchmarks.join import archive, corpus, documents, joined
from ingest.export import FINGERPRINTS
from tests.home import Home


@pytest.fixture(scope="module")
def home(tmp_path_factory: pytest.TempPathFactory) -> Home:
    home = corpus(tmp_path_factory.mktemp("join") / "home", 30)
    home.newsdesk("adopt")
    return home


def test_a_join_on_fingerprints_finds_the_copies_in_an_archive(home: Home, tmp_path: Path) -> None:
    changed, cut = archive(tmp_path / "archive", stories=30, documents=200)
    file = tmp_path / "new" / "fingerprints.parquet"

    assert home.newsdesk("export", "--fingerprints", str(file)) == {"stories": 30}
    by_band, by_sketch = joined(file, documents(tmp_path / "archive"))

    assert by_sketch == changed | cut
    assert by_band == changed  # a third of a story shares too few runs: why we do not use bands
    assert pq.read_schema(file).equals(FINGERPRINTS)
    assert [path.name for path in file.parent.iterdir()] == [file.name]


def test_an_export_says_what_it_needs(home: Home) -> None:
    status, _, said = home.told("export")
    assert (status, "name a folder, or a file with --fingerprints" in said) == (2, True)
    status, _, said = home.told("export", "--fingerprints", str(home.corpus / "f.parquet"))
    assert (status, "export to another folder" in said) == (2, True)
