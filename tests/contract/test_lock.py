"""A catalog that somebody else holds is waited for, and then named."""

import sqlite3
from pathlib import Path

import pytest

from storage import catalog as shelf
from storage.catalog import Catalog
from storage.errors import StorageError
from tests.builders import NOON


def test_a_catalog_locked_for_good_is_an_error_of_ours(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(shelf, "PATIENCE", 100)  # milliseconds
    path = tmp_path / "catalog.sqlite"
    with Catalog(f"sqlite:///{path}") as catalog:
        holder = sqlite3.connect(path)
        holder.execute("BEGIN EXCLUSIVE")

        with pytest.raises(StorageError, match=r"cannot be used: .*locked"):
            catalog.begin_run("sift", NOON)

        holder.rollback()
        holder.close()
        assert catalog.begin_run("sift", NOON) == 1
