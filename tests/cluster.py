"""docker-compose.yml on loopback: its commands, variables, waits and health checks, as they stand.

    with Cluster(folder, {"NEWS_USER_AGENT": ..., "NEWS_FEEDS": ...}) as cluster:
        cluster.kill("worker-1")        # -9, with all its children; restarted as the file says
        cluster.restart("redis")

Each service is started by its command, when what it depends on is as the file wants it, in an
environment that holds what the file and the image give it and nothing else. Only names that mean
another thing in a container are put in another's place, see `_here`: hosts, ports, paths, places of
secrets. `ran` is what was run of which service, for a test to compare with the file.
"""

import os
import pwd
import re
import shutil
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Mapping
from contextlib import suppress
from datetime import UTC, datetime
from functools import partial
from pathlib import Path
from typing import Any

import psycopg
import yaml

from scripts.local_airflow import ROOT, end, free_port, session
from tests import airflow_home

COMPOSE: dict[str, Any] = yaml.safe_load((ROOT / "docker-compose.yml").read_text())
SERVICES: dict[str, dict[str, Any]] = COMPOSE["services"]
POSTGRES = max(Path("/usr/lib/postgresql").glob("*/bin/postgres"), default=Path("/none")).parent
IMAGE = dict(re.findall(r"([A-Z_]+)=(\S+)", (ROOT / "Dockerfile").read_text().split("ENV ")[1]))
PORTS = {
    "postgres": "5432", "redis": "6379", "api-server": "8080", "flower": "5555",
    "s3": "8333", "its master": "9333", "its filer": "8888", "its volumes": "9340",
}  # fmt: skip
# Numbers and switches that people set for their own desk.
OURS = {"AIRFLOW__CORE__DAGS_ARE_PAUSED_AT_CREATION": "True"}  # the tests start what they want


def missing() -> str:
    """Tell what this machine lacks; "" for nothing."""
    lacks = [] if shutil.which("redis-server") else ["redis-server"]
    lacks += [] if POSTGRES.is_dir() else ["postgresql"]
    return f"not installed: {', '.join(lacks)}; .ci/run installs it" if lacks else ""


def _port() -> int:
    """Return a free port; so is the one 10000 higher, which SeaweedFS takes besides."""
    for port in iter(partial(free_port, 0), None):
        if port < 55536 and free_port(port + 10000) == port + 10000:
            return port
    raise AssertionError


class Cluster(airflow_home.Airflow):
    """All services of the file but those `without`; workers as many as said."""

    pause = 1.0

    def __init__(
        self,
        folder: Path,
        dotenv: Mapping[str, str],
        workers: int = 2,
        without: tuple[str, ...] = (),
    ) -> None:
        super().__init__(folder / "logs", {})
        self.folder, self._dotenv = folder, dotenv
        names = [f"worker-{n + 1}" for n in range(workers)]
        self._instances = {name: [name] for name in SERVICES if name not in without}
        self._instances["worker"] = names
        self._of = {one: service for service, ones in self._instances.items() for one in ones}
        self.ports = {service: str(_port()) for service in PORTS}
        self.port = int(self.ports["api-server"])
        self.ran: dict[str, dict[str, Any]] = {}
        self.restarts: dict[str, int] = {}
        self._environments: dict[str, dict[str, str]] = {}

    @property
    def password(self) -> str:
        return (self.folder / "state/secrets/admin_password").read_text()

    @property
    def token(self) -> str:
        """For the API, as `admin`."""
        return self._token

    def start(self) -> None:
        """Make what scripts/prepare.sh makes, then start every service when its turn has come."""
        self.home.mkdir(parents=True)
        self._started = datetime.now(UTC)
        (self.folder / "scripts").mkdir()
        shutil.copy(ROOT / "scripts/prepare.sh", self.folder / "scripts")
        prepare = ["sh", self.folder / "scripts/prepare.sh"]
        subprocess.run(prepare, check=True, capture_output=True)
        for name in ("pgpass", "broker_url", "aws"):  # they name hosts
            file = self.folder / "state/secrets" / name
            file.write_text(self._here(file.read_text().replace("postgres:", "127.0.0.1:"), {}))
        if "postgres" in self._instances:
            self._init_postgres()
        well: set[str] = set()
        while well != set(self._of):
            for name, service in self._of.items():
                others = SERVICES[service].get("depends_on", {})
                before = {one for other in others for one in self._instances[other]}
                if name not in self._processes and before <= well:
                    self.up(name)
            next_one = next(one for one in self._processes if one not in well)
            self._wait(next_one, partial(self.is_healthy, next_one))
            well.add(next_one)
        if "api-server" in self._instances:
            self._wait("the API", self._log_in)

    def stop(self) -> None:
        """Stop all, databases last; may be called twice."""
        last = ("api-server", "redis", "postgres")
        end([p for name, p in self._processes.items() if name not in last])
        end([self._processes[name] for name in last if name in self._processes])
        self._processes.clear()
        if hasattr(self, "_postgres"):
            shutil.rmtree(self._postgres, ignore_errors=True)
        for port in map(int, self.ports.values()):  # what SeaweedFS leaves, when it is killed
            for left in Path("/tmp").glob("seaweedfs-*.sock"):
                if left.stem.endswith((f"-{port}", f"-{port + 10000}")):
                    left.unlink()

    def check(self) -> None:
        """Start again what has ended, as the file says; raises where it may not come back."""
        for name, process in list(self._processes.items()):
            if process.poll() is None:
                continue
            policy = SERVICES[self._of[name]]["restart"]
            if policy == "unless-stopped":
                self.restarts[name] = self.restarts.get(name, 0) + 1
                self.up(name)
            elif process.returncode:
                super().check()

    def up(self, name: str) -> None:
        """Start one instance of a service."""
        service = self._of[name]
        about = SERVICES[service]
        said = about["command"]
        command = said.split() if isinstance(said, str) else [*about.get("entrypoint", ()), *said]
        volumes = self._volumes(service)
        command = [self._here(part, volumes) for part in command]
        environment = {
            variable: OURS.get(variable, self._here(self._filled(str(value)), volumes))
            for variable, value in about["environment"].items()
        }
        kept = ("entrypoint", "command", "environment")
        self.ran.setdefault(service, {}).update({name: about.get(name) for name in kept})
        if "build" in about:
            environment |= {
                variable: self._here(value, volumes).replace("$PATH", os.defpath)
                for variable, value in IMAGE.items()
            }
        if service == "redis":
            command += ["--bind", "127.0.0.1"]
        if service == "postgres":
            command = self._as_postgres(command)
        programs = f"{Path(sys.executable).parent}:{os.defpath}"
        environment = {"PATH": programs, **environment, "HOSTNAME": name}
        log = self.home / f"{name}.log"
        if log.exists():
            log.rename(self.home / f"{name}.until-{time.time():.0f}.log")
        self._environments[name] = environment
        self._spawn(name, command, environment)

    def is_healthy(self, name: str) -> bool:
        """Run the health check of a service, as the file has it; without one, having ended well."""
        service = self._of[name]
        if "healthcheck" not in SERVICES[service]:
            return self._processes[name].poll() == 0
        kind, *command = SERVICES[service]["healthcheck"]["test"]
        volumes = self._volumes(service)
        command = [self._here(part, volumes) for part in command]
        if service == "postgres":
            command = [str(POSTGRES / command[0]), "--host=127.0.0.1", *command[1:]]
        self.ran[service]["healthcheck"] = SERVICES[service]["healthcheck"]["test"]
        return not subprocess.run(
            ["sh", "-c", *command] if kind == "CMD-SHELL" else command,
            env=self._environments[name], cwd=ROOT, capture_output=True, check=False,
        ).returncode  # fmt: skip

    def run_in(self, service: str, *command: str) -> str:
        """Run a command as `docker compose exec` would; return what it wrote."""
        name = self._instances[service][0]
        done = subprocess.run(
            command, env=self._environments[name], cwd=ROOT, capture_output=True, text=True,
            check=False, timeout=120,
        )  # fmt: skip
        assert done.returncode == 0, done.stdout + done.stderr
        return done.stdout

    def kill(self, name: str) -> None:
        """Kill an instance with all that it started; `check` brings it back."""
        for pid, _ in list(session(self._processes[name].pid)):
            with suppress(ProcessLookupError):
                os.kill(pid, signal.SIGKILL)
        self._processes[name].wait()

    def down(self, name: str) -> "subprocess.Popen[bytes]":
        """Tell an instance to stop, as `docker compose stop` does, and for good."""
        process = self._processes.pop(name)
        process.send_signal(signal.SIGTERM)
        return process

    def restart(self, name: str) -> None:
        """Stop a service by the signal of its image and start it again when it has ended."""
        stop = signal.SIGINT if name == "postgres" else signal.SIGTERM  # its fast shutdown
        self._processes[name].send_signal(stop)
        self._processes[name].wait(60)
        self.up(name)
        self._wait(name, lambda: self.is_healthy(name))

    def seen_by(self, name: str) -> Mapping[str, str]:
        """Return the environment of an instance."""
        return self._environments[name]

    def add_user(self, role: str) -> str:
        """Make a user of FAB, named after the role; return a token for the API."""
        name = {"first_name": role, "last_name": "User", "email": f"{role}@desk.example"}
        user = {"username": role, "password": self.password}
        self.ask("POST", "/auth/fab/v1/users", {**user, **name, "roles": [{"name": role}]})
        return str(self.ask("POST", "/auth/token", user)["access_token"])

    def backfilled(self, dag: str, days: int, seconds: float) -> list[str]:
        """Wait for the end of so many backfill runs; return their states."""
        path = f"/api/v2/dags/{dag}/dagRuns?run_type=backfill&limit=100"
        states: list[str] = []

        def done() -> bool:
            states[:] = [run["state"] for run in self.ask("GET", path)["dag_runs"]]
            return len(states) >= days and set(states) <= {"success", "failed"}

        assert self.until(done, seconds), states
        return states

    def worker_of(self, dag: str, run: str, task: str) -> str:
        """Return the worker that runs a task now."""
        path = f"/api/v2/dags/{dag}/dagRuns/{run}/taskInstances/{task}"
        pid = self.ask("GET", path)["pid"]
        for name in self._instances["worker"]:
            if pid in [member for member, _ in session(self._processes[name].pid)]:
                return name
        raise AssertionError(f"no worker runs {task}, pid {pid}")

    def _volumes(self, service: str) -> dict[str, str]:
        told = [volume.split(":") for volume in SERVICES[service].get("volumes", [])]
        return {inside: str(self.folder / here) for here, inside in told if here.startswith(".")}

    def _filled(self, value: str) -> str:
        """Put in what .env says: ${NAME:-default} and ${NAME:?complaint}."""

        def said(found: re.Match[str]) -> str:
            name, mark, other = found.groups()
            given = self._dotenv.get(name, "")
            assert given or mark == "-", f"{name}: {other}"
            return given or other

        return re.sub(r"\$\{(\w+):([-?])([^}]*)\}", said, value)

    def _here(self, text: str, volumes: Mapping[str, str]) -> str:
        """Return a text of the file with this machine's hosts, ports and paths in it."""
        secrets = str(self.folder / "state/secrets")
        places = {**volumes, "/run/secrets": secrets, "/opt/newsdesk": str(ROOT)}
        text = text.replace("$$", "$").replace("0.0.0.0", "127.0.0.1")
        text = text.replace("@postgres/", "@127.0.0.1:5432/")
        text = re.sub(r"\b(api-server|redis|s3)(?=:\d)", "127.0.0.1", text)
        for service, port in PORTS.items():
            text = re.sub(rf"\b{port}\b", self.ports[service], text)
        for inside in sorted(places, key=len, reverse=True):
            text = re.sub(rf"(?<![\w/.-]){inside}(?=$|[^\w.-])", places[inside], text)
        return text

    # what the image of PostgreSQL does by itself

    def _init_postgres(self) -> None:
        about = SERVICES["postgres"]["environment"]
        self._postgres = Path(tempfile.mkdtemp(prefix="newsdesk-pg-"))
        if os.getuid() == 0:  # it refuses to run as root
            shutil.chown(self._postgres, "postgres")
        password = Path(self._here(about["POSTGRES_PASSWORD_FILE"], {})).read_text()
        said = (
            f"--username={about['POSTGRES_USER']} --auth=scram-sha-256 --encoding=UTF8 --locale=C"
        )
        given = self._postgres / "password"
        given.write_text(password)
        given.chmod(0o644)
        initdb = [str(POSTGRES / "initdb"), f"--pgdata={self._postgres}/data", *said.split()]
        subprocess.run(
            [*self._owner(), *initdb, f"--pwfile={given}"], check=True, capture_output=True, cwd="/"
        )
        given.unlink()
        self.up("postgres")
        self._wait("postgres", lambda: self.is_healthy("postgres"))
        own = {
            "host": "127.0.0.1", "port": self.ports["postgres"], "user": about["POSTGRES_USER"],
            "password": password,
        }  # fmt: skip
        first = f"CREATE DATABASE {about['POSTGRES_DB']}"
        more = [config["content"] for config in COMPOSE["configs"].values()]
        with psycopg.connect(**own, dbname="postgres", autocommit=True) as connection:
            for statement in [first, *more]:
                connection.execute(statement)

    def _as_postgres(self, command: list[str]) -> list[str]:
        port = self.ports["postgres"]
        own = ["-D", f"{self._postgres}/data", "-p", port, "-k", str(self._postgres)]
        program = str(POSTGRES / command[0])
        return [*self._owner(), program, *command[1:], *own, "-c", "listen_addresses=127.0.0.1"]

    def _owner(self) -> list[str]:
        if os.getuid():
            return []
        own = pwd.getpwnam("postgres")
        return ["setpriv", f"--reuid={own.pw_uid}", f"--regid={own.pw_gid}", "--clear-groups"]
