"""PostgreSQL, the code location, webserver and daemon as ``deploy/start`` starts them, and questions to them."""

from __future__ import annotations

import os
import shutil
import signal
import socket
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import requests

from seg3b_assets.settings import REPOSITORY
from seg3b_assets_tests.waiting import until

PASSWORD = "only-for-this-test"
_SERVER_USER = "postgres"


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


@contextmanager
def postgres() -> Iterator[int]:
    """A cluster of its own with a database ``dagster``; yields its port.

    The server refuses to run as root, so root hands it to the user its Debian package makes, and the cluster lies
    outside the tests' folders, which pytest keeps to root.
    """
    with tempfile.TemporaryDirectory(prefix="seg3b-postgres-", ignore_cleanup_errors=True) as made:
        folder, port = Path(made), free_port()
        as_user: list[str] = []
        secret = folder / "password"
        secret.write_text(PASSWORD)
        if os.geteuid() == 0:
            as_user = ["setpriv", f"--reuid={_SERVER_USER}", f"--regid={_SERVER_USER}", "--clear-groups"]
            for path in (folder, secret):
                shutil.chown(path, _SERVER_USER, _SERVER_USER)
        with _serving(folder, port, as_user):
            until(lambda: _database_made(port), 60, "database")
            yield port


@contextmanager
def _serving(folder: Path, port: int, as_user: list[str]) -> Iterator[None]:
    """Make the cluster and serve it until the block ends."""
    data = folder / "data"
    programs = _server_programs()
    command = [*as_user, str(programs / "initdb"), "-D", str(data), "-U", "dagster", "-A", "scram-sha-256"]
    subprocess.run(
        [*command, f"--pwfile={folder / 'password'}", "--no-sync"], check=True, capture_output=True, cwd="/"
    )
    options = ("-k", str(data), "-h", "127.0.0.1", "-p", str(port), "-c", "fsync=off")
    server = subprocess.Popen(
        [*as_user, str(programs / "postgres"), "-D", str(data), *options],
        cwd="/",
        stdout=(folder / "postgres.log").open("wb"),
        stderr=subprocess.STDOUT,
    )
    try:
        yield
    finally:
        server.send_signal(signal.SIGINT)
        server.wait(30)


def _database_made(port: int) -> bool:
    """Make the database ``dagster``, once the server answers."""
    import psycopg2  # noqa: PLC0415 - comes with the deployment's libraries, which only `make e2e` installs

    try:
        connection = psycopg2.connect(
            host="127.0.0.1", port=port, user="dagster", password=PASSWORD, dbname="postgres"
        )
    except psycopg2.OperationalError:
        return False
    connection.autocommit = True
    with connection.cursor() as cursor:
        cursor.execute("CREATE DATABASE dagster")
    connection.close()
    return True


def _server_programs() -> Path:
    """Where initdb and postgres are; Debian keeps them off PATH, by version."""
    found = [*Path("/usr/lib/postgresql").glob("*/bin"), Path(shutil.which("initdb") or "/none").parent]
    for folder in sorted(found, reverse=True):
        if (folder / "initdb").exists():
            return folder
    raise AssertionError("no PostgreSQL server here: apt-get install postgresql")


@dataclass
class Fleet:
    """The deployment's processes, each the leader of a process group of its own."""

    folder: Path
    variables: dict[str, str]
    running: dict[str, subprocess.Popen[bytes]] = field(default_factory=dict)

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.variables['SEG3B_WEB_PORT']}"

    def start(self, *names: str) -> None:
        for name in names:
            with (self.folder / f"{name}.log").open("ab") as log:
                self.running[name] = subprocess.Popen(
                    [str(REPOSITORY / "deploy" / "start"), name],
                    env=os.environ | {"PATH": f"{sys.prefix}/bin:{os.environ['PATH']}"} | self.variables,
                    cwd=self.folder,
                    stdout=log,
                    stderr=subprocess.STDOUT,
                    start_new_session=True,
                )

    def stop(self, name: str, how: signal.Signals = signal.SIGTERM) -> None:
        """End a process and everything it started; what it started may be in its own session."""
        process = self.running.pop(name)
        os.killpg(process.pid, how)
        process.wait(60)

    def stop_all(self) -> None:
        for name in list(self.running):
            self.stop(name, signal.SIGKILL)

    def ask(self, query: str, **variables: Any) -> Any:
        """The data of a GraphQL answer."""
        answer = requests.post(
            f"{self.url}/graphql", json={"query": query, "variables": variables}, timeout=60
        )
        body = answer.json()
        assert "errors" not in body, body["errors"]
        return body["data"]

    def is_up(self) -> bool:
        """Whether the webserver answers; a process that ended meanwhile is a failure with its last words."""
        for name, process in self.running.items():
            assert process.poll() is None, f"{name} ended:\n{self.log(name)[-2000:]}"
        try:
            return requests.get(f"{self.url}/server_info", timeout=5).ok
        except requests.ConnectionError:
            return False

    def log(self, name: str) -> str:
        return (self.folder / f"{name}.log").read_text(errors="replace")
