"""The report as one HTML file that needs nothing else: no font, no script, no image from anywhere.

Whatever comes from outside (names of zones, rules, keys, values) is escaped where it is written.
"""

from __future__ import annotations

from collections.abc import Sequence
from html import escape
from typing import Final

from seg3b_assets.realism.gates import FAIL_REALISM
from seg3b_assets.report.content import (
    FAIL,
    NOTHING,
    PASS,
    Block,
    Cell,
    Grid,
    Heading,
    Points,
    Section,
)
from seg3b_assets.report.figures import Plot, Table
from seg3b_assets.report.material import ReportMaterial
from seg3b_assets.report.style import SCRIPT, STYLE
from seg3b_assets.report.summary_section import THIN
from seg3b_assets.wording import margin, number

_SHORT_ID: Final = 12
# Longer than any word of ours: what is longer is an identifier and may break anywhere.
_LONG_WORD: Final = 30
_SIGNS: Final = {PASS: "✓ ", FAIL: "✗ "}


def report_page(material: ReportMaterial, told: Sequence[Section]) -> str:
    """The HTML document.

    Args:
        told: ``sections`` of the same material.
    """
    title = f"Certification of segment 3B: {material.verdict}"
    parts = [
        '<!DOCTYPE html>\n<html lang="en"><head><meta charset="utf-8">',
        '<meta name="viewport" content="width=device-width, initial-scale=1">',
        f'<meta name="color-scheme" content="light dark"><title>{escape(title)}</title>',
        f"<style>\n{STYLE}\n</style></head><body>",
        '<a class="skip" href="#summary">Skip to the report</a><div class="page">',
        _header(material, told),
        "<main>",
        *(_section(section) for section in told),
        "</main>",
        f"<footer><p>Certification <code>{escape(material.certification_id)}</code>. Drawn from kept "
        "documents; nothing in this "
        "page is loaded from anywhere.</p></footer>",
        f"</div><script>{SCRIPT}</script></body></html>\n",
    ]
    return "\n".join(parts)


def _header(material: ReportMaterial, told: Sequence[Section]) -> str:
    state = FAIL if material.verdict == FAIL_REALISM else PASS
    grade = "grade A" if material.grade_a else "not grade A"
    badges = [
        f'<span class="badge {state}">{_SIGNS[state]}{escape(material.verdict)}</span>',
        f'<span class="badge plain">{grade}</span>',
    ]
    for seed, document in material.metrics.items():
        verdict = document.verdict
        kind = FAIL if verdict == FAIL_REALISM else PASS
        badges.append(
            f'<span class="badge {kind}"><span class="by">seed {seed}</span> {_SIGNS[kind]}{escape(verdict)}</span>'
        )
    links = "".join(f'<li><a href="#{section.name}">{escape(section.title)}</a></li>' for section in told)
    return (
        '<header><button id="theme" type="button" hidden aria-label="Switch between light and dark"></button>'
        '<p class="over">Segment 3B · virtual merchants, settlements, edges and alias tables</p>'
        f'<h1>Certification report</h1><div class="verdict">{"".join(badges)}</div>'
        f'<nav aria-label="Sections"><ul>{links}</ul></nav></header>'
    )


def _section(section: Section) -> str:
    inner, plots = [], []
    for block in section.blocks:
        if isinstance(block, Plot):
            plots.append(_figure(block))
            continue
        if plots:
            inner.append(_gallery(plots))
            plots = []
        inner.append(_block(block))
    if plots:
        inner.append(_gallery(plots))
    heading = f'<h2 id="h-{section.name}">{escape(section.title)}</h2>'
    return f'<section id="{section.name}" aria-labelledby="h-{section.name}">{heading}\n{"".join(inner)}</section>'


def _gallery(plots: Sequence[str]) -> str:
    return f'<div class="plots">{"".join(plots)}</div>'


def _block(block: Block) -> str:
    if isinstance(block, str):
        return f"<p>{escape(block)}</p>"
    if isinstance(block, Heading):
        return f"<h3>{escape(block.text)}</h3>"
    if isinstance(block, Points):
        items = "".join(f"<li>{escape(item)}</li>" for item in block.items)
        return f"<ol>{items}</ol>" if block.numbered else f"<ul>{items}</ul>"
    if isinstance(block, Grid):
        table = _grid(block)
        if not block.folded:
            return table
        return f'<details class="kept"><summary>{escape(block.caption)}</summary>{table}</details>'
    raise TypeError(f"no way to write {type(block).__name__}")


def _grid(grid: Grid) -> str:
    head = "".join(
        f'<{_head(name)} scope="col"{_right(grid, at)}>{escape(name)}</{_head(name)}>'
        for at, name in enumerate(grid.header)
    )
    head = head.replace('<td scope="col"', "<td")
    body = "".join(
        f"<tr>{''.join(_cell(cell, at, grid) for at, cell in enumerate(row))}</tr>" for row in grid.rows
    )
    note = f'<p class="note">{escape(grid.note)}</p>' if grid.note else ""
    return f"{_scrolling(grid.caption, f'<thead><tr>{head}</tr></thead><tbody>{body}</tbody>')}{note}"


def _head(name: str) -> str:
    return "th" if name else "td"


def _scrolling(caption: str, rows: str) -> str:
    label = escape(caption, quote=True)
    table = f"<table><caption>{escape(caption)}</caption>{rows}</table>"
    return f'<div class="scroll" role="region" aria-label="{label}" tabindex="0">{table}</div>'


def _right(grid: Grid, at: int) -> str:
    return ' class="n"' if at in grid.numeric else ""


def _cell(cell: Cell | str, at: int, grid: Grid) -> str:
    given = Cell(cell) if isinstance(cell, str) else cell
    tag, scope = ("th", ' scope="row"') if at == 0 else ("td", "")
    classes = ["n"] if at in grid.numeric else []
    classes += [given.state] if given.state else []
    classes += ["measured"] if given.margin is not None else []
    classes += ["wrap"] if given.code or len(given.text) > _LONG_WORD else []
    text = f"<code>{escape(given.text)}</code>" if given.code else escape(given.text)
    if given.margin is not None:
        text = f'<span class="value">{_SIGNS[FAIL] if given.state == FAIL else ""}{text}</span> {_bar(given.margin)}'
    elif given.state in (PASS, FAIL) and at not in (0,):
        text = f"{_SIGNS[given.state] if not given.text.startswith(('▲', '▼')) else ''}{text}"
    named = f' class="{" ".join(classes)}"' if classes else ""
    return f"<{tag}{scope}{named}>{text}</{tag}>"


def _bar(inside: float) -> str:
    """The margin in words and as a bar; a full bar is the whole bound."""
    kind = " out" if inside < 0 else " thin" if inside < THIN else ""
    width = min(abs(inside), 1.0) * 100
    told = margin(inside)
    bar = f'<span class="bar{kind}" aria-hidden="true"><i style="width:{width:.0f}%"></i></span>'
    return f'<span class="margin">{told}</span>{bar}'


def _figure(plot: Plot) -> str:
    half = "" if plot.wide else ' class="half"'
    title = f'<h3 id="title-{plot.name}">{escape(plot.title)}</h3>'
    if not plot.svg:
        return f'<div{half} style="grid-column:1/-1">{title}<p class="empty">{escape(plot.caption)}</p></div>'
    caption = f"<figcaption>{escape(plot.caption)}</figcaption>"
    return f'<figure{half} id="{plot.name}">{title}{plot.svg}{caption}{_numbers(plot)}</figure>'


def _numbers(plot: Plot) -> str:
    table: Table = plot.table
    if not table.rows:
        return ""
    grid = Grid(
        f"Numbers: {plot.title}",
        table.header,
        [[_told(cell, name) for cell, name in zip(row, table.header, strict=True)] for row in table.rows],
        frozenset(at for at, cell in enumerate(table.rows[0]) if isinstance(cell, int | float)),
        f"{number(table.left_out)} more rows are not listed." if table.left_out else "",
    )
    return f"<details><summary>Numbers</summary>{_grid(grid)}</details>"


def _told(cell: object, header: str) -> str:
    """A number as the column means it: categories are names, not quantities."""
    if isinstance(cell, int) and header == "category":
        return str(cell)
    return number(cell) if isinstance(cell, int | float) or cell is None else str(cell)


__all__ = ["NOTHING", "report_page"]
