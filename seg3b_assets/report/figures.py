"""One drawn figure of the report: its name, what it shows, what is seen in it, and the numbers as a table."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import Final

from seg3b_assets.report.material import ReportMaterial

Cell = str | int | float | bool | None


@dataclass(frozen=True)
class Table:
    """Numbers behind a figure, for whoever does not see it.

    Attributes:
        header: one name per column.
        rows: cells as measured; who writes them chooses how.
        left_out: rows that were not listed, told below the table.
    """

    header: Sequence[str]
    rows: Sequence[Sequence[Cell]]
    left_out: int = 0


@dataclass(frozen=True)
class Plot:
    """A figure.

    Attributes:
        name: lower-case words with hyphens, unique in the report.
        title: what is shown.
        caption: what is seen, with numbers, and how to read it.
        svg: an ``<svg>`` element; "" where there is nothing to draw.
        wide: whether it takes the whole column.
    """

    name: str
    title: str
    caption: str
    svg: str
    table: Table = field(default_factory=lambda: Table((), ()))
    wide: bool = True


Draw = Callable[[ReportMaterial], Plot]
NOTHING = "No virtual merchant on any seed: there is nothing to draw."


_MARK_SIGNS: Final = "○□◇△▽✚"


def marks_told(seeds: Sequence[int]) -> str:
    """Which mark is which seed, for a caption; nothing of one seed."""
    if len(seeds) < 2:
        return ""
    told = ", ".join(f"{_MARK_SIGNS[i % len(_MARK_SIGNS)]} seed {seed}" for i, seed in enumerate(seeds))
    return f" Marks: {told}."


def nothing(name: str, title: str) -> Plot:
    """The figure of a world without virtual merchants."""
    return Plot(name, title, NOTHING, "")
