"""What a value must keep, as polars expressions: one JSON Schema keyword on one value, wherever it stands.

An expression is true where the value breaks the keyword and null where there is no value. Text is compared by
bytes, patterns are Rust regular expressions.
"""

from __future__ import annotations

import json
from collections.abc import Callable
from typing import Any, Final

import polars as pl

_INTEGER_RANGE: Final[dict[pl.DataType, tuple[int, int]]] = {
    pl.UInt64(): (0, 2**64 - 1),
    pl.Int64(): (-(2**63), 2**63 - 1),
    pl.Int32(): (-(2**31), 2**31 - 1),
}
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
    "minItems": "at least {} items",
    "type": "of type {}",
}
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


def wording(keyword: str, value: Any) -> str:
    """What a keyword asks for, in words."""
    return _WORDING[keyword].format(json.dumps(value, ensure_ascii=False))


def breaks(here: pl.Expr, dtype: pl.DataType, keyword: str, value: Any) -> pl.Expr | None:
    """Where a value breaks a keyword; None where its dtype cannot, or the check is made elsewhere.

    Args:
        here: the value: a column, a member of a struct, or an element of a list.
        dtype: of the value.
    """
    if keyword in _BOUNDS:
        return _out_of_bounds(here, dtype, keyword, value)
    if keyword == "format":
        return None
    expression: pl.Expr = _TEXT_AND_SETS[keyword](here, value, dtype)
    return expression


def _out_of_bounds(here: pl.Expr, dtype: pl.DataType, keyword: str, bound: float) -> pl.Expr | None:
    if dtype in _INTEGER_RANGE:
        lowest, highest = _INTEGER_RANGE[dtype]
        if (keyword == "minimum" and bound <= lowest) or (keyword == "maximum" and bound >= highest):
            return None
        return _BOUNDS[keyword](here, pl.lit(bound, dtype))
    # NaN sorts above every number; it is the finite rule's finding, not this one's.
    return _BOUNDS[keyword](here, pl.lit(float(bound))) & here.is_finite()
