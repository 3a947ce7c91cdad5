"""Removing from a home that is a folder: what nothing reaches in it, and its way out.

    trash/{prune_id}/{place}     what is being removed, out of everybody's sight by one rename each
    trash/{prune_id}/prune.json  what was to be removed, until the record is kept
    prunes/{prune_id}.json       the record of a prune, for good

A prune that dies has removed each thing whole or not at all, referrers first; the next one records what it had moved,
and deletes it. Deleting the trash needs no lock of the home.
"""

from __future__ import annotations

import os
import shutil
from collections.abc import Callable, Collection, Iterator, Mapping, Sequence
from contextlib import suppress
from pathlib import Path
from typing import Any, Final

import orjson

from seg3b_assets.laws.hashing import canonical_json
from seg3b_assets.laws.identity import HEX64
from seg3b_assets.locks import exclusive
from seg3b_assets.own_places import folders_in, read_regular, size_of
from seg3b_assets.store.layout import PRUNES, TRASH, Kind, Reached, Unreached, belongs, is_unfinished
from seg3b_assets.store.writing import replace_file, reported_writes

PLAN: Final = "prune.json"
_SET_ASIDE: Final[tuple[Kind, ...]] = ("quarantine", "staging")
_WITH_UNFINISHED_FILES: Final = (
    "heads",
    "refs",
    "runs",
    "builds",
    "policies",
    "certifications",
    "reports",
    "prunes",
)


def unreached(home: Path, found: Reached, about: Callable[[str], dict[str, Any]]) -> list[Unreached]:
    """What nothing reaches, referrers before what they refer to, by place within a kind. Args: as ``Backend``'s."""
    listed: list[Unreached] = []
    reports = _named(home / "reports", found.certifications)
    listed += [_unreached("report", home, folder) for folder in reports]
    packs = _named(home / "certifications", found.certifications)
    listed += [_unreached("certification", home, folder) for folder in packs]
    records = _named(home / "runs", found.lineages)
    listed += [_unreached("run", home, folder, about(folder.name)) for folder in records]
    for folder in folders_in(home / "builds"):
        keys = {key for state, key in found.snapshots if state == folder.name}
        listed += [_unreached("build", home, path) for path in _named(folder, keys, ".json")]
    listed += [
        _unreached("policy", home, path) for path in _named(home / "policies", found.policies, ".yaml")
    ]
    for folder in folders_in(home / "snapshots"):
        keys = {key for state, key in found.snapshots if state == folder.name}
        listed += [_unreached("snapshot", home, path) for path in _named(folder, keys)]
    for kind in _SET_ASIDE:
        ours = [path for path in folders_in(home / kind) if belongs(kind, path.name)]
        listed += [_unreached(kind, home, path) for path in ours]
    inside = tuple(one.place + "/" for one in listed)
    for name in _WITH_UNFINISHED_FILES:
        for path in sorted((home / name).rglob("*")):
            one = _unreached("unfinished", home, path) if is_unfinished(path.name) else None
            if one is not None and not one.place.startswith(inside):
                listed.append(one)
    return listed


def remove(home: Path, listed: Sequence[Unreached], record: Mapping[str, Any]) -> None:
    """Move things into the trash and keep the record; ``empty`` deletes them. Raises OSError."""
    trash = home / TRASH / record["prune_id"]
    replace_file(trash / PLAN, canonical_json(record))
    for one in listed:
        _move(home, trash, one.place)
    replace_file(home / PRUNES / f"{record['prune_id']}.json", canonical_json(record))


def record_interrupted(home: Path) -> None:
    """Keep the record of prunes that died: of what they had moved, which is what they removed."""
    for trash in _trashes(home):
        path = home / PRUNES / f"{trash.name}.json"
        if path.exists():
            continue
        try:
            record = orjson.loads(read_regular(trash / PLAN))
        except (OSError, ValueError):
            shutil.rmtree(trash, ignore_errors=True)  # it died before it had moved anything
            continue
        moved = [one for one in record["removed"] if os.path.lexists(trash / one["place"])]
        replace_file(path, canonical_json({**record, "removed": moved, "interrupted": True}))


def empty(home: Path) -> None:
    """Delete what prunes have moved and recorded. Raises Seg3BError: OUTPUT_WRITE_FAILED."""
    folder = home / TRASH
    if not folder.is_dir():
        return
    with reported_writes("S5", folder), exclusive(home / "locks" / "trash.lock"):
        for trash in _trashes(home):
            # One that is not recorded yet is of a prune at work.
            if (home / PRUNES / f"{trash.name}.json").exists():
                shutil.rmtree(trash)


def _trashes(home: Path) -> list[Path]:
    return [path for path in folders_in(home / TRASH) if belongs(TRASH, path.name)]


def _move(home: Path, trash: Path, place: str) -> None:
    target = trash / place
    target.parent.mkdir(parents=True, exist_ok=True)
    with suppress(FileNotFoundError):  # a holder's own work may end while it is listed
        (home / place).rename(target)


def _unreached(kind: Kind, home: Path, path: Path, about: dict[str, Any] | None = None) -> Unreached:
    return Unreached(kind, path.relative_to(home).as_posix(), size_of(path), about or {})


def _named(folder: Path, kept: Collection[str], suffix: str = "") -> Iterator[Path]:
    """Entries named by a digest that is not among ``kept``."""
    for path in sorted(folder.iterdir()) if folder.is_dir() else []:
        stem = path.name.removesuffix(suffix)
        if path.name == stem + suffix and HEX64.fullmatch(stem) and stem not in kept:
            yield path
