"""One Airflow on this machine, on SQLite unless told: started in order, watched, and stopped whole.

`airflow standalone` is not used, for three reasons seen with 3.3.2: it starts the scheduler some
seconds before the API server, so that the first tasks fail without a try; its log servers listen
on every interface and take no address; and it does not notice when a component dies. The same
components are started here, in order, and without log servers: all read one log folder.
"""

import fcntl
import json
import os
import secrets
import shutil
import signal
import socket
import subprocess
import sys
import time
import urllib.error
import urllib.request
from base64 import urlsafe_b64encode
from collections.abc import Callable, Iterator, Mapping, Sequence
from configparser import RawConfigParser
from contextlib import suppress
from datetime import UTC, datetime
from pathlib import Path
from types import TracebackType
from typing import Any, Self, TextIO

ROOT = Path(__file__).resolve().parent.parent
AIRFLOW = (sys.executable, "-P", "-m", "airflow")
COMMANDS = {  # in the order in which they start
    "api-server": ["api-server"],
    "dag-processor": ["dag-processor"],
    "scheduler": ["scheduler", "--skip-serve-logs"],
    "triggerer": ["triggerer", "--skip-serve-logs"],
}
PASSED = ("AIRFLOW_CONN_", "AIRFLOW__METRICS__", "AIRFLOW__OPENLINEAGE__")  # whom it tells what
START_SECONDS = 180.0  # for each step
STOP_SECONDS = 5.0  # for each of two steps; what is left then is killed (the triggerer takes 10)


class LocalAirflowError(Exception):
    """Airflow cannot be started, or died; the text says what happened and where to read on."""


class Airflow:
    """One Airflow with a home of its own, on loopback only; use it as a context manager."""

    def __init__(
        self,
        home: Path,
        environment: Mapping[str, str],
        components: Sequence[str] = tuple(COMMANDS),
        dags: Path = ROOT / "dags",
        port: int = 8080,
        database: str = "",
    ) -> None:
        """Describe an Airflow; nothing is written or started yet.

        `environment` is what tasks see. Its AIRFLOW* variables are left out but those PASSED, so
        that nothing but `home` decides what this Airflow is. Another port is taken when `port` is
        not free. `database` is a SQLAlchemy URL; without one it is SQLite in `home`.
        """
        self.home, self.dags, self.components = home.resolve(), dags, components
        self.port, self._database = port, database or f"sqlite:///{self.home / 'airflow.db'}"
        self._token = ""
        self._started = datetime.now(UTC)
        self._processes: dict[str, subprocess.Popen[bytes]] = {}
        kept = {
            name: value
            for name, value in environment.items()
            if (not name.startswith("AIRFLOW") or name.startswith(PASSED))
            and name != "PYTHONDONTWRITEBYTECODE"
        }
        near = "127.0.0.1,localhost"  # components talk HTTP to each other, never through a proxy
        self._environment = kept | {
            "AIRFLOW_HOME": str(self.home),
            "PATH": f"{Path(sys.executable).parent}:{environment.get('PATH', os.defpath)}",
            "NO_PROXY": ",".join(filter(None, [environment.get("NO_PROXY"), near])),
            "no_proxy": ",".join(filter(None, [environment.get("no_proxy"), near])),
        }

    @property
    def address(self) -> str:
        """Where a browser finds it."""
        return f"http://127.0.0.1:{self.port}"

    @property
    def password(self) -> str:
        """The password of the user `admin`, made at the first start and kept."""
        return str(json.loads((self.home / "passwords.json").read_text())["admin"])

    def __enter__(self) -> Self:
        try:
            self.start()
        except BaseException:
            self.stop()
            raise
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self.stop()

    def start(self) -> None:
        """Start all components in order; return when all are healthy. Raises LocalAirflowError."""
        self.home.mkdir(mode=0o700, parents=True, exist_ok=True)
        self._lock = (self.home / "lock").open("w")
        try:
            fcntl.flock(self._lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            raise LocalAirflowError(f"another one runs in {self.home}; stop it first") from None
        self._started = datetime.now(UTC)
        self.port = free_port(self.port)
        self._write_settings()
        self._spawn("migrate", [*AIRFLOW, "db", "migrate"])
        self._wait("the database", lambda: self._processes["migrate"].poll() == 0)
        del self._processes["migrate"]
        self._spawn("api-server", [*AIRFLOW, *COMMANDS["api-server"]])
        self._wait("the API", self._log_in)
        self._make_pools()
        for name in [name for name in self.components if name != "api-server"]:
            self._spawn(name, [*AIRFLOW, *COMMANDS[name]])
        self._wait("all components", self.healthy)

    def stop(self) -> None:
        """Stop what was started and all its children; may be called twice.

        A running task is killed, not waited for: its supervisor reports that, and it is tried
        again after the next start, which discover, fetch and sift are made for. For this report
        the API server stays until the others are gone.
        """
        others = {name: p for name, p in self._processes.items() if name != "api-server"}
        end(list(others.values()))
        end([p for name, p in self._processes.items() if name not in others])
        self._processes.clear()
        if hasattr(self, "_lock"):
            self._lock.close()

    def check(self) -> None:
        """Raise LocalAirflowError when a component has died, with the last lines it wrote."""
        for name, process in self._processes.items():
            if process.poll() is not None and (name, process.returncode) != ("migrate", 0):
                log = self.home / f"{name}.log"
                last = log.read_text(errors="replace").splitlines()[-15:]
                raise LocalAirflowError("\n".join([f"{name} ended; {log} closes with:", *last]))

    def healthy(self) -> bool:
        """Tell whether every component has given a sign of life since the start."""
        try:
            health = self.ask("GET", "/api/v2/monitor/health")
        except LocalAirflowError:  # SQLite may be locked while all of them start
            return False
        names = [name.replace("-", "_") for name in self.components if name != "api-server"]
        beats = [health[name][f"latest_{name}_heartbeat"] for name in names]
        return all(beat and datetime.fromisoformat(beat) > self._started for beat in beats)

    def unpause(self, dag: str) -> str:
        """Let a DAG run, now and on its schedule; return the identity of the first run.

        A run that an earlier stop interrupted goes on and counts as the first.
        """
        self._wait(f"the DAG {dag}", lambda: self._has_read(dag))
        path = f"/api/v2/dags/{dag}"
        due = self.ask("GET", path)["next_dagrun_run_after"]
        comes_by_itself = due is not None and datetime.fromisoformat(due) <= datetime.now(UTC)
        self.ask("PATCH", path, {"is_paused": False})
        if not comes_by_itself and not self._runs_since_start(dag):
            return self.trigger(dag)
        self._wait("the first run", lambda: bool(self._runs_since_start(dag)))
        return self._runs_since_start(dag)[0]

    def trigger(self, dag: str) -> str:
        """Start a run by hand; return its identity."""
        run = self.ask("POST", f"/api/v2/dags/{dag}/dagRuns", {"logical_date": None})
        return str(run["dag_run_id"])

    def ask(self, method: str, path: str, body: object = None) -> Any:
        """Send one request to the REST API as `admin`; return the JSON it answers."""
        data = None if body is None else json.dumps(body).encode()
        request = urllib.request.Request(self.address + path, data, method=method)
        request.add_header("Content-Type", "application/json")
        if self._token:
            request.add_header("Authorization", f"Bearer {self._token}")
        opener = urllib.request.build_opener(urllib.request.ProxyHandler({}))
        try:
            with opener.open(request, timeout=60) as answer:
                return json.load(answer)
        except urllib.error.HTTPError as error:
            text = error.read().decode(errors="replace")[:500]
            raise LocalAirflowError(f"{method} {path}: {error.code} {text}") from error
        except OSError as error:
            raise LocalAirflowError(f"{method} {path}: {error}") from error

    def _log_in(self) -> bool:
        try:
            self.ask("GET", "/api/v2/version")
            self.ask("GET", "/execution/health")  # built on the first call; a task waits only 5 s
        except LocalAirflowError:
            return False
        user = {"username": "admin", "password": self.password}
        self._token = self.ask("POST", "/auth/token", user)["access_token"]
        return True

    def _make_pools(self) -> None:
        pools = json.loads((ROOT / "scripts" / "pools.json").read_text())
        entities = [{"name": name, **pool} for name, pool in pools.items()]
        action = {"action": "create", "action_on_existence": "overwrite", "entities": entities}
        self.ask("PATCH", "/api/v2/pools", {"actions": [action]})

    def _has_read(self, dag: str) -> bool:
        for error in self.ask("GET", "/api/v2/importErrors")["import_errors"]:
            if datetime.fromisoformat(error["timestamp"]) > self._started:
                raise LocalAirflowError(
                    f"{error['filename']} cannot be read:\n{error['stack_trace']}"
                )
        found = self.ask("GET", f"/api/v2/dags?dag_id_pattern={dag}")["dags"]
        read = [entry["last_parsed_time"] for entry in found if entry["dag_id"] == dag]
        return any(datetime.fromisoformat(time) > self._started for time in read if time)

    def _runs_since_start(self, dag: str) -> list[str]:
        runs = self.ask("GET", f"/api/v2/dags/{dag}/dagRuns?order_by=-run_after&limit=5")
        return [
            run["dag_run_id"]
            for run in runs["dag_runs"]
            if run["state"] in ("queued", "running")
            or datetime.fromisoformat(run["start_date"]) > self._started
        ]

    def _wait(self, what: str, reached: Callable[[], bool]) -> None:
        deadline = time.monotonic() + START_SECONDS
        while not reached():
            self.check()
            if time.monotonic() > deadline:
                raise LocalAirflowError(
                    f"waited {START_SECONDS:.0f} s for {what}; logs are in {self.home}"
                )
            time.sleep(0.3)

    def _spawn(
        self, name: str, command: Sequence[str], environment: Mapping[str, str] | None = None
    ) -> None:
        if shutil.which("setpriv"):  # so that a kill -9 of this process stops it as well
            command = ["setpriv", "--pdeathsig", "TERM", *command]
        with (self.home / f"{name}.log").open("wb") as log:
            self._processes[name] = subprocess.Popen(
                command,
                env=self._environment if environment is None else environment,
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=subprocess.STDOUT,
                start_new_session=True,  # Ctrl-C reaches only us, and `session` finds them all
            )

    def _write_settings(self) -> None:
        """Write airflow.cfg, so that `AIRFLOW_HOME=... airflow` works by hand as well."""
        path = self.home / "airflow.cfg"
        old = RawConfigParser()
        old.read(path)
        fernet_key = urlsafe_b64encode(secrets.token_bytes(32)).decode()
        settings: dict[str, dict[str, object]] = {
            "core": {
                "dags_folder": self.dags,
                "plugins_folder": ROOT / "plugins",
                "load_examples": False,
                "executor": "LocalExecutor",
                "parallelism": 4,  # 32, the default, locks SQLite until components die
                "dags_are_paused_at_creation": True,  # until all components are healthy
                "simple_auth_manager_users": "admin:admin",
                "simple_auth_manager_passwords_file": self.home / "passwords.json",
                "execution_api_server_url": f"{self.address}/execution/",
                "fernet_key": old.get("core", "fernet_key", fallback=fernet_key),
            },
            "database": {"sql_alchemy_conn": self._database},
            "logging": {"base_log_folder": self.home / "logs"},
            "dag_processor": {"refresh_interval": 30},
            "execution_api": {"jwt_expiration_time": 14_400},  # seconds; longer than any task
            "api": {
                "host": "127.0.0.1",
                "port": self.port,
                "base_url": self.address,
                "secret_key": old.get("api", "secret_key", fallback=secrets.token_hex(64)),
            },
            "api_auth": {
                "jwt_secret": old.get("api_auth", "jwt_secret", fallback=secrets.token_hex(64))
            },
        }
        if not self._database.startswith("sqlite"):  # else Airflow asks for asyncpg
            settings["database"]["sql_alchemy_conn_async"] = self._database
        new = RawConfigParser()
        for section, options in settings.items():  # Airflow takes a % for a reference
            new[section] = {name: str(v).replace("%", "%%") for name, v in options.items()}
        with private(path) as file:
            new.write(file)
        passwords = self.home / "passwords.json"
        if not passwords.exists():
            with private(passwords) as file:
                json.dump({"admin": secrets.token_urlsafe(12)}, file)


def private(path: Path) -> TextIO:
    """Open a file for writing that only its owner may read."""
    return os.fdopen(os.open(path, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600), "w")


def free_port(wanted: int) -> int:
    """Return `wanted` when it is free on loopback, and any free port when it is not."""
    with socket.socket() as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind(("127.0.0.1", wanted))
        except OSError:
            probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


def session(leader: int) -> Iterator[tuple[int, int]]:
    """Yield process and process group of all that live in a session (proc(5), /proc/pid/stat)."""
    for stat in Path("/proc").glob("[0-9]*/stat"):
        with suppress(OSError):  # it ended meanwhile
            state, _, group, its_session, *_ = stat.read_text().rpartition(")")[2].split()
            if int(its_session) == leader and state not in "ZX":
                yield int(stat.parent.name), int(group)


def end(leaders: Sequence[subprocess.Popen[bytes]]) -> None:
    """Stop sessions by SIGTERM to their leaders; kill what is left after STOP_SECONDS.

    Groups of their own within a session are running tasks: they are killed at once, since the
    scheduler would wait for them to finish.
    """
    for process in leaders:
        process.terminate()
    deadline = time.monotonic() + STOP_SECONDS
    while left := [(each.pid, *member) for each in leaders for member in session(each.pid)]:
        late = time.monotonic() > deadline
        for leader, pid, group in left:
            with suppress(ProcessLookupError):
                if late:
                    os.kill(pid, signal.SIGKILL)
                elif group != leader:
                    os.killpg(group, signal.SIGKILL)
        for process in leaders:
            process.poll()
        time.sleep(0.1)
    for process in leaders:
        process.wait()
