"""What one Dagster run has done to its partition so far, for the steps that come after.

Steps of a run share a process (the in-process executor). The first of them seals the seed, and all work on
that sealing, as the states of one ``seg3b run`` do; a later step knows which lineage the earlier ones
published, and what Dagster was told of it already. With another executor, or in a run of checks only, nothing
is remembered and everything is looked up: slower, and the same result.
"""

from __future__ import annotations

from collections import OrderedDict
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING

import dagster as dg

from seg3b_assets.orchestration.reporting import PartitionReport
from seg3b_assets.pipeline import RunRecord, Segment

if TYPE_CHECKING:
    from seg3b_assets.laws.plain_files import Reach
    from seg3b_assets.policies import PolicySet
    from seg3b_assets.states.s0_gate import SealedWorld
    from seg3b_assets.store import DigestCache

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
