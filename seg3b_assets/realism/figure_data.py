"""The numbers behind the report's figures, one small frame each, computed once from a seed's published outputs.

They are evidence like the metrics and are kept with them (``3B_validation_plots_seed_<seed>.json``, lists by column),
so that a report can be drawn again, elsewhere or later, without the outputs. Nothing is drawn or judged here.
"""

from __future__ import annotations

from collections.abc import Mapping
from types import MappingProxyType
from typing import Any, Final

import numpy as np
import polars as pl
import shapely
from numpy.typing import NDArray

from seg3b_assets.laws.alias import AliasTables, decoded_masses
from seg3b_assets.laws.geography import CountryPolygons
from seg3b_assets.laws.snapping import MASS_UNITS, snap
from seg3b_assets.realism.order_statistics import quantile
from seg3b_assets.realism.outputs import SeedOutputs
from seg3b_assets.realism.population import EdgeFacts, MerchantFacts, Population

F64 = NDArray[np.float64]
I64 = NDArray[np.int64]
PlotFrames = Mapping[str, pl.DataFrame]

# Who is virtual

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


# Where they settle

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


# What each looks like


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


# Their edges, counted into bins

# A histogram is all that is ever drawn of them; no plot has a mark per edge.


DENSITY: Final = pl.Schema({"column": pl.Int64(), "row": pl.Int64(), "edges": pl.Int64()})
DISTANCES: Final = pl.Schema({"from_km": pl.Int64(), "edges": pl.Int64(), "weight": pl.Float64()})
DECODING: Final = pl.Schema({"weight_bin": pl.Int64(), "decoded_bin": pl.Int64(), "edges": pl.Int64()})
ERRORS: Final = pl.Schema({"decade": pl.Int64(), "edges": pl.Int64()})

# Cells of equal area: equal steps of longitude, and of the sine of latitude. 59,000 km² each.
COLUMNS: Final = 120
ROWS: Final = 72
DISTANCE_BIN_KM: Final = 250
BINS_PER_DECADE: Final = 10
# Errors at or below this are below what a double of this size can hold; they count as none.
LEAST_DECADE: Final = -18


def density(edges: pl.DataFrame) -> pl.DataFrame:
    """Edges by cell of an equal-area grid.

    Returns:
        column: 0 at 180° W, each 360/``COLUMNS`` degrees wide; row: 0 at the south pole, each 2/``ROWS`` high
        in the sine of latitude; edges. Empty cells are left out.
    """
    column = np.clip((edges["lon_deg"].to_numpy() + 180.0) * (COLUMNS / 360.0), 0, COLUMNS - 1)
    height = snap(np.sin(np.radians(edges["lat_deg"].to_numpy())))
    row = np.clip((height + 1.0) * (ROWS / 2.0), 0, ROWS - 1)
    return _counted(("column", "row"), (column.astype(np.int64), row.astype(np.int64)), DENSITY)


def distances(edges: EdgeFacts) -> pl.DataFrame:
    """Edges, and their share of all merchants' weight, by distance to the merchant's settlement.

    Returns:
        from_km: lower end of a bin of ``DISTANCE_BIN_KM``; edges; weight, which adds up to 1. Bins run from 0
        without gaps to the farthest edge's.
    """
    if not edges.mass.size:
        return pl.DataFrame(schema=DISTANCES)
    at = (edges.distance_km / DISTANCE_BIN_KM).astype(np.int64)
    mass = np.zeros(int(at.max()) + 1, np.int64)
    np.add.at(mass, at, edges.mass)
    return pl.DataFrame(
        {
            "from_km": np.arange(mass.shape[0]) * DISTANCE_BIN_KM,
            "edges": np.bincount(at),
            "weight": snap(mass / int(mass.sum())),
        },
        schema=DISTANCES,
    )


def decoding(edges: EdgeFacts, tables: AliasTables) -> pl.DataFrame:
    """Edges by stored weight and by decoded probability.

    Returns:
        weight_bin, decoded_bin: bin b of ``BINS_PER_DECADE`` d holds 10^(b/d) up to 10^((b+1)/d); edges.
    """
    return _counted(
        ("weight_bin", "decoded_bin"),
        (log_bin(edges.mass / MASS_UNITS), log_bin(decoded_masses(tables))),
        DECODING,
    )


def log_bin(values: F64) -> I64:
    """Logarithmic bin of positive values; the edge of a bin is decided on a grid, not by the last bit of a log."""
    smallest = 1.0 / (10 * MASS_UNITS)
    return np.floor(snap(np.log10(np.maximum(values, smallest)) * BINS_PER_DECADE)).astype(np.int64)


def decoding_errors(edges: EdgeFacts) -> pl.DataFrame:
    """Edges by the decade of |decoded probability − stored weight|.

    Returns:
        decade: floor of the decimal logarithm; ``LEAST_DECADE`` for no error at all; edges.
    """
    error = edges.decoding_error
    floor = 10.0**LEAST_DECADE
    decade = np.floor(snap(np.log10(np.maximum(error, floor)))).astype(np.int64)
    return _counted(("decade",), (decade,), ERRORS)


def _counted(names: tuple[str, ...], codes: tuple[I64, ...], schema: pl.Schema) -> pl.DataFrame:
    frame = pl.DataFrame(dict(zip(names, codes, strict=True)))
    return frame.group_by(names).agg(edges=pl.len()).sort(names).select(list(schema)).cast(schema)


# The land, for a thumbnail

# From the upstream's own country polygons: what is drawn is the world the edges were placed in.

LAND: Final = pl.Schema({"ring": pl.Int64(), "lon_deg": pl.Float64(), "lat_deg": pl.Float64()})

TOLERANCE_DEG: Final = 0.4
LEAST_AREA_DEG2: Final = 2.0
_DECIMALS: Final = 1
_CORNERS_OF_AN_AREA: Final = 4


def land_outline(countries: CountryPolygons | None) -> pl.DataFrame:
    """Outer rings of the countries, simplified; islands and enclaves too small to see are left out.

    Returns:
        ring: 0, 1, …; lon_deg, lat_deg: its corners in order, the first one again at the end.
    """
    if countries is None:
        return pl.DataFrame(schema=LAND)
    shapes = np.array([countries.by_country[name] for name in sorted(countries.by_country)], dtype=object)
    parts = shapely.get_parts(shapes)
    outer = shapely.get_exterior_ring(parts[shapely.area(parts) >= LEAST_AREA_DEG2])
    simple = shapely.simplify(outer, TOLERANCE_DEG, preserve_topology=False)
    corners, ring = shapely.get_coordinates(simple, return_index=True)
    rounded = np.round(corners, _DECIMALS) + 0.0
    frame = pl.DataFrame({"ring": ring, "lon_deg": rounded[:, 0], "lat_deg": rounded[:, 1]}, schema=LAND)
    return frame.filter(pl.len().over("ring") >= _CORNERS_OF_AN_AREA).with_columns(
        ring=pl.col("ring").rle_id().cast(pl.Int64)
    )


# All of it


PLOT_FRAMES: Final[Mapping[str, pl.Schema]] = MappingProxyType(
    {
        "virtual_rate_by_mcc_channel": MCC_CHANNEL,
        "settlement_points": POINTS,
        "settlement_zones": ZONES,
        "settlement_countries": COUNTRIES,
        "merchants": MERCHANTS,
        "merchant_profiles": PROFILES,
        "profile_bands": BANDS,
        "country_profile": COUNTRY_PROFILE,
        "edge_density": DENSITY,
        "edge_distances": DISTANCES,
        "edge_decoding": DECODING,
        "edge_decoding_errors": ERRORS,
        "land": LAND,
    }
)


def plot_frames(outputs: SeedOutputs, population: Population, tables: AliasTables) -> PlotFrames:
    """Every frame of one seed, each with the columns ``PLOT_FRAMES`` declares; empty where there is nothing.

    Args:
        tables: decoded from the published blob.
    """
    frames = {
        "virtual_rate_by_mcc_channel": rate_by_mcc_channel(population.rows),
        "settlement_points": settlement_points(outputs.settlement),
        "settlement_zones": settlement_zones(outputs.settlement),
        "settlement_countries": settlement_countries(outputs.settlement, population.merchants),
        "merchants": merchant_facts(population.merchants, tables),
        "merchant_profiles": profiles(population.merchants),
        "profile_bands": profile_bands(population.merchants),
        "country_profile": country_profile(outputs.edges, population),
        "edge_density": density(outputs.edges),
        "edge_distances": distances(population.edges),
        "edge_decoding": decoding(population.edges, tables),
        "edge_decoding_errors": decoding_errors(population.edges),
        "land": land_outline(outputs.countries),
    }
    return {
        name: frame.select(list(PLOT_FRAMES[name])).cast(PLOT_FRAMES[name]) for name, frame in frames.items()
    }


def read_frames(record: Mapping[str, Mapping[str, Any]]) -> PlotFrames:
    """The frames of a document's ``plots``."""
    return {name: pl.DataFrame(dict(record[name]), schema=PLOT_FRAMES[name]) for name in PLOT_FRAMES}
