"""The columnar classification is the row-by-row reading of the law, on any rule book."""

from __future__ import annotations

import hashlib
from dataclasses import replace
from types import MappingProxyType

import orjson
import polars as pl
from hypothesis import given, settings
from hypothesis import strategies as st

from seg3b_assets.contracts import contract
from seg3b_assets.policies import McChannelRules
from seg3b_assets.realism.policy_reading import load_policies
from seg3b_assets.states.s1_classification.classification import classification_tables
from seg3b_assets.states.s1_classification.rules import classify
from seg3b_assets_tests.contracts.published_shape import assert_published
from seg3b_assets_tests.states.miniature_upstream import POLICIES, WORLD, merchants
from seg3b_assets_tests.states.s1_classification.rule_books import (
    CODES,
    COUNTRIES,
    decided_by_hand,
    fits,
    rule_books,
    uniform_by_hand,
)

SHIPPED = load_policies(POLICIES)
DATASETS = ("virtual_classification_3B", "virtual_classification_lineage_3B")
CHANNELS = ("card_present", "card_not_present")
CROWD = pl.DataFrame(
    {
        "merchant_id": list(range(1, 61)),
        "mcc": [CODES[number % len(CODES)] for number in range(60)],
        "channel": [CHANNELS[number % 2] for number in range(60)],
        "home_country_iso": [COUNTRIES[number // 7 % 3] for number in range(60)],
    },
    schema={"merchant_id": pl.UInt64, "mcc": pl.Int32, "channel": pl.String, "home_country_iso": pl.String},
)


@settings(max_examples=150, deadline=None)
@given(rule_books(), st.integers(0, 2**64 - 1))
def test_every_merchant_is_decided_as_the_law_reads(book: McChannelRules, seed: int) -> None:
    found = classify(CROWD, book, seed).columns()
    rows = zip(CROWD.to_dicts(), found.iter_rows(named=True), strict=True)
    for merchant, decided in rows:
        stated = (
            decided["rule_id"],
            decided["rule_version"],
            decided["decision"],
            decided["decision_reason"],
        )
        assert stated == decided_by_hand(merchant, book, seed)
        asked = [
            rule
            for rule in sorted(book.rules, key=lambda rule: (-rule.priority, rule.rule_id))
            if fits(merchant, rule.match)
        ]
        ruled = decided["decision_reason"] == "RULE_MATCH"
        overridden = decided["decision_reason"].startswith("OVERRIDE")
        ids = [rule.rule_id for rule in asked]
        at = ids.index(decided["rule_id"]) if ruled else len(ids)
        before = [] if overridden else asked[:at]
        assert decided["rules_passed_over"] == len(before)
        if not ruled:
            assert decided["propensity"] is decided["propensity_draw"] is decided["rule_priority"] is None
            continue
        by = asked[len(before)]
        assert (decided["reason_code"], decided["rule_priority"]) == (by.reason_code, by.priority)
        assert decided["propensity"] == by.propensity
        draw = None if by.propensity == 1.0 else uniform_by_hand(merchant["merchant_id"], by.rule_id, seed)
        assert decided["propensity_draw"] == draw


@settings(max_examples=40, deadline=None)
@given(rule_books(), st.permutations(range(60)))
def test_the_order_of_merchants_does_not_matter(book: McChannelRules, order: list[int]) -> None:
    expected = classify(CROWD, book, 42).columns()[order]
    assert classify(CROWD[order], book, 42).columns().equals(expected)


def test_the_table_keeps_its_contract_and_names_every_rule() -> None:
    table, _ = classification_tables(merchants(500, mcc=(5816, 7995, 5967, 5411)), SHIPPED, WORLD)
    assert contract("virtual_classification_3B").check_frame(table) == []
    assert table["is_virtual"].any()
    assert not table["is_virtual"].all()
    assert table.filter(pl.col("is_virtual") != (pl.col("virtual_mode") != "NON_VIRTUAL")).is_empty()


def test_the_published_table_has_the_published_columns_and_the_rest_is_lineage() -> None:
    table, lineage = classification_tables(merchants(500, mcc=(5816, 7995, 5967, 5411)), SHIPPED, WORLD)
    assert_published("plan/virtual_classification_3B", table)
    assert contract("virtual_classification_lineage_3B").check_frame(lineage) == []
    shared = ["merchant_id", "decision_reason", "rule_id"]
    assert lineage.select(shared).equals(table.select(shared))
    drawn = lineage.drop_nulls("propensity_draw")
    assert (drawn["propensity_draw"] < drawn["propensity"]).all() and drawn.height > 0


def test_a_row_digest_is_that_of_its_canonical_json() -> None:
    crowd = merchants(50)
    table, _ = classification_tables(crowd, SHIPPED, WORLD)
    decisions = {"NON_VIRTUAL": "physical", "HYBRID": "hybrid", "VIRTUAL_ONLY": "virtual"}
    for merchant, row in zip(crowd.to_dicts(), table.to_dicts(), strict=True):
        stated = merchant | {
            "seed": 42,
            "rule_id": row["rule_id"],
            "rule_version": row["rule_version"],
            "decision": decisions[row["virtual_mode"]],
            "policy_sha256": SHIPPED.files["mcc_channel_rules"].sha256,
        }
        expected = hashlib.sha256(orjson.dumps(stated, option=orjson.OPT_SORT_KEYS)).hexdigest()
        assert row["classification_digest"] == expected


def test_the_policy_bytes_are_part_of_every_digest() -> None:
    crowd = merchants(5)
    file = replace(SHIPPED.files["mcc_channel_rules"], sha256="0" * 64)
    other = replace(SHIPPED, files=MappingProxyType({**SHIPPED.files, "mcc_channel_rules": file}))
    first, second = (
        classification_tables(crowd, policies, WORLD)[0]["classification_digest"]
        for policies in (SHIPPED, other)
    )
    assert set(first).isdisjoint(second)


def test_no_merchant_is_a_valid_universe() -> None:
    for dataset, table in zip(DATASETS, classification_tables(merchants(0), SHIPPED, WORLD), strict=True):
        assert table.is_empty()
        assert contract(dataset).check_frame(table) == []
