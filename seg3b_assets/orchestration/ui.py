"""The UI of one machine: the code location, the guarded webserver and the daemon together, as ``dagster dev`` has them.

    python -m seg3b_assets.orchestration.ui [--port 3000] [--workspace workspace.yaml] [--webserver]

``dagster dev`` starts a webserver that lets any page of the web launch and wipe, and offers no way to put anything
before it. The code location is loaded once, by a server that webserver and daemon share and that reloads it from the
UI; an interrupt, or the end of either, ends all.

What stands before Dagster's pages: the webserver has no login and takes mutations by GET, from any ``Host`` and
``Origin``. A page anywhere could so wipe assets by one picture's address in the browser of a person who has the UI open
on loopback. Refused here, before Dagster sees them, for HTTP and for websockets:

* a ``Host`` that is none of ours: a foreign name that resolves to us (DNS rebinding);
* an ``Origin`` that is none of ours, ``null`` among them, and what a browser says is ``cross-site``;
* a mutation in the address, whatever the method; what cannot be read as a query is Dagster's to refuse.

Ours are the loopback names with the port, and what ``SEG3B_UI_HOSTS`` adds: ``name:port``, or ``name`` for any port,
separated by commas. It is no login: who can reach the port, and sends no such request, can do everything.
"""

from __future__ import annotations

import os
import re
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Awaitable, Callable, Iterable, Iterator, MutableMapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from types import FrameType
from typing import Annotated, Any, Final
from urllib.parse import parse_qs, urlsplit

import typer
import uvicorn
import yaml
from dagster import DagsterInstance
from dagster._cli.proxy_server_manager import ProxyServerManager
from dagster._core.workspace.context import WorkspaceProcessContext
from dagster._core.workspace.load_target import WorkspaceFileTarget
from dagster._utils.interrupts import setup_interrupt_handlers
from dagster._utils.log import configure_loggers
from dagster_webserver.app import create_app_from_workspace_process_context
from dagster_webserver.version import __version__
from graphql import GraphQLError, OperationDefinitionNode, OperationType, parse

from seg3b_assets.doors import EXIT_STRUCTURAL, through_door
from seg3b_assets.laws.visible_text import visible
from seg3b_assets.terminal import complain

_UI: Final = "seg3b_assets.orchestration.ui"
_WITH_PARENT: Final = "seg3b_assets.with_parent"
_LOOKED_EVERY_S: Final = 0.5
_PATIENCE_S: Final = 60.0
# What Dagster's code looks at to know that it serves a person at a desk.
_AT_A_DESK: Final = "DAGSTER_IS_DEV_CLI"
# As dagster-webserver's own defaults.
_STATEMENT_TIMEOUT_MS: Final = 15_000
_POOL_RECYCLE_S: Final = 3_600
_POOL_OVERFLOW: Final = 20
_POLL_MS: Final = 2_000

HOSTS: Final = "SEG3B_UI_HOSTS"
LOOPBACK: Final = ("localhost", "127.0.0.1", "[::1]")
_PORT: Final = re.compile(r":[0-9]{1,5}\Z")
_SHOWN: Final = 100
# A query that the UI puts into an address is far below it; parsing is what it costs.
_LONGEST_QUERY: Final = 100_000
_FOREIGN: Final = frozenset({"cross-site", "same-site"})

Scope = MutableMapping[str, Any]
Message = MutableMapping[str, Any]
Receive = Callable[[], Awaitable[Message]]
Send = Callable[[Message], Awaitable[None]]
App = Callable[[Scope, Receive, Send], Awaitable[None]]


def run(
    workspace: Annotated[Path, typer.Option(help="Where the code location is.", exists=True)] = Path(
        "workspace.yaml"
    ),
    host: Annotated[str, typer.Option(help="Address to listen at.")] = "127.0.0.1",
    port: Annotated[int, typer.Option(min=1, max=65535, help="Port to listen at.")] = 3000,
    webserver: Annotated[
        bool, typer.Option("--webserver", help="Only the webserver; code locations and daemon run elsewhere.")
    ] = False,
) -> None:
    """Serve the UI with its daemon until it is interrupted."""
    if webserver:
        _serve(workspace, host, port)
        return
    os.environ[_AT_A_DESK] = "1"
    configure_loggers()
    for one in (signal.SIGINT, signal.SIGTERM):  # a process started in the background ignores interrupts
        signal.signal(one, _interrupt)
    with DagsterInstance.get() as instance, _code_servers(instance, workspace) as shared:
        serving = [_UI, "--webserver", "--host", host, "--port", str(port), "--workspace", str(shared)]
        ended = _until_one_ends([serving, ["dagster._daemon", "run", "--workspace", str(shared)]])
    if ended:
        complain(f"{ended} has ended, and with it the UI")
        raise typer.Exit(EXIT_STRUCTURAL)


@contextmanager
def _code_servers(instance: DagsterInstance, workspace: Path) -> Iterator[Path]:
    """A workspace file that names the servers of the code locations."""
    target = WorkspaceFileTarget([str(workspace)])
    with ProxyServerManager(instance, target) as servers, tempfile.TemporaryDirectory() as folder:
        file = Path(folder) / "workspace.yaml"
        file.write_text(yaml.safe_dump({"load_from": servers.get_code_server_specs()}), encoding="utf-8")
        yield file


def _until_one_ends(commands: Sequence[Sequence[str]]) -> str | None:
    """Run modules beside each other; the one that ended by itself, None after an interrupt. None is left running."""
    running: dict[str, subprocess.Popen[bytes]] = {}
    try:
        for command in commands:
            # In groups of their own: an interrupt at the terminal is for us, and we end them in order.
            program = [sys.executable, "-m", _WITH_PARENT, *command]
            process = subprocess.Popen(program, start_new_session=True)
            running[command[0]] = process
        while True:
            for name, process in running.items():
                if process.poll() is not None:
                    return name
            time.sleep(_LOOKED_EVERY_S)
    except KeyboardInterrupt:
        return None
    finally:
        _end(list(running.values()))


def _end(processes: Sequence[subprocess.Popen[bytes]]) -> None:
    for process in processes:
        if process.poll() is None:
            process.send_signal(signal.SIGINT)
    until = time.monotonic() + _PATIENCE_S
    for process in processes:
        try:
            process.wait(max(until - time.monotonic(), 0.1))
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait()


def _interrupt(_number: int, _frame: FrameType | None) -> None:
    raise KeyboardInterrupt


def _serve(workspace: Path, host: str, port: int) -> None:
    """Dagster's application, unchanged, behind ``UiGuard``, until it is interrupted."""
    configure_loggers()
    setup_interrupt_handlers()
    with DagsterInstance.get() as instance:
        instance.optimize_for_webserver(_STATEMENT_TIMEOUT_MS, _POOL_RECYCLE_S, _POOL_OVERFLOW)
        target = WorkspaceFileTarget([str(workspace)])
        with WorkspaceProcessContext(
            instance, workspace_load_target=target, version=__version__, read_only=False
        ) as context:
            app = create_app_from_workspace_process_context(context, live_data_poll_rate=_POLL_MS)
            guarded = UiGuard(app, port, hosts_of(os.environ.get(HOSTS)))
            complain(f"The UI: http://{'127.0.0.1' if host == '0.0.0.0' else host}:{port}")
            uvicorn.run(guarded, host=host, port=port, log_level="warning")


class UiGuard:
    """An ASGI application before another.

    Args:
        app: what is guarded.
        port: it is served at.
        hosts: more names it is reached by, as ``SEG3B_UI_HOSTS`` lists them.
    """

    def __init__(self, app: App, port: int, hosts: Iterable[str] = ()) -> None:
        self._app = app
        self._ours = {f"{name}:{port}" for name in LOOPBACK} | {one.lower() for one in hosts}
        if port == 80:
            self._ours |= set(LOOPBACK)

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        why = self.refusal(scope) if scope["type"] in ("http", "websocket") else None
        if why is None:
            await self._app(scope, receive, send)
        elif scope["type"] == "websocket":
            await send({"type": "websocket.close", "code": 1008, "reason": why[:_SHOWN]})
        else:
            await _forbidden(send, why)

    def refusal(self, scope: Scope) -> str | None:
        """Why a request is refused; None where it is not."""
        hosts, origins = _header(scope, b"host"), _header(scope, b"origin")
        if len(hosts) != 1 or not self._is_ours(hosts[0]):
            return (
                f"Host {_told(hosts)} is none of this UI's: set {HOSTS} where it is reached by another name."
            )
        if any(not self._is_our_origin(origin) for origin in origins):
            return f"Origin {_told(origins)} is none of this UI's: set {HOSTS} where it is reached by another name."
        if _FOREIGN & set(_header(scope, b"sec-fetch-site")) and not _opens_a_page(scope):
            return "Another site's page sent this."
        if any(_changes_something(query) for query in _queries(scope)):
            return "A mutation is sent in the body of a POST, not in the address."
        return None

    def _is_ours(self, host: str) -> bool:
        return host.lower() in self._ours or _PORT.sub("", host.lower()) in self._ours

    def _is_our_origin(self, origin: str) -> bool:
        try:
            found = urlsplit(origin)
        except ValueError:
            return False
        return found.scheme in ("http", "https") and self._is_ours(found.netloc)


def hosts_of(text: str | None) -> tuple[str, ...]:
    """The names a setting lists."""
    return tuple(one.strip() for one in (text or "").split(",") if one.strip())


def _header(scope: Scope, name: bytes) -> list[str]:
    return [value.decode("latin-1") for key, value in scope["headers"] if key.lower() == name]


def _opens_a_page(scope: Scope) -> bool:
    """A person followed a link to us; what the page then asks for comes from ourselves."""
    return scope.get("method") == "GET" and _header(scope, b"sec-fetch-mode") == ["navigate"]


def _queries(scope: Scope) -> list[str]:
    return parse_qs(scope.get("query_string", b"").decode("latin-1")).get("query", [])


def _changes_something(query: str) -> bool:
    if len(query) > _LONGEST_QUERY:
        return True
    try:
        document = parse(query)
    except (GraphQLError, RecursionError):
        return "mutation" in query
    operations = [one for one in document.definitions if isinstance(one, OperationDefinitionNode)]
    return any(one.operation is OperationType.MUTATION for one in operations)


def _told(values: list[str]) -> str:
    return visible(", ".join(values)[:_SHOWN]) or "(none)"


async def _forbidden(send: Send, why: str) -> None:
    body = f"{why}\n".encode()
    headers = [
        (b"content-type", b"text/plain; charset=utf-8"),
        (b"content-length", str(len(body)).encode()),
        (b"x-content-type-options", b"nosniff"),
    ]
    await send({"type": "http.response.start", "status": 403, "headers": headers})
    await send({"type": "http.response.body", "body": body})


if __name__ == "__main__":
    through_door(lambda: typer.run(run))
