"""The files of a certification, by name: documents, checked against their contracts, and the gate matrix.

Pure: the same scores and lineages give the same bytes. Seeds are text keys, numbers stand as measured, and the times in
the documents are the upstream receipts'.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any, Final

import polars as pl

from seg3b_assets.certification.lineages import SeedLineage
from seg3b_assets.certification.verdict import HARD, STRETCH, Certification
from seg3b_assets.contracts import contract, require_document
from seg3b_assets.laws.hashing import canonical_json
from seg3b_assets.policies import PolicySet
from seg3b_assets.realism.gates import Condition, GateResult
from seg3b_assets.realism.measurement import ALL_VIRTUAL, Measurement
from seg3b_assets.realism.metrics import CLASS_POPULATION
from seg3b_assets.realism.registry import METRICS
from seg3b_assets.realism.scoring import SeedScore

PHASE: Final = "P5"
METRICS_CONTRACT: Final = "validation_metrics_seed_3B"
PLOTS_CONTRACT: Final = "validation_plots_seed_3B"
SUMMARY_CONTRACT: Final = "validation_cross_seed_summary_3B"
REFERENCE_CONTRACT: Final = "validation_reference_3B"


def policy_digests(policies: PolicySet) -> dict[str, str]:
    """SHA-256 by policy id, the unsealed certification policy included."""
    return {policy_id: file.sha256 for policy_id, file in policies.files.items()}


def evidence(
    certification: Certification, lineages: Mapping[int, SeedLineage], policies: PolicySet
) -> dict[str, bytes]:
    """Bytes by file name; the failure trace only where a gate fails.

    Raises:
        Seg3BError: ``OUTPUT_WRITE_FAILED`` for a document that breaks its contract.
    """
    digests = policy_digests(policies)
    header = ReportHeader(
        PHASE,
        max(lineage.identity.created_utc for lineage in lineages.values()),
        {seed: lineage.provenance(digests) for seed, lineage in lineages.items()},
    )
    files = {
        metrics_file_name(seed): _document(
            METRICS_CONTRACT,
            metrics_document(score, replace(header, generated_utc=score.identity.created_utc)),
        )
        for seed, score in certification.scores.items()
    }
    files |= {
        plots_file_name(seed): _document(PLOTS_CONTRACT, plots_document(score))
        for seed, score in certification.scores.items()
    }
    summary = cross_seed_summary(certification, policies.certification.seeds, header)
    files[CROSS_SEED_SUMMARY] = _document(SUMMARY_CONTRACT, summary)
    files[GATE_MATRIX] = matrix_bytes(gate_matrix(certification))
    if certification.reference is not None:
        files[REFERENCE] = _document(REFERENCE_CONTRACT, reference_document(certification, header))
    trace = failure_trace(certification, header)
    if trace is not None:
        files[FAILURE_TRACE] = trace.encode()
    return files


def _document(dataset_id: str, value: dict[str, Any]) -> bytes:
    require_document(contract(dataset_id), value, state="S5", name="OUTPUT_WRITE_FAILED", place=dataset_id)
    return canonical_json(value)


SEGMENT: Final = "3B"
CROSS_SEED_SUMMARY: Final = "3B_validation_cross_seed_summary.json"
REFERENCE: Final = "3B_validation_reference.json"
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


def reference_document(certification: Certification, header: ReportHeader) -> dict[str, Any]:
    """``3B_validation_reference.json``."""
    tier = {} if certification.reference is None else certification.reference.record()
    return {
        "segment": SEGMENT,
        "generated_utc": header.generated_utc,
        **tier,
        "grade_a_plus": certification.grade_a_plus,
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


GATE_MATRIX: Final = "3B_validation_gate_matrix.csv"

_SCHEMA: Final = {
    "seed": pl.UInt64,
    "gate": pl.String,
    "level": pl.String,
    "population": pl.String,
    "metric": pl.String,
    "unit": pl.String,
    "operator": pl.String,
    "threshold_low": pl.Float64,
    "threshold_high": pl.Float64,
    "observed": pl.Float64,
    "pass": pl.Boolean,
    "miss_abs": pl.Float64,
    "miss_pct": pl.Float64,
    "margin": pl.Float64,
    "state": pl.String,
    "lane": pl.String,
    "fault_domain": pl.String,
}


def gate_matrix(certification: Certification) -> pl.DataFrame:
    """A row per seed, gate, population and condition, in that order.

    Returns:
        seed; gate, level (hard, stretch), population (all_virtual or one virtual_class); metric, unit;
        operator and the ends of the bound, null where it is open; observed in the metric's unit (1 or 0 for
        yes or no), pass (null: nothing to measure), miss and margin as in the metrics documents; where to
        look first.
    """
    rows = [
        _row(seed, level, population, gate, condition)
        for seed, score in certification.scores.items()
        for level, population, gates in (
            (HARD, ALL_VIRTUAL, score.hard),
            (STRETCH, ALL_VIRTUAL, score.stretch),
            *_sliced(score.class_gates),
        )
        for gate in gates.values()
        for condition in gate.conditions
    ]
    return pl.DataFrame(rows, schema=_SCHEMA, orient="row")


def _sliced(
    classes: Mapping[str, Mapping[str, GateResult]],
) -> Iterator[tuple[str, str, Mapping[str, GateResult]]]:
    for name, gates in sorted(classes.items()):
        yield HARD, f"{CLASS_POPULATION}{name}", gates


def _row(seed: int, level: str, population: str, gate: GateResult, condition: Condition) -> tuple[Any, ...]:
    metric = METRICS[condition.metric]
    low, high = _ends(condition)
    return (
        seed,
        gate.gate_id,
        level,
        population,
        condition.metric,
        metric.unit,
        condition.operator,
        low,
        high,
        None if condition.observed is None else float(condition.observed),
        condition.passed,
        condition.miss_abs,
        condition.miss_pct,
        condition.margin,
        gate.state,
        metric.lane,
        gate.fault_domain,
    )


def _ends(condition: Condition) -> tuple[float | None, float | None]:
    if isinstance(condition.threshold, tuple):
        return condition.threshold
    bound = float(condition.threshold)
    return (None, bound) if condition.operator == "<=" else (bound, None)


def matrix_bytes(matrix: pl.DataFrame) -> bytes:
    """The matrix as CSV with a header, LF-terminated; numbers are written as in the documents."""
    floats = pl.selectors.float().cast(pl.String)
    return matrix.with_columns(floats).write_csv().encode()
