"""Policy ``certification``: how a verdict over several seeds is reached. Not sealed: it reruns scoring only.

Stretch bands, stability between seeds, prevalence, confidence, lanes, budgets and retention.
"""

from __future__ import annotations

from typing import Annotated, Final, Literal, Self

from pydantic import Field, model_validator

from seg3b_assets.policies.gates import Metric, StretchGate
from seg3b_assets.policies.policy_model import (
    Listed,
    Pair,
    Policy,
    PolicyModel,
    Seed,
    Share,
    refusal,
    require_unique,
    worded,
)
from seg3b_assets.policies.validation import HARD_GATE_IDS

STRETCH_GATE_IDS: Final = tuple(f"3B-S{number:02d}" for number in range(1, 13))
StretchGateId = Annotated[
    str, worded(r"^3B-(S(0[1-9]|1[0-2])|V1[12])$", "one of 3B-S01 … 3B-S12, or 3B-V11, 3B-V12")
]
Seeds = Annotated[Listed[Seed], Field(min_length=1)]
Probability = Annotated[float, Field(gt=0, lt=1)]
KeepReason = Literal["baseline", "candidate", "last_good", "certification", "heads"]


class Stability(PolicyModel):
    """Coefficient of variation between seeds, at most, for each metric named."""

    metrics: Annotated[Listed[Metric], Field(min_length=1)]
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
    """The verdict's numbers."""

    policy_id: Literal["certification"]
    seeds: Seeds
    stretch_gates: dict[StretchGateId, StretchGate]
    min_top1_spread: Share
    stability: Stability
    prevalence_band: Pair[Share]
    confidence: Confidence
    lanes: Lanes
    budgets: Budgets
    retention: Retention

    @model_validator(mode="after")
    def _is_complete(self) -> Self:
        require_unique("seeds", self.seeds, "a seed")
        low, high = self.prevalence_band
        if low >= high:
            raise refusal("prevalence_band", [low, high], "[low, high] with low below high")
        for gate in STRETCH_GATE_IDS:
            if gate not in self.stretch_gates:
                allowed = f"every stretch gate; {gate} is missing"
                raise refusal("stretch_gates", sorted(self.stretch_gates), allowed)
        for gate, rule in self.stretch_gates.items():
            unknown = [hard for hard in rule.hard_gates if hard not in HARD_GATE_IDS]
            if unknown:
                raise refusal(f"stretch_gates.{gate}.hard_gates", unknown[0], "a hard gate's id")
        certified = self.lanes.certification.seeds
        if set(certified) != set(self.seeds):
            raise refusal("lanes.certification.seeds", list(certified), "the seeds this policy certifies")
        return self
