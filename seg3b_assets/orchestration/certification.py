"""The certification as an asset: four seeds up to date, scored, judged together; its verdict as checks.

The step brings every seed up to date itself, so that a certification never rests on what other runs left
behind, and tells Dagster of the lineages it put in force. Verdicts are those of the kept documents, seed by
seed; Dagster's record of checks is never asked.
"""

from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any, Final

import dagster as dg

from seg3b_assets.certification import CODE_VERSION, CertificationRun, SeedsFailedError, certify
from seg3b_assets.certification.report import report_of
from seg3b_assets.laws.visible_text import visible
from seg3b_assets.orchestration.budgets import budget_facts
from seg3b_assets.orchestration.certification_plots import figures
from seg3b_assets.orchestration.certification_provenance import (
    certification_tags,
    in_force,
    told_by_certification,
)
from seg3b_assets.orchestration.certification_tables import (
    confidence_table,
    cross_seed_table,
    failures_table,
    gate_matrix,
    seeds_table,
)
from seg3b_assets.orchestration.datasets import OWNERS
from seg3b_assets.orchestration.failures import explained_failures, json_metadata
from seg3b_assets.orchestration.lineage import CERTIFICATION, CERTIFIED_DATASETS, POLICIES
from seg3b_assets.orchestration.log_progress import Logged, LogProgress
from seg3b_assets.orchestration.markdown import text
from seg3b_assets.orchestration.recorded_checks import record_checks
from seg3b_assets.orchestration.reporting import Event
from seg3b_assets.orchestration.resources import Installation
from seg3b_assets.settings import Settings

CERTIFICATION_LANE: Final = "certification"
STABILITY, PREVALENCE, NO_HARD_FAILURE = "3B-X01", "3B-X02", "3B-X03"
DESCRIPTIONS: Final = {
    "certification_verdict": "The segment is PASS_B or PASS_BPLUS over all certification seeds.",
    "grade_a": "PASS_BPLUS, and every layer of confidence holds.",
    "gate_3B_X01": "Gate 3B-X01. Over seeds, the coefficient of variation of four metrics stays small.",
    "gate_3B_X02": "Gate 3B-X02. On every seed the share of virtual merchants lies in the policy's band.",
    "gate_3B_X03": "Gate 3B-X03. No hard gate fails on any seed.",
}


@dg.multi_asset(
    name=CERTIFICATION,
    specs=[
        dg.AssetSpec(
            CERTIFICATION,
            deps=[
                *POLICIES,
                *(
                    dg.AssetDep(name, partition_mapping=dg.AllPartitionMapping())
                    for name in CERTIFIED_DATASETS
                ),
            ],
            description="Verdict and grade of the segment over all certification seeds, with the evidence.",
            code_version=CODE_VERSION,
            group_name="certification",
            owners=OWNERS,
            kinds={"json"},
            metadata={"contract": "contracts/validation_cross_seed_summary_3B.schema.json"},
        )
    ],
    check_specs=[
        dg.AssetCheckSpec(name, asset=CERTIFICATION, description=told) for name, told in DESCRIPTIONS.items()
    ],
)
def certification_3B(  # noqa: N802 - a dataset's name
    context: dg.AssetExecutionContext, installation: Installation
) -> Iterator[Event | dg.AssetCheckResult]:
    """Run, score and judge the seeds; a seed that fails structurally fails the step."""
    run = certified(installation.settings(), context.log)
    with explained_failures():
        report = report_of(installation.settings(), run)
    yield from told_by_certification(context.instance, run)
    for seed, record in in_force(run).items():
        with explained_failures():
            record_checks(context.instance, str(seed), installation.published_of(record), context.run)
    yield dg.MaterializeResult(
        asset_key=CERTIFICATION,
        data_version=dg.DataVersion(run.certification_id),
        metadata=certification_facts(run, report.html)
        | budget_facts(context, CERTIFICATION_LANE, run.wall_s),
        tags=certification_tags(context.instance, run),
    )
    yield from certification_results(run)


def certified(settings: Settings, log: Logged) -> CertificationRun:
    """Certify the policy's seeds.

    Raises:
        dagster.Failure: a seed or a policy failed for another reason than realism.
    """
    try:
        with explained_failures():
            return certify(settings, progress=LogProgress(log))
    except SeedsFailedError as error:
        first = next(iter(error.errors.values()))
        raise dg.Failure(
            description=visible(
                f"{len(error.errors)} seeds cannot be certified; the first: {first.code} at {first.place}. "
                f"{first.remedy}"
            ),
            metadata={f"seed {seed}": json_metadata(e.record()) for seed, e in error.errors.items()},
            allow_retries=False,
        ) from error


def certification_facts(run: CertificationRun, report: Path) -> dict[str, Any]:
    """What a materialization of the certification shows.

    Args:
        report: the page that tells the whole of it.
    """
    return {
        "verdict": run.verdict,
        "grade A": run.grade_a,
        "seeds": dg.MetadataValue.md(seeds_table(run)),
        "gate matrix": dg.MetadataValue.md(gate_matrix(run)),
        "over all seeds": dg.MetadataValue.md(cross_seed_table(run)),
        "confidence": dg.MetadataValue.md(confidence_table(run)),
        "report": dg.MetadataValue.path(report),
        **figures(report),
        "summary": dg.MetadataValue.path(run.summary_path),
        "artefacts": dg.MetadataValue.path(run.folder),
        "certification id": run.certification_id,
        "lineages": dg.MetadataValue.json({str(seed): one for seed, one in run.complete.items()}),
        "reused": run.reused,
        "wall_s": round(run.wall_s, 3),
    }


def certification_results(run: CertificationRun) -> Iterator[dg.AssetCheckResult]:
    """What the checks of the asset say: the verdict, the grade, and the gates over seeds."""
    checks, failures = run.summary["cross_seed_checks"], failures_table(run)
    stable, prevalent, sound = checks[STABILITY], checks[PREVALENCE], checks[NO_HARD_FAILURE]
    told = f"{run.verdict}, {'grade A' if run.grade_a else 'not grade A'}."
    margins = [margin for of_seed in run.margins.values() for margin in of_seed.values()]
    facts = {
        "seeds": dg.MetadataValue.md(seeds_table(run)),
        "gate matrix": dg.MetadataValue.md(gate_matrix(run)),
        "failing gates": len(run.summary["ranked_failures"]),
        "thinnest margin": min(margins, default=None),
        "what failed": dg.MetadataValue.md(failures) if failures else None,
    }
    yield _check("certification_verdict", run.passed, told, facts)
    yield _check(
        "grade_a", run.grade_a, told, {"confidence": dg.MetadataValue.md(confidence_table(run))}, warn=True
    )
    over = {"over all seeds": dg.MetadataValue.md(cross_seed_table(run))}
    stretched = stable["pass_b"] and not stable["pass_bplus"]
    yield _check(
        "gate_3B_X01",
        stable["pass_bplus"],
        _stability_told(stable),
        {**stable["metric_cvs"], **over},
        warn=stretched,
    )
    rates = [rate for rate in prevalent["virtual_rate_values"].values() if rate is not None]
    ends = {"lowest": min(rates, default=None), "highest": max(rates, default=None)}
    told = f"Virtual rate {text([min(rates), max(rates)])}" if rates else "No rate"
    yield _check(
        "gate_3B_X02",
        prevalent["pass"],
        f"{told}, band {text(prevalent['band'])}.",
        {**ends, **over},
    )
    failing = [seed for seed, passed in sound["all_hard_gates_pass"].items() if not passed]
    told = f"Hard gates fail on seed {', '.join(failing)}." if failing else "Every hard gate on every seed."
    yield _check("gate_3B_X03", sound["pass"], told, {"failing seeds": len(failing), **over})


def _stability_told(stable: Mapping[str, Any]) -> str:
    """The CV nearest to its bound, or which metric has none."""
    bounds = f"bounds {stable['max_cv_b']} (B), {stable['max_cv_bplus']} (B+)"
    cvs: Mapping[str, float | None] = stable["metric_cvs"]
    unknown = [metric for metric, cv in cvs.items() if cv is None]
    if unknown:
        return f"No CV of {', '.join(unknown)}: a seed has no value. {bounds.capitalize()}."
    largest, metric = max((cv, metric) for metric, cv in cvs.items() if cv is not None)
    return f"Largest CV over seeds {text(largest)} ({metric}), {bounds}."


def _check(
    name: str, passed: bool, told: str, facts: Mapping[str, Any], warn: bool = False
) -> dg.AssetCheckResult:
    return dg.AssetCheckResult(
        asset_key=CERTIFICATION,
        check_name=name,
        passed=passed,
        severity=dg.AssetCheckSeverity.WARN if warn else dg.AssetCheckSeverity.ERROR,
        description=told,
        metadata={key: value for key, value in facts.items() if value is not None},
    )
