"""The certification as an asset: the policy's seeds up to date, scored, judged together; its verdict as checks.

The step brings every seed up to date itself, so that a certification never rests on what other runs left behind, and
tells Dagster of the lineages it put in force. Verdicts are those of the kept documents, seed by seed; Dagster's
record of checks is never asked. The step starts before the seeds are brought up to date, so Dagster's own idea of the
parents' versions is too old; as for the states, the provenance is written from what was read.
"""

from base64 import b64encode
from collections.abc import Iterator, Mapping
from typing import Any, Final

import dagster as dg
from dagster._core.definitions.data_version import DATA_VERSION_TAG

from seg3b_assets.certification import CODE_VERSION, CertificationRun, SeedsFailedError, certify
from seg3b_assets.certification.archive import POLICY_SCOPE
from seg3b_assets.certification.documents import LEVELS, Stability
from seg3b_assets.certification.reference_documents import ReferenceTier
from seg3b_assets.laws.hashing import sha256_json
from seg3b_assets.laws.visible_text import visible
from seg3b_assets.orchestration.datasets import OWNERS
from seg3b_assets.orchestration.lineage import (
    CERTIFICATION,
    CERTIFIED_DATASETS,
    POLICIES,
    SEEDS,
    certification_policy,
)
from seg3b_assets.orchestration.record import record_checks, record_results
from seg3b_assets.orchestration.reporting import (
    Event,
    PartitionReport,
    Recorded,
    latest_tags,
    provenance_tags,
    source_version_tags,
)
from seg3b_assets.orchestration.resources import Installation
from seg3b_assets.orchestration.run_log import (
    Logged,
    LogProgress,
    budget_facts,
    explained_failures,
    json_metadata,
)
from seg3b_assets.pipeline import RunRecord
from seg3b_assets.report import reference_tables, tables
from seg3b_assets.report.content import Grid
from seg3b_assets.report.markdown import blocks_markdown, grid_markdown, plain
from seg3b_assets.report.written import Report, report_of
from seg3b_assets.settings import Settings
from seg3b_assets.wording import number, percent

CERTIFICATION_LANE: Final = "certification"
SHOWN_FIGURES: Final = (
    "merchant-distributions",
    "edge-distance",
    "settlement-overlap-country",
    "bootstrap-overlap",
)
DESCRIPTIONS: Final = {
    "certification_verdict": "The segment is PASS_B or PASS_BPLUS over all certification seeds.",
    "grade_a": "PASS_BPLUS, and every layer of confidence holds.",
    "gate_3B_X01": "Gate 3B-X01. Over seeds, the coefficient of variation of four metrics stays small.",
    "gate_3B_X02": "Gate 3B-X02. On every seed the share of virtual merchants lies in the policy's band.",
    "gate_3B_X03": "Gate 3B-X03. No hard gate fails on any seed.",
}
ACROSS: Final = {
    "3B-RX1": "Every two seeds' distributions lie close, and would with other merchants.",
    "3B-RX2": "No two seeds are one world, in part or whole.",
    "3B-RX3": "The same policies hold over other worlds.",
}


def check_name(gate_id: str) -> str:
    """``gate_3B_R01``: Dagster allows letters, digits and underscores."""
    return f"gate_{gate_id.replace('-', '_')}"


def reference_checks() -> dict[str, str]:
    """What each check of the reference tier holds, by name; none where the policy has no tier."""
    tier = certification_policy().reference
    if tier is None:
        return {}
    told = {"grade_a_plus": "Grade A, and every gate of the reference tier."}
    for gate_id, rule in sorted(tier.gates.items()):
        measured = ", ".join(part.metric for part in rule.parts.values())
        told[check_name(gate_id)] = f"Reference gate {gate_id}: {measured}. Bounds: {rule.source}."
    return told | {check_name(gate): f"Reference gate {gate}. {said}" for gate, said in ACROSS.items()}


REFERENCE_CHECKS: Final = reference_checks()


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
        dg.AssetCheckSpec(name, asset=CERTIFICATION, description=told)
        for name, told in (DESCRIPTIONS | REFERENCE_CHECKS).items()
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
    for seed, record in made_current(run).items():
        with explained_failures():
            record_checks(context.instance, str(seed), installation.published_of(record), context.run)
    yield dg.MaterializeResult(
        asset_key=CERTIFICATION,
        data_version=dg.DataVersion(run.certification_id),
        metadata=certification_facts(run, report) | budget_facts(context, CERTIFICATION_LANE, run.wall_s),
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


def certification_facts(run: CertificationRun, report: Report) -> dict[str, Any]:
    """What a materialization of the certification shows.

    Args:
        report: its report, which tells the whole of it.
    """
    return {
        "verdict": run.verdict,
        "grade A": run.grade_a,
        **_tables(run),
        "over all seeds": _markdown(tables.cross_seed_table(run.summary, run.metrics)),
        "confidence": _markdown(tables.confidence_table(run.summary.confidence)),
        "reference tier": _markdown(reference_tables.reference_gates_table(run.reference))
        if run.reference
        else "not measured",
        "report": dg.MetadataValue.path(report.html),
        **_figures(report),
        "summary": dg.MetadataValue.path(run.summary_path),
        "artefacts": dg.MetadataValue.path(run.folder),
        "certification id": run.certification_id,
        "lineages": dg.MetadataValue.json({str(seed): one for seed, one in run.complete.items()}),
        "reused": run.reused,
        "wall_s": round(run.wall_s, 3),
    }


def _markdown(grid: Grid) -> dg.MetadataValue[Any]:
    return dg.MetadataValue.md(grid_markdown(grid))


def _tables(run: CertificationRun) -> dict[str, Any]:
    """The seeds, and every gate against each of them."""
    matrix = [tables.matrix_table(run.metrics, level) for level in LEVELS]
    return {
        "seeds": _markdown(tables.seeds_table(run.metrics)),
        "gate matrix": dg.MetadataValue.md(blocks_markdown(matrix)),
    }


def _figures(report: Report) -> dict[str, Any]:
    """Some of the report's figures, with their words; a page of Dagster shows an image only within the text."""
    shown = {}
    for plot in report.document["plots"]:
        path = report.figure(plot["name"])
        if plot["name"] in SHOWN_FIGURES and path.is_file():
            image = b64encode(path.read_bytes()).decode()
            title = plain(plot["title"])
            text = f"![{title}](data:image/svg+xml;base64,{image})\n\n{plain(plot['caption'])}"
            shown[f"plot: {plot['title']}"] = dg.MetadataValue.md(text)
    return shown


def certification_results(run: CertificationRun) -> Iterator[dg.AssetCheckResult]:
    """What the checks of the asset say: the verdict, the grade, and the gates over seeds."""
    checks, failures = run.summary.cross_seed_checks, tables.failures_table(run.summary)
    stable, prevalent, sound = checks.stability, checks.prevalence, checks.soundness
    told = f"{run.verdict}, {'grade A' if run.grade_a else 'not grade A'}."
    margins = [margin for of_seed in run.margins.values() for margin in of_seed.values()]
    facts = {
        **_tables(run),
        "failing gates": len(run.summary.ranked_failures),
        "thinnest margin": min(margins, default=None),
        "what failed": _markdown(failures) if failures else None,
    }
    yield _check("certification_verdict", run.passed, told, facts)
    confidence = _markdown(tables.confidence_table(run.summary.confidence))
    yield _check("grade_a", run.grade_a, told, {"confidence": confidence}, warn=True)
    over = {"over all seeds": _markdown(tables.cross_seed_table(run.summary, run.metrics))}
    stretched = stable.pass_b and not stable.pass_bplus
    facts = {**stable.metric_cvs, **over}
    yield _check("gate_3B_X01", stable.pass_bplus, _stability_told(stable), facts, warn=stretched)
    rates = [rate for rate in prevalent.virtual_rate_values.values() if rate is not None]
    ends = {"lowest": min(rates, default=None), "highest": max(rates, default=None)}
    band = f"band {percent(prevalent.band[0])} to {percent(prevalent.band[1])}"
    told = f"Virtual rate {percent(min(rates), 2)} to {percent(max(rates), 2)}" if rates else "No rate"
    yield _check("gate_3B_X02", prevalent.passed, f"{told}, {band}.", {**ends, **over})
    failing = [str(seed) for seed, passed in sound.all_hard_gates_pass.items() if not passed]
    told = f"Hard gates fail on seed {', '.join(failing)}." if failing else "Every hard gate on every seed."
    yield _check("gate_3B_X03", sound.passed, told, {"failing seeds": len(failing), **over})
    yield from _reference_results(run.reference, run.grade_a_plus)


def _reference_results(tier: ReferenceTier | None, grade_a_plus: bool) -> Iterator[dg.AssetCheckResult]:
    """What the checks of the reference tier say, those that the code location knows; each warns at most."""
    if tier is None:
        yield from (_check(name, False, "Not measured.", {}, warn=True) for name in REFERENCE_CHECKS)
        return
    standing = reference_tables.standing_of(tier)
    rows = reference_tables.worst_rows(tier)
    outcomes = {
        **dict.fromkeys(standing.holding, True),
        **dict.fromkeys(standing.failing, False),
        **dict.fromkeys(standing.untold),
    }
    over = {"over all seeds": _markdown(reference_tables.across_table(tier))}
    if "grade_a_plus" in REFERENCE_CHECKS:
        facts = {"gates": _markdown(reference_tables.reference_gates_table(tier)), **over}
        yield _check("grade_a_plus", grade_a_plus, standing.sentence, facts, warn=True)
    for gate, passed in outcomes.items():
        if check_name(gate) not in REFERENCE_CHECKS:
            continue
        told = rows[gate] if gate in rows else _across_told(tier, gate)
        facts = over if gate in ACROSS else {"every seed": _markdown(reference_tables.gate_table(tier, gate))}
        yield _check(check_name(gate), passed is True, told, facts, warn=True)


def _across_told(tier: ReferenceTier, gate: str) -> str:
    found = tier.across.by_id[gate]
    return found.reason or ("Holds." if found.passed else "Does not hold.")


def _stability_told(stable: Stability) -> str:
    """The CV nearest to its bound, or which metric has none."""
    bounds = f"bounds {number(stable.max_cv_b)} (B), {number(stable.max_cv_bplus)} (B+)"
    unknown = [metric for metric, cv in stable.metric_cvs.items() if cv is None]
    if unknown:
        return f"No CV of {', '.join(unknown)}: a seed has no value. {bounds.capitalize()}."
    largest, metric = max((cv, metric) for metric, cv in stable.metric_cvs.items() if cv is not None)
    return f"Largest CV over seeds {number(largest)} ({metric}), {bounds}."


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


def told_by_certification(instance: dg.DagsterInstance, run: CertificationRun) -> Iterator[Recorded]:
    """Events for every lineage the certification put in force, and for every policy it read.

    A lineage that realism blocked is not in force, and Dagster is not told of it: its partition stays as
    stale as it is.
    """
    for seed, record in made_current(run).items():
        yield from PartitionReport(instance, str(seed)).recorded(record)
    for policy_id, digest in policies_read(run).items():
        if latest_tags(instance, policy_id, None)[1].get(DATA_VERSION_TAG) != digest:
            yield dg.AssetObservation(
                policy_id, tags=source_version_tags(digest), description="As read by the certification."
            )


def made_current(run: CertificationRun) -> Mapping[int, RunRecord]:
    """By seed, the certified lineages that the certification put in force and Dagster has a partition for."""
    return {
        seed: lineage.record
        for seed, lineage in run.lineages.items()
        if lineage.record.heads_moved and str(seed) in SEEDS.get_partition_keys()
    }


def certification_tags(instance: dg.DagsterInstance, run: CertificationRun) -> dict[str, str]:
    """Tags of the certification's materialization; to be asked for after Dagster was told."""
    parents: dict[str, tuple[str, str | None]] = {
        policy_id: (digest, latest_tags(instance, policy_id, None)[0])
        for policy_id, digest in policies_read(run).items()
    }
    parents |= {name: _over_partitions(instance, name) for name in CERTIFIED_DATASETS}
    return provenance_tags(run.certification_id, CODE_VERSION, parents)


def policies_read(run: CertificationRun) -> Mapping[str, str]:
    """Digest by policy id; the same for every seed."""
    document = next(iter(run.metrics.values()))
    return document.provenance.policies


def _over_partitions(instance: dg.DagsterInstance, name: str) -> tuple[str, str | None]:
    """Versions of a dataset in all partitions as one, and the latest of their events."""
    latest = {seed: latest_tags(instance, name, seed) for seed in SEEDS.get_partition_keys()}
    versions = {seed: tags.get(DATA_VERSION_TAG) for seed, (_, tags) in latest.items()}
    pointers = [int(pointer) for pointer, _ in latest.values() if pointer is not None]
    return sha256_json(versions), str(max(pointers)) if pointers else None


def record_certification(instance: dg.DagsterInstance, run: CertificationRun, report: Report) -> bool:
    """Record the lineages a certification put in force, and the policy's where Dagster's latest is another.

    Args:
        report: its report.

    Returns:
        Whether the certification was news to Dagster.
    """
    for event in told_by_certification(instance, run):
        instance.report_runless_asset_event(event)
    if run.scope != POLICY_SCOPE:
        return False
    tags = certification_tags(instance, run)
    known = latest_tags(instance, CERTIFICATION, None)[1]
    if all(known.get(name) == value for name, value in tags.items()):
        return False
    instance.report_runless_asset_event(
        dg.AssetMaterialization(CERTIFICATION, metadata=certification_facts(run, report), tags=tags)
    )
    record_results(instance, certification_results(run))
    return True
