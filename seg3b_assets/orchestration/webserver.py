"""Dagster's webserver behind ``UiGuard``: what ``dagster-webserver`` serves, for pages of our own only.

    python -m seg3b_assets.orchestration.webserver --host 127.0.0.1 --port 3000 --workspace workspace.yaml

The application is Dagster's, unchanged (``create_app_from_workspace_process_context``); the command line's other
options are its defaults.
"""

from __future__ import annotations

import os
from pathlib import Path
from typing import Annotated, Final

import typer
import uvicorn
from dagster import DagsterInstance
from dagster._core.workspace.context import WorkspaceProcessContext
from dagster._core.workspace.load_target import WorkspaceFileTarget
from dagster._utils.interrupts import setup_interrupt_handlers
from dagster._utils.log import configure_loggers
from dagster_webserver.app import create_app_from_workspace_process_context
from dagster_webserver.version import __version__

from seg3b_assets.doors import through_door
from seg3b_assets.orchestration.ui_guard import HOSTS, UiGuard, hosts_of
from seg3b_assets.terminal import complain

# As dagster-webserver's own defaults.
_STATEMENT_TIMEOUT_MS: Final = 15_000
_POOL_RECYCLE_S: Final = 3_600
_POOL_OVERFLOW: Final = 20
_POLL_MS: Final = 2_000


def serve(
    workspace: Annotated[Path, typer.Option(help="Where the code location is.", exists=True)],
    host: Annotated[str, typer.Option(help="Address to listen at.")] = "127.0.0.1",
    port: Annotated[int, typer.Option(min=1, max=65535, help="Port to listen at.")] = 3000,
) -> None:
    """Serve the UI until it is interrupted."""
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
    through_door(lambda: typer.run(serve))
