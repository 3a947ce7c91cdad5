"""The one registry of metrics: what each measures, from which columns, in which unit (gates, "Metrics").

Asset checks, S4's contract and its results, certification, reports and docs read it; a number that is not
in here is measured nowhere. Thresholds are not: they are in policies.
"""

from __future__ import annotations

from collections.abc import Mapping
from types import MappingProxyType
from typing import Any, Final

from seg3b_assets.policies import VirtualValidation
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
from seg3b_assets.realism.measurement import ROUTING_PROBE, Compute, Metric

REALISM_FAMILIES: Final = (HETEROGENEITY, COHERENCE, EXPLAINABILITY, FIDELITY)
TOP1_SPREAD: Final = "top1_share_spread"


def _beside(
    name: str, definition: str, compute: Compute, lane: str, purpose: str, blind_to: str, **more: Any
) -> Metric:
    """A figure of the edge catalogue, published beside a gated one."""
    asked = {"unit": "share", "direction": "none", "fields": EDGE_MIX, **more}
    return Metric(
        name=name,
        definition=definition,
        state="S2",
        lane=lane,
        compute=compute,
        family=HETEROGENEITY,
        purpose=purpose,
        blind_to=blind_to,
        **asked,
    )


def _distance(name: str, definition: str, compute: Compute, purpose: str, blind_to: str) -> Metric:
    return Metric(
        name=name,
        definition=definition,
        unit="km",
        direction="none",
        state="S2",
        lane="topology",
        fields=(*EDGE_PLACE, *columns("edge_catalogue_3B", "edge_weight"), *SETTLEMENT_PLACE),
        compute=compute,
        family=COHERENCE,
        join_keys=("merchant_id",),
        purpose=purpose,
        blind_to=blind_to,
    )


_ONE_END: Final = "the rest of the distribution, which the other quantiles have"
_WHICH_COUNTRY: Final = "which country it is, and whether the merchant is settled there"

PUBLISHED_BESIDE: Final = (
    _beside(
        "top1_share_p10",
        "10 % quantile over merchants of the largest edge_weight.",
        merchant.top1_p10,
        "weights",
        "The least concentrated merchants.",
        _ONE_END,
    ),
    _beside(
        "top1_share_p90",
        "90 % quantile over merchants of the largest edge_weight.",
        merchant.top1_p90,
        "weights",
        "The most concentrated merchants.",
        _ONE_END,
    ),
    _beside(
        TOP1_SPREAD,
        "90 % less 10 % quantile over merchants of the largest edge_weight.",
        merchant.top1_spread,
        "weights",
        "Merchants are concentrated to different degrees.",
        "where in the range of shares the spread lies",
        direction="higher",
    ),
    _beside(
        "top1_country_share_p10",
        "10 % quantile over merchants of the largest country weight.",
        merchant.top1_country_p10,
        "topology",
        "The merchants that sell to the most countries evenly.",
        _WHICH_COUNTRY,
    ),
    _beside(
        "top1_country_share_p50",
        "Median over merchants of the largest country weight.",
        merchant.top1_country_p50,
        "topology",
        "How much of a merchant's traffic its first country brings.",
        _WHICH_COUNTRY,
    ),
    _beside(
        "top1_country_share_p90",
        "90 % quantile over merchants of the largest country weight.",
        merchant.top1_country_p90,
        "topology",
        "The merchants that live on one country.",
        _WHICH_COUNTRY,
    ),
    _beside(
        "edges_per_merchant_median",
        "Median over merchants of the number of edges.",
        merchant.edges_median,
        "topology",
        "The edge budget, which is not to shrink until a share comes out.",
        "how sizes spread around the median",
        unit="edges",
    ),
    _distance(
        "settlement_distance_weighted_median_km",
        "Median over all edges, weighted by edge_weight, of the distance to the settlement.",
        merchant.distance_weighted_median,
        "How far the traffic comes, where the unweighted median tells how far the edges lie.",
        "the edges that carry little",
    ),
    _distance(
        "settlement_distance_p90_km",
        "90 % quantile over all edges of the distance to the settlement.",
        merchant.distance_p90,
        "The edges at the far end of a network.",
        "weights: a far edge may carry next to nothing",
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
        family=COHERENCE,
        purpose="A settlement in no country takes its merchant out of the overlap.",
        blind_to="settlements in a wrong country",
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


def contracted(policy: VirtualValidation) -> Mapping[str, Metric]:
    """The metrics the validation contract asks about, in registry order: what a hard gate holds, and the probe's.

    The one that judges the contract itself has no row in it.
    """
    gated = {rule.metric for rule in policy.hard_gates.values()}
    return {
        name: metric
        for name, metric in METRICS.items()
        if metric.compute is not None and (name in gated or metric.population == ROUTING_PROBE)
    }
