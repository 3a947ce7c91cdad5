"""How often merchants are virtual, by category and channel. The rates by one attribute are metrics already."""

from __future__ import annotations

from typing import Final

import polars as pl

MCC_CHANNEL: Final = pl.Schema(
    {"mcc": pl.Int32(), "channel": pl.String(), "rows": pl.Int64(), "virtual": pl.Int64()}
)


def rate_by_mcc_channel(rows: pl.DataFrame) -> pl.DataFrame:
    """Merchants and virtual merchants of every category and channel that occur together.

    Args:
        rows: classification rows with mcc and channel.
    """
    return (
        rows.group_by("mcc", "channel")
        .agg(rows=pl.len(), virtual=pl.col("is_virtual").sum())
        .sort("mcc", "channel")
    )
