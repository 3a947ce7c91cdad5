"""The one check that stops a run: what the contract measured, in front of S5.

It says what S5 would say by itself, across runs and without Dagster too; here it is seen before S5 starts.
"""

from typing import Any

import dagster as dg
import polars as pl

from seg3b_assets.orchestration.failures import explained_failures
from seg3b_assets.orchestration.markdown import table, text
from seg3b_assets.orchestration.partitions import SEEDS
from seg3b_assets.orchestration.published_seed import PublishedSeed
from seg3b_assets.orchestration.resources import Installation
from seg3b_assets.realism import blocking_failures

GUARD = "realism_guard"
RESULTS = "virtual_validation_results_3B"
SHOWN = 40


@dg.asset_check(
    asset=RESULTS,
    name=GUARD,
    description="No BLOCKING row of the validation contract fails. In front of S5: while one does, no bundle "
    "is sealed and no flag is written. Where the policy observes, the same rows warn.",
    blocking=True,
    partitions_def=SEEDS,
)
def realism_guard(context: dg.AssetCheckExecutionContext, installation: Installation) -> dg.AssetCheckResult:
    """Read the results of the seed's lineage and look for rows that failed."""
    with explained_failures():
        return guard_result(installation.published_seed(context))


def guard_result(seed: PublishedSeed) -> dg.AssetCheckResult:
    """What stands in front of S5 in this lineage. Before S4 ran it does not pass, and there is nothing to stop.

    Raises:
        Seg3BError: what reading the results raises.
    """
    if not seed.published.has(RESULTS):
        return _result(
            passed=False,
            severity=dg.AssetCheckSeverity.WARN,
            description=f"What is published of this seed ends with {seed.last_state}: S4 has measured nothing.",
        )
    results = seed.published.table(RESULTS)
    blocking = blocking_failures(results)
    missed = results.filter(pl.col("status").is_in(["FAIL", "WARN"]))
    mode = seed.policies.virtual_validation.realism_enforcement_mode
    return _result(
        passed=missed.is_empty() if mode == "observe" else blocking.is_empty(),
        severity=dg.AssetCheckSeverity.WARN if blocking.is_empty() else dg.AssetCheckSeverity.ERROR,
        description=_sentence(results.height, blocking.height, missed.height),
        metadata=_metadata(results, missed, mode),
    )


def _result(**found: Any) -> dg.AssetCheckResult:
    return dg.AssetCheckResult(asset_key=RESULTS, check_name=GUARD, **found)


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
            "metric", "virtual_class", "test_id", "severity", "measured", "operator", "threshold", "n"
        )
        rows = [[text(value) for value in row] for row in shown.head(SHOWN).iter_rows()]
        facts["rows that miss"] = dg.MetadataValue.md(table(shown.columns, rows))
    return facts
