"""Whether the databases of a Dagster home are sound, and how a ruined one is mended.

A database of Dagster's names in ``alembic_version`` the one revision its tables have. First users that came at once,
without the lock of ``quick_history``, may have stamped it twice; then every ``dagster`` command fails.
"""

from __future__ import annotations

import os
import shlex
import sqlite3
from contextlib import closing
from dataclasses import dataclass
from functools import cache
from pathlib import Path

from alembic.script import ScriptDirectory
from dagster._core.storage.runs.sqlite import sqlite_run_storage
from dagster._core.storage.sql import get_alembic_config

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
