"""What a change makes stale, as Dagster sees it, per partition and with its cause."""

import pytest

from seg3b_assets.orchestration.lineage import POLICIES, parents
from seg3b_assets_tests.orchestration.imagined_runs import ImaginedSegment
from seg3b_assets_tests.orchestration.watch import Watch, datasets


def readers(source: str) -> set[str]:
    return {dataset_id for dataset_id, keys in parents().items() if source in keys}


def test_partitions_are_fresh_until_a_policy_changes_and_again_when_it_is_put_back(
    segment: ImaginedSegment, watch: Watch
) -> None:
    watch.materialize(seed=42)
    # A first materialization without any observation is fresh, and of no other partition.
    assert watch.missing() == set()
    assert watch.stale() == {}
    assert watch.missing(7) == datasets()
    # Observing what was read changes nothing.
    for name, version in segment.sources.items():
        watch.observe(name, version, seed=None if name in POLICIES else 42)
    assert watch.stale() == {}
    # A changed policy makes its readers stale in every partition.
    watch.materialize(seed=7)
    watch.observe("edge_topology", "edge_topology 2")
    for seed in (42, 7):
        assert watch.stale(seed) == {name: {"edge_topology"} for name in readers("edge_topology")}
    assert datasets(["S0", "S2"]) <= readers("edge_topology")
    # Put back, it is what was read.
    watch.observe("edge_topology", "edge_topology 1")
    assert watch.stale() == {}


@pytest.mark.e2e
def test_materializing_after_a_change_makes_the_partition_fresh_and_no_other(
    segment: ImaginedSegment, watch: Watch
) -> None:
    watch.materialize(seed=42)
    watch.materialize(seed=7)
    segment.sources["edge_topology"] = "edge_topology 2"
    watch.materialize(seed=42)
    assert watch.stale(42) == {}
    assert watch.stale(7).keys() == readers("edge_topology")


@pytest.mark.e2e
def test_an_upstream_artefact_that_changed_for_one_seed_makes_that_seed_stale(
    segment: ImaginedSegment, watch: Watch
) -> None:
    watch.materialize(seed=42)
    watch.materialize(seed=7)
    watch.observe("outlet_catalogue", "outlet_catalogue 2", seed=7)
    assert watch.stale(42) == {}
    assert watch.stale(7) == {name: {"outlet_catalogue"} for name in readers("outlet_catalogue")}
    segment.of_seed["outlet_catalogue", 7] = "outlet_catalogue 2"
    watch.materialize(seed=7)
    assert watch.stale(7) == {}
    watch.observe("outlet_catalogue", "outlet_catalogue 1", seed=7)
    watch.observe("outlet_catalogue", "outlet_catalogue 2", seed=7)
    assert watch.stale(7) == {}


def test_an_optional_input_that_appears_makes_its_readers_stale(
    segment: ImaginedSegment, watch: Watch
) -> None:
    del segment.sources["virtual_settlement_coords"]
    watch.materialize()
    assert watch.stale() == {}
    watch.observe("virtual_settlement_coords", "virtual_settlement_coords 1", seed=42)
    assert watch.stale().keys() == readers("virtual_settlement_coords") >= datasets(["S0", "S1"])


@pytest.mark.parametrize(
    "selected", ["edge_catalogue_3B", pytest.param("edge_merchant_profile_3B", marks=pytest.mark.e2e)]
)
def test_one_asset_materialized_alone_brings_its_state_and_all_before_it_up_to_date(
    segment: ImaginedSegment, watch: Watch, selected: str
) -> None:
    watch.materialize(selected)
    assert watch.missing() == datasets(["S3", "S4", "S5"])
    assert watch.stale() == {}


def test_a_rerun_of_one_state_makes_what_reads_it_stale_if_its_bytes_are_others_until_that_is_rerun(
    segment: ImaginedSegment, watch: Watch
) -> None:
    watch.materialize()
    watch.materialize("edge_catalogue_3B")
    assert watch.stale() == {}
    segment.salt["S2"] = "other logic"
    watch.materialize("s2_summary_3B")
    stale = watch.stale()
    assert stale.keys() == datasets(["S3", "S4", "S5"])
    assert all("edge_catalogue_3B" in causes for causes in stale.values())
    watch.materialize(*datasets(["S3", "S4", "S5"]))
    assert watch.stale() == {}
