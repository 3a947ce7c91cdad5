"""What the validation contract asks about, one entry per metric: family, population, anchors, sane bounds.

Definitions of the metrics are the realism module's; thresholds are the policy's. This table only says which
published columns each metric reads, and between which values a bound on it can mean anything.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Final

EDGE_HETEROGENEITY: Final = "EDGE_HETEROGENEITY"
SETTLEMENT_COHERENCE: Final = "SETTLEMENT_COHERENCE"
CLASSIFICATION_EXPLAINABILITY: Final = "CLASSIFICATION_EXPLAINABILITY"
ALIAS_FIDELITY: Final = "ALIAS_FIDELITY"
IP_COUNTRY_MIX: Final = "IP_COUNTRY_MIX"
SETTLEMENT_CUTOFF: Final = "SETTLEMENT_CUTOFF"
EDGE_USAGE_VS_WEIGHT: Final = "EDGE_USAGE_VS_WEIGHT"
ROUTING_RECEIPT: Final = "ROUTING_RECEIPT"

REALISM_FAMILIES: Final = (
    EDGE_HETEROGENEITY,
    SETTLEMENT_COHERENCE,
    CLASSIFICATION_EXPLAINABILITY,
    ALIAS_FIDELITY,
)

ALL_MERCHANTS: Final = "all_merchants"
ALL_VIRTUAL: Final = "all_virtual"
ALL_EDGES: Final = "all_edges"
ROUTING_PROBE: Final = "routing_probe"

_EDGE: Final = "edge_catalogue_3B"
_SETTLEMENT: Final = "virtual_settlement_3B"
_CLASSIFICATION: Final = "virtual_classification_3B"
_ALIAS_INDEX: Final = "edge_alias_index_3B"
_ALIAS_BLOB: Final = "edge_alias_blob_3B"

_SHARE: Final = (0.0, 1.0)
_SPREAD: Final = (0.0, math.inf)
_HALF_EARTH_KM: Final = 20_016.0


@dataclass(frozen=True)
class Measure:
    """One metric of the contract.

    Attributes:
        family: the test_type of its rows.
        population: the rows the aggregate is over.
        fields: ``dataset.column`` anchors; each must exist.
        domain: values the metric can take; a bound outside it means nothing.
        operators: the ways a bound on it makes sense.
        description: one sentence for people, without quotes.
        join_keys: columns the datasets are joined on.
        artefacts: datasets it reads as bytes, which have no columns.
    """

    metric: str
    family: str
    population: str
    fields: tuple[str, ...]
    domain: tuple[float, float]
    operators: tuple[str, ...]
    description: str
    join_keys: tuple[str, ...] = ()
    artefacts: tuple[str, ...] = ()


def columns(dataset: str, *names: str) -> tuple[str, ...]:
    """Anchors of one dataset's columns."""
    return tuple(f"{dataset}.{name}" for name in names)


_SETTLED_EDGES: Final = (
    *columns(_EDGE, "merchant_id", "country_iso", "edge_weight"),
    *columns(_SETTLEMENT, "merchant_id", "lat_deg", "lon_deg"),
    *columns("world_countries", "country_iso", "geom"),
)
_ALIAS_SLICES: Final = columns(_ALIAS_INDEX, "merchant_id", "blob_offset_bytes", "blob_length_bytes")

MEASURES: Final = (
    Measure(
        "edges_per_merchant_cv",
        EDGE_HETEROGENEITY,
        ALL_VIRTUAL,
        columns(_EDGE, "merchant_id", "edge_id"),
        _SPREAD,
        (">=", "range"),
        "Coefficient of variation of edges per merchant.",
    ),
    Measure(
        "countries_per_merchant_cv",
        EDGE_HETEROGENEITY,
        ALL_VIRTUAL,
        columns(_EDGE, "merchant_id", "country_iso"),
        _SPREAD,
        (">=", "range"),
        "Coefficient of variation of countries per merchant.",
    ),
    Measure(
        "top1_share_p50",
        EDGE_HETEROGENEITY,
        ALL_VIRTUAL,
        columns(_EDGE, "merchant_id", "edge_weight"),
        _SHARE,
        ("range", ">=", "<="),
        "Median over merchants of the heaviest edge's weight.",
    ),
    Measure(
        "median_pairwise_js",
        EDGE_HETEROGENEITY,
        ALL_VIRTUAL,
        columns(_EDGE, "merchant_id", "country_iso", "edge_weight"),
        (0.0, math.log(2.0)),
        (">=", "range"),
        "Median over merchant pairs of the Jensen-Shannon divergence of country weights.",
    ),
    Measure(
        "settlement_overlap_median",
        SETTLEMENT_COHERENCE,
        ALL_VIRTUAL,
        _SETTLED_EDGES,
        _SHARE,
        (">=", "range"),
        "Median over merchants of the edge weight in the settlement's country.",
        ("merchant_id", "country_iso"),
    ),
    Measure(
        "settlement_overlap_p75",
        SETTLEMENT_COHERENCE,
        ALL_VIRTUAL,
        _SETTLED_EDGES,
        _SHARE,
        (">=", "range"),
        "Upper quartile over merchants of the edge weight in the settlement's country.",
        ("merchant_id", "country_iso"),
    ),
    Measure(
        "settlement_distance_median_km",
        SETTLEMENT_COHERENCE,
        ALL_VIRTUAL,
        (
            *columns(_EDGE, "merchant_id", "lat_deg", "lon_deg"),
            *columns(_SETTLEMENT, "merchant_id", "lat_deg", "lon_deg"),
        ),
        (0.0, _HALF_EARTH_KM),
        ("<=", "range"),
        "Median great-circle distance of an edge from its merchant's settlement, km.",
        ("merchant_id",),
    ),
    Measure(
        "settlement_tzid_top1_share",
        SETTLEMENT_COHERENCE,
        ALL_VIRTUAL,
        columns(_SETTLEMENT, "merchant_id", "tzid_settlement"),
        _SHARE,
        ("<=", "range"),
        "Share of settlements in the most frequent zone.",
    ),
    Measure(
        "settlement_unique_coord_ratio",
        SETTLEMENT_COHERENCE,
        ALL_VIRTUAL,
        columns(_SETTLEMENT, "merchant_id", "lat_deg", "lon_deg"),
        _SHARE,
        (">=", "range"),
        "Distinct settlement coordinates per settlement.",
    ),
    Measure(
        "settlement_duplicate_exposure",
        SETTLEMENT_COHERENCE,
        ALL_VIRTUAL,
        columns(_SETTLEMENT, "merchant_id", "lat_deg", "lon_deg"),
        _SHARE,
        ("<=", "range"),
        "Share of merchants on a settlement coordinate used twice or more.",
    ),
    Measure(
        "rule_id_non_null_rate",
        CLASSIFICATION_EXPLAINABILITY,
        ALL_MERCHANTS,
        columns(_CLASSIFICATION, "merchant_id", "rule_id"),
        _SHARE,
        (">=", "range"),
        "Share of classifications that name the rule that decided.",
    ),
    Measure(
        "rule_version_non_null_rate",
        CLASSIFICATION_EXPLAINABILITY,
        ALL_MERCHANTS,
        columns(_CLASSIFICATION, "merchant_id", "rule_version"),
        _SHARE,
        (">=", "range"),
        "Share of classifications that name the version of the rule that decided.",
    ),
    Measure(
        "active_rule_id_count",
        CLASSIFICATION_EXPLAINABILITY,
        ALL_VIRTUAL,
        columns(_CLASSIFICATION, "merchant_id", "is_virtual", "rule_id"),
        _SPREAD,
        (">=", "range"),
        "Rules that each decide at least 1 % of the virtual merchants.",
    ),
    Measure(
        "alias_max_abs_delta",
        ALIAS_FIDELITY,
        ALL_EDGES,
        (*_ALIAS_SLICES, *columns(_EDGE, "merchant_id", "edge_id", "edge_weight")),
        _SHARE,
        ("<=",),
        "Largest difference between a decoded probability and the stored edge weight.",
        ("merchant_id",),
        (_ALIAS_BLOB,),
    ),
)

# Tests on routed picks. A p-value is held against the policy's false-alarm rate.
STATISTICAL_PROBES: Final = (
    Measure(
        "ip_country_mix_p_value",
        IP_COUNTRY_MIX,
        ROUTING_PROBE,
        (*_ALIAS_SLICES, *columns(_EDGE, "merchant_id", "edge_id", "country_iso", "edge_weight")),
        _SHARE,
        (">=",),
        "G test of picks per IP country against country weights, p-value over all merchants.",
        ("merchant_id",),
        (_ALIAS_BLOB,),
    ),
    Measure(
        "edge_usage_p_value",
        EDGE_USAGE_VS_WEIGHT,
        ROUTING_PROBE,
        (*_ALIAS_SLICES, *columns(_EDGE, "merchant_id", "edge_id", "edge_weight")),
        _SHARE,
        (">=",),
        "G test of picks per edge against edge weights, p-value over all merchants.",
        ("merchant_id",),
        (_ALIAS_BLOB,),
    ),
)

# Tests of an identity on routed picks: a right router never fails one, so the bound is 0 and not a knob.
EXACT_PROBES: Final = (
    Measure(
        "settlement_day_mismatch_rate",
        SETTLEMENT_CUTOFF,
        ROUTING_PROBE,
        (
            *_ALIAS_SLICES,
            *columns(_EDGE, "merchant_id", "edge_id", "tzid_operational"),
            *columns(_SETTLEMENT, "merchant_id", "tzid_settlement"),
        ),
        _SHARE,
        ("<=",),
        "Share of picks whose settlement day is not the local date in the settlement's zone.",
        ("merchant_id",),
        (_ALIAS_BLOB,),
    ),
    Measure(
        "routing_receipt_mismatch_rate",
        ROUTING_RECEIPT,
        ROUTING_PROBE,
        (
            *_ALIAS_SLICES,
            *columns(
                _EDGE, "merchant_id", "edge_id", "country_iso", "lat_deg", "lon_deg", "tzid_operational"
            ),
            *columns(_SETTLEMENT, "merchant_id", "tzid_settlement"),
        ),
        _SHARE,
        ("<=",),
        "Share of picks that do not carry their edge's place and zone and their settlement's zone.",
        ("merchant_id",),
        (_ALIAS_BLOB, "virtual_routing_policy_3B"),
    ),
)
