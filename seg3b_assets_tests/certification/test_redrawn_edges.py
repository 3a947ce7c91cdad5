"""The counterfactual network: the published one under the published policies, and an uncoupled one."""

from __future__ import annotations

import polars as pl
import pytest

from seg3b_assets.certification.lineages import redrawn_edges, uncoupled
from seg3b_assets.pipeline import default_segment
from seg3b_assets.pipeline.segment import SealedSeed, seal_seed
from seg3b_assets.progress import SILENT
from seg3b_assets.realism import CouplingMedians, read_outputs
from seg3b_assets_tests.certification.conftest import Certified

CLASSES = ("OFFSHORE_HUB", "HYBRID_FOOTPRINT", "REGIONAL_COMPACT")


@pytest.fixture(scope="module")
def sealed(certified: Certified) -> SealedSeed:
    segment = default_segment()
    return seal_seed(segment, certified.settings, segment.upstream_root(certified.settings, 42, SILENT))


def test_the_published_policies_reproduce_the_published_edges(
    certified: Certified, sealed: SealedSeed
) -> None:
    published = certified.run.lineages[42].record.published
    columns = ["merchant_id", "country_iso", "lat_deg", "lon_deg", "edge_weight"]
    redrawn = redrawn_edges(sealed.identity, sealed.policies, published, sealed.inputs, workers=2)
    catalogue = published.table("edge_catalogue_3B", [*columns, "edge_seq_index"])
    assert redrawn.equals(catalogue.sort("merchant_id", "edge_seq_index").select(columns))


def test_only_coupling_is_taken_away(sealed: SealedSeed) -> None:
    without = uncoupled(sealed.policies)
    assert {without.edge_topology.country_shares.by_class[name].coupling for name in CLASSES} == {0.0}
    for name in CLASSES:
        kept = without.edge_topology.country_shares.by_class[name].model_dump(exclude={"coupling"})
        assert kept == sealed.policies.edge_topology.country_shares.by_class[name].model_dump(
            exclude={"coupling"}
        )
    assert without.settlement is sealed.policies.settlement
    assert sealed.policies.edge_topology.country_shares.by_class["OFFSHORE_HUB"].coupling > 0


def test_without_coupling_merchants_and_budgets_stay_and_home_does_not_matter(
    certified: Certified, sealed: SealedSeed
) -> None:
    published = certified.run.lineages[42].record.published
    edges = redrawn_edges(sealed.identity, uncoupled(sealed.policies), published, sealed.inputs, workers=1)
    budgets = published.table("edge_merchant_profile_3B", ["merchant_id", "edge_budget"])
    sizes = edges.group_by("merchant_id").agg(edge_budget=pl.len().cast(pl.Int64)).sort("merchant_id")
    assert sizes.equals(budgets)
    outputs = read_outputs(sealed.identity, published, sealed.inputs)
    medians = CouplingMedians.of_edges(outputs.settlement, edges)
    row = certified.run.summary.confidence.coupling_uplift.seeds[42]
    assert (medians.overlap, medians.distance_km) == (row.overlap_uncoupled, row.distance_uncoupled_km)
