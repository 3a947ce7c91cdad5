"""Policy ``certification``: how a verdict over several seeds is reached. Not sealed: it reruns scoring only.

Stretch bands, stability between seeds, prevalence, confidence, lanes, budgets and retention.
"""

from __future__ import annotations

from typing import Annotated, Literal, Self

from pydantic import Field, model_validator

from seg3b_assets.policies.gates import (
    REQUIRED_STRETCH_GATES,
    MetricName,
    StretchGate,
    StretchGateId,
    require_gates,
    tightens_another,
)
from seg3b_assets.policies.policy_model import (
    Listed,
    Pair,
    Policy,
    PolicyModel,
    Seed,
    Share,
    refusal,
    require_unique,
)
from seg3b_assets.policies.reference_tier import ReferenceTier

Seeds = Annotated[Listed[Seed], Field(min_length=1)]
Probability = Annotated[float, Field(gt=0, lt=1)]
KeepReason = Literal["baseline", "candidate", "last_good", "certification", "heads"]


class Stability(PolicyModel):
    """Coefficient of variation between seeds, at most, for each metric named."""

    metrics: Annotated[Listed[MetricName], Field(min_length=1)]
    max_cv_b: Share
    max_cv_bplus: Share

    @model_validator(mode="after")
    def _stretch_is_tighter(self) -> Self:
        require_unique("metrics", self.metrics, "a metric")
        if self.max_cv_bplus > self.max_cv_b:
            raise refusal("max_cv_bplus", self.max_cv_bplus, f"at most max_cv_b = {self.max_cv_b:g}")
        return self


class Uplift(PolicyModel):
    """What coupling must change against the same merchants uncoupled.

    Attributes:
        overlap_ratio: settlement overlap, at least this many times as large.
        distance_reduction: settlement distance, at least this share lower.
    """

    overlap_ratio: Annotated[float, Field(ge=1, le=1000)]
    distance_reduction: Share


class Confidence(PolicyModel):
    """How sure a verdict must be.

    Attributes:
        bootstrap_resamples: resamples of the merchants.
        bootstrap_level: two-sided confidence of the interval whose lower end counts.
        ks_p: smallest adjusted p of two seeds' top-1 shares being alike.
        min_contract_rows: rows a validation contract needs.
    """

    bootstrap_resamples: Annotated[int, Field(ge=100, le=1_000_000)]
    bootstrap_level: Probability
    ks_p: Probability
    uplift: Uplift
    min_contract_rows: Annotated[int, Field(ge=1, le=10_000)]


class Lane(PolicyModel):
    """Seeds run together, and the wall time they may take."""

    seeds: Seeds
    budget_minutes: Annotated[float, Field(gt=0, le=1440)]
    prune_before_run: bool = False

    @model_validator(mode="after")
    def _names_each_seed_once(self) -> Self:
        require_unique("seeds", self.seeds, "a seed")
        return self


class Lanes(PolicyModel):
    """The four lanes of the rerun law."""

    candidate: Lane
    witness: Lane
    shadow: Lane
    certification: Lane


class Budgets(PolicyModel):
    """When a performance closure unlocks.

    Attributes:
        regression_guard: share by which a run may be slower than its baseline.
        required_saving: share by which a run over its limit must be faster than its baseline.
        max_progress_lines: progress lines a state may log.
    """

    regression_guard: Share
    required_saving: Share
    max_progress_lines: Annotated[int, Field(ge=1, le=1000)]


class Retention(PolicyModel):
    """What pruning never removes."""

    keep: Annotated[Listed[KeepReason], Field(min_length=1)]

    @model_validator(mode="after")
    def _names_each_once(self) -> Self:
        require_unique("keep", self.keep, "a pointer")
        return self


class Certification(Policy):
    """The verdict's numbers.

    Attributes:
        reference: the tier above B+; without it, it is not measured and no certification is A+.
    """

    policy_id: Literal["certification"]
    seeds: Seeds
    stretch_gates: dict[StretchGateId, StretchGate]
    min_top1_spread: Share
    stability: Stability
    prevalence_band: Pair[Share]
    confidence: Confidence
    reference: ReferenceTier | None = None
    lanes: Lanes
    budgets: Budgets
    retention: Retention

    @model_validator(mode="after")
    def _is_complete(self) -> Self:
        require_unique("seeds", self.seeds, "a seed")
        low, high = self.prevalence_band
        if low >= high:
            raise refusal("prevalence_band", [low, high], "[low, high] with low below high")
        require_gates("stretch_gates", self.stretch_gates, REQUIRED_STRETCH_GATES)
        for gate, rule in self.stretch_gates.items():
            if tightens_another(gate, rule):
                allowed = f"{gate}, the hard gate whose id the band has"
                raise refusal(f"stretch_gates.{gate}.hard_gates", list(rule.hard_gates), allowed)
        certified = self.lanes.certification.seeds
        if set(certified) != set(self.seeds):
            raise refusal("lanes.certification.seeds", list(certified), "the seeds this policy certifies")
        return self
