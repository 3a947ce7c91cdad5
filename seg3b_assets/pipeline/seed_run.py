"""One seed through the states: each is reused when its key is published, computed and published otherwise.

The heads move once, at the end of a run and for the states it covered, so that until then readers of
the heads see the last lineage whole; a run that fails or dies has published the states it finished, and
the next run reuses them. Runs with other policies or another upstream than the configured ones leave
the heads alone.
"""

from __future__ import annotations

import socket
from collections.abc import Collection
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

from seg3b_assets.inputs.published import Published
from seg3b_assets.laws.errors import fail
from seg3b_assets.pipeline.keys import key_inputs
from seg3b_assets.pipeline.record import Meter, RunRecord, StateResult
from seg3b_assets.pipeline.segment import SealedSeed, Segment, default_segment, seal_seed
from seg3b_assets.progress import SILENT, Progress
from seg3b_assets.settings import Settings
from seg3b_assets.states.context import LOG, Lanes, StateContext
from seg3b_assets.states.registry import RegisteredState
from seg3b_assets.store import KeyInputs, PolicyBytes, Snapshot, Staging, Store

if TYPE_CHECKING:
    from seg3b_assets.policies.loader import PolicyFile


class SeedRun:
    """Runs one seed.

    Args:
        settings: where to read and write.
        seed: uint64.
        segment: the parts of the run; the real segment by default.
        progress: for a person watching.
    """

    def __init__(
        self,
        settings: Settings,
        seed: int,
        segment: Segment | None = None,
        progress: Progress = SILENT,
    ) -> None:
        self.settings = settings
        self._seed = seed
        self.segment = segment or default_segment()
        self.progress = progress
        self.store = Store(settings.home, self.segment.contracts)

    def run(self, until: str | None = None, recompute: bool = False) -> RunRecord:
        """Bring every state up to date, from S0 to ``until`` (S5 if None).

        Args:
            recompute: compute every state even where its snapshot exists, and compare the bytes.

        Raises:
            Seg3BError: of the state that failed. What earlier states published stays; the heads did not move.
        """
        names = self._names(until)
        return self._run(names, names if recompute else ())

    def run_state(self, name: str, force: bool = False) -> RunRecord:
        """Bring one state up to date, and first whatever before it is missing or stale (see ``executed``).

        Args:
            force: compute this state even where its snapshot exists, and compare the bytes.

        Raises:
            Seg3BError: as ``run``.
        """
        return self._run(self._names(name), (name,) if force else ())

    def _names(self, until: str | None) -> tuple[str, ...]:
        names = tuple(registered.spec.name for registered in self.segment.states)
        if until is None:
            return names
        if until not in names:
            raise ValueError(f"there is no state {until}; states are {', '.join(names)}")
        return names[: names.index(until) + 1]

    def _run(self, names: tuple[str, ...], recompute: Collection[str]) -> RunRecord:
        meter, started_utc = Meter(), _now()
        with self.store.in_use(f"a run of seed {self._seed}"):
            root = self.segment.upstream_root(self.settings, self._seed, self.progress)
            of_state = Meter()
            lineage = _Lineage(self, seal_seed(self.segment, self.settings, root))
            for registered in self.segment.states[: len(names)]:
                lineage.advance(registered, of_state, registered.spec.name in recompute)
                of_state = Meter()
            record = RunRecord(
                identity=lineage.sealed.identity,
                total_wall_s=meter.seconds(),
                states=lineage.results,
                published=lineage.published(names[-1]),
                heads_moved=self.settings.moves_heads,
            )
            self._conclude(record, lineage.sealed, started_utc)
        return record

    def _conclude(self, record: RunRecord, sealed: SealedSeed, started_utc: str) -> None:
        """Keep the record of a whole lineage and its policies, then put the snapshots in force: the heads move last."""
        if len(record.states) == len(self.segment.states):
            document = self._document(record, sealed, started_utc)
            PolicyBytes(self.store.home).keep(file.content for file in _sealed_policies(sealed).values())
            written = self.store.write_run(self._seed, record.lineage_id, document)
            LOG.info("seed %s report written: %s", self._seed, written)
        if record.heads_moved:
            self.store.move_heads(self._seed, record.keys)

    def _document(self, record: RunRecord, sealed: SealedSeed, started_utc: str) -> dict[str, Any]:
        document = record.as_json()
        for name, result in record.states.items():
            document["states"][name] |= {
                "lanes": dict(result.lanes),
                "built": self.store.build(name, result.snapshot.key),
            }
        identity = record.identity
        return document | {
            "status": "COMPLETE",
            "parameter_hash": identity.parameter_hash,
            "manifest_fingerprint": identity.manifest_fingerprint,
            "sealed_inputs_digest": identity.sealed_inputs_digest,
            "started_utc": started_utc,
            "finished_utc": _now(),
            "host": socket.gethostname(),
            "workers": self.settings.workers,
            "policies": str(self.settings.policies),
            "policy_digests": {name: file.sha256 for name, file in _sealed_policies(sealed).items()},
            "upstream": str(self.settings.upstream) if self.settings.upstream else None,
            "heads_moved": record.heads_moved,
        }


class _Lineage:
    """The states of one run so far, and how the next one joins them."""

    def __init__(self, run: SeedRun, sealed: SealedSeed) -> None:
        self._run = run
        self.sealed = sealed
        self.results: dict[str, StateResult] = {}

    def published(self, reader: str) -> Published:
        """What has been published so far, for ``reader``."""
        snapshots = [result.snapshot for result in self.results.values()]
        return Published(reader, snapshots, self._run.segment.contracts)

    def advance(self, registered: RegisteredState, meter: Meter, recompute: bool) -> None:
        """Reuse or compute one state; ``meter`` has been running since its part of the run began."""
        spec, store = registered.spec, self._run.store
        published = self.published(spec.name)
        digests = {name: published.digest(name) for name in published.dataset_ids}
        inputs = key_inputs(spec, self.sealed, digests)
        existing = None if recompute else store.snapshot(spec.name, inputs.key)
        if existing is not None:
            LOG.info("%s reused: snapshot %s", spec.name, inputs.key)
            self.results[spec.name] = StateResult(existing, meter.seconds(), meter.megabytes(), True, {})
            return
        LOG.info("%s objective: %s", spec.name, spec.objective or ", ".join(spec.writes))
        LOG.info("%s inputs validated: %d read", spec.name, len(inputs.inputs or self.sealed.digests))
        lanes = Lanes(spec.name)
        snapshot = self._compute(registered, inputs, lanes)
        result = StateResult(snapshot, meter.seconds(), meter.megabytes(), False, lanes.seconds)
        self.results[spec.name] = result
        self._keep_cost(result)
        LOG.info(
            "%s complete: %.2f s, %.0f MB, %d outputs, digest %s",
            *(spec.name, result.wall_s, result.peak_rss_mb, len(snapshot.outputs), snapshot.digest),
        )

    def _compute(self, registered: RegisteredState, inputs: KeyInputs, lanes: Lanes) -> Snapshot:
        run, spec = self._run, registered.spec
        with run.store.staging(spec.name, self.sealed.identity) as out:
            registered.run(
                StateContext(
                    identity=self.sealed.identity,
                    policies=self.sealed.policies,
                    inputs=self.sealed.inputs,
                    published=self.published(spec.name),
                    out=out,
                    lanes=lanes,
                    progress=run.progress,
                    workers=run.settings.workers,
                )
            )
            _require_declared(registered, out)
            with lanes("publish"):
                return run.store.publish(out, inputs)

    def _keep_cost(self, result: StateResult) -> None:
        cost = {
            "wall_s": round(result.wall_s, 3),
            "peak_rss_mb": result.peak_rss_mb,
            "lanes": {name: round(seconds, 4) for name, seconds in result.lanes.items()},
            "finished_utc": _now(),
            "host": socket.gethostname(),
            "workers": self._run.settings.workers,
        }
        self._run.store.write_build(result.snapshot, self.sealed.identity.seed, cost)


def _sealed_policies(sealed: SealedSeed) -> dict[str, PolicyFile]:
    return {name: file for name, file in sealed.policies.files.items() if name in sealed.digests}


def _require_declared(registered: RegisteredState, out: Staging) -> None:
    """A state writes exactly what it declares: a forgotten output would be missing from every later key."""
    declared, written = set(registered.spec.writes), set(out.outputs)
    if declared != written:
        name = registered.spec.name
        raise fail(
            "declared_outputs",
            name,
            f"Make {name} write exactly the datasets its StateSpec declares. Nothing was published.",
            in_state=name,
            missing=sorted(declared - written),
            undeclared=sorted(written - declared),
        )


def _now() -> str:
    return datetime.now(UTC).isoformat(timespec="microseconds").replace("+00:00", "Z")
