"""Row rules as polars expressions: each is true where a value breaks the contract, null where there is none.

One rule per constraint and column, or place inside a column, plus one per consequence of an ``if``/``then``.
Uniqueness and order are not row rules (``frames``).
"""

from __future__ import annotations

import json
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any, cast

import polars as pl

from seg3b_assets.contracts.columns import CONSTRAINTS, Column
from seg3b_assets.contracts.constraints import breaks, wording
from seg3b_assets.contracts.nested import breaches
from seg3b_assets.contracts.schemas import Schema


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
        bad_expr = breaks(pl.col(column.name), column.dtype, keyword, value)
        if bad_expr is not None:
            reads = frozenset({column.name})
            yield RowRule(keyword, column.name, reads, bad_expr, wording(keyword, value))
    if column.shape is not None:
        for breach in breaches(column.shape, pl.col(column.name)):
            yield RowRule(breach.rule, column.name, frozenset({column.name}), breach.bad, breach.expected)


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
            expected = wording(keyword, value) + condition
            yield RowRule(f"then_{keyword}", name, reads, bad & holds, expected)


def _meets(column: Column, wanted: Schema) -> pl.Expr:
    (keyword, value), *rest = wanted.items()
    if rest or keyword not in ("const", "enum"):
        raise ValueError(f"column {column.name}: an if may ask for one const or enum")
    bad = breaks(pl.col(column.name), column.dtype, keyword, value)
    return (~cast(pl.Expr, bad)).fill_null(False)


def _named(wanted: Schema) -> str:
    return " or ".join(json.dumps(value) for value in wanted.get("enum", [wanted.get("const")]))


def _breaks_then(column: Column, keyword: str, value: Any) -> pl.Expr:
    if keyword == "type":
        null = pl.col(column.name).is_null()
        return ~null if value == "null" else null
    bad = breaks(pl.col(column.name), column.dtype, keyword, value) if keyword in CONSTRAINTS else None
    if bad is None:
        raise ValueError(f"column {column.name}: then cannot ask for {keyword}")
    return bad.fill_null(True) if keyword == "const" else bad
