"""Tables against their contract, by column.

A row schema is compiled once into polars expressions; a frame is then checked in one ``select`` that counts
the rows each rule refuses, plus one neighbour comparison for order and keys. Only what fails is looked at
again, for an example. No row becomes a Python object.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any

import polars as pl

from seg3b_assets.contracts.columns import Column, columns_of, dtype_name
from seg3b_assets.contracts.formats import FORMATS
from seg3b_assets.contracts.order import check_order, sort_column
from seg3b_assets.contracts.rules import RowRule, row_rules
from seg3b_assets.contracts.schemas import Schema
from seg3b_assets.contracts.violations import Violation


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
