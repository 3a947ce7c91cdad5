"""Pruning a home at a URL: what nothing reaches among its objects, and its removal.

The home is held alone by a mark with a lease (``leases``). Of each thing the object that makes it exist (the
manifest, the record) goes first, so that whatever a prune leaves when it dies is invisible, and listed by the next.
"""

from __future__ import annotations

import shutil
from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any, Final

from seg3b_assets.laws.hashing import canonical_json, sha256_hex
from seg3b_assets.laws.identity import HEX64
from seg3b_assets.store.certifications import MANIFEST as CERTIFICATION
from seg3b_assets.store.reach import Kind, Reached, Unreached, about_run
from seg3b_assets.store.remote import Entry, Remote
from seg3b_assets.store.runs import RECORD, Runs
from seg3b_assets.store.snapshots import MANIFEST

RECORDS: Final = "prunes"
# By folder: what a thing of it is called, how many names below the folder say which it is, its first object to go.
_LAYOUT: Final[dict[str, tuple[Kind, int, str]]] = {
    "certifications": ("certification", 1, CERTIFICATION),
    "runs": ("run", 1, RECORD),
    "builds": ("build", 2, ""),
    "policies": ("policy", 1, ""),
    "snapshots": ("snapshot", 2, MANIFEST),
}


def unreached_objects(remote: Remote, found: Reached, runs: Runs) -> list[Unreached]:
    """What nothing reaches, referrers before what they refer to. A folder without its manifest is ``unfinished``.

    Raises:
        Seg3BError: INPUT_OPEN_FAILED when the store cannot be read.
    """
    kept = _kept(found)
    listed = []
    for folder in _LAYOUT:
        for place, entries in _things(remote.entries(folder), folder).items():
            if place in kept:
                listed += _left_beside(remote, place, entries, folder)
            elif HEX64.fullmatch(Path(place).stem):
                listed.append(_thing(place, entries, folder, runs))
    return listed


def remove_objects(
    remote: Remote, home: Path, listed: Sequence[Unreached], record: Mapping[str, Any]
) -> None:
    """Remove things at the URL and from the mirror, and record it: as interrupted until it is done.

    Raises:
        Seg3BError: OUTPUT_WRITE_FAILED; what was removed by then is removed whole or invisible.
    """
    path = f"{RECORDS}/{record['prune_id']}.json"
    remote.put(path, canonical_json({**record, "interrupted": True}))
    for one in listed:
        below = [entry.path for entry in remote.entries(one.place)]
        remote.remove(sorted(below or [one.place], key=lambda name: (name.count("/"), name)))
    remote.put(path, canonical_json({**record, "interrupted": False}))
    for one in listed:
        shutil.rmtree(home / one.place, ignore_errors=True)


def _kept(found: Reached) -> set[str]:
    return {
        *(f"certifications/{one}" for one in found.certifications),
        *(f"runs/{one}" for one in found.lineages),
        *(f"builds/{state}/{key}.json" for state, key in found.snapshots),
        *(f"policies/{one}.yaml" for one in found.policies),
        *(f"snapshots/{state}/{key}" for state, key in found.snapshots),
    }


def _things(entries: Iterable[Entry], folder: str) -> dict[str, list[Entry]]:
    """Objects by the place of what they belong to."""
    depth = 1 + _LAYOUT[folder][1]
    things: dict[str, list[Entry]] = defaultdict(list)
    for entry in entries:
        things["/".join(entry.path.split("/")[:depth])].append(entry)
    return dict(things)


def _thing(place: str, entries: list[Entry], folder: str, runs: Runs) -> Unreached:
    kind, _, first = _LAYOUT[folder]
    whole = not first or any(entry.path == f"{place}/{first}" for entry in entries)
    about = about_run(runs, Path(place).name) if kind == "run" and whole else {}
    return Unreached(kind if whole else "unfinished", place, sum(entry.bytes for entry in entries), about)


def _left_beside(remote: Remote, place: str, entries: list[Entry], folder: str) -> list[Unreached]:
    """Files of writers that lost, below a manifest that is not theirs."""
    first = _LAYOUT[folder][2]
    packs: dict[str, int] = defaultdict(int)
    for entry in entries:
        name, _, rest = entry.path.removeprefix(f"{place}/").partition("/")
        if rest:
            packs[name] += entry.bytes
    if len(packs) < 2:
        return []
    manifest = remote.read(f"{place}/{first}")
    ours = sha256_hex(manifest.content) if manifest else None
    return [Unreached("unfinished", f"{place}/{name}", packs[name]) for name in sorted(packs) if name != ours]
