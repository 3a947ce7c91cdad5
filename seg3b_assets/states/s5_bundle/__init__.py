"""S5 (law section 7): re-audits every published byte and writes the bundle and its flag over a clean report.

What is audited, and how, is ``seg3b_assets.audit``; here a report becomes a bundle, or an error.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

from seg3b_assets.contracts import all_contracts
from seg3b_assets.contracts.dictionary import UPSTREAM
from seg3b_assets.laws.audit_version import AUDIT_VERSION
from seg3b_assets.laws.errors import Seg3BError, fail
from seg3b_assets.laws.identity import AUDITED_STATES
from seg3b_assets.policies import SEALED_POLICIES
from seg3b_assets.states.context import StateContext, StateSpec
from seg3b_assets.states.run_report import publish_run_report

if TYPE_CHECKING:
    import polars as pl

    from seg3b_assets.audit import AuditReport, AuditTree, CheckResult

BUNDLE: Final = "validation_bundle_3B"
FLAG: Final = "passed_flag_3B"

_INDEX: Final = "validation_index_"
SHOWN_CHECKS: Final = 40
# Digests recorded at publishing differ whenever anything does: they name a fault only if nothing else can.
_LAST: Final = "S5.published_digests"


def _sealed_id(upstream: str) -> str:
    """What S0 seals of an upstream dataset: itself, or the gate that a segment's bundle is."""
    return f"segment_{upstream.removeprefix(_INDEX)}_gate" if upstream.startswith(_INDEX) else upstream


# All that was sealed and all that was published: a dataset is audited because the dictionary has it.
SEALED: Final = (
    *SEALED_POLICIES,
    *(_sealed_id(each.id) for each in all_contracts().values() if each.producer == UPSTREAM),
)
PUBLISHED: Final = tuple(
    each.id
    for each in all_contracts().values()
    if each.producer in AUDITED_STATES and each.status == "active"
)

STATE: Final = StateSpec(
    name="S5",
    code_version=AUDIT_VERSION,
    reads=(*SEALED, *PUBLISHED),
    writes=(BUNDLE, FLAG, "s5_run_report_3B"),
    objective="audit S0 to S4 from the bytes on disk, then seal the evidence and write the flag",
)


def run(context: StateContext) -> None:
    """Ask whether realism lets the seed pass, audit, then seal.

    Raises:
        Seg3BError: ``REALISM_GATE_BLOCKED`` when a BLOCKING row of the contract failed; else that of the
            first check that failed, with all of them in its detail. Nothing is written then.
    """
    from seg3b_assets.audit import audit  # noqa: PLC0415 - a run that reuses S5 needs none of it
    from seg3b_assets.states.s5_bundle.evidence import Sealing, bundle_members, flag_bytes  # noqa: PLC0415

    results = context.published.table("virtual_validation_results_3B")
    require_realistic(results)
    with context.lanes("audit"):
        report = audit(audit_tree(context), context.workers)
        require_sound(report)
    with context.lanes("bundle"):
        sealing = Sealing(
            _carried(context), context.inputs.rows, _realism(context, results), _contract(context)
        )
        members = bundle_members(report, context.identity, sealing)
        for name, data in members.items():
            context.out.member(BUNDLE, name, data)
    with context.lanes("flag"):
        context.out.blob(FLAG, flag_bytes(members))
    publish_run_report(context, STATE)


def _realism(context: StateContext, results: pl.DataFrame) -> dict[str, Any]:
    from seg3b_assets.states.s5_bundle.evidence import realism_results  # noqa: PLC0415

    return realism_results(results, context.policies.virtual_validation.realism_enforcement_mode)


def _contract(context: StateContext) -> dict[str, Any]:
    from seg3b_assets.states.s5_bundle.evidence import contract_figures  # noqa: PLC0415

    table = context.published.table("virtual_validation_contract_3B")
    return contract_figures(table, context.policies.virtual_validation.realism_enforcement_mode)


def audit_tree(context: StateContext) -> AuditTree:
    """The lineage's datasets and sealed inputs, by path; an input's bytes are hashed again, whatever is remembered."""
    from seg3b_assets.audit import AuditTree  # noqa: PLC0415

    inputs, published = context.inputs, context.published
    return AuditTree(
        identity=context.identity,
        datasets={dataset_id: published.path(dataset_id) for dataset_id in PUBLISHED},
        inputs={logical_id: entry.location for logical_id, entry in inputs.entries.items()},
        policies=context.policies,
        published={dataset_id: published.digest(dataset_id) for dataset_id in PUBLISHED},
        digest_of=context.policies.digest_again,
        versions={"S2": published.code_version("rng_audit_log_3B")},
    )


def _carried(context: StateContext) -> dict[str, bytes]:
    """Members that are an earlier state's document, byte for byte."""
    carried = ("s0_gate_receipt_3B", "sealed_inputs_3B", "s4_run_summary_3B")
    return {f"{name}.json": context.published.path(name).read_bytes() for name in carried}


def require_realistic(results: pl.DataFrame) -> None:
    """Return when every BLOCKING row of the contract holds; in observe mode no row is BLOCKING.

    Args:
        results: ``virtual_validation_results_3B`` of the snapshot that is to be sealed.

    Raises:
        Seg3BError: ``REALISM_GATE_BLOCKED`` with the rows that failed.
    """
    import polars as pl  # noqa: PLC0415

    failed = results.filter((pl.col("severity") == "BLOCKING") & (pl.col("status") == "FAIL"))
    if failed.is_empty():
        return
    shown = ("test_id", "metric", "virtual_class", "measured", "operator", "threshold", "n")
    rows = failed.select(shown).head(SHOWN_CHECKS).to_dicts()
    first = rows[0]
    raise fail(
        "blocking_row_holds",
        f"virtual_validation_results_3B:{first['metric']} ({first['test_id']})",
        f"It is {first['measured']}, the contract wants {first['operator']} {first['threshold']}. Mend the "
        "posture in policies/, where docs/realism.md says what moves it, or set realism_enforcement_mode to "
        "observe. S0 to S4 are published and can be looked at.",
        failed=failed.height,
        rows=rows,
    )


def require_sound(report: AuditReport) -> None:
    """Return when no check failed and every dataset was there to be checked.

    Raises:
        Seg3BError: of the first failed check, states in order; the detail lists them all. In a run everything
            is at hand, so a check that was skipped counts as failed.
    """
    failed = sorted(report.failed, key=lambda result: result.check_id == _LAST)
    if failed:
        raise _error(failed)
    if report.skipped:
        raise _error(list(report.skipped))


def _error(results: list[CheckResult]) -> Seg3BError:
    first = results[0]
    return Seg3BError(
        "S5",
        first.spec.code,
        first.check_id,
        str((first.example or {}).get("dataset", first.check_id)),
        f"Likely cause: {first.spec.likely_cause}. Run the seed again from the state that wrote it, with "
        "--recompute; nothing was sealed.",
        {"failed": len(results), "checks": [check_record(result) for result in results[:SHOWN_CHECKS]]},
    )


def check_record(result: CheckResult) -> dict[str, Any]:
    """One failed check as a person reads it: what, how often, where, by which law, and why it may be."""
    return {
        "check_id": result.check_id,
        "affected_count": result.affected_count,
        "example": dict(result.example or {}),
        "detail": dict(result.detail),
        "law": result.spec.law,
        "likely_cause": result.spec.likely_cause,
    }
