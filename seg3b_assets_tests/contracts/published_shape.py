"""A table held against its published schema, by rows and by hand: columns, order, kinds, nulls, enums, ranges.

Written from the schema's words and not from our contracts, so that a slip in a contract of ours shows.
"""

from __future__ import annotations

import re
from typing import Any

import polars as pl

from seg3b_assets.contracts.published import published_contract, resolve_anchor

_KINDS: dict[str, type | tuple[type, ...]] = {
    "string": str,
    "integer": int,
    "number": (int, float),
    "boolean": bool,
    "object": dict,
    "array": list,
}


def assert_published(name: str, table: pl.DataFrame) -> None:
    """Every column of the schema, in its order and nothing else, and every value what its column says."""
    schema = published_contract()["schemas"][name]
    assert table.columns == [column["name"] for column in schema["columns"]]
    for column in schema["columns"]:
        for row, value in enumerate(table[column["name"]].to_list()):
            complaint = broken(column, value)
            assert not complaint, f"{name}, row {row}, {column['name']}: {complaint}"


def broken(shape: dict[str, Any], value: Any) -> str:
    """What a value breaks of a shape; empty when nothing."""
    if value is None:
        return "" if shape.get("nullable") else "null"
    if "$ref" in shape:
        target = (
            shape["$ref"].replace("#/", "schemas.3B.yaml#/") if shape["$ref"][0] == "#" else shape["$ref"]
        )
        return broken({"nullable": False} | resolve_anchor(target), value)
    kind = shape.get("type")
    if kind and (not isinstance(value, _KINDS[kind]) or (isinstance(value, bool) and kind != "boolean")):
        return f"{value!r} is no {kind}"
    if kind == "object":
        return _object(shape, value)
    if kind == "array":
        return next(filter(None, (broken(shape["items"], each) for each in value)), "") or (
            "too few" if len(value) < shape.get("minItems", 0) else ""
        )
    return _scalar(shape, value)


def _object(shape: dict[str, Any], value: dict[str, Any]) -> str:
    # A null in a struct counts as absent: a parquet struct has all its members in every row.
    present = {key: each for key, each in value.items() if each is not None}
    unknown = set(value) - set(shape["properties"]) if shape.get("additionalProperties") is False else set()
    missing = set(shape.get("required", ())) - present.keys()
    if unknown or missing:
        return f"unknown {sorted(unknown)}, missing {sorted(missing)}"
    wrong = ((key, broken(shape["properties"][key], each)) for key, each in present.items())
    return next((f"{key}: {complaint}" for key, complaint in wrong if complaint), "")


def _scalar(shape: dict[str, Any], value: Any) -> str:
    if "enum" in shape and value not in shape["enum"]:
        return f"{value!r} is none of {shape['enum']}"
    if "pattern" in shape and not re.search(shape["pattern"], value):
        return f"{value!r} does not match {shape['pattern']}"
    if value == value and isinstance(value, (int, float)):
        low, high = shape.get("minimum", value), shape.get("maximum", value)
        if not low <= value <= high or value <= shape.get("exclusiveMinimum", -1e308):
            return f"{value!r} is out of range"
    return ""
