"""The contract's rows: complete, bound to real columns, with bounds from the policy alone."""

from __future__ import annotations

import hashlib
import math
from dataclasses import replace
from typing import Any

import orjson
import pytest

from seg3b_assets.contracts import contract
from seg3b_assets.contracts.artefact_registry import by_own_id
from seg3b_assets.contracts.published import resolve_anchor
from seg3b_assets.laws.errors import Seg3BError
from seg3b_assets.laws.hashing import sha256_json
from seg3b_assets.policies import VIRTUAL_CLASSES, VirtualRoutingFields, VirtualValidation
from seg3b_assets.realism.measurement import ALL_MERCHANTS
from seg3b_assets.realism.policy_reading import load_policies
from seg3b_assets.realism.registry import METRICS, REALISM_FAMILIES, SEED_METRICS
from seg3b_assets.states.s4_contract.bindings import bound_source, check_tests
from seg3b_assets.states.s4_contract.declarations import WHOLE_BOUNDS, DeclaredTest, declare_tests
from seg3b_assets.states.s4_contract.state import contract_table, terms_table
from seg3b_assets_tests.contracts.published_shape import assert_published
from seg3b_assets_tests.states.miniature_upstream import POLICIES, WORLD

POLICY = load_policies(POLICIES).virtual_validation
FIELDS = load_policies(POLICIES).virtual_routing_fields
FAMILIES = tuple(type(POLICY.families).model_fields)


def changed(**changes: Any) -> VirtualValidation:
    return POLICY.model_copy(update=changes)


def with_gate(gate_id: str, **changes: Any) -> VirtualValidation:
    gates = {**POLICY.hard_gates, gate_id: POLICY.hard_gates[gate_id].model_copy(update=changes)}
    return changed(hard_gates=gates)


def with_family(name: str, **changes: Any) -> VirtualValidation:
    family = POLICY.families[name].model_copy(update=changes)
    return changed(families=POLICY.families.model_copy(update={name: family}))


def one(tests: tuple[DeclaredTest, ...], metric: str, virtual_class: str | None = None) -> DeclaredTest:
    found = [t for t in tests if t.measure.metric == metric and t.virtual_class == virtual_class]
    assert len(found) == 1
    return found[0]


def test_every_family_and_every_gated_metric_has_a_row() -> None:
    tests = declare_tests(POLICY)
    assert {test.test_type for test in tests} == set(FAMILIES)
    gated = {rule.metric for rule in POLICY.hard_gates.values()} - {"realism_block_active_enforced"}
    assert gated <= {test.measure.metric for test in tests}
    assert len(tests) >= 12
    assert [test.test_id for test in tests] == sorted({test.test_id for test in tests})


def test_contract_and_terms_keep_their_contracts_and_the_published_shape() -> None:
    tests = declare_tests(POLICY)
    table, terms = (made(tests, WORLD.manifest_fingerprint) for made in (contract_table, terms_table))
    assert contract("virtual_validation_contract_3B").check_frame(table) == []
    assert contract("virtual_validation_terms_3B").check_frame(terms) == []
    assert_published("egress/virtual_validation_contract_3B", table)
    assert table["test_id"].to_list() == terms["test_id"].to_list()


def test_every_anchor_names_the_column_it_says() -> None:
    for test in declare_tests(POLICY):
        for field in test.row(WORLD.manifest_fingerprint)["inputs"]["fields"]:
            dataset, _, column = field["role"].partition(".")
            named = resolve_anchor(field["schema_anchor"])
            published = by_own_id()[dataset].published
            assert named.get("name", column) == column and ("name" in named) == published
            assert field["schema_anchor"].startswith("schemas." if published else "contracts/")


def test_every_published_bound_name_is_some_metrics_and_of_the_published_kind() -> None:
    declared = resolve_anchor("schemas.3B.yaml#/egress/virtual_validation_contract_3B/thresholds")
    names = {name for metric in METRICS.values() for name in (metric.lower_name, metric.upper_name) if name}
    traffic = {"max_abs_error", "max_rel_error", "max_kl_divergence", "min_coverage_ratio"}
    assert names | traffic | {"cutoff_tolerance_seconds"} == set(declared["properties"])
    whole = {name for name, shape in declared["properties"].items() if shape["type"] == "integer"}
    assert whole - {"cutoff_tolerance_seconds"} == WHOLE_BOUNDS


@pytest.mark.parametrize(("threshold", "published"), [(3, 3), (2.5, 3), (2.000001, 3), (0.0, 0)])
def test_a_bound_of_a_count_is_published_whole_and_held_as_it_is(threshold: float, published: int) -> None:
    test = one(declare_tests(with_gate("3B-V10", threshold=threshold)), "active_rule_id_count")
    stated = test.row(WORLD.manifest_fingerprint)["thresholds"]
    assert stated == {"active_rule_id_count_min": published} and type(*stated.values()) is int
    assert test.terms(WORLD.manifest_fingerprint)["value"] == threshold


def test_a_test_id_is_the_digest_of_what_the_test_is() -> None:
    test = one(declare_tests(POLICY), "edges_per_merchant_cv")
    stated = {
        "metric": "edges_per_merchant_cv",
        "scope": "GLOBAL",
        "target_population": {"virtual_only": True},
        "test_type": "EDGE_HETEROGENEITY",
    }
    assert test.test_id == f"EDGE_HETEROGENEITY:GLOBAL:{sha256_json(stated)[:12]}"


def test_test_ids_are_recomputed_from_contract_and_terms_alone() -> None:
    tests = declare_tests(POLICY)
    table, terms = (made(tests, WORLD.manifest_fingerprint) for made in (contract_table, terms_table))
    for row in table.join(terms, on="test_id").to_dicts():
        population = {name: value for name, value in row["target_population"].items() if value is not None}
        parts = {name: row[name] for name in ("metric", "scope", "test_type")}
        digest = hashlib.sha256(
            orjson.dumps(parts | {"target_population": population}, option=orjson.OPT_SORT_KEYS)
        )
        assert row["test_id"] == f"{row['test_type']}:{row['scope']}:{digest.hexdigest()[:12]}"


@pytest.mark.parametrize(("mode", "severity"), [("observe", "WARNING"), ("enforce", "BLOCKING")])
def test_the_realism_block_follows_the_mode_and_traffic_does_not(mode: str, severity: str) -> None:
    tests = declare_tests(changed(realism_enforcement_mode=mode))
    realism = {test.severity for test in tests if test.test_type in REALISM_FAMILIES}
    assert realism == {severity}
    informing = with_family("IP_COUNTRY_MIX", severity="INFO").model_copy(
        update={"realism_enforcement_mode": mode}
    )
    traffic = {test.severity for test in declare_tests(informing) if test.test_type == "IP_COUNTRY_MIX"}
    assert traffic == {"INFO"}


def test_a_class_slice_stands_beside_its_aggregate_with_the_same_bound() -> None:
    tests = declare_tests(POLICY)
    whole = one(tests, "settlement_overlap_median")
    for name in VIRTUAL_CLASSES:
        part = one(tests, "settlement_overlap_median", name)
        assert part.bound == whole.bound
        assert part.severity == whole.severity
        assert "edge_merchant_profile_3B.virtual_class" in part.fields
        assert "merchant_id" in part.join_keys


def test_by_class_is_the_policys_choice() -> None:
    fewer = declare_tests(with_family("EDGE_HETEROGENEITY", by_class=False))
    assert {t.scope for t in fewer if t.test_type == "EDGE_HETEROGENEITY"} == {"GLOBAL"}


def test_a_disabled_family_stays_visible() -> None:
    tests = declare_tests(with_family("ROUTING_RECEIPT", enabled=False))
    assert [test.enabled for test in tests if test.test_type == "ROUTING_RECEIPT"] == [False]
    assert all(test.enabled for test in tests if test.test_type != "ROUTING_RECEIPT")


def test_bounds_come_from_the_policy() -> None:
    tests = declare_tests(with_gate("3B-V03", threshold=(0.04, 0.19)))
    test = one(tests, "top1_share_p50")
    held = {name: value for name, value in test.terms("").items() if value is not None}
    assert held == {
        "manifest_fingerprint": "",
        "test_id": test.test_id,
        "metric": "top1_share_p50",
        "operator": "range",
        "low": 0.04,
        "high": 0.19,
        "gate_id": "3B-V03",
    }
    assert test.row("")["thresholds"] == {"top1_share_p50_min": 0.04, "top1_share_p50_max": 0.19}
    probed = one(tests, "ip_country_mix_p_value")
    assert probed.row("")["thresholds"] == {}
    assert probed.bound.terms() == {
        "operator": ">=",
        "value": POLICY.probe.false_alarm_rate,
        "low": None,
        "high": None,
        "false_alarm_rate": POLICY.probe.false_alarm_rate,
        "power": POLICY.probe.minimum_power,
        "effect": POLICY.probe.detectable_shift,
    }


@pytest.mark.parametrize(
    ("gate_id", "change"),
    [
        ("3B-V01", {"threshold": -0.1}),
        ("3B-V01", {"operator": "<="}),
        ("3B-V03", {"threshold": (0.2, 0.1)}),
        ("3B-V03", {"threshold": (0.1, 1.1)}),
        ("3B-V04", {"threshold": 0.7}),
        ("3B-V05", {"threshold": 1.5}),
        ("3B-V07", {"threshold": 30_000.0}),
        ("3B-V07", {"threshold": float("nan")}),
        ("3B-V11", {"operator": ">="}),
    ],
)
def test_a_bound_that_means_nothing_is_refused(gate_id: str, change: dict[str, Any]) -> None:
    with pytest.raises(Seg3BError) as caught:
        declare_tests(with_gate(gate_id, **change))
    assert caught.value.code == "E3B_S4_TEST_THRESHOLD_INVALID"
    assert gate_id in caught.value.place
    assert caught.value.remedy


@pytest.mark.parametrize(
    "metric", sorted(metric.name for metric in SEED_METRICS if metric.compute is not None)
)
def test_whatever_a_hard_gate_holds_has_its_rows_and_nothing_else_has(metric: str) -> None:
    """A gate on any metric is one entry of the policy: the contract asks about it, and so S5 can be stopped by it."""
    gates = {gate: rule for gate, rule in POLICY.hard_gates.items() if rule.metric != metric}
    rule = POLICY.hard_gates["3B-V01"].model_copy(
        update={"metric": metric, "operator": "range", "threshold": (0.0, METRICS[metric].ceiling / 2)}
    )
    if METRICS[metric].direction in ("higher", "lower") or METRICS[metric].ceiling == math.inf:
        low = METRICS[metric].direction in ("higher", "none", "band")
        rule = rule.model_copy(update={"operator": ">=" if low else "<=", "threshold": 0.5})
    with_one, without = (
        declare_tests(changed(hard_gates=held)) for held in ({**gates, "3B-V77": rule}, gates)
    )
    assert one(with_one, metric).gate_id == "3B-V77"
    sliced = METRICS[metric].by_class and METRICS[metric].population != ALL_MERCHANTS
    classes = VIRTUAL_CLASSES if sliced and POLICY.families[METRICS[metric].family].by_class else ()
    rows = {test.virtual_class for test in with_one if test.measure.metric == metric}
    assert rows == {None, *classes}
    assert not [test for test in without if test.measure.metric == metric]
    check_tests(with_one)


def test_every_shipped_anchor_resolves() -> None:
    check_tests(declare_tests(POLICY))


@pytest.mark.parametrize(
    "change",
    [
        {"fields": ("edge_catalogue_3B.edge_wait",)},
        {"fields": ("edge_catalog_3B.edge_weight",)},
        {"fields": ("edge_alias_blob_3B.merchant_id",)},
        {"artefacts": ("edge_alias_bloc_3B",)},
        {"join_keys": ("edge_weight",)},
    ],
)
def test_an_anchor_that_does_not_resolve_is_refused(change: dict[str, Any]) -> None:
    test = one(declare_tests(POLICY), "settlement_overlap_median")
    with pytest.raises(Seg3BError) as caught:
        check_tests([replace(test, measure=replace(test.measure, **change))])
    assert caught.value.code == "E3B_S4_TEST_BINDING_INVALID"
    assert caught.value.detail["unresolved"]


def test_routing_fields_bind_to_published_columns() -> None:
    assert bound_source(FIELDS, "ip_latitude_field") == ("edge_catalogue_3B", "lat_deg")
    assert bound_source(FIELDS, "tzid_settlement_field") == ("virtual_settlement_3B", "tzid_settlement")


@pytest.mark.parametrize(
    ("field", "anchor"),
    [
        ("ip_country_field", "edge_catalogue_3B.country"),
        ("ip_country_field", "edge_register_3B.country_iso"),
        ("ip_latitude_field", "edge_catalogue_3B.country_iso"),
        ("tzid_settlement_field", "virtual_validation_terms_3B.metric"),
        ("ip_country_field", "edge_alias_blob_3B.country_iso"),
    ],
)
def test_a_routing_field_bound_to_nothing_is_refused(field: str, anchor: str) -> None:
    key = field.replace("_field", "_source")
    fields: VirtualRoutingFields = FIELDS.model_copy(update={key: anchor})
    with pytest.raises(Seg3BError) as caught:
        bound_source(fields, field)
    assert caught.value.code == "E3B_S4_FIELD_BINDING_INVALID"
    assert caught.value.place == f"virtual_routing_fields.yaml:{key}"
