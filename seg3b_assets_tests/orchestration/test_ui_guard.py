"""Before the UI: what a foreign page would have a browser send is refused, and what the UI itself sends is not."""

from __future__ import annotations

import asyncio
from pathlib import Path
from typing import Any
from urllib.parse import quote

import dagster as dg
import pytest
from dagster._core.workspace.context import WorkspaceProcessContext
from dagster._core.workspace.load_target import EmptyWorkspaceTarget
from dagster_webserver.app import create_app_from_workspace_process_context

from seg3b_assets.orchestration.ui import UiGuard, hosts_of

PORT = 3000
US = f"127.0.0.1:{PORT}"
WIPE = "mutation { wipeAssets(assetPartitionRanges: []) { __typename } }"
ASK = "query { version }"


def asked(app: Any, scope: dict[str, Any], body: bytes = b"") -> list[dict[str, Any]]:
    """What an application answers to one request."""
    sent: list[dict[str, Any]] = []
    messages = [{"type": "http.request", "body": body, "more_body": False}]

    async def receive() -> dict[str, Any]:
        if messages:
            return messages.pop(0)
        await asyncio.sleep(60)
        return {"type": "http.disconnect"}

    async def send(message: Any) -> None:
        sent.append(dict(message))

    asyncio.run(app(scope, receive, send))
    return sent


def scope(method: str = "GET", path: str = "/graphql", query: str = "", **headers: str) -> dict[str, Any]:
    named = {"host": US, **{name.replace("_", "-"): value for name, value in headers.items()}}
    return {
        "type": "http",
        "asgi": {"version": "3.0"},
        "http_version": "1.1",
        "method": method,
        "scheme": "http",
        "path": path,
        "raw_path": path.encode(),
        "root_path": "",
        "query_string": f"query={quote(query)}".encode() if query else b"",
        "headers": [(name.encode(), value.encode("latin-1")) for name, value in named.items() if value],
        "server": ("127.0.0.1", PORT),
        "client": ("127.0.0.1", 1),
    }


async def behind(_scope: Any, _receive: Any, send: Any) -> None:
    await send({"type": "http.response.start", "status": 200, "headers": []})
    await send({"type": "http.response.body", "body": b"through"})


def status(request: dict[str, Any], *hosts: str) -> int:
    return int(asked(UiGuard(behind, PORT, hosts), request)[0]["status"])


@pytest.mark.parametrize(
    "request_",
    [
        scope(query=WIPE),
        scope("POST", query=WIPE),
        scope("HEAD", query=WIPE),
        scope(path="/prefix/graphql", query=WIPE),
        scope(query=f"# a comment\n  {WIPE}"),
        scope(query=f"query A {{ version }} {WIPE}"),
        scope(query="fragment F on X { a } mutation($a: [X!]!) { wipeAssets(a: $a) { __typename } }"),
        scope(query="mutation {{"),
        scope(query="{" * 100_001),
        scope(host="evil.example"),
        scope(host=f"evil.example:{PORT}"),
        scope(host="127.0.0.1:3001"),
        scope(host="127.0.0.1"),
        scope(host=f"127.0.0.1:{PORT}.evil.example"),
        scope(host=f"localhost.evil.example:{PORT}"),
        scope(host=""),
        scope(host="[::1"),
        scope("POST", origin="https://evil.example"),
        scope("POST", origin="null"),
        scope("POST", origin="http://127.0.0.1:8888"),
        scope("POST", origin=f"file://{US}"),
        scope("POST", origin=f"http://{US}.evil.example"),
        scope("POST", origin="http://[::1"),
        scope("POST", sec_fetch_site="cross-site"),
        scope("POST", sec_fetch_site="same-site"),
        scope(sec_fetch_site="cross-site", sec_fetch_mode="no-cors"),
        scope("POST", path="/report_asset_materialization/x", origin="https://evil.example"),
    ],
)  # fmt: skip
def test_what_a_foreign_page_sends_is_refused(request_: dict[str, Any]) -> None:
    assert status(request_) == 403


@pytest.mark.parametrize(
    "request_",
    [
        scope(query=ASK),
        scope("POST"),
        scope("POST", origin=f"http://{US}"),
        scope(
            "POST", origin=f"http://localhost:{PORT}", host=f"localhost:{PORT}", sec_fetch_site="same-origin"
        ),
        scope(host=f"[::1]:{PORT}", origin=f"http://[::1]:{PORT}"),
        scope(host=f"LOCALHOST:{PORT}"),
        scope(path="/assets", sec_fetch_site="cross-site", sec_fetch_mode="navigate"),
        scope(path="/assets", sec_fetch_site="none"),
        scope(query="{ no query"),
        scope(query='query { assets(prefix: "mutation") { __typename } }'),
    ],
)
def test_what_the_ui_and_programs_send_goes_through(request_: dict[str, Any]) -> None:
    assert status(request_) == 200


def test_more_names_are_a_setting() -> None:
    hosts = hosts_of(" seg3b.example ,desk:8443,,")
    assert hosts == ("seg3b.example", "desk:8443")
    for host, code in [
        ("seg3b.example", 200),
        ("seg3b.example:1234", 200),
        ("desk:8443", 200),
        ("desk:1", 403),
        ("desk", 403),
    ]:
        assert status(scope(host=host, origin=f"https://{host}"), *hosts) == code
        assert status(scope(host=host)) == 403
    assert hosts_of(None) == hosts_of("") == ()


def test_a_refusal_says_what_to_set_and_repeats_nothing_that_commands() -> None:
    start, body = asked(UiGuard(behind, PORT), scope(host="e\x1b[2J\nvil"))
    assert start["status"] == 403
    assert b"SEG3B_UI_HOSTS" in body["body"]
    assert b"\x1b" not in body["body"]
    assert body["body"].count(b"\n") == 1


def test_a_websocket_of_a_foreign_page_is_closed_before_it_opens() -> None:
    foreign = {**scope(origin="https://evil.example"), "type": "websocket"}
    assert [one["type"] for one in asked(UiGuard(behind, PORT), foreign)] == ["websocket.close"]
    own = {**scope(origin=f"http://{US}"), "type": "websocket"}
    assert asked(UiGuard(behind, PORT), own)[-1]["body"] == b"through"


def test_start_and_end_of_the_server_reach_it() -> None:
    assert asked(UiGuard(behind, PORT), {"type": "lifespan"})


def test_dagsters_own_application_answers_behind_it_and_would_obey_without_it(tmp_path: Path) -> None:
    with (
        dg.DagsterInstance.local_temp(str(tmp_path)) as instance,
        WorkspaceProcessContext(instance, workspace_load_target=EmptyWorkspaceTarget()) as context,
    ):
        app = create_app_from_workspace_process_context(context)
        guarded = UiGuard(app, PORT)
        told = asked(guarded, scope(query=ASK))
        assert told[0]["status"] == 200
        assert b'"version"' in told[1]["body"]
        assert asked(app, scope(query=WIPE))[0]["status"] == 200  # else this guards against nothing
        assert asked(guarded, scope(query=WIPE))[0]["status"] == 403
        posted = scope("POST", content_type="application/json", origin=f"http://{US}")
        done = asked(guarded, posted, b'{"query": "%s"}' % WIPE.encode())
        assert done[0]["status"] == 200
        assert b"wipeAssets" in done[1]["body"]
