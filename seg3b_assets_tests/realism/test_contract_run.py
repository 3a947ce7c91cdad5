"""One result per contract row: statuses, slices, and refusals of rows nobody can measure."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import orjson
import polars as pl
import pytest

from seg3b_assets.contracts import contract as declared_contract
from seg3b_assets.laws.errors import Seg3BError
from seg3b_assets.policies import VIRTUAL_CLASSES
from seg3b_assets.realism import measure
from seg3b_assets.realism.contract_run import blocking_failures, run_contract
from seg3b_assets.realism.registry import METRICS, REALISM_FAMILIES
from seg3b_assets_tests.realism.worlds import SOUND, alias_blob, enforced, policies, published, with_contract

POLICIES = policies()
SEED = enforced()
TRAFFIC = {"IP_COUNTRY_MIX", "EDGE_USAGE_VS_WEIGHT", "SETTLEMENT_CUTOFF", "ROUTING_RECEIPT"}


def rerun(contract: pl.DataFrame = SEED.contract, terms: pl.DataFrame = SEED.terms) -> pl.DataFrame:
    return run_contract(published(), contract, terms, POLICIES, workers=1)


def everywhere(contract: pl.DataFrame, column: str, value: dict[str, Any]) -> pl.DataFrame:
    return contract.with_columns(pl.Series(column, [value] * contract.height, dtype=contract.schema[column]))


def test_every_row_has_one_result_in_its_order_and_the_table_keeps_its_contract() -> None:
    assert SEED.contract is not None and SEED.results is not None
    assert SEED.results["test_id"].to_list() == SEED.contract["test_id"].to_list()
    assert SEED.results.height >= 12
    assert set(SEED.results["test_type"]) == {*REALISM_FAMILIES, *TRAFFIC}
    assert declared_contract("virtual_validation_results_3B").check_frame(SEED.results) == []
    assert set(SEED.results["status"]) == {"PASS"}


def test_results_are_the_registrys_metrics_of_the_whole_and_of_each_class() -> None:
    measured = measure(published(), POLICIES.virtual_validation, workers=1)
    rows = SEED.results
    assert set(rows.filter(pl.col("scope") == "PER_CLASS")["virtual_class"]) == set(VIRTUAL_CLASSES)
    for row in rows.filter(pl.col("test_type").is_in(REALISM_FAMILIES)).iter_rows(named=True):
        assert row["measured"] == measured.value(row["metric"], row["virtual_class"])


def test_two_runs_are_equal_whatever_the_threads() -> None:
    assert run_contract(published(), SEED.contract, SEED.terms, POLICIES, workers=3).equals(SEED.results)


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
    sliced = small.results.filter(pl.col("scope") == "PER_CLASS")
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
        ({"metric": "heart_rate"}, "TEST_BINDING_INVALID"),
        ({"metric": "realism_block_active_enforced"}, "TEST_BINDING_INVALID"),
        ({"operator": ">=", "value": None}, "TEST_THRESHOLD_INVALID"),
        ({"operator": "range", "low": 1.0, "high": None}, "TEST_THRESHOLD_INVALID"),
        ({"operator": "~", "value": 1.0}, "TEST_THRESHOLD_INVALID"),
    ],
)
def test_terms_nobody_can_measure_by_are_refused(change: dict[str, Any], code: str) -> None:
    with pytest.raises(Seg3BError) as refused:
        rerun(terms=SEED.terms.with_columns(**{name: pl.lit(value) for name, value in change.items()}))
    assert refused.value.code == f"E3B_S4_{code}"
    assert refused.value.place.startswith("virtual_validation_contract_3B:")


@pytest.mark.parametrize(
    ("scope", "population"),
    [
        ("PER_CLASS", {"virtual_only": True}),
        ("PER_CLASS", {"virtual_only": True, "classes": list(VIRTUAL_CLASSES[:2])}),
        ("GLOBAL", {"virtual_only": True, "classes": [VIRTUAL_CLASSES[0]]}),
        ("PER_MERCHANT", {"virtual_only": True}),
        ("GLOBAL", {"virtual_only": True, "merchant_ids": [7]}),
    ],
)
def test_a_population_nobody_can_measure_is_refused(scope: str, population: dict[str, Any]) -> None:
    asked = everywhere(SEED.contract, "target_population", population).with_columns(scope=pl.lit(scope))
    with pytest.raises(Seg3BError) as refused:
        rerun(asked)
    assert refused.value.code == "E3B_S4_TEST_BINDING_INVALID"


def test_a_null_in_a_population_counts_as_absent() -> None:
    nulls = {"virtual_only": True, "classes": [None], "merchant_ids": []}
    rows = everywhere(SEED.contract.filter(pl.col("scope") == "GLOBAL"), "target_population", nulls)
    assert rerun(rows).equals(SEED.results.filter(pl.col("scope") == "GLOBAL"))


def test_a_row_without_terms_is_refused() -> None:
    with pytest.raises(Seg3BError) as refused:
        rerun(terms=SEED.terms[1:])
    assert refused.value.code == "E3B_S4_TEST_THRESHOLD_INVALID"
    assert SEED.contract["test_id"][0] in refused.value.place


def test_what_is_measured_follows_the_terms_and_not_the_published_bounds() -> None:
    bare = dict.fromkeys(name for name, _ in SEED.contract.schema["thresholds"])
    assert rerun(everywhere(SEED.contract, "thresholds", bare)).equals(SEED.results)


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
    results = run_contract(empty, SEED.contract, SEED.terms, POLICIES, workers=1)
    measured = set(results.filter(pl.col("status") != "NOT_APPLICABLE")["metric"])
    assert measured == {"rule_id_non_null_rate", "rule_version_non_null_rate"}
    assert blocking_failures(results).is_empty()


def test_every_metric_of_the_contract_is_in_the_registry_under_its_family() -> None:
    for metric, family in SEED.results.select("metric", "test_type").iter_rows():
        assert METRICS[metric].family == family
