"""docker-compose.yml, read as YAML: what it names exists, and nothing is left open."""

import json
import re
import subprocess
from pathlib import Path
from typing import Any

import pytest
import yaml

ROOT = Path(__file__).resolve().parents[2]
COMPOSE: dict[str, Any] = yaml.safe_load((ROOT / "docker-compose.yml").read_text())
SERVICES: dict[str, dict[str, Any]] = COMPOSE["services"]
OURS = sorted(name for name, service in SERVICES.items() if "build" in service)

each = pytest.mark.parametrize("name", sorted(SERVICES))
each_of_ours = pytest.mark.parametrize("name", OURS)


def test_every_component_of_airflow_is_there() -> None:
    assert OURS == ["api-server", "dag-processor", "init", "scheduler", "triggerer"]


@each
def test_a_service_names_only_what_the_file_defines(name: str) -> None:
    service = SERVICES[name]
    volumes = {volume.split(":")[0] for volume in service["volumes"]}

    assert set(service.get("depends_on", {})) <= set(SERVICES)
    assert set(service["networks"]) <= set(COMPOSE["networks"])
    assert set(service["secrets"]) <= set(COMPOSE["secrets"])
    assert {config["source"] for config in service.get("configs", [])} <= set(COMPOSE["configs"])
    assert {volume for volume in volumes if "/" not in volume} <= set(COMPOSE["volumes"])


@each
def test_a_service_that_is_waited_for_can_tell_that_it_is_ready(name: str) -> None:
    for other, wait in SERVICES[name].get("depends_on", {}).items():
        if wait["condition"] == "service_healthy":
            assert "healthcheck" in SERVICES[other]
        else:
            assert wait["condition"] == "service_completed_successfully"
            assert SERVICES[other]["restart"].startswith("on-failure")


@each
def test_a_service_is_bounded_restarted_and_its_log_rotated(name: str) -> None:
    service = SERVICES[name]

    assert set(service["deploy"]["resources"]["limits"]) == {"cpus", "memory"}
    assert service["restart"] in ("unless-stopped", "on-failure:3")
    assert {"max-size", "max-file"} <= set(service["logging"]["options"])
    assert name == "init" or "healthcheck" in service


@each
def test_a_service_listens_on_loopback_only(name: str) -> None:
    assert all(port.startswith("127.0.0.1:") for port in SERVICES[name].get("ports", []))


@each
def test_a_service_is_of_one_named_release(name: str) -> None:
    assert re.search(r":\d+[\w.-]*$", SERVICES[name]["image"])


@each_of_ours
def test_our_containers_run_without_privileges(name: str) -> None:
    service = SERVICES[name]

    assert service["user"] == "${NEWSDESK_UID:-1000}:${NEWSDESK_GID:-1000}"
    assert service["cap_drop"] == ["ALL"]
    assert service["read_only"]
    assert "no-new-privileges:true" in service["security_opt"]


@each
def test_no_secret_stands_in_the_environment(name: str) -> None:
    for variable, value in SERVICES[name]["environment"].items():
        if re.search(r"PASSWORD|SECRET|KEY", variable) and not variable.endswith("_FILE"):
            assert value.startswith(("cat /run/secrets/", "/run/secrets/"))
        assert not re.search(r"://[^/@]*:[^/@]*@", value)


@each_of_ours
def test_every_secret_that_is_read_is_given(name: str) -> None:
    service = SERVICES[name]
    read = set(re.findall(r"/run/secrets/(\w+)", json.dumps(service["environment"])))

    assert read == set(service["secrets"])


@each_of_ours
def test_every_setting_can_be_given(name: str) -> None:
    from ingest.settings import Settings

    given = {variable for variable in SERVICES[name]["environment"] if variable.startswith("NEWS_")}

    assert given == {f"NEWS_{field.upper()}" for field in Settings.model_fields}


def test_log_servers_are_off() -> None:
    for name in ("scheduler", "triggerer"):
        assert "--skip-serve-logs" in SERVICES[name]["command"]


def test_the_scheduler_waits_for_the_api() -> None:
    assert SERVICES["scheduler"]["depends_on"] == {"api-server": {"condition": "service_healthy"}}


def test_what_is_prepared_is_what_is_mounted(tmp_path: Path) -> None:
    (tmp_path / "scripts").mkdir()
    prepare = tmp_path / "scripts" / "prepare.sh"
    prepare.write_text((ROOT / "scripts" / "prepare.sh").read_text())

    for _ in range(2):  # the second time changes nothing
        before = {path: path.read_bytes() for path in tmp_path.rglob("*") if path.is_file()}
        subprocess.run(["sh", prepare], check=True, capture_output=True)

    after = {path: path.read_bytes() for path in tmp_path.rglob("*") if path.is_file()}
    files = {tmp_path / secret["file"] for secret in COMPOSE["secrets"].values()}
    assert before == after
    assert files <= set(after)
    assert {path.stat().st_mode & 0o777 for path in files} == {0o600}
    assert len((tmp_path / "state/secrets/jwt_secret").read_bytes()) >= 64
    for volume in SERVICES["scheduler"]["volumes"]:
        assert (tmp_path / volume.split(":")[0]).is_dir()


def test_the_image_is_built_from_the_locks_by_a_user_of_its_own() -> None:
    dockerfile = (ROOT / "Dockerfile").read_text()
    ignored = (ROOT / ".dockerignore").read_text().split()

    copied = {
        source
        for line in re.findall(r"^COPY (?!--)(.*)$", dockerfile, re.MULTILINE)
        for source in line.split()[:-1]
    }

    assert {f"!{source}" for source in copied} <= set(ignored)
    assert "scripts/setup.sh" in dockerfile
    assert dockerfile.index("USER newsdesk") > dockerfile.rindex("FROM ")
