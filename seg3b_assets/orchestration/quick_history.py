"""Dagster's SQLite history, without a flush of the disk for every event.

Dagster opens and closes a connection per event. By default SQLite flushes at every commit, and when the last
connection to a file closes it folds the write-ahead log back, with more flushes: some three thousand for one
run of six states and their checks, more time than the states take on a busy disk. Here every commit still
goes to the write-ahead log, which is flushed when it is folded back (``synchronous=NORMAL``: a power cut may
lose the last events, never the file), and one idle connection per file keeps it from being folded back each
time. What is published is the store's, not this history's: a run that meets a gap in it reports again.

Only databases in write-ahead mode are touched, which Dagster's are and nothing else here is.
"""

from __future__ import annotations

import atexit
import sqlite3
from collections import OrderedDict
from typing import Any

from sqlalchemy import event
from sqlalchemy.engine import Engine

_KEPT_OPEN = 4
_IDLE: OrderedDict[str, sqlite3.Connection] = OrderedDict()


def make_history_quick() -> None:
    """From now on, for every SQLite connection SQLAlchemy opens in this process."""
    if not event.contains(Engine, "connect", _on_connect):
        event.listen(Engine, "connect", _on_connect)
        atexit.register(_close_all)


def _on_connect(connection: Any, _record: Any) -> None:
    if not isinstance(connection, sqlite3.Connection):
        return
    if connection.execute("PRAGMA journal_mode").fetchone() != ("wal",):
        return
    connection.execute("PRAGMA synchronous=NORMAL")
    path = connection.execute("PRAGMA database_list").fetchone()[2]
    if path not in _IDLE:
        _IDLE[path] = _idle_connection(path)
        while len(_IDLE) > _KEPT_OPEN:
            _IDLE.popitem(last=False)[1].close()
    _IDLE.move_to_end(path)


def _idle_connection(path: str) -> sqlite3.Connection:
    idle = sqlite3.connect(path, check_same_thread=False)
    idle.execute("SELECT count(*) FROM sqlite_master").fetchone()  # maps the log; until then it is not in use
    return idle


def _close_all() -> None:
    while _IDLE:
        _IDLE.popitem()[1].close()
