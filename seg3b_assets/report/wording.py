"""How numbers, bounds and names are written in a report, alike in HTML, Markdown and captions."""

from __future__ import annotations

import math
from collections.abc import Iterable
from typing import Any, Final, Protocol

NONE: Final = "n/a"
SIGNS: Final = {">=": "≥", "<=": "≤"}
_UNITS: Final = {"share": "", "dimensionless": "", "boolean": "", "probability": ""}
MINUS: Final = "−"
_BRIEF: Final = 1e-3


def number(value: Any, digits: int = 3) -> str:
    """A value as people read it: grouped thousands, three significant digits, yes and no."""
    if isinstance(value, bool):
        return "yes" if value else "no"
    if isinstance(value, int):
        return _signed(f"{value:,}")
    if value is None or not math.isfinite(value):
        return NONE
    if value and abs(value) < _BRIEF:
        mantissa, exponent = f"{value:.1e}".split("e")
        return _signed(f"{mantissa}e{int(exponent)}")
    if abs(value) >= 1000:
        return _signed(f"{value:,.0f}")
    return _signed(f"{value:.{digits}g}")


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
