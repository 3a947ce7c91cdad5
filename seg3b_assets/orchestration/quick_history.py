"""Dagster's SQLite history, without a new connection and a flush of the disk for every event.

For every event Dagster makes an engine of SQLAlchemy's, opens a connection, closes it, and throws the engine and
its compiled statements away: some seventeen hundred times for one run of six states and their checks. By default
SQLite flushes the disk at every commit, and when the last connection to a file closes it folds the write-ahead log
back, with more flushes: on a busy disk more time than the states take. Here an engine is kept by file, and one idle
connection with it. Every commit still goes to the write-ahead log, which is flushed when it is folded back
(``synchronous=NORMAL``: a power cut may lose the last events, never the file). What is published is the store's,
not this history's: a run that meets a gap in it reports again.

Not for the webserver and the daemon. A page that shows a run is told of news when the run's database file changes,
which it does when the run's process, the last that holds it, ends and folds the log back; a connection kept by the
webserver would keep the file as it is, and the page would wait for ever.
"""

from __future__ import annotations

import atexit
import sqlite3
from collections import OrderedDict
from collections.abc import Mapping
from contextlib import suppress
from threading import Lock
from typing import Any

from dagster._core.storage.event_log.sqlite import sqlite_event_log
from dagster._core.storage.runs.sqlite import sqlite_run_storage
from dagster._core.storage.schedules.sqlite import sqlite_schedule_storage
from sqlalchemy import create_engine, event
from sqlalchemy.engine import Engine
from sqlalchemy.pool import QueuePool

_KEPT = 32
_UNLIMITED = -1
_STORAGES = (sqlite_event_log, sqlite_run_storage, sqlite_schedule_storage)
_ENGINES: OrderedDict[tuple[str, tuple[tuple[str, Any], ...]], Engine] = OrderedDict()
_CHANGING = Lock()


class _LastingPool(QueuePool):
    """One idle connection; Dagster disposes of an engine after each use, and that must not close it."""

    def dispose(self) -> None:
        """Nothing: ``close`` is for when the engine is no longer kept."""

    def recreate(self) -> _LastingPool:
        return self

    def close(self) -> None:
        """Close the idle connection."""
        super().dispose()


def make_history_quick() -> None:
    """From now on, for every SQLite database that Dagster opens in this process."""
    if sqlite_event_log.create_engine is not _engine:  # type: ignore[attr-defined]
        for storage in _STORAGES:
            storage.create_engine = _engine  # type: ignore[attr-defined]
        atexit.register(_close_all)


def _engine(url: str, poolclass: Any, connect_args: Mapping[str, Any] | None = None) -> Engine:
    """The engine of a file, whatever pool Dagster asks for; any thread may use it, each with its own connection."""
    arguments = {**(connect_args or {}), "check_same_thread": False}
    key = (url, tuple(arguments.items()))
    with _CHANGING:
        if key not in _ENGINES:
            _ENGINES[key] = create_engine(
                url, poolclass=_LastingPool, pool_size=1, max_overflow=_UNLIMITED, connect_args=arguments
            )
            event.listen(_ENGINES[key], "connect", _on_connect)
            while len(_ENGINES) > _KEPT:
                _close(_ENGINES.popitem(last=False)[1])
        _ENGINES.move_to_end(key)
        return _ENGINES[key]


def _on_connect(connection: sqlite3.Connection, _record: Any) -> None:
    # Dagster sets the same mode when it makes a database; another process may be about to, and holds it.
    with suppress(sqlite3.OperationalError):
        if connection.execute("PRAGMA journal_mode=WAL").fetchone() == ("wal",):
            connection.execute("PRAGMA synchronous=NORMAL")


def _close(engine: Engine) -> None:
    if isinstance(engine.pool, _LastingPool):
        engine.pool.close()


def _close_all() -> None:
    with _CHANGING:
        while _ENGINES:
            _close(_ENGINES.popitem()[1])
