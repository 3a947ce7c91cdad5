"""Certification: several seeds' scores to one verdict, a grade, and how sure both are (gates, "Verdicts").

Grade A is PASS_BPLUS with the whole confidence layer: bootstrap lower bounds, seeds alike, coupling that
matters, no class that hides behind the others, a contract worth the name. A layer that was not shown does
not count as passed.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from seg3b_assets.policies import Certification as CertificationPolicy
from seg3b_assets.policies import PolicySet
from seg3b_assets.realism.confidence import CouplingMedians, SeedPair, compare_seeds
from seg3b_assets.realism.cross_seed import CrossSeed, compare, ranked_failures, segment_verdict
from seg3b_assets.realism.gates import PASS_BPLUS
from seg3b_assets.realism.outputs import SeedOutputs
from seg3b_assets.realism.scoring import SeedScore, score_seed

OVERLAP: str = "settlement_overlap_median"


@dataclass(frozen=True)
class Certification:
    """What the seeds together came to.

    Attributes:
        scores: by seed, in the order they were given.
        confidence: the record of every layer, each with ``pass``.
        failures: ranked, as in the cross-seed summary.
    """

    scores: Mapping[int, SeedScore]
    cross_seed: CrossSeed
    confidence: Mapping[str, Any]
    failures: Sequence[Mapping[str, Any]]

    @property
    def verdict(self) -> str:
        """PASS_BPLUS, PASS_B or FAIL_REALISM of the segment."""
        return segment_verdict(all(score.stretch_pass for score in self.scores.values()), self.cross_seed)

    @property
    def grade_a(self) -> bool:
        return self.verdict == PASS_BPLUS and bool(self.confidence["pass"])

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
    )


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
