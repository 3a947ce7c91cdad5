"""Refs: the lineages a home keeps by name, ``refs/{name}.json`` = {seed: lineage_id} (storage, retention).

A ref is a pointer for people and for pruning, never an input: no state reads one. Files are replaced whole, so a
reader sees the old pointer or the new one, and two writers of different seeds both win.

Rolling back puts the heads of seeds where ``last_good`` points, after every byte there has been read again. All seeds
are checked before the first head moves. Each seed's heads move at once; a rollback that dies between two seeds is
completed by the next. Policies are not touched: what then differs from them, a plan says.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final, Literal, TypeAlias, get_args

import orjson

from seg3b_assets.laws.errors import Seg3BError, fail
from seg3b_assets.laws.hashing import canonical_json
from seg3b_assets.laws.identity import HEX64, UINT64_MAX
from seg3b_assets.store.backend import open_home
from seg3b_assets.store.home import Store
from seg3b_assets.store.runs import KeptRun, Runs, record_path
from seg3b_assets.store.snapshots import snapshot_place
from seg3b_assets.store.writing import reported_writes

RefName = Literal["baseline", "candidate", "last_good", "certification"]
REF_NAMES: Final[tuple[RefName, ...]] = get_args(RefName)
FOLDER: Final = "refs"
HEADS: Final = "heads"
"""What is in force goes by this name wherever a ref is named."""

GOOD: Final[RefName] = "last_good"

Moves: TypeAlias = Mapping[RefName, Mapping[int, str]]


class Refs:
    """The refs of one home.

    Args:
        home: as the store's; nothing is made until something is written.
    """

    def __init__(self, home: Path) -> None:
        self._home = home
        self._backend = open_home(home)

    def read(self, name: RefName) -> dict[int, str]:
        """Lineage id by seed, in seed order; empty when the ref is absent.

        Raises:
            Seg3BError: INPUT_OPEN_FAILED when the file is not what was written.
        """
        path = _path(name)
        try:
            return self._understood(path, self._backend.read(path))
        except FileNotFoundError:
            return {}
        except OSError as error:
            raise _unreadable(self._backend.place(path), error) from error

    def all(self) -> dict[str, dict[int, str]]:
        """Every ref by name, absent ones empty. Raises as ``read``."""
        return {name: self.read(name) for name in REF_NAMES}

    def move(self, name: RefName, lineages: Mapping[int, str], merge: bool = True) -> bool:
        """Point the ref at these lineages, all at once; moving it where it points already writes nothing.

        Args:
            lineages: lineage id by seed.
            merge: leave the ref's other seeds as they are; False drops them.

        Returns:
            Whether the ref changed.

        Raises:
            Seg3BError: OUTPUT_WRITE_FAILED; INPUT_OPEN_FAILED when the present file cannot be read.
        """
        path = _path(name)

        def moved(content: bytes | None) -> bytes | None:
            current = {} if content is None else self._understood(path, content)
            pointers = {**current, **lineages} if merge else dict(lineages)
            if pointers == current:
                return None
            fresh = canonical_json({str(seed): pointers[seed] for seed in sorted(pointers)})
            _parsed(fresh)
            return fresh

        with reported_writes("S5", self._home / path):
            return self._backend.update(path, "refs", moved)

    def _understood(self, path: str, content: bytes) -> dict[int, str]:
        try:
            return _parsed(content)
        except (ValueError, TypeError, AttributeError) as error:
            raise _unreadable(self._backend.place(path), error) from error


def move_refs(home: Path, moves: Moves) -> tuple[RefName, ...]:
    """Carry the moves out, each ref's at once; refs of other seeds stay. Idempotent.

    A lineage whose record a prune has removed meanwhile is not pinned: a ref to it would keep nothing.

    Returns:
        The refs that changed.

    Raises:
        Seg3BError: OUTPUT_WRITE_FAILED; INPUT_OPEN_FAILED for a ref that cannot be read.
    """
    if not moves:
        return ()
    refs, runs = Refs(home), Runs(home)
    moved: list[RefName] = []
    # Held, so that no prune comes between looking and moving.
    with reported_writes("S5", home), open_home(home).held("refs being moved", "S5"):
        for name, lineages in moves.items():
            kept = {seed: one for seed, one in lineages.items() if runs.read(one) is not None}
            if kept and refs.move(name, kept):
                moved.append(name)
    return tuple(moved)


def _path(name: RefName) -> str:
    if name not in REF_NAMES:
        raise ValueError(f"{name} is not a ref; refs are {', '.join(REF_NAMES)}")
    return f"{FOLDER}/{name}.json"


def _unreadable(place: str, error: Exception) -> Seg3BError:
    return fail(
        "ref_readable",
        place,
        "Remove the file and set the ref again (seg3b refs set); nothing it named was removed.",
        reason=str(error),
    )


def _parsed(content: bytes) -> dict[int, str]:
    """Raises ValueError, TypeError or AttributeError for anything but {seed: lineage_id}."""
    pointers = {int(seed): str(lineage_id) for seed, lineage_id in orjson.loads(content).items()}
    for seed, lineage_id in pointers.items():
        if not 0 <= seed <= UINT64_MAX or not HEX64.fullmatch(lineage_id):
            raise ValueError(f"{seed}: {lineage_id} is not a seed and the id of a lineage")
    return dict(sorted(pointers.items()))


@dataclass(frozen=True)
class SeedRollback:
    """One seed's way back.

    Attributes:
        lineage_id: what its heads point at afterwards.
        was, now: state key by state.
    """

    lineage_id: str
    was: Mapping[str, str]
    now: Mapping[str, str]

    @property
    def moved(self) -> tuple[str, ...]:
        """The states whose head changes, in order."""
        return tuple(sorted(state for state in self.now if self.was.get(state) != self.now[state]))

    def as_json(self) -> dict[str, Any]:
        return {
            "lineage_id": self.lineage_id,
            "moved": list(self.moved),
            "was": dict(self.was),
            "now": dict(self.now),
        }


def rollback(store: Store, seeds: Sequence[int] = (), dry_run: bool = False) -> dict[int, SeedRollback]:
    """Put seeds back to ``last_good``; all that it names where none is given. Idempotent.

    Args:
        dry_run: check everything, move nothing.

    Raises:
        Seg3BError: INPUT_OPEN_FAILED when ``last_good`` does not name a seed, or its record or a snapshot is
            gone; SEALED_INPUT_DIGEST_MISMATCH when an output is no longer the bytes that were published;
            OUTPUT_WRITE_FAILED. No head moved then.
    """
    good = Refs(store.home).read(GOOD)
    wanted = list(dict.fromkeys(seeds)) or sorted(good)
    if not wanted:
        raise _absent(store, "no seed")
    with store.in_use("a rollback"):
        found = {seed: _checked(store, seed, good) for seed in wanted}
        if not dry_run:
            for seed, one in found.items():
                store.move_heads(seed, one.now)
    return found


def _checked(store: Store, seed: int, good: Mapping[int, str]) -> SeedRollback:
    if seed not in good:
        raise _absent(store, f"no seed {seed}")
    run = Runs(store.home).read(good[seed])
    if run is None:
        raise _gone(store, record_path(good[seed]), seed, good[seed])
    _require_intact(store, run)
    return SeedRollback(run.lineage_id, store.heads(seed), run.keys)


def _require_intact(store: Store, run: KeptRun) -> None:
    for state, key in run.keys.items():
        snapshot = store.snapshot(state, key)
        if snapshot is None:
            raise _gone(store, snapshot_place(state, key), run.seed, run.lineage_id)
        altered = snapshot.altered()
        if altered is not None:
            raise fail(
                "snapshot_intact",
                f"{altered} in {snapshot.root}",
                "An output of last_good was altered after it was published. Run the seed with "
                "--recompute under the policies of that lineage. No head was moved.",
                in_state=state,
                seed=run.seed,
                lineage_id=run.lineage_id,
                dataset_id=altered,
            )


def _absent(store: Store, whom: str) -> Seg3BError:
    return fail(
        "last_good_set",
        store.backend.place(f"refs/{GOOD}.json"),
        f"last_good names {whom}: certify first (seg3b certify), or pin one that passed "
        f"(seg3b refs set {GOOD}). No head was moved.",
    )


def _gone(store: Store, path: str, seed: int, lineage_id: str) -> Seg3BError:
    return fail(
        "last_good_whole",
        store.backend.place(path),
        "What last_good names is no longer there, or is cut short. Run the seed again under the "
        "policies of that lineage: their bytes are in the home's policies folder. No head was moved.",
        seed=seed,
        lineage_id=lineage_id,
    )
