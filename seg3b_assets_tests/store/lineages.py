"""A home with several toy lineages: edit a policy, run, and each stays until it is pruned."""

from __future__ import annotations

from dataclasses import dataclass, replace
from pathlib import Path

from seg3b_assets.laws.hashing import sha256_hex
from seg3b_assets.pipeline.record import RunRecord
from seg3b_assets.pipeline.seed_run import SeedRun
from seg3b_assets.settings import Settings
from seg3b_assets.store import Refs, Store
from seg3b_assets_tests.pipeline.toy_segment import toy_segment, toy_settings
from seg3b_assets_tests.store.back_ends import BackEnd, everything, home_of
from seg3b_assets_tests.store.toy_contracts import toy_contract

KEEP = ("heads", "baseline", "candidate", "last_good", "certification")
STATES = ("S0", "S1", "S2", "S3", "S4", "S5")


@dataclass(frozen=True)
class ToyHome:
    """An installation of the toy segment."""

    settings: Settings

    @classmethod
    def at(cls, folder: Path, seeds: tuple[int, ...] = (42,), back_end: BackEnd = "folder") -> ToyHome:
        return cls(replace(toy_settings(folder, seeds), home=home_of(back_end, folder)))

    @property
    def path(self) -> Path:
        return self.settings.home

    @property
    def store(self) -> Store:
        return Store(self.path, toy_contract)

    @property
    def refs(self) -> Refs:
        return Refs(self.path)

    def run(self, topology: int, seed: int = 42) -> RunRecord:
        """A run under the policy ``topology: {topology}``."""
        (self.settings.policies / "topology.yaml").write_text(f"topology: {topology}\n")
        return SeedRun(self.settings, seed, toy_segment()).run()

    def whole(self, record: RunRecord) -> bool:
        """Whether a lineage's record and every snapshot of it are there."""
        kept = f"runs/{record.lineage_id}/run.json" in everything(self.store.backend)
        return kept and all(self.store.snapshot(state, key) for state, key in record.keys.items())

    def gone(self, record: RunRecord) -> bool:
        """Whether nothing of a lineage that no other shares is there."""
        own = [f"snapshots/{state}/{key}" for state, key in record.keys.items()]
        own += [f"builds/{state}/{key}.json" for state, key in record.keys.items()]
        own.append(f"runs/{record.lineage_id}")
        there = tuple(f"{path}/" for path in everything(self.store.backend))
        return not any(path.startswith(f"{place}/") for path in there for place in own)

    def files(self) -> dict[str, str]:
        """Digest by place of everything but locks and records of prunes."""
        backend = self.store.backend
        return {path: sha256_hex(backend.read(path)) for path in everything(backend)}
