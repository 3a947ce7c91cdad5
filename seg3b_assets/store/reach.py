"""What the pointers of a home reach, and what lies in it that none of them does (storage, retention).

A pointer (the heads, or a ref) reaches lineages; a lineage reaches its record, its policies' bytes and, by
its keys, snapshots and what they cost to build. A certification stays while a lineage it judged is reached.
Whatever else the home holds of these kinds, work left lying and damaged snapshots that were set aside, nothing
reaches. Files of other kinds (strays, see ``layout``) are nobody's business here.
"""

from __future__ import annotations

import os
from collections.abc import Collection, Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Final, Literal

from seg3b_assets.laws.errors import Seg3BError
from seg3b_assets.laws.hashing import sha256_json
from seg3b_assets.laws.identity import HEX64
from seg3b_assets.own_places import folders_in
from seg3b_assets.store.certifications import Certifications
from seg3b_assets.store.documents import Documents
from seg3b_assets.store.home import Store
from seg3b_assets.store.layout import belongs, is_unfinished
from seg3b_assets.store.refs import REF_NAMES, Refs
from seg3b_assets.store.runs import KeptRun, Runs

Kind = Literal[
    "report", "certification", "run", "build", "policy", "snapshot", "quarantine", "staging", "unfinished"
]
HEADS: Final = "heads"
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


@dataclass
class Reached:
    """What the pointers reach.

    Attributes:
        lineages: by lineage id, the pointers that reach it, as ``last_good seed 42``.
        snapshots: (state, key).
        policies: SHA-256 of kept policies' bytes.
        certifications: ids.
    """

    lineages: dict[str, list[str]] = field(default_factory=dict)
    snapshots: set[tuple[str, str]] = field(default_factory=set)
    policies: set[str] = field(default_factory=set)
    certifications: set[str] = field(default_factory=set)


@dataclass(frozen=True)
class Unreached:
    """One thing that nothing reaches.

    Attributes:
        kind: what it is.
        place: POSIX path below the home, a file or a folder.
        bytes: size of all its files.
        about: of a run, what identified it; otherwise empty.
    """

    kind: Kind
    place: str
    bytes: int
    about: dict[str, Any] = field(default_factory=dict)

    def as_json(self) -> dict[str, Any]:
        return {"kind": self.kind, "place": self.place, "bytes": self.bytes, "about": self.about}


def reached(store: Store, keep: Collection[str]) -> Reached:
    """What these pointers reach.

    Args:
        keep: ``heads`` and names of refs, as the retention policy lists them.

    Raises:
        Seg3BError: INPUT_OPEN_FAILED when a pointer or the record of a lineage it names cannot be read: what
            it reaches is then not known, and nothing may be removed.
    """
    found, runs = Reached(), Runs(store.home)
    if HEADS in keep:
        for seed in store.seeds():
            keys = store.heads(seed)
            found.snapshots |= set(keys.items())
            run = runs.read(sha256_json(keys))
            if run is not None:
                _add(found, run, f"{HEADS} seed {seed}")
    for name in (ref for ref in REF_NAMES if ref in keep):
        for seed, lineage_id in Refs(store.home).read(name).items():
            run = runs.read(lineage_id)
            if run is None:
                raise _unrecorded(store.home, name, seed, lineage_id)
            _add(found, run, f"{name} seed {seed}")
    for certification in Certifications(store.home).every():
        if not found.lineages.keys().isdisjoint(certification.lineages.values()):
            found.certifications.add(certification.certification_id)
            found.policies.add(certification.policy)
    return found


def unreached(store: Store, found: Reached) -> list[Unreached]:
    """Everything else, referrers before what they refer to, by place within a kind."""
    home = store.home
    runs = Runs(home)
    listed: list[Unreached] = []
    reports = _named(home / "reports", found.certifications)
    listed += [_unreached("report", home, folder) for folder in reports]
    packs = _named(home / "certifications", found.certifications)
    listed += [_unreached("certification", home, folder) for folder in packs]
    records = _named(home / "runs", found.lineages)
    listed += [_unreached("run", home, folder, about_run(runs, folder.name)) for folder in records]
    for folder in _folders(home / "builds"):
        keys = {key for state, key in found.snapshots if state == folder.name}
        listed += [_unreached("build", home, path) for path in _named(folder, keys, ".json")]
    listed += [
        _unreached("policy", home, path) for path in _named(home / "policies", found.policies, ".yaml")
    ]
    for folder in _folders(home / "snapshots"):
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


def size_of(path: Path) -> int:
    """Bytes of a file, or of all files of a folder; what vanishes meanwhile counts nothing."""
    if path.is_symlink() or not path.is_dir():
        return path.lstat().st_size if os.path.lexists(path) else 0
    total = 0
    for folder, _, names in os.walk(path):
        for name in names:
            try:
                total += os.lstat(os.path.join(folder, name)).st_size  # noqa: PTH118
            except FileNotFoundError:
                continue
    return total


def _add(found: Reached, run: KeptRun, pointer: str) -> None:
    found.lineages.setdefault(run.lineage_id, []).append(pointer)
    found.snapshots |= set(run.keys.items())
    found.policies |= set(run.policies.values())


def _unreached(kind: Kind, home: Path, path: Path, about: dict[str, Any] | None = None) -> Unreached:
    return Unreached(kind, path.relative_to(home).as_posix(), size_of(path), about or {})


def about_run(runs: Runs, lineage_id: str) -> dict[str, Any]:
    """What stays known of a lineage in the record of the prune."""
    try:
        run = runs.read(lineage_id)
    except Seg3BError:
        run = None
    if run is None:
        return {"lineage_id": lineage_id}
    return {
        "lineage_id": lineage_id,
        "seed": run.seed,
        "run_id": run.run_id,
        "flag": run.flag,
        "finished_utc": run.finished_utc,
        "keys": run.keys,
        "policies": dict(run.policies),
    }


def _named(folder: Path, kept: Collection[str], suffix: str = "") -> Iterator[Path]:
    """Entries named by a digest that is not among ``kept``."""
    for path in _entries(folder):
        stem = path.name.removesuffix(suffix)
        if path.name == stem + suffix and HEX64.fullmatch(stem) and stem not in kept:
            yield path


def _entries(folder: Path) -> list[Path]:
    return sorted(folder.iterdir()) if folder.is_dir() else []


def _folders(folder: Path) -> list[Path]:
    return folders_in(folder)


def _unrecorded(home: Path, name: str, seed: int, lineage_id: str) -> Seg3BError:
    return Seg3BError(
        state="S0",
        name="INPUT_OPEN_FAILED",
        validator="ref_lineage_recorded",
        place=Documents(home).place(f"refs/{name}.json"),
        remedy=f"The record of a lineage that {name} keeps is gone, so what it reaches is not known. Point the "
        f"ref elsewhere (seg3b refs set {name}) and prune again. Nothing was removed.",
        detail={"seed": seed, "lineage_id": lineage_id},
    )
