"""`make ui` as a foreign page finds it: it answers its own pages, and obeys no other's."""

from __future__ import annotations

import base64
import os
import socket
import time
import urllib.error
import urllib.request
from contextlib import suppress
from pathlib import Path
from urllib.parse import quote, urlsplit

import orjson
import pytest

from seg3b_assets_tests.ui.workshop import served_ui

pytestmark = pytest.mark.e2e
WIPE = "mutation { wipeAssets(assetPartitionRanges: []) { __typename } }"
LOADED = "{ workspaceOrError { ... on Workspace { locationEntries { name loadStatus } } } }"


def status(address: str, body: bytes | None = None, **headers: str) -> int:
    named = {name.replace("_", "-"): value for name, value in headers.items()}
    try:
        with urllib.request.urlopen(urllib.request.Request(address, body, named), timeout=60) as answer:
            return int(answer.status)
    except urllib.error.HTTPError as error:
        return error.code


def upgraded(address: str, origin: str) -> bytes:
    """The first line of the answer to a websocket's handshake."""
    place = urlsplit(address)
    assert place.hostname
    assert place.port
    lines = [
        "GET /graphql HTTP/1.1",
        f"Host: {place.netloc}",
        "Upgrade: websocket",
        "Connection: Upgrade",
        f"Sec-WebSocket-Key: {base64.b64encode(os.urandom(16)).decode()}",
        "Sec-WebSocket-Version: 13",
        "Sec-WebSocket-Protocol: graphql-ws",
        f"Origin: {origin}",
        "",
        "",
    ]
    with socket.create_connection((place.hostname, place.port), timeout=60) as connection:
        connection.sendall("\r\n".join(lines).encode())
        return connection.recv(1024).splitlines()[0]


def test_the_ui_answers_its_own_pages_and_obeys_no_other(tmp_path: Path) -> None:
    with served_ui(tmp_path, {"SEG3B_CACHE": str(tmp_path / "cache")}) as ui:
        posted = orjson.dumps({"query": LOADED})
        assert status(f"{ui}/graphql", posted, Content_Type="application/json", Origin=ui) == 200
        assert status(f"{ui}/graphql", posted, Content_Type="application/json", Origin="http://evil") == 403
        assert status(f"{ui}/graphql?query={quote(LOADED)}") == 200
        assert status(f"{ui}/graphql?query={quote(WIPE)}") == 403
        assert status(f"{ui}/server_info", Host="evil.example") == 403
        assert b" 101 " in upgraded(ui, ui)
        assert b" 403 " in upgraded(ui, "http://evil.example")
    # However `make ui` was ended, nothing of it goes on.
    until = time.monotonic() + 30
    while time.monotonic() < until and _running(urlsplit(ui).port):
        time.sleep(0.5)
    assert not _running(urlsplit(ui).port)


def _running(port: int | None) -> list[str]:
    """Command lines of programs of the UI at a port."""
    found = []
    for place in Path("/proc").glob("[0-9]*/cmdline"):
        with suppress(OSError):
            words = place.read_bytes().replace(b"\0", b" ").decode("utf-8", "replace")
            if f"--port {port} " in words and "orchestration" in words:
                found.append(words)
    return found
