"""Small tables and plots as markdown, for the metadata of checks and of the certification."""

from __future__ import annotations

import math
import re
from collections.abc import Iterable, Sequence
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

from seg3b_assets.laws.visible_text import visible

BAR_WIDTH = 30
# Of a stranger's text in a cell: links and pictures, which a page would fetch, elements of HTML, code, the cell's end.
_MARKUP: Final = re.compile(r"([\\`\[\]|]|<(?=[A-Za-z/!?]))")


def table(header: Sequence[str], rows: Iterable[Sequence[Any]]) -> str:
    """A markdown table; numbers as people read them."""
    lines = ["| " + " | ".join(header) + " |", "|" + " --- |" * len(header)]
    lines += ["| " + " | ".join(_cell(value) for value in row) + " |" for row in rows]
    return "\n".join(lines)


def histogram(values: NDArray[Any], label: str, unit: str, bins: int = 10) -> str:
    """How many of the values fall into each of equally wide bins, as bars.

    Args:
        label: whose values these are, in the plural: merchants, edges.
    """
    if not values.size:
        return f"There are no {label}."
    if values.min() == values.max():
        return f"{label.capitalize()} by {unit}: all {values.size} at {text(values[0].item())}."
    counts, edges = np.histogram(values, bins=bins)
    bounds = [short(float(edge)) for edge in edges]
    width = max(map(len, bounds))
    most = max(int(counts.max()), 1)
    lines = [
        f"{low:>{width}} to {high:>{width}}  {_bar(count / most):<{BAR_WIDTH}} {count}"
        for low, high, count in zip(bounds, bounds[1:], counts.tolist(), strict=False)
    ]
    return "\n".join([f"{label.capitalize()} by {unit}:", "", "```", *lines, "```"])


def text(value: Any) -> str:
    """A value for reading: up to five significant digits, thousands untouched, None as n/a."""
    if value is None or (isinstance(value, float) and math.isnan(value)):
        return "n/a"
    if isinstance(value, bool):
        return "yes" if value else "no"
    if isinstance(value, (tuple, list)):
        return " to ".join(text(part) for part in value)
    if isinstance(value, float):
        return f"{value:.0f}" if abs(value) >= 10_000 else f"{value:.5g}"
    return str(value)


def percent(share: float | None) -> str:
    """A share as a percentage with one decimal."""
    return "n/a" if share is None else f"{100.0 * share:.1f} %"


def short(value: Any) -> str:
    """A value for a crowded table: three significant digits, thousands untouched."""
    if isinstance(value, bool) or not isinstance(value, (int, float)):
        return text(value)
    return f"{value:.0f}" if abs(value) >= 1_000 else f"{value:.3g}"


def signed_percent(share: float | None) -> str:
    """A margin without decimals, its sign before it."""
    return "n/a" if share is None else f"{share:+.0%}"


def _bar(share: float) -> str:
    return "█" * round(share * BAR_WIDTH)


def _cell(value: Any) -> str:
    shown = visible(value.replace("\n", " ") if isinstance(value, str) else text(value))
    return _MARKUP.sub(r"\\\1", shown)
