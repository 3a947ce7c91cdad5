"""The Dagster instance that ``DAGSTER_HOME`` names: looked at by its files; nothing is opened that could be made."""

from __future__ import annotations

import importlib
import os
import shlex
from collections.abc import Iterator
from pathlib import Path
from typing import Final

import yaml

from seg3b_assets.doctor.finding import PACKAGE_MISSING, Finding, fine, odd, stops
from seg3b_assets.doors import missing_package
from seg3b_assets.laws.clipping import clipped_text
from seg3b_assets.laws.plain_files import read_plain
from seg3b_assets.own_places import unwritable
from seg3b_assets.shipped import shipped

AREA: Final = "dagster"
# By name: only orchestration knows of dagster, and it may not be installed.
FAULTS: Final = "seg3b_assets.orchestration.quick_history"
CONFIGURATION: Final = "dagster.yaml"
STORAGE: Final = "QuickSqliteStorage"
_DATABASES: Final = ("history", "schedules")


def dagster_home(named: str | None) -> Iterator[Finding]:
    """The instance.

    Args:
        named: what the environment says.
    """
    if not named:
        yield fine(AREA, "DAGSTER_HOME", "DAGSTER_HOME", "not set: runs are recorded in the home alone")
        return
    folder = Path(named)
    if not folder.is_absolute() or "?" in named:
        why = "is no absolute path" if "?" not in named else "has a '?', where an address of SQLite ends"
        yield stops(AREA, "DAGSTER_HOME", named, why, "Let DAGSTER_HOME name another folder.")
        return
    if not folder.is_dir():
        found = "is not there" if not folder.exists() else "is no folder"
        remedy = f"mkdir -p {shlex.quote(named)}, or unset it: Dagster is told nothing until it is there."
        yield odd(AREA, "DAGSTER_HOME", named, found, remedy)
        return
    if (refused := unwritable(folder)) is not None:
        yield odd(
            AREA, "DAGSTER_HOME", named, refused, "Let DAGSTER_HOME name a folder of the user who runs."
        )
    yield from _configuration(folder)
    yield from _history(folder)


def _configuration(folder: Path) -> Iterator[Finding]:
    path = folder / CONFIGURATION
    copy = f"Use ours: cp {shlex.quote(str(shipped(CONFIGURATION)))} {shlex.quote(str(path))}"
    if not os.path.lexists(path):
        found = "is not there: several first users at once may ruin the history, which ours guards"
        yield odd(AREA, "DAGSTER_CONFIGURATION", str(path), found, copy)
        return
    try:
        document = yaml.safe_load(read_plain(path))
    except (OSError, ValueError, yaml.YAMLError, RecursionError) as error:
        reason = (
            error.strerror if isinstance(error, OSError) and error.strerror else " ".join(str(error).split())
        )
        yield stops(AREA, "DAGSTER_CONFIGURATION", str(path), f"cannot be read: {clipped_text(reason)}", copy)
        return
    storage = document.get("storage") if isinstance(document, dict) else None
    if STORAGE in str(storage):
        yield fine(AREA, "DAGSTER_CONFIGURATION", str(path), "names our storage, which guards first use")
    elif isinstance(storage, dict) and "postgres" in str(storage):
        yield fine(AREA, "DAGSTER_CONFIGURATION", str(path), "names PostgreSQL; the database was not asked")
    else:
        found = "names another storage than ours, without a lock for first use"
        yield odd(AREA, "DAGSTER_CONFIGURATION", str(path), found, copy)


def _history(folder: Path) -> Iterator[Finding]:
    for part in _DATABASES:
        if os.path.lexists(folder / part) and not (folder / part).is_dir():
            remedy = "Move it away: Dagster makes a folder there."
            yield stops(AREA, "DAGSTER_HISTORY_RUINED", str(folder / part), "is no folder", remedy)
    if not any((folder / name).is_dir() for name in _DATABASES):
        yield fine(AREA, "DAGSTER_HISTORY", str(folder), "no history yet; the first use makes it")
        return
    try:
        faults = importlib.import_module(FAULTS).history_faults(folder)
    except ModuleNotFoundError as error:
        name = missing_package(error)
        if name is None:
            raise
        remedy = "Install the whole product: pip install seg3b-assets"
        yield odd(AREA, PACKAGE_MISSING, name, f"the history in {folder} cannot be looked at", remedy)
        return
    for fault in faults:
        yield stops(
            AREA,
            "DAGSTER_HISTORY_RUINED",
            str(fault.file),
            f"{fault.found}; dagster refuses it",
            fault.remedy,
        )
    if not faults:
        yield fine(AREA, "DAGSTER_HISTORY", str(folder), "its databases are sound")


def named_home() -> str | None:
    """What the environment names."""
    return os.environ.get("DAGSTER_HOME")
