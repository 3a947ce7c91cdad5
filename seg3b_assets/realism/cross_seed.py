"""Gates over several seeds and the segment's verdict (gates 3B-X01 to X03, "Verdicts").

Segment PASS_B = every hard gate on every seed, X01 at its B bound, X02, X03; PASS_BPLUS adds every stretch
gate and X01's B+ bound; anything else is FAIL_REALISM.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final

from seg3b_assets.laws.snapping import snap_scalar
from seg3b_assets.policies import Certification
from seg3b_assets.realism.gates import FAIL_REALISM, PASS_B, PASS_BPLUS, Condition, GateResult, hold
from seg3b_assets.realism.measurement import Measurement
from seg3b_assets.realism.order_statistics import values_cv
from seg3b_assets.realism.registry import METRICS
from seg3b_assets.realism.scoring import SeedScore

STABILITY: Final = "3B-X01"
PREVALENCE: Final = "3B-X02"
NO_HARD_FAILURE: Final = "3B-X03"
PREVALENCE_METRIC: Final = "virtual_rate"

HARD: Final = "hard"
STRETCH: Final = "stretch"


@dataclass(frozen=True)
class CrossSeed:
    """The three cross-seed gates.

    Attributes:
        metric_cvs: 3B-X01, CV over seeds by metric; None where a seed has no value.
        max_cv_b, max_cv_bplus: its bounds.
        prevalence: 3B-X02, the share of virtual merchants of each seed, held against the policy's band.
        hard_pass: 3B-X03, whether each seed passes every hard gate.
    """

    metric_cvs: Mapping[str, float | None]
    max_cv_b: float
    max_cv_bplus: float
    prevalence: Mapping[int, Condition]
    hard_pass: Mapping[int, bool]

    @property
    def stable_b(self) -> bool:
        return all(cv is not None and cv <= self.max_cv_b for cv in self.metric_cvs.values())

    @property
    def stable_bplus(self) -> bool:
        return all(cv is not None and cv <= self.max_cv_bplus for cv in self.metric_cvs.values())

    @property
    def prevalent(self) -> bool:
        return all(condition.passed is True for condition in self.prevalence.values())

    @property
    def all_hard_pass(self) -> bool:
        return all(self.hard_pass.values())

    def record(self) -> dict[str, Any]:
        """As in the cross-seed summary; seeds are text keys, as JSON wants them."""
        band = next(iter(self.prevalence.values())).record()["threshold"] if self.prevalence else None
        return {
            STABILITY: {
                "metric_cvs": dict(self.metric_cvs),
                "max_cv_b": self.max_cv_b,
                "max_cv_bplus": self.max_cv_bplus,
                "pass_b": self.stable_b,
                "pass_bplus": self.stable_bplus,
            },
            PREVALENCE: {
                "virtual_rate_values": {
                    str(seed): condition.observed for seed, condition in self.prevalence.items()
                },
                "band": band,
                "pass": self.prevalent,
            },
            NO_HARD_FAILURE: {
                "all_hard_gates_pass": {str(seed): passed for seed, passed in self.hard_pass.items()},
                "pass": self.all_hard_pass,
            },
        }


def compare(scores: Sequence[SeedScore], policy: Certification) -> CrossSeed:
    """Hold the seeds against each other."""
    stability = policy.stability
    return CrossSeed(
        metric_cvs={name: _cv_over_seeds(scores, name) for name in stability.metrics},
        max_cv_b=stability.max_cv_b,
        max_cv_bplus=stability.max_cv_bplus,
        prevalence={
            score.seed: hold(
                PREVALENCE_METRIC,
                score.metrics.overall[PREVALENCE_METRIC],
                "range",
                (policy.prevalence_band[0], policy.prevalence_band[1]),
            )
            for score in scores
        },
        hard_pass={score.seed: score.hard_pass for score in scores},
    )


def _cv_over_seeds(scores: Sequence[SeedScore], metric: str) -> float | None:
    values = [score.metrics.value(metric) for score in scores]
    known = [value for value in values if value is not None]
    return snap_scalar(values_cv(known)) if known and len(known) == len(values) else None


def segment_verdict(all_stretch_pass: bool, cross: CrossSeed) -> str:
    """The verdict over all seeds."""
    if not (cross.all_hard_pass and cross.stable_b and cross.prevalent):
        return FAIL_REALISM
    return PASS_BPLUS if all_stretch_pass and cross.stable_bplus else PASS_B


def ranked_failures(scores: Sequence[SeedScore], cross: CrossSeed) -> list[dict[str, Any]]:
    """What failed: hard before stretch, then by miss_pct; a gate without a value comes after measured ones.

    3B-X01 at its B bound and 3B-X02 count as hard; 3B-X03 repeats the hard gates and is not listed again.
    """
    failures = [
        _failure(gate, level, score.seed)
        for score in scores
        for level, gates in ((HARD, score.hard), (STRETCH, score.stretch))
        for gate in gates.values()
        if gate.passed is not True and not (level == STRETCH and _failed_already(gate, score))
    ]
    failures += _unstable(cross) + _out_of_band(cross)
    return sorted(failures, key=_rank)


def _failed_already(gate: GateResult, score: SeedScore) -> bool:
    """Whether a gate that has a tighter bound of its own, under the same id, fails at its hard bound."""
    return gate.gate_id in score.hard and score.hard[gate.gate_id].passed is not True


def _failure(gate: GateResult, level: str, seed: int | None) -> dict[str, Any]:
    return {
        "gate": gate.gate_id,
        "level": level,
        "seed": seed,
        **gate.decisive.record(),
        "pass": gate.passed,
        "state": gate.state,
        "lane": gate.lane,
        "fault_domain": gate.fault_domain,
    }


def _unstable(cross: CrossSeed) -> list[dict[str, Any]]:
    failures = []
    for metric, cv in cross.metric_cvs.items():
        hard = cv is None or cv > cross.max_cv_b
        bound = cross.max_cv_b if hard else cross.max_cv_bplus
        condition = hold(metric, Measurement(cv, 1), "<=", bound)
        if condition.passed is not True:
            defined = METRICS[metric]
            gate = GateResult(STABILITY, defined.state, "policy", (condition,))
            failures.append({**_failure(gate, HARD if hard else STRETCH, None), "statistic": "cv_over_seeds"})
    return failures


def _out_of_band(cross: CrossSeed) -> list[dict[str, Any]]:
    defined = METRICS[PREVALENCE_METRIC]
    return [
        _failure(GateResult(PREVALENCE, defined.state, "policy", (condition,)), HARD, seed)
        for seed, condition in cross.prevalence.items()
        if condition.passed is not True
    ]


def _rank(failure: Mapping[str, Any]) -> tuple[bool, bool, float, str, int]:
    miss = failure["miss_pct"]
    return (
        failure["level"] != HARD,
        miss is None,
        -(miss or 0.0),
        str(failure["gate"]),
        -1 if failure["seed"] is None else int(failure["seed"]),
    )
