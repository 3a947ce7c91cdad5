"""From failed checks to the one error that stops S5 (law section 8)."""

from __future__ import annotations

from typing import Any, Final

import polars as pl

from seg3b_assets.audit import AuditReport, CheckResult
from seg3b_assets.laws.errors import Seg3BError, fail

SHOWN_CHECKS: Final = 40
# Digests recorded at publishing differ whenever anything does: they name a fault only if nothing else can.
_LAST: Final = "S5.published_digests"


def require_realistic(results: pl.DataFrame) -> None:
    """Return when every BLOCKING row of the contract holds; in observe mode no row is BLOCKING.

    Args:
        results: ``virtual_validation_results_3B`` of the snapshot that is to be sealed.

    Raises:
        Seg3BError: ``REALISM_GATE_BLOCKED`` with the rows that failed.
    """
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
