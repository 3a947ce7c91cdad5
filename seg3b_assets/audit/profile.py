"""Merchant profile, S2's summary and the tile precheck, recomputed (law section 4).

Class, size, draws and budget come from sealed data and addressed uniforms; metrics from the catalogue. Guard
flags and shares are drawn again in ``networks``.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Final

import numpy as np
import polars as pl
from numpy.typing import NDArray
from scipy.special import ndtr, ndtri

from seg3b_assets.audit.checks import check
from seg3b_assets.audit.draws import Draws
from seg3b_assets.audit.ledger import EdgeLedger
from seg3b_assets.audit.placement import Placement
from seg3b_assets.audit.surface import SURFACES
from seg3b_assets.audit.tree import AuditContext
from seg3b_assets.laws.geography import haversine_km
from seg3b_assets.laws.randomness import EDGE_SCALE, PROFILE_NOISE
from seg3b_assets.laws.raster import ids_on_raster
from seg3b_assets.laws.snapping import DISTANCE_UNITS, MASS_UNITS, SCALAR_UNITS, snap
from seg3b_assets.policies import SIZE_BUCKETS, VIRTUAL_CLASSES, EdgeTopology

F64 = NDArray[np.float64]
U64 = NDArray[np.uint64]

GUARDS: Final = ("sparse_tail", "min_support", "country_cap", "tempering")
# Mean radius of the WGS 84 ellipsoid (IUGG).
_RADIUS_KM: Final = 6371.0088
# Radians, some 70 km short of the antipode.
_NEARLY_OPPOSITE: Final = 3.13
_SHARES: Final = ("merchant_top1_share", "merchant_top1_country_share", "settlement_overlap")
_SNAPPED: Final = {
    "merchant_hhi": SCALAR_UNITS,
    "merchant_entropy": SCALAR_UNITS,
    "merchant_effective_country_count": SCALAR_UNITS,
    "weighted_distance_km": DISTANCE_UNITS,
}
_RECOMPUTED: Final = ("S2.profile_class", "S2.profile_draws", "S2.profile_budget", "S2.profile_metrics")


@dataclass(frozen=True)
class MerchantData:
    """What profiles are recomputed from.

    Attributes:
        classification, settlement, merchants: S1's tables and the upstream one.
        countries: merchant_id and country, where each ought to be settled (``anchors.expected_settlements``).
    """

    classification: pl.DataFrame
    settlement: pl.DataFrame
    merchants: pl.DataFrame
    countries: pl.DataFrame


@check("S2.profile_set", "§4 profile", "a merchant's profile is missing or not one")
@check("S2.profile_class", "§4 who the merchant is", "class or size is not what the data say")
def audit_profile(
    context: AuditContext, profile: pl.DataFrame | None, catalogue: pl.DataFrame, data: MerchantData | None
) -> None:
    """Every row and column of ``edge_merchant_profile_3B``, guard flags apart."""
    if profile is None:
        return
    context.findings.same_set("S2.profile_set", profile["merchant_id"], catalogue["merchant_id"].unique())
    _draws(context, profile)
    if data is None:
        context.findings.skip("merchants, settlements or polygons are not at hand", *_RECOMPUTED)
        return
    known = located_settlements(data)
    facts = merchant_facts(context, profile["merchant_id"], known, data)
    if facts is None:
        context.findings.skip("outlets or zones are not at hand", "S2.profile_class")
    else:
        context.findings.compare("S2.profile_class", profile, facts.select("virtual_class", "size_bucket"))
    _budgets(context, profile)
    _metrics(context, profile, catalogue, known)


def merchant_draws(context: AuditContext, merchant_id: U64) -> dict[str, F64]:
    """edge_scale and alpha of each merchant: truncated lognormals of its addressed uniforms."""
    topology = context.tree.policies.edge_topology
    laws = {
        "edge_scale": (EDGE_SCALE, topology.budget),
        "alpha": (PROFILE_NOISE, topology.country_shares.profile_noise),
    }
    return {
        column: _truncated_lognormal(
            Draws(context, label, "S2.profile_draws").uniform(merchant_id, np.zeros(1, np.uint64)), law
        )
        for column, (label, law) in laws.items()
    }


@check("S2.profile_draws", "§4 budget", "edge_scale or alpha is not the addressed draw")
def _draws(context: AuditContext, profile: pl.DataFrame) -> None:
    expected = merchant_draws(context, profile["merchant_id"].to_numpy())
    context.findings.compare("S2.profile_draws", profile, pl.DataFrame(expected))


def _truncated_lognormal(uniform: F64, law: Any) -> F64:
    """Quantiles of a lognormal (median, sigma) cut to [minimum, maximum], on the 1e-9 grid."""
    if law.sigma == 0:
        return np.full(uniform.shape[0], float(law.median))
    score = np.log(np.array([law.minimum, law.maximum]) / law.median) / law.sigma
    low, high = ndtr(score)
    value = law.median * np.exp(law.sigma * ndtri(low + uniform * (high - low)))
    return snap(np.minimum(np.maximum(value, law.minimum), law.maximum))


def located_settlements(data: MerchantData) -> pl.DataFrame:
    """The settlements with ``country``, where each merchant is settled; one row per merchant.

    A settlement given twice is another check's finding; here each merchant has one.
    """
    settlement = data.settlement.unique("merchant_id", keep="first", maintain_order=True)
    joined = settlement.join(
        data.countries.select("merchant_id", "country"), on="merchant_id", how="left", maintain_order="left"
    )
    return joined.with_columns(pl.col("country").fill_null(""))


def merchant_facts(
    context: AuditContext, merchant_id: pl.Series, settlement: pl.DataFrame, data: MerchantData
) -> pl.DataFrame | None:
    """Class, size and settlement of merchants, from data; first match wins. None without outlets or zones.

    Args:
        merchant_id: u64, ascending. settlement: as ``located_settlements`` gives them.

    Returns:
        merchant_id, country, lon_deg, lat_deg, virtual_class, size_bucket.
    """
    outlets = context.input_table("outlet_catalogue", ["merchant_id", "legal_country_iso"])
    zones = context.input_table("zone_alloc", ["merchant_id", "tzid"])
    if outlets is None or zones is None:
        return None
    topology = context.tree.policies.edge_topology
    counted = outlets.group_by("merchant_id").agg(
        outlets=pl.len(), abroad=pl.col("legal_country_iso").n_unique() > 1
    )
    modes = data.classification.select("merchant_id", "virtual_mode").unique("merchant_id", keep="first")
    facts = (
        merchant_id.to_frame()
        .join(settlement.select("merchant_id", "country", "lon_deg", "lat_deg"), on="merchant_id", how="left")
        .join(data.merchants, on="merchant_id", how="left")
        .join(modes, on="merchant_id", how="left")
        .join(counted, on="merchant_id", how="left")
        .join(
            zones.group_by("merchant_id").agg(zones=pl.col("tzid").n_unique()), on="merchant_id", how="left"
        )
        .sort("merchant_id")
        .with_columns(pl.col("outlets", "zones").fill_null(0), pl.col("abroad").fill_null(False))
    )
    hubs = list(topology.classification_of_merchants.hub_jurisdictions)
    offshore = (pl.col("country") != pl.col("home_country_iso")) | pl.col("country").is_in(hubs)
    hybrid = (pl.col("virtual_mode") == "HYBRID") | pl.col("abroad")
    sizes = topology.size_buckets
    at_least = {
        name: (pl.col("outlets") >= bound.outlets) | (pl.col("zones") >= bound.zones)
        for name, bound in (("large", sizes.large), ("medium", sizes.medium))
    }
    return facts.select(
        "merchant_id",
        "country",
        "lon_deg",
        "lat_deg",
        virtual_class=pl.when(offshore)
        .then(pl.lit(VIRTUAL_CLASSES[0]))
        .when(hybrid)
        .then(pl.lit(VIRTUAL_CLASSES[1]))
        .otherwise(pl.lit(VIRTUAL_CLASSES[2])),
        size_bucket=pl.when(at_least["large"])
        .then(pl.lit(SIZE_BUCKETS[2]))
        .when(at_least["medium"])
        .then(pl.lit(SIZE_BUCKETS[1]))
        .otherwise(pl.lit(SIZE_BUCKETS[0])),
    )


def expected_budgets(profile: pl.DataFrame, topology: EdgeTopology, created_utc: str) -> pl.Series:
    """Edges per merchant from the profile's scale, class and size: the published median is the policy's.

    A budget set by hand and not ended before ``created_utc`` stands instead.
    """
    law = topology.budget
    by_class = {name: law.class_multiplier[name] for name in VIRTUAL_CLASSES}
    by_size = {name: law.size_multiplier[name] for name in SIZE_BUCKETS}
    shaped = (
        profile["edge_scale"].to_numpy()
        * profile["virtual_class"].replace_strict(by_class, return_dtype=pl.Float64).to_numpy()
        * profile["size_bucket"].replace_strict(by_size, return_dtype=pl.Float64).to_numpy()
    )
    if not shaped.size:
        return pl.Series(dtype=pl.Int64)
    drawn = np.rint(shaped * (law.median / np.median(shaped))).astype(np.int64)
    by_hand = pl.DataFrame(
        list(law.by_hand(created_utc).items()),
        schema={"merchant_id": pl.UInt64, "edges": pl.Int64},
        orient="row",
    )
    set_so = profile.select("merchant_id").join(by_hand, on="merchant_id", how="left", maintain_order="left")
    return set_so["edges"].fill_null(pl.Series(drawn))


@check("S2.profile_budget", "§4 budget", "the merchant has not the edges its draw gives")
def _budgets(context: AuditContext, profile: pl.DataFrame) -> None:
    """edge_budget follows from draws, class and size; a wrong one of those is its own check's finding."""
    if context.findings.failed("S2.profile_draws") or context.findings.failed("S2.profile_class"):
        context.findings.skip("the profile's draws or classes failed their own check", "S2.profile_budget")
        return
    expected = expected_budgets(
        profile, context.tree.policies.edge_topology, context.tree.identity.created_utc
    )
    context.findings.compare("S2.profile_budget", profile, {"edge_budget": expected})


@check("S2.profile_metrics", "§4 profile", "a metric is not that of the merchant's edges")
def _metrics(
    context: AuditContext, profile: pl.DataFrame, catalogue: pl.DataFrame, settlement: pl.DataFrame
) -> None:
    expected = profile.select("merchant_id").join(
        _recomputed_metrics(context, catalogue, settlement),
        on="merchant_id",
        how="left",
        maintain_order="left",
    )
    context.findings.compare("S2.profile_metrics", profile, expected.select("edge_budget", *_SHARES))
    for column, units in _SNAPPED.items():
        # Sums in another order may round to the neighbouring grid point; still a value is on the grid.
        found, wanted = profile[column].to_numpy(), expected[column].to_numpy()
        near = (np.abs(found - wanted) <= 1.5 / units) & (found == snap(found, units))
        context.findings.rows(
            "S2.profile_metrics",
            ~near,
            lambda row, column=column, found=found, wanted=wanted: {  # type: ignore[misc]
                "merchant_id": profile["merchant_id"][row],
                "column": column,
                "expected": float(wanted[row]),
                "found": float(found[row]),
            },
        )


def _recomputed_metrics(
    context: AuditContext, catalogue: pl.DataFrame, settlement: pl.DataFrame
) -> pl.DataFrame:
    """One row per merchant of the catalogue: edges, shares, concentration, overlap, distance."""
    mass = (pl.col("edge_weight") * MASS_UNITS).round().cast(pl.Int64, strict=False)
    anchors = settlement.select(
        "merchant_id", "country", home_lon=pl.col("lon_deg"), home_lat=pl.col("lat_deg")
    )
    edges = catalogue.select("merchant_id", "country_iso", "lon_deg", "lat_deg", mass=mass).join(
        anchors, on="merchant_id", how="left", maintain_order="left"
    )
    places = [edges[name].to_numpy() for name in ("home_lon", "home_lat", "lon_deg", "lat_deg")]
    distance = distances_km(context, "S2.profile_metrics", *places)
    at_home = (pl.col("country_iso") == pl.col("country")).fill_null(False)
    per_merchant = (
        edges.with_columns(distance=pl.Series(distance))
        .group_by("merchant_id", maintain_order=True)
        .agg(
            edge_budget=pl.len().cast(pl.Int64),
            merchant_top1_share=pl.col("mass").max(),
            settlement_overlap=pl.col("mass").filter(at_home).sum(),
            weighted_distance_km=(pl.col("distance") * pl.col("mass")).sum() / MASS_UNITS,
        )
    )
    share = pl.col("mass") / MASS_UNITS
    concentration = (
        edges.group_by("merchant_id", "country_iso", maintain_order=True)
        .agg(pl.col("mass").sum())
        .group_by("merchant_id", maintain_order=True)
        .agg(
            merchant_top1_country_share=pl.col("mass").max(),
            merchant_hhi=(share * share).sum(),
            merchant_entropy=-(share * share.log()).sum(),
        )
        .with_columns(merchant_effective_country_count=1.0 / pl.col("merchant_hhi"))
    )
    joined = per_merchant.join(concentration, on="merchant_id", how="left")
    # polars divides by a constant as × its rounded reciprocal; a share is the correctly rounded quotient.
    exact = {name: pl.Series(joined[name].to_numpy() / MASS_UNITS) for name in _SHARES}
    return joined.with_columns(**exact)


def distances_km(context: AuditContext, check_id: str, lon_a: F64, lat_a: F64, lon_b: F64, lat_b: F64) -> F64:
    """The law's great-circle distances, which broadcast; one that is not what vectors give is a finding."""
    distance = haversine_km(lon_a, lat_a, lon_b, lat_b)
    again = far_apart_km(lon_a, lat_a, lon_b, lat_b)
    # Near the antipode the law's arcsine loses digits, and both ends of the edge are as far apart as can be.
    apart = (np.abs(distance - again) > 2.0 / DISTANCE_UNITS) & (again < _NEARLY_OPPOSITE * _RADIUS_KM)
    wrong = apart | (np.isnan(distance) != np.isnan(again))
    if wrong.any():
        at = int(np.argmax(wrong))
        example = {"expected": float(again.flat[at]), "found": float(distance.flat[at]), "route": "vectors"}
        context.findings.fail(check_id, int(wrong.sum()), example)
    return distance


def far_apart_km(lon_a: F64, lat_a: F64, lon_b: F64, lat_b: F64) -> F64:
    """Great-circle distance by the angle of two unit vectors, atan2(|a × b|, a · b), well-conditioned everywhere."""
    along_a, up_a, along_b, up_b = map(np.radians, (lon_a, lat_a, lon_b, lat_b))
    turn = along_b - along_a
    east = np.cos(up_b) * np.sin(turn)
    north = np.cos(up_a) * np.sin(up_b) - np.sin(up_a) * np.cos(up_b) * np.cos(turn)
    towards = np.sin(up_a) * np.sin(up_b) + np.cos(up_a) * np.cos(up_b) * np.cos(turn)
    return np.asarray(_RADIUS_KM * np.arctan2(np.hypot(east, north), towards))


@check("S2.summary", "§4 summary", "a total in s2_summary_3B was edited")
def audit_summary(
    context: AuditContext,
    summary: Any,
    ledger: EdgeLedger,
    placement: Placement | None,
    profile: pl.DataFrame | None,
    settlement: pl.DataFrame | None,
) -> None:
    """Every total of ``s2_summary_3B``."""
    if summary is None:
        return
    if placement is None:
        context.findings.skip("the placement could not be recomputed", "S2.summary")
        return
    attempts = placement.attempts
    events, tries = int(attempts.edge.shape[0]), attempts.attempt[attempts.accepted]
    by_country = np.bincount(ledger.country, minlength=len(ledger.iso))
    expected: dict[str, Any] = {
        "virtual_merchants": int(ledger.merchants.shape[0]),
        "edges_total": ledger.total,
        "edges_by_country": dict(zip(ledger.iso, by_country.tolist(), strict=True)),
        "attempt_histogram": {str(k): int(n) for k, n in zip(*np.unique_counts(tries), strict=True)},
        "tz_source_counts": {
            name: int((placement.tz_source == name).sum()) for name in ("POLYGON", "NUDGE", "OVERRIDE")
        },
        "tile_ids_on_raster": ids_on_raster(ledger.country, placement.tile_id, placement.bounds),
        "streams": {
            "edge_jitter": {"events": events, "draws": 2 * events, "blocks": events},
            "edge_tile_assign": {"events": ledger.total, "draws": ledger.total, "blocks": ledger.total},
        },
    }
    if settlement is not None:
        drawn = int((settlement["coord_source_id"] == "settlement_gazetteer").sum())
        expected |= {"settlements_drawn": drawn, "settlements_ingested": settlement.height - drawn}
    if profile is not None:
        expected["guard_counts"] = {name: int(profile[f"guard_{name}"].sum()) for name in GUARDS}
    for key, value in expected.items():
        context.findings.equal("S2.summary", summary.get(key), value, key=key)


@check("S2.precheck", "§4 tile surface", "the precheck lists other countries than the edges need")
def audit_precheck(context: AuditContext, precheck: Any, ledger: EdgeLedger) -> None:
    """The precheck names exactly the countries the edges need, all present."""
    if precheck is None:
        return
    surface = {"present": ledger.iso, "missing": [], "unresolved": []}
    expected = {"required": ledger.iso, "surfaces": dict.fromkeys(SURFACES, surface), "status": "PASS"}
    for key, value in expected.items():
        context.findings.equal("S2.precheck", precheck.get(key), value, key=key)
