"""One seed of a certification: brought up to date, then scored on what that very run published.

The heads are never asked: a run with other policies leaves them alone. A seed that realism blocks at S5 has
published S0 to S4, and is scored like any other; certification is where a bad posture is looked at.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Any, Final

from seg3b_assets.laws.errors import BlockedError, Seg3BError, fail
from seg3b_assets.laws.identity import RunIdentity
from seg3b_assets.pipeline import RunRecord, SeedRun, Segment
from seg3b_assets.pipeline.segment import SealedSeed, seal_seed
from seg3b_assets.progress import SILENT, Progress
from seg3b_assets.realism import CouplingMedians, SeedOutputs, SeedScore, read_outputs, score_seed
from seg3b_assets.realism.reference_tier.scoring import reference_frames, score_reference
from seg3b_assets.settings import Settings
from seg3b_assets.states.s2_edges.counterfactual import redrawn_edges, uncoupled

LAST_BEFORE_BLOCK: Final = "S4"


@dataclass(frozen=True)
class SeedLineage:
    """What a seed's run came to.

    Attributes:
        record: of the run: to S5, or to S4 where realism blocked S5.
        blocked: the error S5 was blocked with; None where it wrote its bundle.
    """

    record: RunRecord
    blocked: Seg3BError | None = None

    @property
    def identity(self) -> RunIdentity:
        return self.record.identity

    @property
    def lineage_id(self) -> str:
        return self.record.lineage_id

    def provenance(self, policies: Mapping[str, str]) -> dict[str, Any]:
        """What the seed's figures rest on, as its metrics document says it.

        Args:
            policies: digest by policy id.
        """
        published = self.record.published
        return {
            "lineage_id": self.lineage_id,
            "sealed_inputs_digest": self.identity.sealed_inputs_digest,
            "states": self.record.keys,
            "policies": dict(policies),
            "datasets": {name: published.digest(name) for name in published.dataset_ids},
            "flag": self.record.flag,
            "blocked": None if self.blocked is None else f"{self.blocked.code}: {self.blocked.place}",
        }


def bring_up_to_date(settings: Settings, segment: Segment, progress: Progress, seed: int) -> SeedLineage:
    """Run S0 to S5, reusing what is published; where realism blocks S5, S0 to S4.

    Raises:
        Seg3BError: of a state that failed for any other reason.
    """
    try:
        return SeedLineage(SeedRun(settings, seed, segment, progress).run())
    except BlockedError as error:
        # A blocked lineage is looked at, not put in force.
        aside = replace(settings, configured=False, promote=False)
        record = SeedRun(aside, seed, segment, progress).run(until=LAST_BEFORE_BLOCK)
        return SeedLineage(record, error)


def score_lineage(
    settings: Settings, segment: Segment, policies: Mapping[str, str], lineage: SeedLineage
) -> SeedScore:
    """Score what a lineage published; its outputs are let go again.

    Args:
        policies: digest by policy id, as the certification began with them.

    Raises:
        Seg3BError: ``SEALED_INPUT_DIGEST_MISMATCH`` when policies or upstream changed since the run.
    """
    sealed = _sealed_again(settings, segment, policies, lineage)
    outputs = read_outputs(lineage.identity, lineage.record.published, sealed.inputs)
    without = uncoupled_medians(lineage, sealed, outputs, settings.workers)
    score = score_seed(outputs, sealed.policies, without, settings.workers)
    if sealed.policies.certification.reference is None:
        return score
    frames = reference_frames(outputs, lineage.record.published, sealed.inputs)
    tier = score_reference(lineage.identity, frames, sealed.policies.certification)
    return replace(score, reference=tier)


def uncoupled_medians(
    lineage: SeedLineage, sealed: SealedSeed, outputs: SeedOutputs, workers: int
) -> CouplingMedians | None:
    """The medians of the same merchants with λ = 0 and the same random numbers; None of no merchants."""
    if outputs.settlement.is_empty():
        return None
    edges = redrawn_edges(
        lineage.identity, uncoupled(sealed.policies), lineage.record.published, sealed.inputs, workers
    )
    return CouplingMedians.of_edges(outputs.settlement, edges)


def _sealed_again(
    settings: Settings, segment: Segment, policies: Mapping[str, str], lineage: SeedLineage
) -> SealedSeed:
    identity = lineage.identity
    root = segment.upstream_root(settings, identity.seed, SILENT)
    sealed = seal_seed(segment, settings, root)
    found = {policy_id: file.sha256 for policy_id, file in sealed.policies.files.items()}
    if sealed.identity == identity and found == dict(policies):
        return sealed
    changed = sorted(name for name in found if found[name] != policies.get(name))
    raise fail(
        "inputs_unchanged",
        str(settings.policies if changed else root),
        "Leave policies and upstream alone while a certification runs, then certify again.",
        seed=identity.seed,
        policies=changed,
        expected=identity.sealed_inputs_digest,
        found=sealed.identity.sealed_inputs_digest,
    )
