"""What each virtual merchant looks like: sizes, concentration, entropy, and its country mix by rank."""

from __future__ import annotations

from typing import Final

import numpy as np
import polars as pl
from numpy.typing import NDArray

from seg3b_assets.laws.alias import AliasTables
from seg3b_assets.laws.snapping import snap
from seg3b_assets.realism.population import MASS_UNITS, MerchantFacts, Population

F64 = NDArray[np.float64]

MERCHANTS: Final = pl.Schema(
    {
        "merchant_id": pl.UInt64(),
        "virtual_class": pl.String(),
        "edges": pl.Int64(),
        "alias_length": pl.Int64(),
        "countries": pl.Int64(),
        "top1_share": pl.Float64(),
        "top1_country_share": pl.Float64(),
        "country_entropy_nats": pl.Float64(),
        "settlement_overlap": pl.Float64(),
    }
)
PROFILES: Final = pl.Schema({"merchant": pl.Int64(), "rank": pl.Int64(), "share": pl.Float64()})
BANDS: Final = pl.Schema({"rank": pl.Int64(), "p10": pl.Float64(), "p50": pl.Float64(), "p90": pl.Float64()})
COUNTRY_PROFILE: Final = pl.Schema(
    {
        "country_iso": pl.String(),
        "edges": pl.Int64(),
        "merchants": pl.Int64(),
        "mean_share": pl.Float64(),
    }
)

# What is drawn as lines: enough merchants to show a spread, enough ranks to show a tail.
SHOWN_MERCHANTS: Final = 100
SHOWN_RANKS: Final = 25
_SHARE_UNITS: Final = 10**6


def merchant_facts(merchants: MerchantFacts, tables: AliasTables) -> pl.DataFrame:
    """One row per virtual merchant, ascending id.

    Returns:
        as ``MERCHANTS``: counts, shares of 1, entropy of the country weights in nats.
    """
    heaviest = merchants.country_mass.max(axis=1, initial=0) / MASS_UNITS
    return pl.DataFrame(
        {
            "merchant_id": merchants.merchant_id,
            "virtual_class": pl.Series(merchants.virtual_class, dtype=pl.String),
            "edges": merchants.edges,
            "alias_length": tables.lengths,
            "countries": merchants.countries,
            "top1_share": snap(merchants.top1_share),
            "top1_country_share": snap(heaviest),
            "country_entropy_nats": snap(country_entropy(merchants.country_share)),
            "settlement_overlap": snap(merchants.overlap),
        },
        schema=MERCHANTS,
    )


def country_entropy(share: F64) -> F64:
    """Shannon entropy, nats, of each row of (merchants, countries) shares; a share of 0 adds nothing."""
    logs = np.log(share, out=np.zeros_like(share), where=share > 0)
    entropy: F64 = -(share * logs).sum(axis=1)
    return entropy


def profiles(merchants: MerchantFacts) -> pl.DataFrame:
    """Country shares by rank, heaviest first, of merchants spread evenly over the ids.

    Returns:
        merchant (row), rank (from 1), share, to a millionth; ranks without weight are left out.
    """
    chosen = np.unique(np.linspace(0, max(len(merchants) - 1, 0), SHOWN_MERCHANTS).astype(np.int64))
    ranked = _ranked(merchants)[chosen[: len(merchants)]]
    row, rank = np.nonzero(ranked > 0)
    return pl.DataFrame(
        {"merchant": row, "rank": rank + 1, "share": snap(ranked[row, rank], _SHARE_UNITS)}, schema=PROFILES
    )


def profile_bands(merchants: MerchantFacts) -> pl.DataFrame:
    """Deciles and median over all merchants of the share at each rank; a merchant without that rank has 0."""
    ranked = _ranked(merchants)
    if not ranked.size:
        return pl.DataFrame(schema=BANDS)
    levels = np.quantile(ranked, [0.1, 0.5, 0.9], axis=0, method="linear")
    found = {
        name: snap(values, _SHARE_UNITS) for name, values in zip(("p10", "p50", "p90"), levels, strict=True)
    }
    return pl.DataFrame({"rank": np.arange(1, ranked.shape[1] + 1), **found}, schema=BANDS)


def _ranked(merchants: MerchantFacts) -> F64:
    """Shares (merchants, ranks), descending."""
    ranked: F64 = -np.sort(-merchants.country_share, axis=1)[:, :SHOWN_RANKS]
    return ranked


def country_profile(edges: pl.DataFrame, population: Population) -> pl.DataFrame:
    """Countries edges lie in: edges, merchants that have one there, mean weight over merchants; heaviest first."""
    merchants = population.merchants
    if not len(merchants):
        return pl.DataFrame(schema=COUNTRY_PROFILE)
    frame = pl.DataFrame(
        {
            "country_iso": edges["country_iso"].unique().sort(),
            "edges": np.bincount(population.edges.country, minlength=merchants.country_mass.shape[1]),
            "merchants": (merchants.country_mass > 0).sum(axis=0),
            "mean_share": snap(merchants.country_mass.sum(axis=0) / (MASS_UNITS * len(merchants))),
        },
        schema=COUNTRY_PROFILE,
    )
    return frame.sort("mean_share", "country_iso", descending=[True, False])
