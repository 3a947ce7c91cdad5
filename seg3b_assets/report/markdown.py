"""Sections and tables as Markdown: the report's ``report.md``, and what Dagster's pages show.

Whatever comes from outside means itself: no mark of it is taken for Markdown, and nothing of it commands a terminal.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from typing import Final

from seg3b_assets.laws.visible_text import visible
from seg3b_assets.report.content import FAIL, FAIL_MARK, Block, Cell, Grid, Heading, Points, Section
from seg3b_assets.report.figures import Plot
from seg3b_assets.report.material import ReportMaterial
from seg3b_assets.wording import margin

_SPECIAL: Final = str.maketrans({mark: f"\\{mark}" for mark in "\\`*{}[]<>#|"})
# Within a word it is none of Markdown's marks, and names stay names.
_UNDERLINE: Final = re.compile(r"(?<![0-9A-Za-z])_|_(?![0-9A-Za-z])")
# Keeps a number, its unit and its margin on one line, however many columns stand beside each other.
_UNBROKEN: Final = "\N{NO-BREAK SPACE}"


def report_markdown(material: ReportMaterial, told: Sequence[Section]) -> str:
    """The Markdown document; ``told`` are the sections of the same material."""
    grade = "grade A" if material.grade_a else "not grade A"
    seeds = ", ".join(f"seed {seed}: {plain(one.verdict)}" for seed, one in material.metrics.items())
    lines = [
        "# Certification of segment 3B",
        "",
        f"**{plain(material.verdict)}**, {grade}. {seeds}.",
        "",
        f"Certification `{material.certification_id}`.",
    ]
    for section in told:
        lines += ["", f"## {section.title}"]
        for block in section.blocks:
            lines += ["", *_block(block)]
    return "\n".join(lines) + "\n"


def blocks_markdown(blocks: Sequence[Block]) -> str:
    """Paragraphs, lists and tables, an empty line between them."""
    return "\n\n".join("\n".join(_block(block)) for block in blocks)


def grid_markdown(grid: Grid) -> str:
    """A table without its caption, for a place that names it already."""
    return "\n".join(_table(grid))


def plain(text: str) -> str:
    """Text that means itself in Markdown."""
    shown = visible(" ".join(text.splitlines()) if "\n" in text or "\r" in text else text)
    return _UNDERLINE.sub(r"\\_", shown.translate(_SPECIAL))


def _block(block: Block) -> Iterator[str]:
    if isinstance(block, str):
        yield plain(block)
    elif isinstance(block, Heading):
        yield f"### {plain(block.text)}"
    elif isinstance(block, Points):
        for position, item in enumerate(block.items, 1):
            yield f"{position}. {plain(item)}" if block.numbered else f"- {plain(item)}"
    elif isinstance(block, Grid):
        yield f"**{plain(block.caption)}**"
        yield ""
        yield from _table(block)
    elif isinstance(block, Plot):
        yield f"**{plain(block.title)}.** {plain(block.caption)}"


def _table(grid: Grid) -> Iterator[str]:
    yield f"| {' | '.join(plain(name) for name in grid.header)} |"
    yield f"|{'|'.join('---:' if at in grid.numeric else '---' for at in range(len(grid.header)))}|"
    for row in grid.rows:
        yield f"| {' | '.join(_cell(cell, at in grid.numeric) for at, cell in enumerate(row))} |"
    if grid.note:
        yield ""
        yield plain(grid.note)


def _cell(cell: Cell | str, numeric: bool) -> str:
    given = Cell(cell) if isinstance(cell, str) else cell
    inside = "" if given.margin is None else f" ({margin(given.margin)})"
    mark = FAIL_MARK if given.state == FAIL else ""
    text = f"{mark}{plain(given.text)}{inside}"
    return text.replace(" ", _UNBROKEN) if numeric else text
