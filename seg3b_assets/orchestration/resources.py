"""The installation the assets work on: its settings, runs of the segment under them, and what they published.

Settings come from the environment (``SEG3B_HOME``, ``SEG3B_POLICIES``, ``SEG3B_UPSTREAM`` …), the same for Dagster
and for the command line, so that both work on the same store.

Steps of a run share a process (the in-process executor). The first of them seals the seed, and all work on that
sealing, as the states of one ``seg3b run`` do; a later step knows which lineage the earlier ones published, and what
Dagster was told of it already. With another executor, or in a run of checks only, nothing is remembered and
everything is looked up: slower, and the same result.
"""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Iterable
from dataclasses import dataclass, replace
from pathlib import Path

import dagster as dg

from seg3b_assets.inputs.published import Published
from seg3b_assets.laws.errors import fail
from seg3b_assets.laws.plain_files import Reach
from seg3b_assets.orchestration.reporting import PartitionReport
from seg3b_assets.orchestration.run_log import LogProgress
from seg3b_assets.pipeline import RunRecord, Segment, default_segment
from seg3b_assets.pipeline.seed_run import SeedRun
from seg3b_assets.pipeline.segment import SealedSeed, seal_seed
from seg3b_assets.policies import PolicySet
from seg3b_assets.progress import SILENT
from seg3b_assets.realism.judgement import PublishedSeed
from seg3b_assets.settings import Settings
from seg3b_assets.states.s0_gate import SealedWorld
from seg3b_assets.store import DigestCache, Snapshot, Store

READER = "S5"


def published_seed(sealed: SealedSeed, snapshots: Iterable[Snapshot], segment: Segment) -> PublishedSeed:
    """A lineage as checks look at it: held against the policies and inputs as they are now."""
    lineage = tuple(snapshots)
    return PublishedSeed(
        sealed.identity, sealed.policies, sealed.inputs, lineage, published_by(lineage, segment)
    )


def published_by(snapshots: Iterable[Snapshot], segment: Segment) -> Published:
    """The datasets of a lineage."""
    return Published(READER, snapshots, segment.contracts)


def snapshots_of(record: RunRecord) -> tuple[Snapshot, ...]:
    """The lineage a run has published."""
    return tuple(result.snapshot for result in record.states.values())


def current_snapshots(store: Store, segment: Segment, seed: int) -> tuple[Snapshot, ...]:
    """The lineage the heads hold: S0 and whatever follows from it without a break."""
    heads, lineage, digests = store.heads(seed), list[Snapshot](), dict[str, str]()
    for registered in segment.states:
        key = heads.get(registered.spec.name)
        snapshot = store.snapshot(registered.spec.name, key) if key else None
        if snapshot is None or not _follows(snapshot, lineage, digests):
            break
        lineage.append(snapshot)
        digests |= {name: record.digest for name, record in snapshot.outputs.items()}
    return tuple(lineage)


def _follows(snapshot: Snapshot, lineage: list[Snapshot], digests: dict[str, str]) -> bool:
    """Whether a snapshot was made from this lineage."""
    if lineage and snapshot.inputs.sealed_inputs != lineage[0].inputs.sealed_inputs:
        return False
    read = snapshot.inputs.inputs
    return all(read[name] == digest for name, digest in digests.items() if name in read)


StepContext = dg.AssetExecutionContext | dg.AssetCheckExecutionContext

_REMEMBERED_RUNS = 8


@dataclass
class RunningSeed:
    """One partition in one Dagster run.

    Attributes:
        report: what Dagster was told.
        segment: the parts of the run; loads policies and seals once.
        record: the lineage as far as the last state's step took it; None before any.
    """

    report: PartitionReport
    segment: Segment
    record: RunRecord | None = None

    @classmethod
    def of(cls, context: StepContext, segment: Segment) -> RunningSeed:
        """That of the step's run; a new one in its first step."""
        key = (context.run.run_id, context.partition_key)
        if key not in _RUNNING:
            report = PartitionReport(context.instance, context.partition_key)
            _RUNNING[key] = cls(report, sealing_once(segment))
            while len(_RUNNING) > _REMEMBERED_RUNS:
                _RUNNING.popitem(last=False)
        return _RUNNING[key]


_RUNNING: OrderedDict[tuple[str, str], RunningSeed] = OrderedDict()


def sealing_once(segment: Segment) -> Segment:
    """The segment, remembering the first policies it loads and the first root it seals with them."""
    loaded: dict[Path, PolicySet] = {}
    sealed: dict[Path, SealedWorld] = {}

    def load_policies(folder: Path) -> PolicySet:
        if folder not in loaded:
            loaded[folder] = segment.load_policies(folder)
        return loaded[folder]

    def seal(root: Path, policies: PolicySet, digests: DigestCache, reach: Reach | None) -> SealedWorld:
        if root not in sealed:
            sealed[root] = segment.seal(root, policies, digests, reach)
        return sealed[root]

    return replace(segment, load_policies=load_policies, seal=seal)


class Installation(dg.ConfigurableResource):  # type: ignore[type-arg]
    """Where the segment reads and writes, as the environment says when a step runs."""

    def settings(self) -> Settings:
        """The settings in force."""
        return Settings.from_environment()

    def running(self, context: StepContext) -> RunningSeed:
        """What the step's run has done so far."""
        return RunningSeed.of(context, default_segment())

    def seed_run(self, context: StepContext) -> SeedRun:
        """A run of the step's partition that reports progress to the step's log."""
        segment, progress = self.running(context).segment, LogProgress(context.log)
        return SeedRun(self.settings(), int(context.partition_key), segment, progress)

    def sealed(self, context: StepContext) -> SealedSeed:
        """The step's partition, sealed: its upstream gates verified and every input's digest taken.

        Builds the embedded world of the seed when it is configured and not there yet.

        Raises:
            Seg3BError: what loading the policies and sealing raise.
        """
        segment, settings, seed = self.running(context).segment, self.settings(), int(context.partition_key)
        root = segment.upstream_root(settings, seed, LogProgress(context.log))
        return seal_seed(segment, settings, root)

    def published(self, context: StepContext) -> Published:
        """The step's partition as published: by this very run, or else what is in force."""
        return published_by(self._snapshots(context), default_segment())

    def published_seed(self, context: StepContext) -> PublishedSeed:
        """The same, with the policies and inputs it is judged by.

        Raises:
            Seg3BError: what loading the policies and sealing raise; INPUT_OPEN_FAILED when less than S1 is
                published of the seed.
        """
        snapshots = self._snapshots(context)
        if len(snapshots) < 2:
            raise fail(
                "seed_published",
                f"seed {context.partition_key}",
                "Materialize it first, at least virtual_settlement_3B: nothing is there to be checked.",
            )
        return published_seed(self.sealed(context), snapshots, default_segment())

    def published_of(self, record: RunRecord) -> PublishedSeed:
        """The lineage of a finished run, with the policies and inputs it is judged by. Raises as ``published_seed``."""
        settings, segment = self.settings(), default_segment()
        root = segment.upstream_root(settings, record.identity.seed, SILENT)
        return published_seed(seal_seed(segment, settings, root), snapshots_of(record), segment)

    def _snapshots(self, context: StepContext) -> tuple[Snapshot, ...]:
        record, segment = self.running(context).record, default_segment()
        if record is not None:
            return snapshots_of(record)
        return current_snapshots(
            Store(self.settings().home, segment.contracts), segment, int(context.partition_key)
        )
