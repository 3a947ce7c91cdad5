"""Struct and list columns: their dtype from the schema, and what is wrong inside them found and counted."""

from __future__ import annotations

from typing import Any

import polars as pl
import pytest

from seg3b_assets.contracts.columns import columns_of
from seg3b_assets.contracts.frames import FramePlan
from seg3b_assets.contracts.nested import dtype_name
from seg3b_assets.contracts.schemas import Schema

TYPES = "urn:seg3b:contract:types:1#/$defs/"
TEXT = {"type": "string", "x-dtype": "str", "description": "Words."}
SCHEMA: Schema = {
    "properties": {
        "key": {"$ref": f"{TYPES}identifier", "description": "Key."},
        "who": {
            "type": "object",
            "description": "Who.",
            "properties": {
                "all": {"type": "boolean", "x-dtype": "bool", "description": "All."},
                "ids": {
                    "type": "array",
                    "description": "Ids.",
                    "items": {"$ref": f"{TYPES}id64"},
                },
                "share": {"$ref": f"{TYPES}share", "description": "Share."},
            },
            "required": ["all"],
            "additionalProperties": False,
        },
        "parts": {
            "type": "array",
            "description": "Parts.",
            "minItems": 1,
            "items": {
                "type": "object",
                "description": "A part.",
                "properties": {"name": {"$ref": f"{TYPES}field_name"}, "note": TEXT},
                "required": ["name"],
                "additionalProperties": False,
            },
        },
    },
    "required": ["key", "who", "parts"],
}
PLAN = FramePlan.compile(SCHEMA, ["key"], ["key"], fixed_order=True)
WHO = {"all": True, "ids": [1, 2**64 - 1], "share": 0.5}
PARTS = [{"name": "edge_id", "note": None}]


def frame(*rows: dict[str, Any]) -> pl.DataFrame:
    schema = {column.name: column.dtype for column in PLAN.columns}
    whole = [{"key": f"k{number}", "who": WHO, "parts": PARTS} | row for number, row in enumerate(rows)]
    return pl.DataFrame(whole, schema=schema)


def test_the_dtype_is_the_schemas() -> None:
    part = pl.Struct({"name": pl.String(), "note": pl.String()})
    who = pl.Struct({"all": pl.Boolean(), "ids": pl.List(pl.UInt64()), "share": pl.Float64()})
    assert [column.dtype for column in PLAN.columns] == [pl.String(), who, pl.List(part)]
    assert dtype_name(who) == "Struct{all: Boolean, ids: List[UInt64], share: Float64}"
    assert dtype_name(pl.List(part)) == "List[Struct{name: String, note: String}]"


def test_a_null_inside_counts_as_absent() -> None:
    bare = {"all": False, "ids": None, "share": None}
    rows = frame({}, {"who": bare}, {"who": WHO | {"ids": [None, 3]}}, {"parts": [None, *PARTS]})
    assert PLAN.check(rows) == []


@pytest.mark.parametrize(
    ("rule", "column", "value", "place"),
    [
        ("null", "who", WHO | {"all": None}, "all"),
        ("minimum", "who", WHO | {"ids": [7, 0]}, "ids[]"),
        ("maximum", "who", WHO | {"share": 1.5}, "share"),
        ("finite", "who", WHO | {"share": float("nan")}, "share"),
        ("minItems", "parts", [], ""),
        ("minItems", "parts", [None], ""),
        ("null", "parts", [*PARTS, {"name": None, "note": "x"}], "[].name"),
        ("pattern", "parts", [{"name": "Edge", "note": None}], "[].name"),
    ],
)
def test_what_is_wrong_inside_is_found_counted_and_placed(
    rule: str, column: str, value: Any, place: str
) -> None:
    (violation,) = PLAN.check(frame({}, {column: value}, {}, {column: value}))
    assert (violation.rule, violation.column, violation.count) == (rule, column, 2)
    assert violation.expected.startswith(place)
    assert violation.example["row"] == 1


def test_a_null_column_is_one_finding_and_not_one_per_member() -> None:
    (violation,) = PLAN.check(frame({}, {"who": None}))
    assert (violation.rule, violation.column, violation.count) == ("null", "who", 1)


def test_a_member_more_less_or_otherwise_typed_is_another_dtype() -> None:
    sound = frame({})
    for other in (
        pl.struct(pl.col("who").struct.unnest(), extra=pl.lit(1)),
        pl.struct(pl.col("who").struct.field("all", "ids")),
        pl.struct(pl.col("who").struct.field(name) for name in ("ids", "all", "share")),
        pl.struct(pl.col("who").struct.field("all", "ids"), pl.lit(1, pl.Int64).alias("share")),
    ):
        (violation,) = PLAN.check(sound.with_columns(who=other))
        assert (violation.rule, violation.column) == ("dtype", "who")


def test_it_survives_parquet(tmp_path: Any) -> None:
    rows = frame({}, {"who": {"all": False, "ids": None, "share": None}}, {"parts": [*PARTS, *PARTS]})
    rows.write_parquet(tmp_path / "rows.parquet")
    back = pl.read_parquet(tmp_path / "rows.parquet")
    assert back.equals(rows) and back.schema == rows.schema
    assert PLAN.check(back) == []


@pytest.mark.parametrize(
    ("definition", "complaint"),
    [
        ({"type": "object", "properties": {"a": TEXT}}, "closed"),
        ({"type": "array", "items": TEXT, "uniqueItems": True}, "uniqueItems"),
        ({"type": "array", "items": {**TEXT, "multipleOf": 2}}, "multipleOf"),
        ({"type": "object", "properties": {}, "additionalProperties": False, "minProperties": 1}, "minProp"),
    ],
)
def test_a_promise_nobody_checks_is_refused(definition: Schema, complaint: str) -> None:
    with pytest.raises(ValueError, match=complaint):
        columns_of({"properties": {"a": {**definition, "description": "A."}}})
