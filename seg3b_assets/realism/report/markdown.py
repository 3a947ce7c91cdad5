"""The report as Markdown: the same words and tables, plots told by their captions."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from seg3b_assets.realism.report.content import FAIL, Block, Cell, Grid, Heading, Points, Section
from seg3b_assets.realism.report.figures import Plot
from seg3b_assets.realism.report.material import ReportMaterial
from seg3b_assets.realism.report.wording import percent

_SPECIAL = str.maketrans({mark: f"\\{mark}" for mark in "\\`*_{}[]<>#|"} | {"\n": " ", "\r": " "})


def report_markdown(material: ReportMaterial, told: Sequence[Section]) -> str:
    """The Markdown document; ``told`` are the sections of the same material."""
    grade = "grade A" if material.grade_a else "not grade A"
    seeds = ", ".join(f"seed {seed}: {_plain(str(d['verdict']))}" for seed, d in material.metrics.items())
    lines = [
        "# Certification of segment 3B",
        "",
        f"**{_plain(material.verdict)}**, {grade}. {seeds}.",
        "",
        f"Certification `{material.certification_id}`.",
    ]
    for section in told:
        lines += ["", f"## {section.title}"]
        for block in section.blocks:
            lines += ["", *_block(block)]
    return "\n".join(lines) + "\n"


def _block(block: Block) -> Iterator[str]:
    if isinstance(block, str):
        yield _plain(block)
    elif isinstance(block, Heading):
        yield f"### {_plain(block.text)}"
    elif isinstance(block, Points):
        for position, item in enumerate(block.items, 1):
            yield f"{position}. {_plain(item)}" if block.numbered else f"- {_plain(item)}"
    elif isinstance(block, Grid):
        yield from _grid(block)
    elif isinstance(block, Plot):
        yield f"**{_plain(block.title)}.** {_plain(block.caption)}"


def _grid(grid: Grid) -> Iterator[str]:
    yield f"**{_plain(grid.caption)}**"
    yield ""
    yield f"| {' | '.join(_plain(name) for name in grid.header)} |"
    yield f"|{'|'.join('---:' if at in grid.numeric else '---' for at in range(len(grid.header)))}|"
    for row in grid.rows:
        yield f"| {' | '.join(_cell(cell) for cell in row)} |"
    if grid.note:
        yield ""
        yield _plain(grid.note)


def _cell(cell: Cell | str) -> str:
    if isinstance(cell, str):
        return _plain(cell)
    margin = "" if cell.margin is None else f" ({percent(cell.margin, signed=True)})"
    mark = "✗ " if cell.state == FAIL else ""
    return f"{mark}{_plain(cell.text)}{margin}"


def _plain(text: str) -> str:
    """Text that means itself in Markdown."""
    return text.translate(_SPECIAL)
