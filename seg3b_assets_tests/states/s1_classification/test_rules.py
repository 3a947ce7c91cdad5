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
from seg3b_assets.policies import McChannelRules, load_policies
from seg3b_assets.states.s1_classification.classification import classification_table
from seg3b_assets.states.s1_classification.rules import classify
from seg3b_assets_tests.states.miniature_upstream import POLICIES, WORLD, merchants
from seg3b_assets_tests.states.s1_classification.rule_books import (
    CODES,
    COUNTRIES,
    decided_by_hand,
    rule_books,
)

SHIPPED = load_policies(POLICIES)
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


@settings(max_examples=40, deadline=None)
@given(rule_books(), st.permutations(range(60)))
def test_the_order_of_merchants_does_not_matter(book: McChannelRules, order: list[int]) -> None:
    expected = classify(CROWD, book, 42).columns()[order]
    assert classify(CROWD[order], book, 42).columns().equals(expected)


def test_the_table_keeps_its_contract_and_names_every_rule() -> None:
    table = classification_table(merchants(500, mcc=(5816, 7995, 5967, 5411)), SHIPPED, WORLD)
    assert contract("virtual_classification_3B").check_frame(table) == []
    assert table["is_virtual"].any()
    assert not table["is_virtual"].all()
    assert table.filter(pl.col("is_virtual") != (pl.col("virtual_mode") != "NON_VIRTUAL")).is_empty()


def test_a_row_digest_is_that_of_its_canonical_json() -> None:
    crowd = merchants(50)
    table = classification_table(crowd, SHIPPED, WORLD)
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
    first = classification_table(crowd, SHIPPED, WORLD)["classification_digest"]
    second = classification_table(crowd, other, WORLD)["classification_digest"]
    assert set(first).isdisjoint(second)


def test_no_merchant_is_a_valid_universe() -> None:
    table = classification_table(merchants(0), SHIPPED, WORLD)
    assert table.is_empty()
    assert contract("virtual_classification_3B").check_frame(table) == []
