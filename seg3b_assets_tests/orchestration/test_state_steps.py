"""What a state's step does with a run: records it, explains its failure, passes on what was asked."""

import dagster as dg
import pytest

from seg3b_assets.laws.errors import Seg3BError
from seg3b_assets.orchestration.resources import Installation
from seg3b_assets_tests.orchestration.imagined_runs import ImaginedSegment
from seg3b_assets_tests.orchestration.watch import Watch, datasets, keys


def test_each_state_is_one_step_and_runs_once(segment: ImaginedSegment, watch: Watch) -> None:
    result = watch.materialize(seed=7)
    assert segment.runs == [(7, state, False) for state in ("S0", "S1", "S2", "S3", "S4", "S5")]
    assert sorted(keys(result.get_asset_materialization_events())) == sorted(datasets())


def test_a_materialization_carries_version_size_rows_path_and_cost(
    segment: ImaginedSegment, watch: Watch
) -> None:
    watch.materialize("edge_catalogue_3B")
    event = watch.instance.get_latest_materialization_event(dg.AssetKey("edge_catalogue_3B"))
    assert event is not None
    made = event.asset_materialization
    assert made is not None
    assert made.partition == "42"
    assert made.tags is not None
    assert made.tags["dagster/data_version"] == made.metadata["digest"].value
    assert made.metadata["dagster/partition_row_count"].value == 3
    assert made.metadata["bytes"].value == 10
    assert made.metadata["path"].value == str(segment.folder / "edge_catalogue_3B")
    assert {"state key", "state digest", "wall_s", "peak_rss_mb", "lanes_s", "reused"} <= made.metadata.keys()


def test_recompute_is_passed_to_the_state_that_is_asked_for(segment: ImaginedSegment, watch: Watch) -> None:
    watch.materialize("edge_alias_blob_3B", config={"ops": {"S3_alias": {"config": {"recompute": True}}}})
    assert segment.runs == [(42, "S3", True)]


def test_a_failure_has_code_place_and_remedy_and_is_not_retried(
    watch: Watch, monkeypatch: pytest.MonkeyPatch
) -> None:
    def refuse(self: Installation, context: dg.AssetExecutionContext) -> object:
        raise Seg3BError(
            "S2", "TILE_SURFACE_INVALID", "tile_bounds_missing", "tile 7", "Mend it.", {"tile": 7}
        )

    monkeypatch.setattr(Installation, "seed_run", refuse)
    result = watch.materialize("edge_catalogue_3B", ok=False)
    [failure] = [event for event in result.all_events if event.is_step_failure]
    user_failure = failure.step_failure_data.user_failure_data
    assert user_failure is not None
    assert user_failure.description == "E3B_S2_TILE_SURFACE_INVALID at tile 7. Mend it."
    assert user_failure.metadata["code"].value == "E3B_S2_TILE_SURFACE_INVALID"
    assert user_failure.metadata["remedy"].value == "Mend it."
    assert user_failure.metadata["detail"].value == {"tile": 7}
    assert not any(event.is_step_up_for_retry for event in result.all_events)
    assert watch.missing() == datasets()


def test_a_reported_dataset_that_dagster_knows_already_is_not_reported_again(
    segment: ImaginedSegment, watch: Watch
) -> None:
    watch.materialize()
    result = watch.materialize("edge_alias_index_3B")
    assert keys(result.get_asset_materialization_events()) == ["edge_alias_index_3B"]
    assert result.get_asset_observation_events() == []
