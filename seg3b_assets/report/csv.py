"""A table as CSV, for a spreadsheet: raw values where a cell has one, its margin in a column beside it."""

from __future__ import annotations

import csv
from collections.abc import Iterable
from io import StringIO

from seg3b_assets.report.content import Cell, Grid


def grids_csv(grids: Iterable[Grid]) -> str:
    """Tables of one kind below each other, under one header; LF-terminated. A margin is a share of the bound."""
    out = StringIO()
    writer = csv.writer(out, lineterminator="\n")
    header: list[str] = []
    for grid in grids:
        judged = {
            at for row in grid.rows for at, cell in enumerate(row) if isinstance(cell, Cell) and cell.margin
        }
        own = [name for at, name in enumerate(grid.header) for name in _columns(name, at in judged)]
        if own != header:
            writer.writerow(own)
            header = own
        for row in grid.rows:
            writer.writerow([value for at, cell in enumerate(row) for value in _values(cell, at in judged)])
    return out.getvalue()


def _columns(name: str, judged: bool) -> list[str]:
    return [name, f"{name} margin"] if judged else [name]


def _values(cell: Cell | str, judged: bool) -> list[object]:
    given = Cell(cell) if isinstance(cell, str) else cell
    value = given.text if given.value is None else given.value
    return [value, given.margin] if judged else [value]
