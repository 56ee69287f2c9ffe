"""Environment -> Settings: who and where, read once; what to collect stands in the topic file."""

import os
import re
from collections.abc import Mapping
from datetime import timedelta
from ipaddress import IPv4Network, IPv6Network, ip_network
from pathlib import Path
from typing import Annotated, Any

from pydantic import BaseModel, BeforeValidator, ConfigDict, Field, ValidationError, field_validator

from ingest.errors import SettingsError

PREFIX = "NEWS_"
HERE = Path(__file__).resolve().parent.parent  # where feeds.toml and topics/ came along
# A contact is a web address or a mail address: RFC 9309 and RFC 9110 section 10.1.5 ask for one.
_CONTACT = re.compile(r"https?://\S+|[^\s@;()]+@[^\s@;()]+\.[^\s@;()]+")

Networks = tuple[IPv4Network | IPv6Network, ...]


def _networks(value: str) -> Networks:
    return tuple(ip_network(part.strip()) for part in value.split(",") if part.strip())


def _from_file(value: str) -> str:
    try:
        return Path(value).read_text().strip() if value.startswith("/") else value
    except OSError as error:
        raise ValueError(error.strerror) from error


class Settings(BaseModel):
    """Every NEWS_* setting, its default and what it is for."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    corpus: str = Field("corpus", description="folder of the corpus, or s3://bucket/folder")
    catalog: str = Field("", description="SQLAlchemy URL; empty: SQLite in ./state")
    archive: str = Field(
        "state/archive", description="folder of the page archive, or s3://bucket/folder"
    )
    feeds: Path = Field(HERE / "feeds.toml", description="file that lists the feeds")
    topic: Path = Field(
        HERE / "topics" / "health-social-care-integration.toml", description="topic file"
    )
    user_agent: str = Field("", description="who asks, with a contact; needed to fetch")
    host_gap: float = Field(5, ge=0, le=3600, description="seconds between two requests to a host")
    allow_networks: Annotated[Networks, BeforeValidator(_networks)] = Field(
        (), description="networks off the public Internet that may be asked, as CIDR, by commas"
    )
    max_page_bytes: int = Field(
        10_000_000, ge=1000, description="largest page or feed, decoded, in bytes"
    )
    fetch_deadline: float = Field(
        30.0, gt=0, le=3600, description="seconds for one request, redirects and all"
    )
    guardian_key: Annotated[str, BeforeValidator(_from_file)] = Field(
        "", description="key of the Guardian Open Platform, for its archive, or the file it is in"
    )

    @field_validator("corpus", "archive")
    @classmethod
    def _has_no_password(cls, value: str) -> str:
        if re.search(r"://[^/]*:[^/]*@", value):
            raise ValueError("it holds a password, which belongs into the environment: AWS_*")
        return value

    @field_validator("user_agent")
    @classmethod
    def _has_contact(cls, value: str) -> str:
        if value and not _CONTACT.search(value):
            raise ValueError("it names no web or mail address by which a site can reach you")
        if not value.isprintable():
            raise ValueError("it holds characters that no header may hold")
        return value

    @property
    def catalog_url(self) -> str:
        """The catalog's SQLAlchemy URL; the default is a SQLite file under ./state."""
        return self.catalog or f"sqlite:///{Path('state').absolute() / 'catalog.sqlite'}"

    @property
    def gap(self) -> timedelta:
        """The least time between two requests to one host."""
        return timedelta(seconds=self.host_gap)

    def identity(self) -> str:
        """Return the User-Agent, without which nothing is fetched; raises SettingsError."""
        if not self.user_agent:
            raise SettingsError(
                f"{PREFIX}USER_AGENT is not set: sites must be able to reach whoever asks them; "
                "set it to 'name (+https://your.site; you@your.site)'"
            )
        return self.user_agent

    def shown(self) -> dict[str, str]:
        """Return each setting under its name in the environment; no password or key in any."""
        values: dict[str, Any] = self.model_dump()
        values["catalog"] = re.sub(r"//([^:/@]*):[^@]*@", r"//\1:***@", self.catalog_url)
        values["guardian_key"] = "***" if self.guardian_key else ""
        values["allow_networks"] = ",".join(map(str, self.allow_networks))
        return {PREFIX + name.upper(): str(value) for name, value in values.items()}


def read(environment: Mapping[str, str] = os.environ) -> Settings:
    """Return the settings of the environment.

    Raises SettingsError for a NEWS_* name that does not exist or a value that is wrong, saying
    which and what to set. NEWS_TEST_* is left to the tests.
    """
    given = {
        name.removeprefix(PREFIX).lower(): value
        for name, value in environment.items()
        if name.startswith(PREFIX) and not name.startswith(PREFIX + "TEST_") and value != ""
    }
    unknown = sorted(set(given) - set(Settings.model_fields))
    if unknown:
        known = ", ".join(PREFIX + name.upper() for name in Settings.model_fields)
        raise SettingsError(f"{PREFIX}{unknown[0].upper()} is no setting; there are: {known}")
    try:
        return Settings.model_validate(given)
    except ValidationError as error:
        wrong = error.errors()[0]
        name = str(wrong["loc"][0])
        field = Settings.model_fields[name]
        raise SettingsError(
            f"{PREFIX}{name.upper()}={given[name]!r}: {wrong['msg']}; it is: {field.description} "
            f"(default: {field.get_default() or 'none'})"
        ) from error
