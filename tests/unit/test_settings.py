"""Environment -> settings."""

from ipaddress import ip_network
from pathlib import Path

import pytest

from ingest.errors import SettingsError
from ingest.settings import read


def test_without_any_variable_the_defaults_hold() -> None:
    settings = read({})

    assert settings.corpus == "corpus"
    assert settings.catalog_url.endswith("/state/catalog.sqlite")
    assert settings.archive == "state/archive"
    assert settings.feeds.name == "feeds.toml"
    assert settings.topic.is_file()
    assert settings.host_gap == 5.0
    assert settings.allow_networks == ()


def test_networks_are_read_by_commas() -> None:
    settings = read({"NEWS_ALLOW_NETWORKS": "127.0.0.0/8, ::1/128"})

    assert settings.allow_networks == (ip_network("127.0.0.0/8"), ip_network("::1/128"))


def test_a_key_may_lie_in_a_file(tmp_path: Path) -> None:
    (tmp_path / "key").write_text("abc-123\n")

    assert read({"NEWS_GUARDIAN_KEY": str(tmp_path / "key")}).guardian_key == "abc-123"
    with pytest.raises(SettingsError, match="No such file"):
        read({"NEWS_GUARDIAN_KEY": str(tmp_path / "none")})


@pytest.mark.parametrize(
    ("name", "value", "said"),
    [
        ("NEWS_HOSTGAP", "5", "NEWS_HOSTGAP is no setting; there are: NEWS_CORPUS"),
        ("NEWS_HOST_GAP", "soon", "NEWS_HOST_GAP='soon'.*seconds between two requests"),
        ("NEWS_HOST_GAP", "-1", "NEWS_HOST_GAP='-1'"),
        ("NEWS_ALLOW_NETWORKS", "127.0.0.1/8", "host bits set"),
        ("NEWS_USER_AGENT", "Mozilla", "no web or mail address"),
        ("NEWS_USER_AGENT", "a\r\nb (+https://c.example)", "no header may hold"),
        ("NEWS_MAX_PAGE_BYTES", "10 MB", "largest page"),
    ],
)
def test_a_wrong_one_says_what_to_set(name: str, value: str, said: str) -> None:
    with pytest.raises(SettingsError, match=said):
        read({name: value})


def test_an_empty_one_is_as_good_as_none() -> None:
    assert read({"NEWS_HOST_GAP": ""}).host_gap == 5.0


def test_fetching_needs_an_identity_and_says_how_to_give_one() -> None:
    with pytest.raises(SettingsError, match=r"NEWS_USER_AGENT is not set.*set it to"):
        read({}).identity()

    assert read({"NEWS_USER_AGENT": "us (us@our.site)"}).identity() == "us (us@our.site)"


def test_no_password_is_shown() -> None:
    shown = read({"NEWS_CATALOG": "postgresql+psycopg://me:secret@host/db"}).shown()

    assert shown["NEWS_CATALOG"] == "postgresql+psycopg://me:***@host/db"


def test_no_key_is_shown() -> None:
    assert read({"NEWS_GUARDIAN_KEY": "test-1234"}).shown()["NEWS_GUARDIAN_KEY"] == "***"
