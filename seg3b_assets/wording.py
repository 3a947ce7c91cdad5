"""How a number, a bound, a margin, a duration and a size read, alike wherever a person reads them.

What a program reads (JSON, tags, published documents) has the numbers themselves, and nothing of this.
"""

from __future__ import annotations

import math
from collections.abc import Iterable
from typing import Any, Final, Protocol

NONE: Final = "n/a"
SIGNS: Final = {">=": "≥", "<=": "≤"}
_UNITS: Final = {"share": "", "dimensionless": "", "boolean": "", "probability": ""}
MINUS: Final = "−"
_BRIEF: Final = 1e-3
_EVERY_DIGIT: Final = 18  # seventeen tell any two floats apart
_SIZES: Final = ((1e9, "GB"), (1e6, "MB"), (1e3, "kB"))


def number(value: Any, digits: int = 3) -> str:
    """A value as people read it: grouped thousands, three significant digits, yes and no.

    Args:
        digits: significant digits a fraction is shown with; a whole number is shown whole.
    """
    if isinstance(value, bool):
        return "yes" if value else "no"
    if isinstance(value, int):
        return _signed(f"{value:,}")
    if value is None or not math.isfinite(value):
        return NONE
    if value and abs(value) < _BRIEF:
        mantissa, exponent = f"{value:.{max(digits - 2, 1)}e}".split("e")
        return _signed(f"{mantissa}e{int(exponent)}")
    whole = len(str(int(abs(value))))
    return _signed(f"{value:,.0f}" if whole >= digits else f"{value:,.{digits}g}")


def change(value: Any) -> str:
    """What something changed by, or differs by: a number that always has its sign."""
    return ("+" if value is not None and value > 0 else "") + number(value)


def apart(one: Any, other: Any) -> tuple[str, str]:
    """Two numbers beside each other: with as many digits more as it takes for different ones to read differently."""
    for digits in range(3, _EVERY_DIGIT):
        told = number(one, digits), number(other, digits)
        if told[0] != told[1]:
            return told
    return number(one), number(other)


def percent(value: float | None, digits: int = 0, signed: bool = False) -> str:
    """A share in percent."""
    if value is None:
        return NONE
    return _signed(f"{100 * value:{'+' if signed else ''},.{digits}f} %")


def margin(value: float | None) -> str:
    """How far inside its bound something is, or, negative, how far outside: a signed percentage of the bound."""
    return NONE if value is None else _signed(f"{100 * value:+,.0f}%")


class Bounded(Protocol):
    """What has a gate's bound: a condition measured, or one kept."""

    @property
    def operator(self) -> str: ...

    @property
    def threshold(self) -> bool | int | float | tuple[float, float]: ...


def bound(condition: Bounded) -> str:
    """A gate's bound."""
    if isinstance(condition.threshold, tuple):
        return f"{number(condition.threshold[0])}–{number(condition.threshold[1])}"
    if condition.operator == "bool_true":
        return "yes"
    return f"{SIGNS[condition.operator]} {number(condition.threshold)}"


def unit(name: str) -> str:
    """A unit as it stands behind a number; nothing for shares and plain ratios."""
    return _UNITS.get(name, name)


def seconds(value: float | None) -> str:
    """A duration."""
    if value is None:
        return "not recorded"
    if value < 60:
        return f"{value:.1f} s"
    return f"{value / 60:.1f} min"


def wall(value: float | None) -> str:
    """A duration in a column of seconds, where a thousandth is nothing."""
    return number(None if value is None else round(value, 2))


def size(count: int) -> str:
    """So many bytes, in the largest unit of a thousand there is one of."""
    for scale, name in _SIZES:
        if count >= scale:
            return f"{count / scale:,.1f} {name}"
    return f"{number(count)} bytes"


def gate_name(gate_id: str) -> str:
    return gate_id.removeprefix("3B-")


def listing(items: Iterable[Any]) -> str:
    """a, b and c."""
    words = [str(item) for item in items]
    return " and ".join([", ".join(words[:-1]), words[-1]]) if len(words) > 1 else "".join(words)


def seeds_named(seeds: Iterable[Any]) -> str:
    words = list(seeds)
    return f"seed{'s' if len(words) != 1 else ''} {listing(words)}"


def _signed(text: str) -> str:
    return text.replace("-", MINUS)
