"""Runs of the segment without a world: what a state publishes is a digest of what it reads.

Enough to follow, through Dagster's own eyes, what a change makes stale.
"""

from dataclasses import dataclass, field
from pathlib import Path
from typing import NoReturn

from seg3b_assets.contracts import contract
from seg3b_assets.inputs.published import Published
from seg3b_assets.laws.hashing import sha256_json
from seg3b_assets.laws.identity import RunIdentity
from seg3b_assets.orchestration.lineage import SOURCES, state_assets
from seg3b_assets.pipeline import RunRecord, StateResult
from seg3b_assets.pipeline.keys import runtime_versions
from seg3b_assets.store import KeyInputs, Snapshot
from seg3b_assets.store.outputs import OutputRecord


@dataclass
class ImaginedSegment:
    """Sources by digest, per seed where told apart; ``salt`` changes what a state's logic gives."""

    folder: Path
    sources: dict[str, str] = field(default_factory=lambda: {name: f"{name} 1" for name in sorted(SOURCES)})
    of_seed: dict[tuple[str, int], str] = field(default_factory=dict)
    salt: dict[str, str] = field(default_factory=dict)
    runs: list[tuple[int, str, bool]] = field(default_factory=list)

    def seed_run(self, seed: int) -> "ImaginedSeedRun":
        return ImaginedSeedRun(self, seed)

    def sealed(self, seed: int) -> dict[str, str]:
        return {name: self.of_seed.get((name, seed), value) for name, value in self.sources.items()}


@dataclass
class ImaginedSeedRun:
    segment: ImaginedSegment
    seed: int

    def run_state(self, name: str, force: bool = False) -> RunRecord:
        self.segment.runs.append((self.seed, name, force))
        sealed = self.segment.sealed(self.seed)
        identity = RunIdentity(
            self.seed, "a" * 64, "b" * 64, "2026-01-01T00:00:00.000000Z", sha256_json(sealed)
        )
        results: dict[str, StateResult] = {}
        known = dict(sealed)
        for state in state_assets():
            spec = state.spec
            read = {name: known[name] for name in spec.reads if name in known}
            inputs = KeyInputs(
                spec.name,
                spec.code_version,
                runtime_versions(),
                self.seed,
                identity.sealed_inputs_digest,
                read,
                sealed,
            )
            made = [*read.values(), sealed if spec.name == "S0" else "", self.segment.salt.get(spec.name, "")]
            outputs = {name: self._output(name, sha256_json([name, made])) for name in spec.writes}
            known |= {name: output.digest for name, output in outputs.items()}
            for member in state.datasets[len(outputs) :]:
                self._member(member, identity)
            snapshot = Snapshot(self.segment.folder, inputs, outputs)
            results[spec.name] = StateResult(snapshot, 0.1, 1.0, False, {"publish": 0.1})
            if spec.name == name:
                break
        snapshots = [result.snapshot for result in results.values()]
        return RunRecord(identity, 1.0, results, Published(name, snapshots, _no_contract), True)

    def _output(self, dataset_id: str, digest: str) -> OutputRecord:
        return OutputRecord(dataset_id, dataset_id, digest, 10, 3, ())

    def _member(self, dataset_id: str, identity: RunIdentity) -> None:
        path = self.segment.folder / contract(dataset_id).relative_path(identity)
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(identity.sealed_inputs_digest)


def _no_contract(dataset_id: str) -> NoReturn:
    raise AssertionError(f"nothing reads {dataset_id} here")
