"""Row rules as polars expressions: each is true where a value breaks the contract, null where there is none.

One rule per constraint and column, plus one per consequence of an ``if``/``then``. Strings are compared by
bytes, patterns by Rust regular expressions. Uniqueness and order are not row rules (``order``).
"""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Any, Final

import polars as pl

from seg3b_assets.contracts.columns import CONSTRAINTS, Column
from seg3b_assets.contracts.schemas import Schema

_INTEGER_RANGE: Final[dict[pl.DataType, tuple[int, int]]] = {
    pl.UInt64(): (0, 2**64 - 1),
    pl.Int64(): (-(2**63), 2**63 - 1),
    pl.Int32(): (-(2**31), 2**31 - 1),
}


@dataclass(frozen=True)
class RowRule:
    """A check of one column.

    Attributes:
        name: the JSON Schema keyword, ``null`` or ``finite``.
        column: the column at fault when it breaks.
        reads: every column the expression needs.
        bad: boolean expression, true in rows that break the rule.
        expected: what the contract asks for.
    """

    name: str
    column: str
    reads: frozenset[str]
    bad: pl.Expr
    expected: str


def row_rules(schema: Schema, columns: tuple[Column, ...]) -> tuple[RowRule, ...]:
    """All rules of a row schema but null, format, uniqueness and order.

    Raises:
        ValueError: for an ``allOf`` entry that is not an ``if``/``then`` over columns.
    """
    by_name = {column.name: column for column in columns}
    rules = [rule for column in columns for rule in _column_rules(column)]
    for entry in schema.get("allOf", ()):
        rules += _consequences(entry, by_name)
    return tuple(rules)


def _column_rules(column: Column) -> Iterator[RowRule]:
    if column.dtype == pl.Float64():
        bad = ~pl.col(column.name).is_finite()
        yield RowRule("finite", column.name, frozenset({column.name}), bad, "a finite number")
    for keyword, value in column.constraints:
        bad_expr = _breaks(column, keyword, value)
        if bad_expr is not None:
            yield _rule(keyword, column.name, bad_expr, value)


def _rule(keyword: str, column: str, bad: pl.Expr, value: Any, condition: str = "") -> RowRule:
    wording = _WORDING[keyword].format(json.dumps(value, ensure_ascii=False))
    return RowRule(keyword, column, frozenset({column}), bad, wording + condition)


_WORDING: Final = {
    "const": "{}",
    "enum": "one of {}",
    "minimum": "at least {}",
    "maximum": "at most {}",
    "exclusiveMinimum": "above {}",
    "exclusiveMaximum": "below {}",
    "pattern": "text matching {}",
    "minLength": "text of at least {} characters",
    "maxLength": "text of at most {} characters",
    "type": "of type {}",
}


def _breaks(column: Column, keyword: str, value: Any) -> pl.Expr | None:
    """Where ``column`` breaks a keyword; None where its dtype cannot, or the check is made elsewhere."""
    here = pl.col(column.name)
    if keyword in _BOUNDS:
        return _out_of_bounds(column, keyword, value)
    if keyword == "format":
        return None
    expression: pl.Expr = _TEXT_AND_SETS[keyword](here, value, column.dtype)
    return expression


_BOUNDS: Final[dict[str, Callable[[pl.Expr, pl.Expr], pl.Expr]]] = {
    "minimum": lambda here, bound: here < bound,
    "maximum": lambda here, bound: here > bound,
    "exclusiveMinimum": lambda here, bound: here <= bound,
    "exclusiveMaximum": lambda here, bound: here >= bound,
}
_TEXT_AND_SETS: Final[dict[str, Callable[[pl.Expr, Any, pl.DataType], pl.Expr]]] = {
    "const": lambda here, value, dtype: here != pl.lit(value, dtype),
    "enum": lambda here, values, dtype: (
        ~here.is_in(pl.Series([value for value in values if value is not None], dtype=dtype).implode())
    ),
    "pattern": lambda here, pattern, _: ~here.str.contains(pattern),
    "minLength": lambda here, length, _: here.str.len_chars() < length,
    "maxLength": lambda here, length, _: here.str.len_chars() > length,
}


def _out_of_bounds(column: Column, keyword: str, bound: float) -> pl.Expr | None:
    here = pl.col(column.name)
    if column.dtype in _INTEGER_RANGE:
        lowest, highest = _INTEGER_RANGE[column.dtype]
        if (keyword == "minimum" and bound <= lowest) or (keyword == "maximum" and bound >= highest):
            return None
        return _BOUNDS[keyword](here, pl.lit(bound, column.dtype))
    # NaN sorts above every number; it is the finite rule's finding, not this one's.
    return _BOUNDS[keyword](here, pl.lit(float(bound))) & here.is_finite()


def _consequences(entry: Schema, columns: dict[str, Column]) -> Iterator[RowRule]:
    if not {"if", "then"} <= entry.keys() or entry.keys() - {"if", "then", "$comment"}:
        raise ValueError("a row rule must be an if/then over columns")
    premise = entry["if"]["properties"]
    holds = pl.all_horizontal(_meets(columns[name], wanted) for name, wanted in premise.items())
    condition = " where " + ", ".join(f"{name} is {_named(wanted)}" for name, wanted in premise.items())
    for name, wanted in entry["then"]["properties"].items():
        for keyword, value in wanted.items():
            bad = _breaks_then(columns[name], keyword, value)
            reads = frozenset({name, *premise})
            wording = _WORDING[keyword].format(json.dumps(value)) + condition
            yield RowRule(f"then_{keyword}", name, reads, bad & holds, wording)


def _meets(column: Column, wanted: Schema) -> pl.Expr:
    (keyword, value), *rest = wanted.items()
    if rest or keyword not in ("const", "enum"):
        raise ValueError(f"column {column.name}: an if may ask for one const or enum")
    bad = _TEXT_AND_SETS[keyword](pl.col(column.name), value, column.dtype)
    return (~bad).fill_null(False)


def _named(wanted: Schema) -> str:
    return " or ".join(json.dumps(value) for value in wanted.get("enum", [wanted.get("const")]))


def _breaks_then(column: Column, keyword: str, value: Any) -> pl.Expr:
    if keyword == "type":
        null = pl.col(column.name).is_null()
        return ~null if value == "null" else null
    bad = _breaks(column, keyword, value) if keyword in CONSTRAINTS else None
    if bad is None:
        raise ValueError(f"column {column.name}: then cannot ask for {keyword}")
    return bad.fill_null(True) if keyword == "const" else bad
