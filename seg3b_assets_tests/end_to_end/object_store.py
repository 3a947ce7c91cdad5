"""An S3-compatible server (SeaweedFS) of the test's own, and clients of it."""

from __future__ import annotations

import json
import os
import shutil
import socket
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import requests

KEY, SECRET = "only-for-this-test", "a-secret-of-this-test"
BUCKET = "worlds"


@dataclass(frozen=True)
class ObjectStore:
    """A running server with one bucket."""

    endpoint: str

    def url(self, name: str) -> str:
        return f"s3://{BUCKET}/{name}"

    @property
    def variables(self) -> dict[str, str]:
        """What a client's environment needs."""
        return {
            "AWS_ENDPOINT_URL_S3": self.endpoint,
            "AWS_ACCESS_KEY_ID": KEY,
            "AWS_SECRET_ACCESS_KEY": SECRET,
        }


@contextmanager
def object_store() -> Iterator[ObjectStore]:
    """Start the server, make the bucket; stop it in the end."""
    with tempfile.TemporaryDirectory(prefix="seg3b-objects-", ignore_cleanup_errors=True) as made:
        folder = Path(made)
        actions = ["Admin", "Read", "Write", "List", "Tagging"]
        identity = {
            "name": "test",
            "credentials": [{"accessKey": KEY, "secretKey": SECRET}],
            "actions": actions,
        }
        (folder / "identities.json").write_text(json.dumps({"identities": [identity]}))
        server, filer, endpoint = _start(folder)
        try:
            _until_up(server, f"{filer}/", folder)
            _until_up(server, endpoint, folder)
            assert requests.post(f"{filer}/buckets/{BUCKET}/", timeout=30).ok
            yield ObjectStore(endpoint)
        finally:
            server.kill()
            server.wait(30)


def _start(folder: Path) -> tuple[subprocess.Popen[bytes], str, str]:
    master, volume, filer, s3 = (_free_ports(2) for _ in range(4))
    (folder / "data").mkdir()
    program = shutil.which("weed", path=f"{sys.prefix}/bin{os.pathsep}{os.environ['PATH']}")
    assert program, "no SeaweedFS here: make e2e installs it"
    options = {
        "dir": folder / "data",
        "ip": "127.0.0.1",
        "ip.bind": "127.0.0.1",
        "master.port": master[0],
        "master.port.grpc": master[1],
        "master.volumeSizeLimitMB": 64,
        "volume.port": volume[0],
        "volume.port.grpc": volume[1],
        "volume.max": 50,
        "filer.port": filer[0],
        "filer.port.grpc": filer[1],
        "s3.port": s3[0],
        "s3.port.grpc": s3[1],
        "s3.port.iceberg": 0,
        "s3.port.lance": 0,
        "s3.config": folder / "identities.json",
    }
    server = subprocess.Popen(
        [program, "server", "-filer", "-s3", *(f"-{name}={value}" for name, value in options.items())],
        cwd=folder,
        stdout=(folder / "server.log").open("wb"),
        stderr=subprocess.STDOUT,
    )
    return server, f"http://127.0.0.1:{filer[0]}", f"http://127.0.0.1:{s3[0]}"


def _until_up(server: subprocess.Popen[bytes], url: str, folder: Path) -> None:
    deadline = time.monotonic() + 60
    while time.monotonic() < deadline:
        assert server.poll() is None, (folder / "server.log").read_text()[-2000:]
        try:
            requests.get(url, timeout=5)
        except requests.ConnectionError:
            time.sleep(0.2)
        else:
            return
    raise AssertionError((folder / "server.log").read_text()[-2000:])


def _free_ports(count: int) -> list[int]:
    probes = [socket.socket() for _ in range(count)]
    try:
        for probe in probes:
            probe.bind(("127.0.0.1", 0))
        return [int(probe.getsockname()[1]) for probe in probes]
    finally:
        for probe in probes:
            probe.close()
