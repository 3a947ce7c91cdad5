"""What is changed of Dagster's internals, and nothing else of it is: by one function, which only ``definitions`` calls.

Importing this or any module of ours changes nothing. Each change is looked at first: where the attribute it is about is
not there, Dagster works as it does without us, and that is logged. ``SEG3B_DAGSTER_PATCHES=off`` has none of them made.
"""

from __future__ import annotations

import multiprocessing
import os
import sys
from collections.abc import Callable, Mapping
from multiprocessing import forkserver
from typing import Any, Final

from seg3b_assets.laws.visible_text import story

LOG = story("dagster")
SETTING: Final = "SEG3B_DAGSTER_PATCHES"
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


class MissingAttributeError(Exception):
    """Dagster has no such attribute: another release than the one a change was made for."""


def patch_dagster(environment: Mapping[str, str] = os.environ) -> list[str]:
    """Make every change this process is for; what was changed, by name."""
    if environment.get(SETTING, "on") == "off":
        LOG.info("%s=off: Dagster is left as it is", SETTING)
        return []
    changed = []
    for name, change in _CHANGES.items():
        try:
            if change():
                changed.append(name)
        except (MissingAttributeError, ImportError) as error:
            LOG.warning("Dagster is left as it is in one thing (%s): %s", name, error)
    return changed


def fork_run_workers() -> bool:
    """Have the server of a code location, where this process is one, fork its run workers from now on.

    Dagster starts a run's process from nothing, and it first loads Dagster: more than a second before the run's own
    code is even looked at. Python's fork server, which Dagster offers for the processes of steps, has that loaded once.
    Nothing but Dagster and its storages is loaded in it, for two reasons: a run reads this project's code as it is when
    the run starts, and a process that polars has threads in must not be forked.

    Returns:
        Whether it does.

    Raises:
        MissingAttributeError: the server does not start workers by ``_mp_ctx``.
    """
    is_server = multiprocessing.parent_process() is None and sys.argv[1:3] == _SERVER
    if not is_server or "forkserver" not in multiprocessing.get_all_start_methods():
        return False
    from dagster._grpc.server import DagsterApiServer  # noqa: PLC0415 - only a server has it loaded

    constructor: Any = DagsterApiServer.__init__
    if "_mp_ctx" not in constructor.__code__.co_names:
        raise MissingAttributeError("DagsterApiServer._mp_ctx")
    forking = multiprocessing.get_context("forkserver")
    forking.set_forkserver_preload(list(LOADED))
    try:
        forkserver.ensure_running()
    except OSError:  # no place for its socket: runs start the way Dagster starts them, later and no worse
        return False
    # The server asks for its context before it loads any code; a property comes before what it then kept.
    kept = property(lambda _server: forking, lambda _server, _spawning: None)
    DagsterApiServer._mp_ctx = kept  # type: ignore[assignment]
    return True


_CHANGES: Final[Mapping[str, Callable[[], bool]]] = {"run workers are forked": fork_run_workers}
