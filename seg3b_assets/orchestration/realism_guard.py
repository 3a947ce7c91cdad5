"""The one check that stops a run: what the contract measured, in front of S5.

It says what S5 would say by itself, across runs and without Dagster too; here it is seen before S5 starts.
"""

from typing import Any

import dagster as dg
import polars as pl

from seg3b_assets.orchestration.failures import explained_failures
from seg3b_assets.orchestration.markdown import table, text
from seg3b_assets.orchestration.partitions import SEEDS
from seg3b_assets.orchestration.resources import Installation
from seg3b_assets.realism import blocking_failures

RESULTS = "virtual_validation_results_3B"
SHOWN = 40


@dg.asset_check(
    asset=RESULTS,
    name="realism_guard",
    description="No BLOCKING row of the validation contract fails. In front of S5: while one does, no bundle "
    "is sealed and no flag is written. Where the policy observes, the same rows warn.",
    blocking=True,
    partitions_def=SEEDS,
)
def realism_guard(context: dg.AssetCheckExecutionContext, installation: Installation) -> dg.AssetCheckResult:
    """Read the results of the seed's lineage and look for rows that failed."""
    with explained_failures():
        seed = installation.published_seed(context)
        results = seed.published.table(RESULTS)
    blocking = blocking_failures(results)
    missed = results.filter(pl.col("status").is_in(["FAIL", "WARN"]))
    mode = seed.policies.virtual_validation.realism_enforcement_mode
    return dg.AssetCheckResult(
        passed=missed.is_empty() if mode == "observe" else blocking.is_empty(),
        severity=dg.AssetCheckSeverity.WARN if blocking.is_empty() else dg.AssetCheckSeverity.ERROR,
        description=_sentence(results.height, blocking.height, missed.height),
        metadata=_metadata(results, missed, mode),
    )


def _sentence(rows: int, blocking: int, missed: int) -> str:
    if blocking:
        return f"{blocking} BLOCKING rows of {rows} fail: S5 refuses to seal this lineage."
    if missed:
        return f"{missed} of {rows} rows miss their bound and none of them is BLOCKING: S5 may go on."
    return f"All {rows} rows of the contract hold or are not applicable."


def _metadata(results: pl.DataFrame, missed: pl.DataFrame, mode: str) -> dict[str, Any]:
    counted = results.group_by("severity", "status").len("rows").sort("severity", "status")
    facts: dict[str, Any] = {
        "mode": mode,
        "rows": results.height,
        "missed": missed.height,
        "by severity": dg.MetadataValue.md(table(("severity", "status", "rows"), counted.iter_rows())),
    }
    if missed.height:
        shown = missed.select(
            "metric", "scope", "test_id", "severity", "measured", "operator", "threshold", "n"
        )
        rows = [[text(value) for value in row] for row in shown.head(SHOWN).iter_rows()]
        facts["rows that miss"] = dg.MetadataValue.md(table(shown.columns, rows))
    return facts
