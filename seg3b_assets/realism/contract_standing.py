"""Whether the validation contract is in force and was met by this snapshot (gate 3B-V12).

A contract that is only declared proves nothing: every BLOCKING row needs a result, the result must be PASS,
and what it says it measured must be what the published data yield now.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, Final

import polars as pl

from seg3b_assets.realism.measurement import GLOBAL, NOT_APPLICABLE, Measurement
from seg3b_assets.realism.registry import REALISM_FAMILIES

_EXAMPLES: Final = 5
_ONE_CLASS: Final = pl.col("target_population").struct.field("classes").list.first().alias("virtual_class")

Remeasure = Callable[[str, str | None], float | None]


def realism_block(
    contract: pl.DataFrame | None,
    terms: pl.DataFrame | None,
    results: pl.DataFrame | None,
    merchants: int,
    remeasure: Remeasure,
) -> Measurement:
    """1 when the realism block is active, enforced and met, else 0 with the reasons.

    A slice without a result, because its class is too small to judge, does not count against the block; a
    whole population without one does.

    Args:
        contract, terms, results: S4's three tables; None when they were never published.
        merchants: virtual merchants of the seed; none means there is nothing to enforce.
        remeasure: (metric, virtual class or None) to the value of the published data now; None where it is not
            measured again.
    """
    if not merchants:
        return NOT_APPLICABLE
    if contract is None or terms is None or results is None:
        return Measurement(0.0, merchants, {"reasons": {"never_run": 1}})
    blocking = contract.filter((pl.col("severity") == "BLOCKING") & pl.col("enabled"))
    realism = contract.filter(pl.col("test_type").is_in(REALISM_FAMILIES))
    answered = (
        blocking.select("test_id", "scope", _ONE_CLASS)
        .join(terms.select("test_id", "metric"), on="test_id", how="left")
        .join(results.select("test_id", "status", "measured"), on="test_id", how="left")
    )
    too_small = (pl.col("status") == "NOT_APPLICABLE") & (pl.col("scope") != GLOBAL)
    unmet = answered.filter(~((pl.col("status") == "PASS") | too_small).fill_null(False))
    reasons: dict[str, Any] = {
        "families_missing": sorted(set(REALISM_FAMILIES) - set(realism["test_type"])),
        "rows_not_enabled": _ids(realism.filter(~pl.col("enabled"))),
        "rows_not_blocking": _ids(realism.filter(pl.col("severity") != "BLOCKING")),
        "blocking_rows_unmet": _described(unmet),
        "rows_without_terms": _ids(contract.join(terms, on="test_id", how="anti")),
        "results_of_another_snapshot": _stale(answered, remeasure),
        "results_without_row": _ids(results.join(contract, on="test_id", how="anti")),
    }
    found = {
        reason: {"count": len(rows), "examples": rows[:_EXAMPLES]} for reason, rows in reasons.items() if rows
    }
    return Measurement(0.0 if found else 1.0, blocking.height, {"reasons": found} if found else {})


def _ids(rows: pl.DataFrame) -> list[str]:
    return sorted(rows["test_id"].to_list())


def _described(rows: pl.DataFrame) -> list[str]:
    """Metric, class and outcome of each row."""
    whom = pl.col("virtual_class").fill_null("everybody")
    outcome = pl.col("status").fill_null("no result")
    return (
        rows.sort("test_id")
        .select(
            pl.concat_str(
                pl.col("metric").fill_null("no terms"), pl.lit(" over "), whom, pl.lit(": "), outcome
            )
        )
        .to_series()
        .to_list()
    )


def _stale(answered: pl.DataFrame, remeasure: Remeasure) -> list[str]:
    """Rows whose result is not what the data yield; both lie on the metric's grid, so they must be equal."""
    measured = answered.filter(pl.col("measured").is_not_null())
    stale = []
    for test_id, metric, virtual_class, value in measured.select(
        "test_id", "metric", "virtual_class", "measured"
    ).iter_rows():
        now = remeasure(metric, virtual_class)
        if now is not None and now != value:
            stale.append(test_id)
    return stale
