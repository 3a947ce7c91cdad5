"""A row schema read as columns: names, dtypes, nullability, and the constraints each value keeps.

Row schemas use a small part of JSON Schema 2020-12, and this module is where that part is defined:
a property is inline, a ``$ref`` to a shared type with siblings, or ``anyOf`` of one of those and null. One of type
object or array is a struct or list column (``nested``).
Anything else is refused when the contract is compiled, so a schema cannot promise what nobody checks.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Final

import polars as pl

from seg3b_assets.contracts.nested import Leaf, Shape, nested_shape
from seg3b_assets.contracts.schemas import Schema, referenced

DTYPES: Final[dict[str, pl.DataType]] = {
    "u64": pl.UInt64(),
    "u32": pl.UInt32(),
    "u16": pl.UInt16(),
    "u8": pl.UInt8(),
    "i64": pl.Int64(),
    "i32": pl.Int32(),
    "i16": pl.Int16(),
    "i8": pl.Int8(),
    "f64": pl.Float64(),
    "str": pl.String(),
    "bool": pl.Boolean(),
    "bin": pl.Binary(),
}
CONSTRAINTS: Final = frozenset(
    {
        "const",
        "enum",
        "minimum",
        "maximum",
        "exclusiveMinimum",
        "exclusiveMaximum",
        "pattern",
        "format",
        "minLength",
        "maxLength",
    }
)
_STRUCTURE: Final = frozenset({"$ref", "anyOf", "type"})
_ANNOTATIONS: Final = frozenset(
    {
        "$comment",
        "title",
        "description",
        "contentMediaType",
        "contentEncoding",
        "contentSchema",
        "x-dtype",
        "x-dtype-accepts",
        "x-unit",
    }
)


_LONGEST_DTYPE: Final = 80


def dtype_name(dtype: pl.DataType) -> str:
    """A dtype in a few words: an extension type's metadata may be a reference system of kilobytes."""
    if isinstance(dtype, pl.BaseExtension):
        return f"extension {dtype.ext_name()} of {dtype.ext_storage()}"
    text = str(dtype)
    return text if len(text) <= _LONGEST_DTYPE else f"{text[:_LONGEST_DTYPE]}…"


@dataclass(frozen=True)
class Column:
    """One column of a table.

    Attributes:
        name: as in the file.
        dtype: the polars dtype the segment works in.
        accepts: other dtypes a real upstream may hold; ``DatasetContract.conform`` casts them.
        nullable: whether a row may hold null.
        required: whether the table must have the column.
        unit: degrees, km, share, count … or None.
        description: one sentence.
        constraints: (keyword, value) pairs that every non-null value keeps.
        shape: of a struct or list column, what it holds; None for the others.
    """

    name: str
    dtype: pl.DataType
    accepts: tuple[pl.DataType, ...]
    nullable: bool
    required: bool
    unit: str | None
    description: str
    constraints: tuple[tuple[str, Any], ...]
    shape: Shape | None = None


def columns_of(schema: Schema) -> tuple[Column, ...]:
    """Columns of a row schema, in declared order.

    Raises:
        ValueError: when a property uses a keyword that no column check knows.
    """
    required = set(schema.get("required", ()))
    return tuple(
        _column(name, definition, name in required)
        for name, definition in schema.get("properties", {}).items()
    )


def _column(name: str, definition: Schema, required: bool) -> Column:
    if definition.get("type") in ("object", "array"):
        shape = nested_shape(name, definition, _leaf)
        return Column(
            name, shape.dtype, (), False, required, None, definition["description"], (), shape=shape
        )
    layers = _layers(name, definition)
    # The nearest layer speaks last: a sibling of $ref says what this column is, the type what kind it is.
    notes: Schema = {key: value for layer in reversed(layers) for key, value in layer.items()}
    constraints = tuple(
        (key, value) for layer in layers for key, value in layer.items() if key in CONSTRAINTS
    )
    return Column(
        name=name,
        dtype=DTYPES[notes["x-dtype"]],
        accepts=tuple(DTYPES[other] for other in notes.get("x-dtype-accepts", ())),
        nullable=_admits_null(definition),
        required=required,
        unit=notes.get("x-unit"),
        description=notes["description"],
        constraints=constraints,
    )


def _leaf(name: str, definition: Schema) -> Leaf:
    column = _column(name, definition, required=True)
    return Leaf(column.dtype, column.constraints)


def _layers(name: str, definition: Schema) -> list[Schema]:
    unknown = definition.keys() - CONSTRAINTS - _STRUCTURE - _ANNOTATIONS
    if unknown:
        raise ValueError(f"column {name}: no column check knows {sorted(unknown)}")
    layers = [definition]
    if "anyOf" in definition:
        layers += _layers(name, _other_than_null(name, definition["anyOf"]))
    if "$ref" in definition:
        layers += _layers(name, referenced(definition["$ref"]))
    return layers


def _other_than_null(name: str, branches: list[Schema]) -> Schema:
    others = [branch for branch in branches if branch != {"type": "null"}]
    if len(branches) != 2 or len(others) != 1:
        raise ValueError(f"column {name}: anyOf must be one definition and null")
    return others[0]


def _admits_null(definition: Schema) -> bool:
    return {"type": "null"} in definition.get("anyOf", ()) or "null" in definition.get("type", "")
