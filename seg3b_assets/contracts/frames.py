"""Tables against their contract, by column.

A row schema is compiled once into polars expressions, each true where a value breaks the contract and null where there
is none: one rule per constraint and column, or place inside a column, plus one per consequence of an ``if``/``then``.
A frame is then checked in one ``select`` that counts the rows each rule refuses, plus one neighbour comparison for
order and keys. Only what fails is looked at again, for an example. No row becomes a Python object.

Order is lexicographic over the sort columns: ascending (``-name`` descends), text by bytes, nulls last.
A table in the order of its keys, declared or not, has its duplicates side by side: no hashing is needed.
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any, cast

import polars as pl

from seg3b_assets.contracts.columns import CONSTRAINTS, Column, columns_of, dtype_name
from seg3b_assets.contracts.constraints import breaks, wording
from seg3b_assets.contracts.formats import FORMATS
from seg3b_assets.contracts.nested import breaches
from seg3b_assets.contracts.schemas import Schema
from seg3b_assets.contracts.violations import Violation


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


@dataclass(frozen=True)
class FramePlan:
    """A row schema compiled for columnar checks.

    Attributes:
        columns: declared columns, in order.
        rules: row rules over them.
        keys, sort: as the dictionary has them.
        fixed_order: whether the columns must stand in declared order.
    """

    columns: tuple[Column, ...]
    rules: tuple[RowRule, ...]
    keys: tuple[str, ...]
    sort: tuple[str, ...]
    fixed_order: bool

    @classmethod
    def compile(
        cls, schema: Schema, keys: Sequence[str], sort: Sequence[str], *, fixed_order: bool
    ) -> FramePlan:
        """Raises ValueError for a schema that promises what no column check can hold."""
        columns = columns_of(schema)
        unknown = {*keys, *(sort_column(key)[0] for key in sort)} - {column.name for column in columns}
        if unknown:
            raise ValueError(f"keys or sort name columns the schema lacks: {sorted(unknown)}")
        return cls(columns, row_rules(schema, columns), tuple(keys), tuple(sort), fixed_order)

    def check(self, frame: pl.DataFrame, only: Sequence[str] | None = None) -> list[Violation]:
        """Everything wrong with ``frame``; with ``only``, of a projection to those columns."""
        expected = [column for column in self.columns if only is None or column.name in only]
        violations = list(self._shape(frame, expected))
        frame, sound, misfits = _cast_accepted(frame, expected)
        violations += misfits
        violations += _nulls(frame, expected, sound)
        violations += self._rows(frame, sound)
        violations += _formats(frame, expected, sound)
        names = [sort_column(key)[0] for key in self.sort]
        sort = self.sort if sound.issuperset(names) else ()
        keys = self.keys if sound.issuperset(self.keys) else ()
        return violations + check_order(frame, sort, keys)

    def structure(self, frame: pl.DataFrame) -> list[Violation]:
        """Columns that are missing, unknown, or of a type that is not taken."""
        return [*self._shape(frame, self.columns), *_cast_accepted(frame, self.columns)[2]]

    def _shape(self, frame: pl.DataFrame, expected: Sequence[Column]) -> Iterator[Violation]:
        names = [column.name for column in expected]
        for column in expected:
            if column.required and column.name not in frame.columns:
                yield Violation(
                    "missing_column", column.name, 1, None, f"a column of {dtype_name(column.dtype)}"
                )
        for name in frame.columns:
            if name not in names:
                yield Violation("unknown_column", name, 1, None, f"one of {', '.join(names)}")
        declared = [name for name in names if name in frame.columns]
        found = [name for name in frame.columns if name in names]
        if self.fixed_order and declared != found:
            yield Violation("column_order", ",".join(found), 1, None, "in the order " + ", ".join(declared))

    def _rows(self, frame: pl.DataFrame, sound: frozenset[str]) -> Iterator[Violation]:
        if frame.is_empty():
            return
        rules = [rule for rule in self.rules if rule.reads <= sound]
        constant = _constant_text(frame, sound)
        once = [rule for rule in rules if rule.reads <= constant]
        each = [rule for rule in rules if not rule.reads <= constant]
        for rule, count in _refused(frame.head(1), once):
            yield _row_violation(frame, rule, count * frame.height)
        for rule, count in _refused(frame, each):
            yield _row_violation(frame, rule, count)


def _constant_text(frame: pl.DataFrame, sound: frozenset[str]) -> frozenset[str]:
    """Text columns of one value throughout: lineage mostly, long to match and quick to compare."""
    text = [name for name in frame.columns if name in sound and frame.schema[name] == pl.String()]
    if not text:
        return frozenset()
    same = frame.select(pl.col(name).eq_missing(pl.col(name).first()).all() for name in text).row(0)
    return frozenset(name for name, constant in zip(text, same, strict=True) if constant)


def _refused(frame: pl.DataFrame, rules: Sequence[RowRule]) -> list[tuple[RowRule, int]]:
    """Rules that some row breaks, with how many."""
    if not rules:
        return []
    counts = frame.select(rule.bad.sum().alias(str(i)) for i, rule in enumerate(rules)).row(0)
    return [(rule, count) for rule, count in zip(rules, counts, strict=True) if count]


def _cast_accepted(
    frame: pl.DataFrame, expected: Sequence[Column]
) -> tuple[pl.DataFrame, frozenset[str], list[Violation]]:
    """The frame in declared dtypes, the columns that have them, and the columns that cannot."""
    sound, violations = set(), []
    for column in expected:
        dtype = frame.schema.get(column.name)
        if dtype is None:
            continue
        if dtype == column.dtype:
            sound.add(column.name)
            continue
        wanted = " or ".join(dtype_name(each) for each in (column.dtype, *column.accepts))
        if dtype not in column.accepts:
            violations.append(Violation("dtype", column.name, frame.height, dtype_name(dtype), wanted))
            continue
        cast = frame[column.name].cast(column.dtype, strict=False)
        lost = cast.is_null() & frame[column.name].is_not_null()
        if lost.any():
            example = _example(frame, column.name, int(lost.arg_true()[0]))
            violations.append(Violation("dtype", column.name, int(lost.sum()), example, wanted))
            continue
        frame = frame.with_columns(cast)
        sound.add(column.name)
    return frame, frozenset(sound), violations


def _nulls(frame: pl.DataFrame, expected: Sequence[Column], sound: frozenset[str]) -> Iterator[Violation]:
    for column in expected:
        if column.nullable or column.name not in sound:
            continue
        count = frame[column.name].null_count()
        if count:
            row = int(frame[column.name].is_null().arg_true()[0])
            yield Violation("null", column.name, count, {"row": row, "value": None}, "not null")


def _formats(frame: pl.DataFrame, expected: Sequence[Column], sound: frozenset[str]) -> Iterator[Violation]:
    for column in expected:
        formats = [value for keyword, value in column.constraints if keyword == "format"]
        if not formats or column.name not in sound:
            continue
        valid = FORMATS[formats[0]]
        # Formats sit on columns of few distinct values: zones and the one timestamp of a world.
        wrong = [text for text in frame[column.name].unique() if text is not None and not valid(text)]
        if wrong:
            bad = frame[column.name].is_in(wrong)
            example = _example(frame, column.name, int(bad.arg_true()[0]))
            yield Violation("format", column.name, int(bad.sum()), example, f"a valid {formats[0]}")


def _row_violation(frame: pl.DataFrame, rule: RowRule, count: int) -> Violation:
    row = int(frame.select(rule.bad.arg_true().first()).item())
    return Violation(rule.name, rule.column, count, _example(frame, rule.column, row), rule.expected)


def _example(frame: pl.DataFrame, column: str, row: int) -> dict[str, Any]:
    value = frame[column][row]
    if isinstance(value, pl.Series):
        value = value.to_list()
    if isinstance(value, float) and not -float("inf") < value < float("inf"):
        value = str(value)  # JSON has no NaN and no infinity
    return {"row": row, "value": value.hex() if isinstance(value, bytes) else value}


def sort_column(key: str) -> tuple[str, bool]:
    """Column and direction of a sort key: ``-name`` is (name, True)."""
    return key.removeprefix("-"), key.startswith("-")


def check_order(frame: pl.DataFrame, sort: Sequence[str], keys: Sequence[str]) -> list[Violation]:
    """Violations ``sort`` and ``unique`` of a frame that holds all columns of ``sort`` and ``keys``."""
    violations = []
    ordered = False
    if sort and frame.height > 1:
        disorder = _disorder(frame, sort)
        ordered = not disorder.any()
        if not ordered:
            violations.append(_sort_violation(frame, sort, disorder))
    if keys and frame.height > 1:
        in_key_order = ordered and {sort_column(key)[0] for key in sort} == set(keys)
        side_by_side = in_key_order or not _disorder(frame, keys).any()
        repeated = _repeats_neighbour(frame, keys) if side_by_side else _repeats(frame, keys)
        if repeated.any():
            violations.append(_unique_violation(frame, keys, repeated))
    return violations


def _neighbours(name: str) -> tuple[pl.Expr, pl.Expr]:
    column = pl.col(name)
    return column.slice(0, pl.len() - 1), column.slice(1)


def _disorder(frame: pl.DataFrame, sort: Sequence[str]) -> pl.Series:
    """True at i where row i + 1 must stand before row i; length rows − 1."""
    out_of_order = pl.lit(False)
    for key in reversed(sort):
        name, descending = sort_column(key)
        first, second = _neighbours(name)
        before, same = second > first if descending else second < first, first == second
        if frame[name].null_count():
            before = before.fill_null(False) | (first.is_null() & second.is_not_null())
            same = first.eq_missing(second)
        out_of_order = before | (same & out_of_order)
    return frame.select(bad=out_of_order)["bad"]


def _repeats_neighbour(frame: pl.DataFrame, keys: Sequence[str]) -> pl.Series:
    """True at i where row i + 1 has row i's key; length rows − 1."""
    same = pl.all_horizontal(first.eq_missing(second) for first, second in map(_neighbours, keys))
    return frame.select(bad=same)["bad"]


def _repeats(frame: pl.DataFrame, keys: Sequence[str]) -> pl.Series:
    """True at i where row i + 1 has the key of an earlier row; length rows − 1."""
    key = pl.struct(keys) if len(keys) > 1 else pl.col(keys[0])
    return (~frame.select(key.is_first_distinct()).to_series())[1:]


def _keys_at(frame: pl.DataFrame, names: Sequence[str], row: int) -> dict[str, object]:
    return {"row": row, "value": frame.select(names).row(row, named=True)}


def _sort_violation(frame: pl.DataFrame, sort: Sequence[str], disorder: pl.Series) -> Violation:
    row = int(disorder.arg_true()[0]) + 1
    names = [sort_column(key)[0] for key in sort]
    example = {**_keys_at(frame, names, row), "after": frame.select(names).row(row - 1, named=True)}
    expected = "in order of " + ", ".join(
        f"{name} descending" if descending else name for name, descending in map(sort_column, sort)
    )
    return Violation("sort", ",".join(names), int(disorder.sum()), example, expected + ", nulls last")


def _unique_violation(frame: pl.DataFrame, keys: Sequence[str], repeated: pl.Series) -> Violation:
    row = int(repeated.arg_true()[0]) + 1
    expected = "unique over " + ", ".join(keys)
    return Violation("unique", ",".join(keys), int(repeated.sum()), _keys_at(frame, keys, row), expected)
