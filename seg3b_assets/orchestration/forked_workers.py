"""Run workers forked from a process that has Dagster loaded, where this process is a code location's server.

Dagster starts a run's process from nothing, and it first loads Dagster: more than a second before the run's own code
is even looked at. Python's fork server, which Dagster offers for the processes of steps, has that loaded once. Nothing
but Dagster and its storages is loaded in it, for two reasons: a run reads this project's code as it is when the run
starts, and a process that polars has threads in must not be forked.
"""

from __future__ import annotations

import multiprocessing
import sys
from multiprocessing import forkserver
from typing import Final

# What is not installed here is passed over.
LOADED: Final = (
    "dagster._cli",
    "dagster._grpc.server",
    "dagster._core.instance.factory",
    "dagster._core.storage.local_compute_log_manager",
    "dagster._core.storage.sqlite_storage",
    "dagster_postgres",
)
_SERVER: Final = ["api", "grpc"]


def fork_run_workers() -> None:
    """Have the server in this process fork its run workers, from now on; nothing in any other process."""
    is_server = multiprocessing.parent_process() is None and sys.argv[1:3] == _SERVER
    if not is_server or "forkserver" not in multiprocessing.get_all_start_methods():
        return
    from dagster._grpc.server import DagsterApiServer  # noqa: PLC0415 - only a server has it loaded

    forking = multiprocessing.get_context("forkserver")
    forking.set_forkserver_preload(list(LOADED))
    try:
        forkserver.ensure_running()
    except OSError:  # no place for its socket: runs start the way Dagster starts them, later and no worse
        return
    # The server asks for its context before it loads any code; a property comes before what it then kept.
    kept = property(lambda _server: forking, lambda _server, _spawning: None)
    DagsterApiServer._mp_ctx = kept  # type: ignore[assignment]
