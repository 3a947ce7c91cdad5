"""First users of a Dagster home that come at once, and a home that such users once ruined."""

from __future__ import annotations

import shlex
import shutil
import sqlite3
import subprocess
import sys
from contextlib import closing
from pathlib import Path

import dagster as dg
import pytest
from dagster._core.errors import DagsterInvariantViolationError

from seg3b_assets.orchestration.quick_history import QuickSqliteStorage, history_faults, newest_revision
from seg3b_assets.settings import REPOSITORY

DATABASES = ("history/runs.db", "history/runs/index.db", "schedules/schedules.db")
# Dagster is loaded before anybody begins, so that all begin together.
OPEN = """
import os, sys, time
import dagster as dg
import seg3b_assets.orchestration
open(sys.argv[1], "w").close()
while not os.path.exists(sys.argv[2]):
    time.sleep(0.001)
with dg.DagsterInstance.get() as instance:
    instance.get_runs(limit=1)
    instance.get_dynamic_partitions("none")
"""


def revisions(home: Path) -> list[list[str]]:
    found = []
    for name in DATABASES:
        with closing(sqlite3.connect(home / name)) as database:
            found.append([row[0] for row in database.execute("SELECT version_num FROM alembic_version")])
    return found


def first_uses(home: Path, count: int) -> None:
    shutil.copy(REPOSITORY / "dagster.yaml", home)
    begin = home / "begin"
    users = [
        subprocess.Popen(
            [sys.executable, "-c", OPEN, str(home / f"ready-{one}"), str(begin)],
            env={"DAGSTER_HOME": str(home), "PATH": "/usr/bin:/bin"},
            stderr=subprocess.PIPE,
            text=True,
        )
        for one in range(count)
    ]
    while len(list(home.glob("ready-*"))) < count:
        assert all(user.poll() is None for user in users)
    begin.touch()
    said = [user.communicate(timeout=120)[1] for user in users]
    assert [user.returncode for user in users] == [0] * count, said


@pytest.mark.parametrize("attempt", [0, *(pytest.param(more, marks=pytest.mark.e2e) for more in (1, 2))])
def test_first_users_at_once_leave_one_revision(tmp_path: Path, attempt: int) -> None:
    first_uses(tmp_path, 4)
    assert revisions(tmp_path) == [[newest_revision()]] * 3
    assert history_faults(tmp_path) == []


def test_a_ruined_home_is_recognised_and_its_mend_works(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    shutil.copy(REPOSITORY / "dagster.yaml", tmp_path)
    monkeypatch.setenv("DAGSTER_HOME", str(tmp_path))
    QuickSqliteStorage.from_local(str(tmp_path)).dispose()
    assert history_faults(tmp_path) == []
    ruins = {
        "history/runs.db": "INSERT INTO alembic_version VALUES ('5771160a95ad')",
        "schedules/schedules.db": "DELETE FROM alembic_version",
    }
    for name, statement in ruins.items():
        with closing(sqlite3.connect(tmp_path / name)) as database:
            database.execute(statement)
            database.commit()
    faults = history_faults(tmp_path)
    assert [fault.file for fault in faults] == [tmp_path / name for name in ruins]
    assert "5771160a95ad" in faults[0].found
    for fault in faults:
        mend = fault.remedy.split("then: ")[1].rstrip("; ")
        subprocess.run(["bash", "-c", mend.replace("python", shlex.quote(sys.executable), 1)], check=True)
    assert history_faults(tmp_path) == []
    assert revisions(tmp_path) == [[newest_revision()]] * 3
    with dg.DagsterInstance.get() as instance:
        assert instance.get_runs() == []


def test_a_file_that_is_no_database_is_told_too(tmp_path: Path) -> None:
    (tmp_path / "history").mkdir()
    (tmp_path / "history" / "runs.db").write_bytes(b"nothing of SQLite's" * 100)
    (fault,) = history_faults(tmp_path)
    assert "no readable database" in fault.found


def test_a_home_that_sqlite_cannot_name_is_refused_before_anything_is_made(tmp_path: Path) -> None:
    with pytest.raises(DagsterInvariantViolationError, match="take another folder"):
        QuickSqliteStorage.from_local(str(tmp_path / "a?b" / "home"))
    assert not (tmp_path / "a").exists()
