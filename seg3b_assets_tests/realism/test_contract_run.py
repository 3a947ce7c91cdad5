"""One result per contract row: statuses, slices, and refusals of rows nobody can measure."""

from __future__ import annotations

from dataclasses import replace

import orjson
import polars as pl
import pytest

from seg3b_assets.contracts import contract as declared_contract
from seg3b_assets.laws.errors import Seg3BError
from seg3b_assets.policies import VIRTUAL_CLASSES
from seg3b_assets.realism import blocking_failures, measure, run_contract
from seg3b_assets.realism.registry import METRICS, REALISM_FAMILIES
from seg3b_assets_tests.realism.worlds import SOUND, alias_blob, enforced, policies, published, with_contract

POLICIES = policies()
SEED = enforced()
TRAFFIC = {"IP_COUNTRY_MIX", "EDGE_USAGE_VS_WEIGHT", "SETTLEMENT_CUTOFF", "ROUTING_RECEIPT"}


def rerun(contract: pl.DataFrame) -> pl.DataFrame:
    return run_contract(published(), contract, POLICIES, workers=1)


def test_every_row_has_one_result_in_its_order_and_the_table_keeps_its_contract() -> None:
    assert SEED.contract is not None and SEED.results is not None
    assert SEED.results["test_id"].to_list() == SEED.contract["test_id"].to_list()
    assert SEED.results.height >= 12
    assert set(SEED.results["test_type"]) == {*REALISM_FAMILIES, *TRAFFIC}
    assert declared_contract("virtual_validation_results_3B").check_frame(SEED.results) == []
    assert set(SEED.results["status"]) == {"PASS"}


def test_results_are_the_registrys_metrics_of_the_whole_and_of_each_class() -> None:
    measured = measure(published(), POLICIES.virtual_validation, workers=1)
    rows = SEED.results.join(SEED.contract.select("test_id", "target_population"), on="test_id")
    sliced = rows.filter(pl.col("scope") == "virtual_class")["target_population"]
    assert set(sliced) == {f"virtual_class={name}" for name in VIRTUAL_CLASSES}
    for row in rows.filter(pl.col("test_type").is_in(REALISM_FAMILIES)).iter_rows(named=True):
        assert row["measured"] == measured.value(row["metric"], row["target_population"])


def test_two_runs_are_equal_whatever_the_threads() -> None:
    assert run_contract(published(), SEED.contract, POLICIES, workers=3).equals(SEED.results)


def test_a_failure_is_fail_where_it_blocks_and_warn_where_it_does_not() -> None:
    flat = published(replace(SOUND, edges_sigma=0.0))
    results = with_contract(flat, POLICIES).results
    failing = results.filter(pl.col("metric") == "edges_per_merchant_cv")
    assert set(failing["status"]) == {"FAIL"} and failing.height == 4
    assert blocking_failures(results).equals(failing)
    assert orjson.loads(failing["detail"][0])["miss_abs"] == 0.25
    policy = POLICIES.virtual_validation.model_copy(update={"realism_enforcement_mode": "observe"})
    observed = with_contract(flat, replace(POLICIES, virtual_validation=policy)).results
    assert set(observed.filter(pl.col("metric") == "edges_per_merchant_cv")["status"]) == {"WARN"}
    assert blocking_failures(observed).is_empty()


def test_a_class_too_small_to_judge_is_not_applicable_and_blocks_nothing() -> None:
    small = enforced(replace(SOUND, per_class=20))
    sliced = small.results.filter(pl.col("scope") == "virtual_class")
    assert set(sliced["status"]) == {"NOT_APPLICABLE"}
    assert sliced["measured"].null_count() == sliced.height and sliced["n"].sum() == 0
    assert orjson.loads(sliced["detail"][0]) == {
        "merchants": 20,
        "min_class_size": 30,
        "reason": "class_too_small",
    }
    assert blocking_failures(small.results).is_empty()
    assert (
        measure(small, POLICIES.virtual_validation, workers=1).value("realism_block_active_enforced") == 1.0
    )
    assert declared_contract("virtual_validation_results_3B").check_frame(small.results) == []


def test_a_disabled_row_is_visible_and_unmeasured() -> None:
    off = rerun(SEED.contract.with_columns(enabled=pl.lit(False)))
    assert set(off["status"]) == {"NOT_APPLICABLE"}
    assert set(off["detail"]) == {'{"reason":"disabled"}'}


@pytest.mark.parametrize(
    ("change", "code"),
    [
        (pl.lit("heart_rate").alias("metric"), "TEST_BINDING_INVALID"),
        (pl.lit("realism_block_active_enforced").alias("metric"), "TEST_BINDING_INVALID"),
        (pl.lit('{"operator":">="}').alias("thresholds"), "TEST_THRESHOLD_INVALID"),
        (pl.lit('{"operator":"range","low":1}').alias("thresholds"), "TEST_THRESHOLD_INVALID"),
        (pl.lit('{"operator":"~","value":1}').alias("thresholds"), "TEST_THRESHOLD_INVALID"),
    ],
)
def test_a_row_nobody_can_measure_is_refused(change: pl.Expr, code: str) -> None:
    with pytest.raises(Seg3BError) as refused:
        rerun(SEED.contract.with_columns(change))
    assert refused.value.code == f"E3B_S4_{code}"
    assert refused.value.place.startswith("virtual_validation_contract_3B:")


def test_a_contract_over_no_merchants_is_not_applicable_throughout_but_for_the_rows_of_all() -> None:
    whole = published()
    empty = replace(
        whole,
        classification=whole.classification.with_columns(is_virtual=pl.lit(False)),
        settlement=whole.settlement.head(0),
        profile=whole.profile.head(0),
        edges=whole.edges.head(0),
        alias_index=alias_blob(whole.edges.head(0))[1],
        alias_blob=b"",
    )
    results = run_contract(empty, SEED.contract, POLICIES, workers=1)
    measured = set(results.filter(pl.col("status") != "NOT_APPLICABLE")["metric"])
    assert measured == {"rule_id_non_null_rate", "rule_version_non_null_rate"}
    assert blocking_failures(results).is_empty()


def test_every_metric_of_the_contract_is_in_the_registry_under_its_family() -> None:
    for metric, family in SEED.contract.select("metric", "test_type").iter_rows():
        assert METRICS[metric].family == family
