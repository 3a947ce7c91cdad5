"""Definitions of the metrics a gate holds (gates, "Metrics"), in the order of the gates."""

from __future__ import annotations

import math
from typing import Final

from seg3b_assets.laws.geography import EARTH_RADIUS_KM
from seg3b_assets.realism import merchant_metrics as merchant
from seg3b_assets.realism.measurement import ALL_EDGES, ALL_MERCHANTS, Metric

HETEROGENEITY: Final = "EDGE_HETEROGENEITY"
COHERENCE: Final = "SETTLEMENT_COHERENCE"
EXPLAINABILITY: Final = "CLASSIFICATION_EXPLAINABILITY"
FIDELITY: Final = "ALIAS_FIDELITY"

REALISM_BLOCK: Final = "realism_block_active_enforced"
# Its stretch bound is 1e-9 itself: on the common grid the answer would be the bound or nothing.
ALIAS_GRID: Final = 10**15


def columns(dataset: str, *names: str) -> tuple[str, ...]:
    """Anchors of one dataset's columns."""
    return tuple(f"{dataset}.{name}" for name in names)


EDGE_OWNER: Final = columns("edge_catalogue_3B", "merchant_id")
EDGE_MIX: Final = columns("edge_catalogue_3B", "merchant_id", "country_iso", "edge_weight")
EDGE_PLACE: Final = columns("edge_catalogue_3B", "merchant_id", "lat_deg", "lon_deg")
SETTLEMENT_PLACE: Final = columns("virtual_settlement_3B", "merchant_id", "lat_deg", "lon_deg")
SETTLEMENT_COUNTRY: Final = columns("virtual_settlement_lineage_3B", "merchant_id", "settlement_country_iso")
ALIAS_SLICES: Final = columns(
    "edge_alias_index_3B", "merchant_id", "blob_offset_bytes", "blob_length_bytes", "alias_table_length"
)

HETEROGENEITY_METRICS: Final = (
    Metric(
        name="edges_per_merchant_cv",
        definition="Coefficient of variation, over virtual merchants, of the number of edges.",
        purpose="Real networks differ in size; one template for all has 0.",
        blind_to="the shape of the distribution, and whether size goes with anything",
        unit="dimensionless",
        direction="higher",
        state="S2",
        lane="topology",
        fields=columns("edge_catalogue_3B", "merchant_id", "edge_id"),
        compute=merchant.edges_cv,
        family=HETEROGENEITY,
        lower_name="edge_count_cv_min",
    ),
    Metric(
        name="countries_per_merchant_cv",
        definition="Coefficient of variation, over virtual merchants, of the number of edge countries.",
        purpose="Real networks differ in reach; one template for all has 0.",
        blind_to="the shape of the distribution, and whether reach goes with anything",
        unit="dimensionless",
        direction="higher",
        state="S2",
        lane="topology",
        fields=columns("edge_catalogue_3B", "merchant_id", "country_iso"),
        compute=merchant.countries_cv,
        family=HETEROGENEITY,
        lower_name="country_count_cv_min",
    ),
    Metric(
        name="top1_share_p50",
        definition="Median over virtual merchants of the largest single edge_weight.",
        purpose="Traffic concentrates: an even network of 500 edges has 0.002; a network that is one "
        "edge is as odd. Its stretch gate holds the 90 % less 10 % spread, too.",
        blind_to="who is concentrated, and where; p10, p90 and the country shares are published beside it",
        unit="share",
        direction="band",
        state="S2",
        lane="weights",
        fields=columns("edge_catalogue_3B", "merchant_id", "edge_weight"),
        compute=merchant.top1_p50,
        family=HETEROGENEITY,
        ceiling=1.0,
        lower_name="top1_share_p50_min",
        upper_name="top1_share_p50_max",
    ),
    Metric(
        name="median_pairwise_js",
        definition="Median over unordered merchant pairs of the Jensen-Shannon divergence (natural log) of "
        "their country weight vectors.",
        purpose="Merchants have profiles of their own; 0 is one global mix, ln 2 is nothing in common.",
        blind_to="structure above the median: two clusters far apart and tight within can share a "
        "median with noise",
        unit="nats",
        direction="higher",
        state="S2",
        lane="topology",
        fields=EDGE_MIX,
        compute=merchant.median_js,
        family=HETEROGENEITY,
        ceiling=math.log(2.0),
        lower_name="js_divergence_median_min",
    ),
)

COHERENCE_METRICS: Final = (
    Metric(
        name="settlement_overlap_median",
        definition="Median over virtual merchants of the edge weight in the country the merchant is settled in; "
        "0 where it is in none.",
        purpose="A merchant sells some at home; with one global mix, overlap is just the home "
        "country's global share.",
        blind_to="whether nearness beyond the border matters: that is the distance's",
        unit="share",
        direction="higher",
        state="S2",
        lane="topology",
        fields=(*EDGE_MIX, *SETTLEMENT_COUNTRY),
        compute=merchant.overlap_median,
        family=COHERENCE,
        join_keys=("merchant_id",),
        ceiling=1.0,
        lower_name="settlement_overlap_median_min",
    ),
    Metric(
        name="settlement_overlap_p75",
        definition="Upper quartile over virtual merchants of the edge weight in the settlement's country.",
        purpose="As the median, for the quarter of merchants that sell most at home.",
        blind_to="whether nearness beyond the border matters: that is the distance's",
        unit="share",
        direction="higher",
        state="S2",
        lane="topology",
        fields=(*EDGE_MIX, *SETTLEMENT_COUNTRY),
        compute=merchant.overlap_p75,
        family=COHERENCE,
        join_keys=("merchant_id",),
        ceiling=1.0,
        lower_name="settlement_overlap_p75_min",
    ),
    Metric(
        name="settlement_distance_median_km",
        definition="Unweighted median over all edges of the distance to the merchant's settlement.",
        purpose="Demand decays with distance.",
        blind_to="weights: the weighted median and p90 are published beside it",
        unit="km",
        direction="lower",
        state="S2",
        lane="topology",
        fields=(*EDGE_PLACE, *SETTLEMENT_PLACE),
        compute=merchant.distance_median,
        family=COHERENCE,
        join_keys=("merchant_id",),
        ceiling=math.pi * EARTH_RADIUS_KM,
        upper_name="settlement_distance_median_max_km",
    ),
)

EXPLAINABILITY_METRICS: Final = (
    Metric(
        name="rule_id_non_null_rate",
        definition="Share of classification rows whose rule_id is neither null nor blank.",
        purpose="A label that cannot be explained cannot be used.",
        blind_to="whether the rules are right",
        unit="share",
        direction="higher",
        state="S1",
        lane="classification",
        fields=columns("virtual_classification_3B", "merchant_id", "rule_id"),
        compute=merchant.rule_id_rate,
        family=EXPLAINABILITY,
        population=ALL_MERCHANTS,
        ceiling=1.0,
        lower_name="rule_id_non_null_rate_min",
    ),
    Metric(
        name="rule_version_non_null_rate",
        definition="Share of classification rows whose rule_version is neither null nor blank.",
        purpose="A label whose rule has changed since cannot be explained.",
        blind_to="whether the rules are right",
        unit="share",
        direction="higher",
        state="S1",
        lane="classification",
        fields=columns("virtual_classification_3B", "merchant_id", "rule_version"),
        compute=merchant.rule_version_rate,
        family=EXPLAINABILITY,
        population=ALL_MERCHANTS,
        ceiling=1.0,
        lower_name="rule_version_non_null_rate_min",
    ),
    Metric(
        name="active_rule_id_count",
        definition="Distinct rule_id among virtual rows, each deciding at least 1 % of them.",
        purpose="One rule is a switch, not a policy.",
        blind_to="whether the rules are right",
        unit="rules",
        direction="higher",
        state="S1",
        lane="classification",
        fields=columns("virtual_classification_3B", "merchant_id", "is_virtual", "rule_id"),
        compute=merchant.active_rules,
        family=EXPLAINABILITY,
        lower_name="active_rule_id_count_min",
    ),
)

FIDELITY_METRICS: Final = (
    Metric(
        name="alias_max_abs_delta",
        definition="Largest difference, over all edges, of the probability decoded from the blob on disk and "
        "edge_weight.",
        purpose="The router's tables say what the catalogue says; quantising to 2⁻³² leaves a few 10⁻¹⁰.",
        blind_to="sampling: that is the probe's",
        unit="probability",
        direction="lower",
        state="S3",
        lane="tables",
        fields=(*ALIAS_SLICES, *columns("edge_catalogue_3B", "merchant_id", "edge_id", "edge_weight")),
        compute=merchant.alias_delta,
        family=FIDELITY,
        join_keys=("merchant_id",),
        artefacts=("edge_alias_blob_3B",),
        population=ALL_EDGES,
        ceiling=1.0,
        grid=ALIAS_GRID,
        upper_name="alias_max_abs_delta_max",
    ),
    Metric(
        name=REALISM_BLOCK,
        definition="The four realism families are in the contract, enabled and BLOCKING, and every BLOCKING "
        "row has a PASS measured from this snapshot.",
        purpose="A gate that is declared and not run is worse than none.",
        blind_to="whether the bounds are good",
        unit="boolean",
        direction="true",
        state="S4",
        lane="results",
        fields=(
            *columns("virtual_validation_contract_3B", "test_id", "test_type", "severity", "enabled"),
            *columns("virtual_validation_results_3B", "test_id", "status"),
        ),
        compute=None,
        join_keys=("test_id",),
        by_class=False,
    ),
)

SETTLEMENT_METRICS: Final = (
    Metric(
        name="settlement_tzid_top1_share",
        definition="Share of settlements in the commonest settlement zone.",
        purpose="Legal seats cluster, but not in one zone.",
        blind_to="where within a zone they are",
        unit="share",
        direction="lower",
        state="S1",
        lane="settlement",
        fields=columns("virtual_settlement_3B", "merchant_id", "tzid_settlement"),
        compute=merchant.zone_top1_share,
        family=COHERENCE,
        ceiling=1.0,
    ),
    Metric(
        name="settlement_unique_coord_ratio",
        definition="Distinct settlement coordinates per settlement.",
        purpose="Legal seats cluster, but not on one spot.",
        blind_to="near-duplicates: two seats a metre apart are distinct",
        unit="share",
        direction="higher",
        state="S1",
        lane="settlement",
        fields=SETTLEMENT_PLACE,
        compute=merchant.unique_coordinates,
        family=COHERENCE,
        ceiling=1.0,
    ),
    Metric(
        name="settlement_duplicate_exposure",
        definition="Share of virtual merchants whose settlement coordinate another merchant has too.",
        purpose="Few merchants share an address.",
        blind_to="near-duplicates: two seats a metre apart are distinct",
        unit="share",
        direction="lower",
        state="S1",
        lane="settlement",
        fields=SETTLEMENT_PLACE,
        compute=merchant.duplicate_exposure,
        family=COHERENCE,
        ceiling=1.0,
    ),
)

PREVALENCE_METRICS: Final = (
    Metric(
        name="virtual_rate",
        definition="Virtual rows per classification row.",
        purpose="A world in which every merchant is virtual, or none, is no use to a detector.",
        blind_to="which merchants are virtual: the rates by category, channel and country are published beside it",
        unit="share",
        direction="band",
        state="S1",
        lane="classification",
        fields=columns("virtual_classification_3B", "merchant_id", "is_virtual"),
        compute=merchant.virtual_rate,
        family=EXPLAINABILITY,
        population=ALL_MERCHANTS,
        ceiling=1.0,
        by_class=False,
    ),
)

GATED_METRICS: Final = (
    *HETEROGENEITY_METRICS,
    *COHERENCE_METRICS,
    *EXPLAINABILITY_METRICS,
    *FIDELITY_METRICS,
    *SETTLEMENT_METRICS,
    *PREVALENCE_METRICS,
)
