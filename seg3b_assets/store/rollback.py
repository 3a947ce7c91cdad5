"""Rolling back: the heads of seeds put where ``last_good`` points, after every byte there has been read again.

All seeds are checked before the first head moves. Each seed's heads move at once; a rollback that dies between
two seeds is completed by the next. Policies are not touched: what then differs from them, a plan says.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final

from seg3b_assets.laws.errors import Seg3BError, fail
from seg3b_assets.store.home import Store
from seg3b_assets.store.refs import RefName, Refs
from seg3b_assets.store.runs import KeptRun, Runs, record_path
from seg3b_assets.store.snapshots import snapshot_place

GOOD: Final[RefName] = "last_good"


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
