"""Dagster's SQLite history, without a flush of the disk for every event.

Dagster opens and closes a connection per event. By default SQLite flushes at every commit, and when the last
connection to a file closes it folds the write-ahead log back, with more flushes: some three thousand for one
run of six states and their checks, more time than the states take on a busy disk. Here every commit still
goes to the write-ahead log, which is flushed when it is folded back (``synchronous=NORMAL``: a power cut may
lose the last events, never the file), and one idle connection per file keeps it from being folded back each
time. What is published is the store's, not this history's: a run that meets a gap in it reports again.

A page that shows a run is told of news when the run's database file changes. With the log not folded back it would
change last of all, or, where a sensor has looked into the run meanwhile and keeps its own connection, never. So a file
that was written to is touched.

It also makes an engine of SQLAlchemy's per connection, whose cache of compiled statements dies with it: some fifteen
hundred engines and as many compilations for a run in which every state is reused. Here an engine is kept by file; with
the null pool Dagster asks for, a connection is still opened and closed each time.

Only databases in write-ahead mode are touched, which Dagster's are and nothing else here is.
"""

from __future__ import annotations

import atexit
import os
import sqlite3
from collections import OrderedDict
from collections.abc import Mapping
from contextlib import suppress
from functools import lru_cache
from typing import Any, Final

from dagster._core.storage.event_log.sqlite import sqlite_event_log
from dagster._core.storage.runs.sqlite import sqlite_run_storage
from dagster._core.storage.schedules.sqlite import sqlite_schedule_storage
from sqlalchemy import create_engine, event
from sqlalchemy.engine import Engine
from sqlalchemy.pool import Pool

_KEPT_OPEN = 4
_ENGINES = 64
_STORAGES = (sqlite_event_log, sqlite_run_storage, sqlite_schedule_storage)
_PATH: Final = "seg3b_path"
_IDLE: OrderedDict[str, sqlite3.Connection] = OrderedDict()


def make_history_quick() -> None:
    """From now on, for every SQLite connection SQLAlchemy opens in this process."""
    if not event.contains(Engine, "connect", _on_connect):
        event.listen(Engine, "connect", _on_connect)
        event.listen(Pool, "checkin", _on_checkin)
        for storage in _STORAGES:
            storage.create_engine = _engine  # type: ignore[attr-defined]
        atexit.register(_close_all)


def _engine(url: str, poolclass: Any, connect_args: Mapping[str, Any] | None = None) -> Engine:
    """The engine of a file; a null pool holds no connection, so any thread may use it."""
    return _kept_engine(url, poolclass, tuple((connect_args or {}).items()))


@lru_cache(maxsize=_ENGINES)
def _kept_engine(url: str, poolclass: Any, connect_args: tuple[tuple[str, Any], ...]) -> Engine:
    return create_engine(url, poolclass=poolclass, connect_args=dict(connect_args))


def _on_connect(connection: Any, record: Any) -> None:
    if not isinstance(connection, sqlite3.Connection):
        return
    if connection.execute("PRAGMA journal_mode").fetchone() != ("wal",):
        return
    connection.execute("PRAGMA synchronous=NORMAL")
    path = record.info[_PATH] = connection.execute("PRAGMA database_list").fetchone()[2]
    if path not in _IDLE:
        _IDLE[path] = _idle_connection(path)
        while len(_IDLE) > _KEPT_OPEN:
            _IDLE.popitem(last=False)[1].close()
    _IDLE.move_to_end(path)


def _on_checkin(connection: Any, record: Any) -> None:
    path = record.info.get(_PATH)
    if path and isinstance(connection, sqlite3.Connection) and connection.total_changes:
        with suppress(FileNotFoundError):  # a home removed meanwhile
            os.utime(path)


def _idle_connection(path: str) -> sqlite3.Connection:
    idle = sqlite3.connect(path, check_same_thread=False)
    idle.execute("SELECT count(*) FROM sqlite_master").fetchone()  # maps the log; until then it is not in use
    return idle


def _close_all() -> None:
    while _IDLE:
        _IDLE.popitem()[1].close()
