"""The certification's documents (gates, "Artefacts"): metrics per seed, cross-seed summary, failure trace.

Pure functions of a score or a certification; writing them somewhere is the caller's. Seeds are text keys,
numbers stand as measured, and the one clock in them is handed in.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Final

from seg3b_assets.laws.hashing import canonical_json
from seg3b_assets.realism.certify import Certification
from seg3b_assets.realism.gates import GateResult
from seg3b_assets.realism.measurement import Measurement
from seg3b_assets.realism.registry import METRICS
from seg3b_assets.realism.scoring import SeedScore

SEGMENT: Final = "3B"
CROSS_SEED_SUMMARY: Final = "3B_validation_cross_seed_summary.json"
FAILURE_TRACE: Final = "3B_validation_failure_trace.md"

_WHERE_TO_LOOK: Final = {
    "policy": "a policy's numbers: the generator does what it is told",
    "code": "the state's code: no policy setting should be able to cause this",
    "upstream": "the upstream world: the inputs do not allow better",
}


@dataclass(frozen=True)
class ReportHeader:
    """What a document says about itself.

    Attributes:
        phase: of the ledger, such as ``P5``.
        generated_utc: rfc3339_micros, given by the caller.
        provenance: by seed, what the figures rest on: policy digests, lineage, dataset digests.
    """

    phase: str
    generated_utc: str
    provenance: Mapping[int, Mapping[str, Any]] = field(default_factory=dict)


def metrics_file_name(seed: int) -> str:
    return f"3B_validation_metrics_seed_{seed}.json"


def plots_file_name(seed: int) -> str:
    return f"3B_validation_plots_seed_{seed}.json"


def plots_document(score: SeedScore) -> dict[str, Any]:
    """``3B_validation_plots_seed_<seed>.json``: every frame as lists by column."""
    return {
        "segment": SEGMENT,
        "seed": score.seed,
        "run_id": score.identity.run_id,
        "plots": {name: frame.to_dict(as_series=False) for name, frame in score.plots.items()},
    }


def metrics_document(score: SeedScore, header: ReportHeader) -> dict[str, Any]:
    """``3B_validation_metrics_seed_<seed>.json``."""
    identity = score.identity
    return {
        "segment": SEGMENT,
        "phase": header.phase,
        "seed": identity.seed,
        "run_id": identity.run_id,
        "manifest_fingerprint": identity.manifest_fingerprint,
        "parameter_hash": identity.parameter_hash,
        "generated_utc": header.generated_utc,
        "metrics": _metrics(score),
        "hard_gates": _gates(score.hard),
        "stretch_gates": _gates(score.stretch),
        "hard_pass": score.hard_pass,
        "stretch_pass": score.stretch_pass,
        "verdict": score.verdict,
        "provenance": dict(header.provenance.get(identity.seed, {})),
    }


def _metrics(score: SeedScore) -> dict[str, Any]:
    """Every value by name; beside them how many it is over, how settlements came about, what explains a value,
    and the slices.
    """
    measured = score.metrics.overall
    return {
        **{name: _value(name, found) for name, found in measured.items()},
        "n": {name: found.n for name, found in measured.items()},
        "settlements": dict(score.settlements),
        "detail": {name: dict(found.detail) for name, found in measured.items() if found.detail},
        "by_virtual_class": {
            name: {
                "merchants": score.metrics.class_sizes[name],
                **{metric: found.value for metric, found in metrics.items()},
            }
            for name, metrics in score.metrics.by_class.items()
        },
        **{f"virtual_rate_by_{label}": rows for label, rows in score.metrics.virtual_rates.items()},
    }


def _value(metric: str, found: Measurement) -> float | bool | None:
    yes_or_no = METRICS[metric].direction == "true" and found.value is not None
    return found.value == 1.0 if yes_or_no else found.value


def _gates(gates: Mapping[str, GateResult]) -> dict[str, Any]:
    return {gate_id: gate.record() for gate_id, gate in gates.items()}


def cross_seed_summary(
    certification: Certification, required_seeds: Sequence[int], header: ReportHeader
) -> dict[str, Any]:
    """``3B_validation_cross_seed_summary.json``."""
    scores, cross = certification.scores, certification.cross_seed
    all_hard, all_stretch = cross.all_hard_pass, all(score.stretch_pass for score in scores.values())
    return {
        "segment": SEGMENT,
        "phase": header.phase,
        "generated_utc": header.generated_utc,
        "required_seeds": list(required_seeds),
        "selected_seed_run_map": {str(seed): score.identity.run_id for seed, score in scores.items()},
        "seed_verdicts": {str(seed): score.verdict for seed, score in scores.items()},
        "cross_seed_checks": cross.record(),
        "confidence": dict(certification.confidence),
        "overall": {
            "all_seed_hard_pass": all_hard,
            "all_seed_stretch_pass": all_stretch,
            "pass_b": all_hard and cross.stable_b and cross.prevalent,
            "pass_bplus": all_hard and all_stretch and cross.stable_bplus and cross.prevalent,
            "grade_a": certification.grade_a,
            "overall_verdict": certification.verdict,
        },
        "ranked_failures": [dict(failure) for failure in certification.failures],
    }


def failure_trace(certification: Certification, header: ReportHeader) -> str | None:
    """``3B_validation_failure_trace.md``; None when no gate fails."""
    if not certification.failures:
        return None
    lines = [
        "# 3B validation: what failed",
        "",
        f"Verdict {certification.verdict}, phase {header.phase}, {header.generated_utc}. "
        f"{len(certification.failures)} failing gate results over seeds "
        f"{', '.join(str(seed) for seed in certification.scores)}; hard gates first, then by miss.",
    ]
    for number, failure in enumerate(certification.failures, start=1):
        lines += ["", *_trace_entry(number, failure), *_explanation(certification, failure)]
    return "\n".join(lines) + "\n"


def _trace_entry(number: int, failure: Mapping[str, Any]) -> list[str]:
    seed = "over all seeds" if failure["seed"] is None else f"seed {failure['seed']}"
    metric = METRICS[failure["metric"]]
    name = f"CV over seeds of {metric.name}" if "statistic" in failure else metric.name
    return [
        f"## {number}. {failure['gate']} ({failure['level']}), {seed}",
        "",
        f"- Metric: `{name}` ({metric.unit}). {metric.definition}",
        f"- Observed: {_text(failure['observed'])}; bound: {failure['operator']} "
        f"{_text(failure['threshold'])}; {_miss(failure)}",
        f"- Look first: state {failure['state']}, lane {failure['lane']}, {failure['fault_domain']}: "
        f"{_WHERE_TO_LOOK[failure['fault_domain']]}.",
        f"- Reads: {', '.join(f'`{dataset}`' for dataset in metric.datasets)}.",
    ]


def _explanation(certification: Certification, failure: Mapping[str, Any]) -> list[str]:
    """What the measurement itself has to say, as JSON."""
    if failure["seed"] is None:
        return []
    detail = certification.scores[failure["seed"]].metrics.overall[failure["metric"]].detail
    return [f"- Detail: `{canonical_json(dict(detail)).decode()}`"] if detail else []


def _miss(failure: Mapping[str, Any]) -> str:
    if failure["pass"] is None:
        return "not applicable: there was nothing to measure."
    if failure["miss_pct"] is None:
        return f"missed by {_text(failure['miss_abs'])}."
    return f"missed by {_text(failure['miss_abs'])} ({failure['miss_pct']:.2f} % of the bound)."


def _text(value: Any) -> str:
    if isinstance(value, list):
        return " .. ".join(_text(part) for part in value)
    if value is None:
        return "none"
    return f"{value:.9g}" if isinstance(value, float) else str(value).lower()
