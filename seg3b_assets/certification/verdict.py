"""Several seeds' scores to one verdict and a grade (gates 3B-X01 to X03, "Verdicts").

Segment PASS_B = every hard gate on every seed, X01 at its B bound, X02, X03; PASS_BPLUS adds every stretch
gate and X01's B+ bound; anything else is FAIL_REALISM.

Grade A is PASS_BPLUS with the whole confidence layer: bootstrap lower bounds, seeds alike, coupling that
matters, no class that hides behind the others, a contract worth the name. A layer that was not shown does
not count as passed.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final

from seg3b_assets.certification.reference_tier import ReferenceVerdict, reference_verdict
from seg3b_assets.laws.snapping import snap_scalar
from seg3b_assets.policies import Certification as CertificationPolicy
from seg3b_assets.policies import PolicySet
from seg3b_assets.realism.confidence import CouplingMedians, SeedPair, compare_seeds
from seg3b_assets.realism.gates import FAIL_REALISM, PASS_B, PASS_BPLUS, Condition, GateResult, hold
from seg3b_assets.realism.measurement import Measurement
from seg3b_assets.realism.order_statistics import values_cv
from seg3b_assets.realism.outputs import SeedOutputs
from seg3b_assets.realism.registry import METRICS
from seg3b_assets.realism.scoring import SeedScore, score_seed

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


def compare(scores: Sequence[SeedScore], policy: CertificationPolicy) -> CrossSeed:
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


OVERLAP: str = "settlement_overlap_median"


@dataclass(frozen=True)
class Certification:
    """What the seeds together came to.

    Attributes:
        scores: by seed, in the order they were given.
        confidence: the record of every layer, each with ``pass``.
        failures: ranked, as in the cross-seed summary.
        reference: the tier above B+; None where it was not measured.
    """

    scores: Mapping[int, SeedScore]
    cross_seed: CrossSeed
    confidence: Mapping[str, Any]
    failures: Sequence[Mapping[str, Any]]
    reference: ReferenceVerdict | None = None

    @property
    def verdict(self) -> str:
        """PASS_BPLUS, PASS_B or FAIL_REALISM of the segment."""
        return segment_verdict(all(score.stretch_pass for score in self.scores.values()), self.cross_seed)

    @property
    def grade_a(self) -> bool:
        return self.verdict == PASS_BPLUS and bool(self.confidence["pass"])

    @property
    def grade_a_plus(self) -> bool:
        """Grade A, and every gate of the reference tier."""
        return self.grade_a and self.reference is not None and self.reference.passed

    @property
    def margins(self) -> dict[str, dict[str, float]]:
        """By seed, the margin of every gate that has one."""
        return {
            str(seed): {
                gate_id: gate.margin
                for gate_id, gate in {**score.hard, **score.stretch}.items()
                if gate.margin is not None
            }
            for seed, score in self.scores.items()
        }

    def record(self) -> dict[str, Any]:
        """JSON of ``seg3b certify`` but for the summary's path and the wall time, which the caller knows."""
        return {
            "verdict": self.verdict,
            "grade_a": self.grade_a,
            "seeds": {str(seed): score.verdict for seed, score in self.scores.items()},
            "cross_seed": self.cross_seed.record(),
            "confidence": dict(self.confidence),
            "margins": self.margins,
        }


def certify(
    seeds: Sequence[SeedOutputs],
    policies: PolicySet,
    uncoupled: Mapping[int, CouplingMedians] | None = None,
    workers: int = 2,
) -> Certification:
    """Score every seed and certify them together.

    Args:
        uncoupled: by seed, the two medians of the same merchants with λ = 0.
    """
    without = uncoupled or {}
    scores = [score_seed(outputs, policies, without.get(outputs.identity.seed), workers) for outputs in seeds]
    return certify_scores(scores, policies)


def certify_scores(scores: Sequence[SeedScore], policies: PolicySet) -> Certification:
    """Certify seeds that are scored already.

    Raises:
        ValueError: no seed, or one seed twice.
    """
    if not scores or len({score.seed for score in scores}) != len(scores):
        raise ValueError("certification needs at least one seed, and each seed once")
    cross = compare(scores, policies.certification)
    return Certification(
        scores={score.seed: score for score in scores},
        cross_seed=cross,
        confidence=confidence_record(scores, policies),
        failures=ranked_failures(scores, cross),
        reference=_reference(scores, policies.certification),
    )


def _reference(scores: Sequence[SeedScore], policy: CertificationPolicy) -> ReferenceVerdict | None:
    """The tier above B+, where every seed was measured for it."""
    measured = [score.reference for score in scores if score.reference is not None]
    if policy.reference is None or len(measured) != len(scores):
        return None
    return reference_verdict(measured, policy.reference)


def confidence_record(scores: Sequence[SeedScore], policies: PolicySet) -> dict[str, Any]:
    """Every layer with what it rests on and whether it passes."""
    policy = policies.certification
    layers: dict[str, dict[str, Any]] = {
        "bootstrap_overlap": _bootstrap(scores, policy),
        "ks_top1_share": _seeds_alike(scores, policy),
        "coupling_uplift": _by_seed(
            scores, lambda score: dict(score.uplift), policy.confidence.uplift.model_dump()
        ),
        "class_slices": _class_slices(scores, policies),
        "contract_rows": _contract_rows(scores, policy),
    }
    return {**layers, "pass": all(layer["pass"] for layer in layers.values())}


def _bootstrap(scores: Sequence[SeedScore], policy: CertificationPolicy) -> dict[str, Any]:
    """The lower end must lie above the overlap median's own stretch bound."""
    bound = _stretch_bound(policy, OVERLAP)

    def interval(score: SeedScore) -> dict[str, Any]:
        found = score.overlap_interval
        passed = found.lower is not None and bound is not None and found.lower > bound
        return {"estimate": found.estimate, "lower": found.lower, "upper": found.upper, "pass": passed}

    stated = {
        "resamples": policy.confidence.bootstrap_resamples,
        "level": policy.confidence.bootstrap_level,
        "must_exceed": bound,
    }
    return _by_seed(scores, interval, stated)


def _stretch_bound(policy: CertificationPolicy, metric: str) -> float | None:
    """The lower stretch bound of a metric; None where no stretch gate sets one."""
    for rule in policy.stretch_gates.values():
        if metric in rule.metrics and rule.operator in (">=", "range"):
            return float(rule.threshold[0]) if isinstance(rule.threshold, tuple) else float(rule.threshold)
    return None


def _seeds_alike(scores: Sequence[SeedScore], policy: CertificationPolicy) -> dict[str, Any]:
    required = policy.confidence.ks_p
    pairs = compare_seeds({score.seed: score.top1_shares for score in scores})

    def record(pair: SeedPair) -> dict[str, Any]:
        return {
            "seeds": list(pair.seeds),
            "statistic": pair.statistic,
            "p": pair.p,
            "p_holm": pair.p_holm,
            "pass": pair.p_holm >= required,
        }

    records = [record(pair) for pair in pairs]
    complete = len(records) == len(scores) * (len(scores) - 1) // 2 > 0
    return {"p": required, "pairs": records, "pass": complete and all(row["pass"] for row in records)}


def _class_slices(scores: Sequence[SeedScore], policies: PolicySet) -> dict[str, Any]:
    def slices(score: SeedScore) -> dict[str, Any]:
        failed = {
            name: sorted(gate_id for gate_id, gate in gates.items() if gate.passed is not True)
            for name, gates in score.class_gates.items()
        }
        return {
            "merchants": dict(score.metrics.class_sizes),
            "judged": sorted(failed),
            "failed": {name: gates for name, gates in failed.items() if gates},
            "pass": bool(failed) and not any(failed.values()),
        }

    return _by_seed(scores, slices, {"min_class_size": policies.virtual_validation.min_class_size})


def _contract_rows(scores: Sequence[SeedScore], policy: CertificationPolicy) -> dict[str, Any]:
    least = policy.confidence.min_contract_rows
    return _by_seed(
        scores,
        lambda score: {"rows": score.contract_rows, "pass": score.contract_rows >= least},
        {"minimum": least},
    )


def _by_seed(
    scores: Sequence[SeedScore], record: Callable[[SeedScore], dict[str, Any]], stated: dict[str, Any]
) -> dict[str, Any]:
    """A layer that every seed must pass by itself."""
    seeds = {str(score.seed): record(score) for score in scores}
    return {**stated, "seeds": seeds, "pass": all(row["pass"] for row in seeds.values())}
