"""Struct and list columns: the dtype a definition gives, and where a row breaks what it says of the inside.

A parquet struct has all its members in every row, so a null member counts as absent: ``required`` members may
not be null, the others may. Null elements of a list count as absent, too. Objects are closed, as everywhere.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Final, TypeAlias, cast

import polars as pl

from seg3b_assets.contracts.constraints import breaks, wording
from seg3b_assets.contracts.schemas import Schema

OBJECT_KEYWORDS: Final = frozenset({"properties", "required", "additionalProperties"})
ARRAY_KEYWORDS: Final = frozenset({"items", "minItems"})


@dataclass(frozen=True)
class Leaf:
    """A value that holds no others.

    Attributes:
        dtype: of the value.
        constraints: (keyword, value) pairs.
    """

    dtype: pl.DataType
    constraints: tuple[tuple[str, object], ...]


@dataclass(frozen=True)
class Items:
    """A list.

    Attributes:
        of: what each element is.
        least: how many it must hold.
    """

    of: Shape
    least: int

    @property
    def dtype(self) -> pl.DataType:
        return pl.List(self.of.dtype)


@dataclass(frozen=True)
class Members:
    """A closed struct.

    Attributes:
        of: member by name, in order.
        required: members that may not be null.
    """

    of: dict[str, Shape]
    required: frozenset[str]

    @property
    def dtype(self) -> pl.DataType:
        return pl.Struct({name: shape.dtype for name, shape in self.of.items()})


Shape: TypeAlias = Leaf | Items | Members


@dataclass(frozen=True)
class Breach:
    """A rule about the inside of a column.

    Attributes:
        rule: the JSON Schema keyword, ``null`` or ``finite``.
        bad: boolean expression, true where the rule is broken.
        expected: what the contract asks for, with the place inside the column.
    """

    rule: str
    bad: pl.Expr
    expected: str


def nested_shape(name: str, definition: Schema, leaf: Callable[[str, Schema], Leaf]) -> Shape:
    """The shape of a definition of type object or array, or of a leaf.

    Args:
        name: of the column, with the place inside it, for complaints.
        leaf: reads the definition of a value that holds no others.

    Raises:
        ValueError: for an open object, or a keyword that no check knows.
    """
    kind = definition.get("type")
    if kind == "object":
        return _members(name, definition, leaf)
    if kind == "array":
        _require_known(name, definition, ARRAY_KEYWORDS)
        return Items(nested_shape(f"{name}[]", definition["items"], leaf), definition.get("minItems", 0))
    return leaf(name, definition)


def _members(name: str, definition: Schema, leaf: Callable[[str, Schema], Leaf]) -> Members:
    _require_known(name, definition, OBJECT_KEYWORDS)
    if definition.get("additionalProperties") is not False:
        raise ValueError(f"column {name}: a struct must be closed")
    members = {
        member: nested_shape(f"{name}.{member}", inner, leaf)
        for member, inner in definition["properties"].items()
    }
    return Members(members, frozenset(definition.get("required", ())))


def _require_known(name: str, definition: Schema, known: frozenset[str]) -> None:
    unknown = definition.keys() - known - {"type", "description", "title", "$comment"}
    if unknown:
        raise ValueError(f"column {name}: no column check knows {sorted(unknown)}")


def breaches(shape: Shape, here: pl.Expr, place: str = "") -> Iterator[Breach]:
    """Every rule about what ``here`` holds.

    Args:
        here: the column, or a value inside it.
        place: where that is, as ``datasets[].role``; empty for the column itself.
    """
    match shape:
        case Leaf():
            yield from _of_leaf(shape, here, place)
        case Items():
            yield from _of_items(shape, here, place)
        case Members():
            for name, member in shape.of.items():
                inside = f"{place}.{name}" if place else name
                value = here.struct.field(name)
                if name in shape.required:
                    yield Breach("null", value.is_null() & here.is_not_null(), f"{inside}: not null")
                yield from breaches(member, value, inside)


def _of_leaf(shape: Leaf, here: pl.Expr, place: str) -> Iterator[Breach]:
    if shape.dtype == pl.Float64():
        yield Breach("finite", ~here.is_finite(), f"{place}: a finite number")
    for keyword, value in shape.constraints:
        bad = breaks(here, shape.dtype, keyword, value)
        if bad is not None:
            yield Breach(keyword, bad, f"{place}: {wording(keyword, value)}")


def _of_items(shape: Items, here: pl.Expr, place: str) -> Iterator[Breach]:
    if shape.least:
        few = here.list.drop_nulls().list.len() < shape.least
        yield Breach("minItems", few, f"{place}: {wording('minItems', shape.least)}")
    for inner in breaches(shape.of, pl.element(), f"{place}[]"):
        some = here.list.eval(inner.bad.fill_null(False)).list.any()
        yield Breach(inner.rule, some, inner.expected)


def dtype_name(dtype: pl.DataType) -> str:
    """A dtype for people: ``List[String]``, ``Struct{logical_id: String, role: String}``."""
    if isinstance(dtype, pl.List):
        return f"List[{dtype_name(cast(pl.DataType, dtype.inner))}]"
    if isinstance(dtype, pl.Struct):
        members = (f"{field.name}: {dtype_name(cast(pl.DataType, field.dtype))}" for field in dtype.fields)
        return "Struct{" + ", ".join(members) + "}"
    return str(dtype)
