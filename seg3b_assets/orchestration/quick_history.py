"""Dagster's SQLite history, without a flush of the disk and a new connection for every question and event.

Dagster makes an engine and opens and closes a connection each time, some seventeen hundred times for one run of six
states and their checks. By default SQLite flushes at every commit, and when the last connection to a file closes it
folds the write-ahead log back, with more flushes; and an engine's cache of compiled statements dies with it. All of
that is more time than some states take. Here an engine is kept by file, with the connections it had open, and a
commit goes to the write-ahead log, which is flushed when it is folded back (``synchronous=NORMAL``: a power cut may
lose the last events, never the file). What is published is the store's, not this history's: a run that meets a gap in
it reports again.

A page that shows a run is told of news when the run's database file changes. With the log not folded back it would
change last of all, or, where a sensor has looked into the run meanwhile and keeps its own connection, never. So a file
that was written to is touched.

A kept connection is used again only by the process that opened it, and only while its file is the one at its path.

Whether the databases of a home are sound, and how a ruined one is mended, is told by ``history_faults``: a database of
Dagster's names in ``alembic_version`` the one revision its tables have; first users that came at once, without the lock
here, may have stamped it twice, and then every ``dagster`` command fails.
"""

from __future__ import annotations

import os
import shlex
import sqlite3
from collections import OrderedDict
from collections.abc import Iterator, Mapping
from contextlib import closing, contextmanager, suppress
from dataclasses import dataclass
from functools import cache
from multiprocessing.util import Finalize
from pathlib import Path
from threading import Lock
from typing import Any, Final

from alembic.script import ScriptDirectory
from dagster._core.errors import DagsterInvariantViolationError
from dagster._core.storage.base_storage import DagsterStorage
from dagster._core.storage.event_log.sqlite.sqlite_event_log import SqliteEventLogStorage
from dagster._core.storage.runs.sqlite import sqlite_run_storage
from dagster._core.storage.runs.sqlite.sqlite_run_storage import SqliteRunStorage
from dagster._core.storage.schedules.sqlite.sqlite_schedule_storage import SqliteScheduleStorage
from dagster._core.storage.sql import get_alembic_config
from dagster._core.storage.sqlite import SQLITE_BUSY_TIMEOUT_SECONDS
from dagster._core.storage.sqlite_storage import DagsterSqliteStorage
from dagster._serdes import ConfigurableClassData
from sqlalchemy import create_engine, event
from sqlalchemy.engine import Connection, Engine
from sqlalchemy.exc import DisconnectionError

from seg3b_assets.locks import exclusive
from seg3b_assets.orchestration.instance_home import OPENING

# Three files of a home, and those of the runs last looked into.
_KEPT: Final = 32
_OPENED, _QUICK, _CHANGES = "seg3b_opened", "seg3b_quick", "seg3b_changes"
_ENGINES: Final[OrderedDict[str, Engine]] = OrderedDict()
_LOCK: Final = Lock()


class QuickRunStorage(SqliteRunStorage):
    """The table of runs, over kept engines."""

    @contextmanager
    def connect(self) -> Iterator[Connection]:
        with _engine(self._conn_string).connect() as connection, connection.begin():
            yield connection


class QuickScheduleStorage(SqliteScheduleStorage):
    """Schedules and sensors, over kept engines."""

    @contextmanager
    def connect(self) -> Iterator[Connection]:
        with _engine(self._conn_string).connect() as connection, connection.begin():
            yield connection


class QuickEventLogStorage(SqliteEventLogStorage):
    """The events, a file for each run and one over all, over kept engines."""

    @contextmanager
    def _connect(self, shard: str) -> Iterator[Connection]:
        with self._db_lock:
            engine = _engine(self.conn_string_for_shard(shard), {"timeout": SQLITE_BUSY_TIMEOUT_SECONDS})
            if shard not in self._initialized_dbs:
                self._initdb(engine)
                self._initialized_dbs.add(shard)
            with engine.connect() as connection, connection.begin():
                yield connection


class QuickSqliteStorage(DagsterSqliteStorage):
    """Dagster's own storage; naming it in ``dagster.yaml`` makes the history quick in webserver and daemon too.

    Dagster makes the databases of a home when it is first opened, without a lock: of several first users at once one
    may fail, or two stamp different revisions, and then every later command fails. Here they come one by one.

    Raises:
        DagsterInvariantViolationError: for a folder that no address of SQLite can name.
    """

    def __init__(self, base_dir: str, inst_data: ConfigurableClassData | None = None) -> None:
        if "?" in base_dir:
            # Dagster would make its databases in another folder: what comes before the question mark.
            raise DagsterInvariantViolationError(f"DAGSTER_HOME has a '?', take another folder: {base_dir}")
        self.base_dir, self._inst_data = base_dir, inst_data
        home = Path(base_dir)
        with exclusive(home / OPENING):
            self._run_storage = QuickRunStorage.from_local(f"{home / 'history'}/")
            self._event_log_storage = QuickEventLogStorage(f"{home / 'history' / 'runs'}/")
            self._schedule_storage = QuickScheduleStorage.from_local(str(home / "schedules"))
        # Not the constructor of the class above, which would open storages of its own.
        DagsterStorage.__init__(self)  # type: ignore[no-untyped-call, arg-type]
        _close_at_the_end()

    @classmethod
    def from_config_value(
        cls, inst_data: ConfigurableClassData | None, config_value: Mapping[str, Any]
    ) -> QuickSqliteStorage:
        return cls.from_local(config_value["base_dir"], inst_data)


def _engine(url: str, connect_args: Mapping[str, Any] | None = None) -> Engine:
    """The engine of a file."""
    with _LOCK:
        if url not in _ENGINES:
            _ENGINES[url] = _pooled(url, connect_args or {})
            while len(_ENGINES) > _KEPT:
                _ENGINES.popitem(last=False)[1].pool.dispose()
        _ENGINES.move_to_end(url)
        return _ENGINES[url]


def _pooled(url: str, connect_args: Mapping[str, Any]) -> Engine:
    engine = create_engine(url, pool_size=2, max_overflow=-1, connect_args=dict(connect_args))
    path = engine.url.database or ""
    event.listen(engine, "connect", lambda _connection, record: record.info.update({_OPENED: _now_at(path)}))
    event.listen(engine, "checkout", lambda connection, record, _proxy: _check(connection, record, path))
    event.listen(engine, "checkin", lambda connection, record: _touch(connection, record, path))
    return engine


def _now_at(path: str) -> tuple[int, int, int] | None:
    """This process and the file at a path."""
    with suppress(FileNotFoundError):
        found = os.stat(path)  # noqa: PTH116 - asked for every question and event
        return os.getpid(), found.st_dev, found.st_ino
    return None


def _check(connection: Any, record: Any, path: str) -> None:
    """Have another connection opened where this one is not of this process or file; make it quick."""
    if record.info[_OPENED] != _now_at(path):
        raise DisconnectionError(f"{path} was replaced")
    if _QUICK not in record.info and connection.execute("PRAGMA journal_mode").fetchone() == ("wal",):
        connection.execute("PRAGMA synchronous=NORMAL")
        record.info[_QUICK] = True


def _touch(connection: Any, record: Any, path: str) -> None:
    """Change the file's time where it was written to."""
    if isinstance(connection, sqlite3.Connection) and connection.total_changes != record.info.get(
        _CHANGES, 0
    ):
        record.info[_CHANGES] = connection.total_changes
        with suppress(FileNotFoundError):  # a home removed meanwhile
            os.utime(path)


@cache
def _close_at_the_end() -> None:
    """Once a process. Not by atexit, which a forked process does not get to."""
    Finalize(None, _close_all, exitpriority=0)


def _close_all() -> None:
    """Close what is kept, which folds the logs back: a home at rest is its databases and nothing beside them."""
    with _LOCK:
        while _ENGINES:
            _ENGINES.popitem()[1].pool.dispose()


_DATABASES = ("history/runs.db", "history/runs/index.db", "schedules/schedules.db")
_BESIDE = ("-wal", "-shm", "-journal")


@dataclass(frozen=True)
class HistoryFault:
    """A database that Dagster cannot work with.

    Attributes:
        file: the database.
        found: what is wrong with it.
        remedy: what to do, once nothing of Dagster runs on the home.
    """

    file: Path
    found: str
    remedy: str


def history_faults(home: Path) -> list[HistoryFault]:
    """What is wrong with the databases of a Dagster home; nothing is written. Ones not made yet are no fault."""
    files = (home / name for name in _DATABASES)
    return [fault for file in files if os.path.lexists(file) and (fault := _fault(file)) is not None]


@cache
def newest_revision() -> str:
    """The revision of the installed Dagster's tables."""
    scripts = ScriptDirectory.from_config(get_alembic_config(sqlite_run_storage.__file__))
    return str(scripts.get_current_head())


def _fault(file: Path) -> HistoryFault | None:
    for one in (file, *(file.with_name(f"{file.name}{ending}") for ending in _BESIDE)):
        # Opened, a pipe would keep everybody waiting, and a device never ends.
        if os.path.lexists(one) and not one.is_file():
            return HistoryFault(one, "it is no file", _begin_anew(one))
    try:
        revisions, tables = _read(file)
    except sqlite3.Error as error:
        return HistoryFault(file, f"it is no readable database: {error}", _begin_anew(file))
    if len(revisions) == 1:
        return None
    if revisions:
        found = f"it names {len(revisions)} revisions, {', '.join(revisions)}"
        return HistoryFault(file, found, _keep_newest(file))
    # Whoever opens a database without tables makes them.
    return HistoryFault(file, "it has tables and names no revision", _keep_newest(file)) if tables else None


def _read(file: Path) -> tuple[list[str], int]:
    """Revisions it names, and how many tables it has besides."""
    # Even a reader makes files beside a database with a write-ahead log, where they are not there and it may be shared.
    how = "mode=ro" if file.with_name(f"{file.name}-wal").exists() else "immutable=1"
    with closing(sqlite3.connect(f"{file.absolute().as_uri()}?{how}", uri=True)) as database:
        names = {row[0] for row in database.execute("SELECT name FROM sqlite_master WHERE type = 'table'")}
        stamped = "alembic_version" in names
        rows = database.execute("SELECT version_num FROM alembic_version").fetchall() if stamped else []
    return sorted(row[0] for row in rows), len(names - {"alembic_version"})


def _keep_newest(file: Path) -> str:
    """Tables are made whole, as the newest revision has them, so that one is right whatever else is stamped."""
    program = (
        "import sqlite3, sys; db = sqlite3.connect(sys.argv[1]); "
        "db.execute('CREATE TABLE IF NOT EXISTS alembic_version (version_num VARCHAR(32) PRIMARY KEY)'); "
        f"db.execute('DELETE FROM alembic_version'); "
        f"db.execute('INSERT INTO alembic_version VALUES (?)', ('{newest_revision()}',)); db.commit()"
    )
    mend = shlex.join(["python", "-c", program, str(file)])
    return f"Stop every Dagster process of this home, then: {mend}; then: dagster instance migrate"


def _begin_anew(file: Path) -> str:
    return (
        f"Stop every Dagster process of this home, then move {file} away: what it told of past runs goes with it, "
        "what is published does not, and the next run of each seed tells what is in force."
    )
