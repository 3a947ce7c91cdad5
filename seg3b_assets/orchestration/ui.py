"""The UI of one machine: the code location, the guarded webserver and the daemon together, as ``dagster dev`` has them.

    python -m seg3b_assets.orchestration.ui [--port 3000] [--workspace workspace.yaml] [--webserver]

``dagster dev`` starts a webserver that lets any page of the web launch and wipe (``ui_guard``), and offers no way to
put anything before it. The code location is loaded once, by a server that webserver and daemon share and that reloads
it from the UI; an interrupt, or the end of either, ends all.
"""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from types import FrameType
from typing import Annotated, Final

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

from seg3b_assets.doors import EXIT_STRUCTURAL, through_door
from seg3b_assets.orchestration.ui_guard import HOSTS, UiGuard, hosts_of
from seg3b_assets.terminal import complain

_UI: Final = "seg3b_assets.orchestration.ui"
_WITH_PARENT: Final = "seg3b_assets.with_parent"
_LOOKED_EVERY_S: Final = 0.5
_PATIENCE_S: Final = 60.0
# What Dagster's code looks at to know that it serves a person at a desk.
_AT_A_DESK: Final = "DAGSTER_IS_DEV_CLI"


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


# As dagster-webserver's own defaults.
_STATEMENT_TIMEOUT_MS: Final = 15_000
_POOL_RECYCLE_S: Final = 3_600
_POOL_OVERFLOW: Final = 20
_POLL_MS: Final = 2_000


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


if __name__ == "__main__":
    through_door(lambda: typer.run(run))
