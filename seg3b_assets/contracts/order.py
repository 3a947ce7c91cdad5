"""Uniqueness of keys and order of rows, by comparing neighbours.

Order is lexicographic over the sort columns: ascending (``-name`` descends), text by bytes, nulls last.
A table in the order of its keys, declared or not, has its duplicates side by side: no hashing is needed.
"""

from __future__ import annotations

from collections.abc import Sequence

import polars as pl

from seg3b_assets.contracts.violations import Violation


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


def _example(frame: pl.DataFrame, names: Sequence[str], row: int) -> dict[str, object]:
    return {"row": row, "value": frame.select(names).row(row, named=True)}


def _sort_violation(frame: pl.DataFrame, sort: Sequence[str], disorder: pl.Series) -> Violation:
    row = int(disorder.arg_true()[0]) + 1
    names = [sort_column(key)[0] for key in sort]
    example = {**_example(frame, names, row), "after": frame.select(names).row(row - 1, named=True)}
    expected = "in order of " + ", ".join(
        f"{name} descending" if descending else name for name, descending in map(sort_column, sort)
    )
    return Violation("sort", ",".join(names), int(disorder.sum()), example, expected + ", nulls last")


def _unique_violation(frame: pl.DataFrame, keys: Sequence[str], repeated: pl.Series) -> Violation:
    row = int(repeated.arg_true()[0]) + 1
    expected = "unique over " + ", ".join(keys)
    return Violation("unique", ",".join(keys), int(repeated.sum()), _example(frame, keys, row), expected)
