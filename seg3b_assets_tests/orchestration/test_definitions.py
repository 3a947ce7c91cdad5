"""The definitions: an asset for every dataset, and dependencies that one hop covers."""

import dagster as dg
import pytest

from seg3b_assets.contracts import all_contracts, contract
from seg3b_assets.definitions import defs
from seg3b_assets.orchestration.lineage import EDGE_CATALOGUE, SEALED_INPUTS, SEEDS, parents, state_assets
from seg3b_assets.policies import POLICY_MODELS, SEALED_POLICIES
from seg3b_assets_tests.orchestration.watch import datasets

GRAPH = defs.resolve_asset_graph()


def node(name: str):  # type: ignore[no-untyped-def]
    return GRAPH.get(dg.AssetKey(name))


def test_every_dataset_the_segment_produces_is_an_asset_of_its_state() -> None:
    produced = {
        c.id: c.producer
        for c in all_contracts().values()
        if c.producer.startswith("S") and c.status != "planned"
    }
    assert {name: state.spec.name for state in state_assets() for name in state.datasets} == produced
    for name, state in produced.items():
        assert node(name).is_materializable
        assert node(name).group_name.startswith(f"{state}_")
        assert node(name).partitions_def == SEEDS


def test_every_policy_and_everything_sealed_is_an_observed_source() -> None:
    observed = {key.to_user_string() for key in GRAPH.observable_asset_keys}
    assert observed >= set(POLICY_MODELS)
    upstream = {c.id for c in all_contracts().values() if c.producer == "upstream"}
    assert {name for name in upstream if not name.startswith("validation_index_")} <= observed
    assert {f"segment_{segment}_gate" for segment in ("1A", "1B", "2A", "3A")} <= observed
    assert all(node(name).partitions_def is None for name in POLICY_MODELS)
    assert all(node(name).partitions_def == SEEDS for name in observed - set(POLICY_MODELS))


def test_a_dataset_depends_directly_on_all_its_state_reads() -> None:
    for state in state_assets():
        for name in state.datasets:
            keys = {key.to_user_string() for key in node(name).parent_keys}
            assert keys == set(parents()[name])
            assert set(state.spec.reads) <= keys
            assert state.principal in keys | {name}


def test_the_gate_depends_on_every_sealed_policy_and_everything_else_on_the_gate() -> None:
    assert set(SEALED_POLICIES) <= set(parents()[SEALED_INPUTS])
    assert all(SEALED_INPUTS in parents()[name] for name in datasets() - {SEALED_INPUTS})


def test_one_hop_from_the_edge_catalogue_is_the_whole_of_s2_to_s5() -> None:
    selected = dg.AssetSelection.from_string(f"key:{EDGE_CATALOGUE}+1").resolve(GRAPH)
    assert {key.to_user_string() for key in selected} == datasets(["S2", "S3", "S4", "S5"])


@pytest.mark.parametrize("name", sorted(datasets()))
def test_an_asset_says_what_it_holds(name: str) -> None:
    spec = GRAPH.get(dg.AssetKey(name))
    assert spec.description == contract(name).description
    assert spec.owners == ["team:segment-3b"]
    assert spec.kinds
    assert spec.code_version
    columns = spec.metadata.get("dagster/column_schema")
    assert (columns is not None) == contract(name).is_table
    if columns is not None:
        assert [column.name for column in columns.columns] == [
            row[0] for row in contract(name).describe_columns()
        ]
        assert all(column.description for column in columns.columns)


def test_the_sweep_is_stopped_by_default_and_covers_the_four_seeds() -> None:
    schedule = defs.resolve_schedule_def("four_seed_sweep")
    assert schedule.default_status == dg.DefaultScheduleStatus.STOPPED
    with dg.DagsterInstance.ephemeral() as instance:
        tick = dg.build_schedule_context(instance, repository_def=defs.get_repository_def())
        requests = schedule.evaluate_tick(tick).run_requests
    assert [request.partition_key for request in requests or ()] == ["42", "7", "101", "202"]


def test_steps_run_in_one_process_and_backfills_run_seed_by_seed() -> None:
    assert defs.executor is dg.in_process_executor
    assert all(assets.backfill_policy is None for assets in GRAPH.assets_defs)
