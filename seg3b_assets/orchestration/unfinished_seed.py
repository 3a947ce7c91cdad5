"""A seed that has not been run to S4, made fit to be measured as far as it goes.

A check may be asked for when only S1 or S2 of a seed is published. Metrics are defined over a whole seed's
arrays, so what is not published yet has a stand-in of the right shape here: one edge per merchant at its
settlement, tables nobody built. Which metrics mean anything then is ``measurable``; the others are left out.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
import polars as pl

from seg3b_assets.contracts import contract
from seg3b_assets.laws.alias import AliasTables
from seg3b_assets.laws.geography import CountryPolygons
from seg3b_assets.orchestration.published_seed import PublishedSeed
from seg3b_assets.realism import METRICS, SeedOutputs, located, read_outputs
from seg3b_assets.realism.outputs import (
    CLASSIFICATION_COLUMNS,
    EDGE_COLUMNS,
    MERCHANT_COLUMNS,
    PROFILE_COLUMNS,
)
from seg3b_assets.realism.population import published_tables

if TYPE_CHECKING:
    from seg3b_assets.store import Published

BLOB = "edge_alias_blob_3B"
CATALOGUE = "edge_catalogue_3B"
READER = "S4"


def measurable(published: Published) -> frozenset[str]:
    """Metrics of the registry all of whose datasets are there; upstream always is."""
    return frozenset(
        metric.name
        for metric in METRICS.values()
        if all(
            published.has(dataset) or contract(dataset).producer == "upstream" for dataset in metric.datasets
        )
    )


def outputs_so_far(seed: PublishedSeed) -> tuple[SeedOutputs, AliasTables]:
    """A seed's outputs and alias tables, with stand-ins for what is not published.

    Raises:
        Seg3BError: what reading raises; ``INPUT_SCHEMA_MISMATCH`` when the outputs do not fit together.
    """
    if seed.published.has(BLOB):
        outputs = read_outputs(seed.identity, seed.published, seed.inputs)
        return outputs, published_tables(outputs)
    outputs = _without_tables(seed)
    lengths = np.unique_counts(outputs.edges["merchant_id"].to_numpy()).counts
    nobodys = np.zeros(outputs.edges.height, np.uint32)
    return outputs, AliasTables(lengths.astype(np.int64), nobodys, nobodys)


def _without_tables(seed: PublishedSeed) -> SeedOutputs:
    published, inputs = seed.published, seed.inputs
    countries = inputs.table("world_countries", READER, ["country_iso", "geom"])
    polygons = CountryPolygons.from_wkb(countries["country_iso"].to_list(), countries["geom"].to_list())
    settlement = located(published, polygons)
    if published.has(CATALOGUE):
        profile = published.table("edge_merchant_profile_3B", list(PROFILE_COLUMNS))
        edges = published.table(CATALOGUE, list(EDGE_COLUMNS))
    else:
        profile = settlement.select("merchant_id", virtual_class=pl.lit(""))
        edges = _one_edge_each(settlement)
    return SeedOutputs(
        identity=seed.identity,
        merchants=inputs.table("transaction_schema_merchant_ids", READER, list(MERCHANT_COLUMNS)),
        classification=published.table("virtual_classification_3B", list(CLASSIFICATION_COLUMNS)),
        settlement=settlement,
        profile=profile,
        edges=edges,
        alias_index=contract("edge_alias_index_3B").empty(),
        alias_blob=b"",
    )


def _one_edge_each(settlement: pl.DataFrame) -> pl.DataFrame:
    return settlement.select(
        "merchant_id",
        edge_id=pl.lit(""),
        country_iso="settlement_country",
        lat_deg="lat_deg",
        lon_deg="lon_deg",
        tzid_operational="tzid_settlement",
        edge_weight=pl.lit(1.0),
    )
