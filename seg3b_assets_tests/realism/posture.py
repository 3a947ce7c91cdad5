"""The posture of record before the reference tier: published frames of seed 42, only the columns the tier reads.

Kept from the last release whose edges had dead weights, no home market and clones in every hub, so that the tier is
held to what it was made to see. Weights are whole masses and coordinates micro-degrees, as they are published.
"""

from __future__ import annotations

from pathlib import Path

import polars as pl

from seg3b_assets.realism.reference_tier.world import ReferenceFrames

FOLDER = Path(__file__).parents[1] / "data" / "posture_of_0a64d36"


def posture_frames() -> ReferenceFrames:
    virtual = pl.read_parquet(FOLDER / "virtual.parquet").sort("merchant_id")
    ids = virtual["merchant_id"]
    edges = pl.read_parquet(FOLDER / "edges.parquet")
    return ReferenceFrames(
        merchants=pl.read_parquet(FOLDER / "merchants.parquet"),
        virtual=virtual,
        edges=edges.select(
            merchant_id=ids.gather(edges["merchant"]),
            country_iso="country_iso",
            lat_deg=pl.col("lat") / 10**6,
            lon_deg=pl.col("lon") / 10**6,
            edge_weight=pl.col("mass") / 10**12,
        ),
        outlets=pl.read_parquet(FOLDER / "outlets.parquet"),
    )
