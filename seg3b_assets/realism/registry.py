"""The one registry of metrics: what each measures, from which columns, in which unit (gates, "Metrics").

Asset checks, S4's contract and its results, certification, reports and docs read it; a number that is not
in here is measured nowhere. Thresholds are not: they are in policies.
"""

from __future__ import annotations

from collections.abc import Mapping
from types import MappingProxyType
from typing import Final

from seg3b_assets.realism import merchant_metrics as merchant
from seg3b_assets.realism import probe_metrics as probe
from seg3b_assets.realism.gated_metrics import (
    ALIAS_SLICES,
    COHERENCE,
    EDGE_MIX,
    EDGE_OWNER,
    EDGE_PLACE,
    EXPLAINABILITY,
    FIDELITY,
    GATED_METRICS,
    HETEROGENEITY,
    SETTLEMENT_PLACE,
    columns,
)
from seg3b_assets.realism.measurement import ROUTING_PROBE, Compute, Direction, Metric

REALISM_FAMILIES: Final = (HETEROGENEITY, COHERENCE, EXPLAINABILITY, FIDELITY)
TOP1_SPREAD: Final = "top1_share_spread"


def _beside(
    name: str,
    definition: str,
    compute: Compute,
    lane: str,
    unit: str = "share",
    direction: Direction = "none",
) -> Metric:
    """A figure of the edge catalogue, published beside a gated one."""
    return Metric(name, definition, unit, direction, "S2", lane, EDGE_MIX, compute)


def _distance(name: str, definition: str, compute: Compute) -> Metric:
    fields = (*EDGE_PLACE, *columns("edge_catalogue_3B", "edge_weight"), *SETTLEMENT_PLACE)
    return Metric(
        name, definition, "km", "none", "S2", "topology", fields, compute, join_keys=("merchant_id",)
    )


PUBLISHED_BESIDE: Final = (
    _beside(
        "top1_share_p10",
        "10 % quantile over merchants of the largest edge_weight.",
        merchant.top1_p10,
        "weights",
    ),
    _beside(
        "top1_share_p90",
        "90 % quantile over merchants of the largest edge_weight.",
        merchant.top1_p90,
        "weights",
    ),
    _beside(
        TOP1_SPREAD,
        "90 % less 10 % quantile over merchants of the largest edge_weight.",
        merchant.top1_spread,
        "weights",
        direction="higher",
    ),
    _beside(
        "top1_country_share_p10",
        "10 % quantile over merchants of the largest country weight.",
        merchant.top1_country_p10,
        "topology",
    ),
    _beside(
        "top1_country_share_p50",
        "Median over merchants of the largest country weight.",
        merchant.top1_country_p50,
        "topology",
    ),
    _beside(
        "top1_country_share_p90",
        "90 % quantile over merchants of the largest country weight.",
        merchant.top1_country_p90,
        "topology",
    ),
    _beside(
        "edges_per_merchant_median",
        "Median over merchants of the number of edges.",
        merchant.edges_median,
        "topology",
        unit="edges",
    ),
    _distance(
        "settlement_distance_weighted_median_km",
        "Median over all edges, weighted by edge_weight, of the distance to the settlement.",
        merchant.distance_weighted_median,
    ),
    _distance(
        "settlement_distance_p90_km",
        "90 % quantile over all edges of the distance to the settlement.",
        merchant.distance_p90,
    ),
    Metric(
        name="settlement_unresolved_count",
        definition="Settlements that no country polygon covers; each counts as overlap 0.",
        unit="merchants",
        direction="none",
        state="S1",
        lane="settlement",
        fields=(*SETTLEMENT_PLACE, *columns("world_countries", "geom")),
        compute=merchant.settlements_unresolved,
    ),
)


def _probe(name: str, family: str, definition: str, fields: tuple[str, ...], compute: Compute) -> Metric:
    """A test of routed picks; a p-value is good when large, a mismatch rate when 0."""
    return Metric(
        name=name,
        definition=definition,
        unit="probability" if name.endswith("_p_value") else "share",
        direction="higher" if name.endswith("_p_value") else "lower",
        state="S3",
        lane="tables",
        fields=(*ALIAS_SLICES, *EDGE_OWNER, *columns("edge_catalogue_3B", "edge_id"), *fields),
        compute=compute,
        family=family,
        join_keys=("merchant_id",),
        artefacts=("edge_alias_blob_3B",),
        population=ROUTING_PROBE,
        ceiling=1.0,
    )


_ZONES: Final = (
    *columns("edge_catalogue_3B", "tzid_operational"),
    *columns("virtual_settlement_3B", "merchant_id", "tzid_settlement"),
)

PROBE_METRICS: Final = (
    _probe(
        "ip_country_mix_p_value",
        "IP_COUNTRY_MIX",
        "Bound on the chance that a faithful router's picks deviate this far from the published country mix.",
        columns("edge_catalogue_3B", "country_iso", "edge_weight"),
        probe.ip_country_mix,
    ),
    _probe(
        "edge_usage_p_value",
        "EDGE_USAGE_VS_WEIGHT",
        "Bound on the chance that a faithful router's use of edges deviates this far from their weights.",
        columns("edge_catalogue_3B", "edge_weight"),
        probe.edge_usage,
    ),
    _probe(
        "settlement_day_mismatch_rate",
        "SETTLEMENT_CUTOFF",
        "Share of picks whose settlement day is not the local date in the settlement's zone.",
        _ZONES,
        probe.settlement_day,
    ),
    _probe(
        "routing_receipt_mismatch_rate",
        "ROUTING_RECEIPT",
        "Share of picks that do not carry their edge's place and zone and their settlement's zone, or cannot "
        "be redrawn alone.",
        (*columns("edge_catalogue_3B", "country_iso", "lat_deg", "lon_deg"), *_ZONES),
        probe.routing_receipt,
    ),
)

SEED_METRICS: Final = (*GATED_METRICS, *PUBLISHED_BESIDE)
METRICS: Final[Mapping[str, Metric]] = MappingProxyType(
    {metric.name: metric for metric in (*SEED_METRICS, *PROBE_METRICS)}
)


def contract_metrics(family: str) -> tuple[Metric, ...]:
    """The metrics a family of the validation contract has a row for, in registry order."""
    return tuple(metric for metric in METRICS.values() if metric.family == family)
