"""Where merchants settle: the points, who shares one, the zones, the countries and how much traffic is at home."""

from __future__ import annotations

from typing import Final

import numpy as np
import polars as pl

from seg3b_assets.laws.snapping import snap
from seg3b_assets.realism.order_statistics import quantile
from seg3b_assets.realism.population import MerchantFacts

POINTS: Final = pl.Schema({"lon_deg": pl.Float64(), "lat_deg": pl.Float64(), "merchants": pl.Int64()})
ZONES: Final = pl.Schema({"tzid_settlement": pl.String(), "merchants": pl.Int64()})
COUNTRIES: Final = pl.Schema(
    {
        "country_iso": pl.String(),
        "merchants": pl.Int64(),
        "overlap_p25": pl.Float64(),
        "overlap_p50": pl.Float64(),
        "overlap_p75": pl.Float64(),
    }
)

# About ten metres: enough for any map, and no more digits than one can see.
_POINT_DECIMALS: Final = 4


def settlement_points(settlement: pl.DataFrame) -> pl.DataFrame:
    """Distinct settlement coordinates (degrees) with how many merchants use each; equal before rounding."""
    return (
        settlement.group_by("lon_deg", "lat_deg")
        .agg(merchants=pl.len())
        .sort("lon_deg", "lat_deg")
        .with_columns(pl.col("lon_deg", "lat_deg").round(_POINT_DECIMALS))
    )


def settlement_zones(settlement: pl.DataFrame) -> pl.DataFrame:
    """Merchants by settlement zone, most first, then by name."""
    counted = settlement.group_by("tzid_settlement").agg(merchants=pl.len())
    return counted.sort("merchants", "tzid_settlement", descending=[True, False])


def settlement_countries(settlement: pl.DataFrame, merchants: MerchantFacts) -> pl.DataFrame:
    """Merchants by settlement country, most first, and quartiles of their edge weight at home.

    Returns:
        country_iso ("" where no polygon covers the settlement), merchants, overlap_p25, p50, p75 (shares).
    """
    country = settlement["settlement_country"].to_numpy().astype("U2")
    overlap = merchants.overlap
    rows = []
    for name in np.unique(country):
        values = overlap[country == name]
        rows.append((str(name), values.shape[0], *(quantile(values, level) for level in (0.25, 0.5, 0.75))))
    frame = pl.DataFrame(rows, schema=COUNTRIES, orient="row")
    shares = ("overlap_p25", "overlap_p50", "overlap_p75")
    snapped = frame.with_columns(pl.Series(name, snap(frame[name].to_numpy())) for name in shares)
    return snapped.sort("merchants", "country_iso", descending=[True, False])
