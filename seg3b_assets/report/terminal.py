"""A certification for a person at a terminal: gates by seed, gates over seeds, confidence, what failed, the verdict.

The tables are those of the report. Fits 100 columns; what fails is marked and does not depend on colour.
"""

from __future__ import annotations

from typing import Final

from rich.text import Text

from seg3b_assets.certification.archive import POLICY_SCOPE
from seg3b_assets.certification.documents import LEVELS
from seg3b_assets.certification.run import CertificationRun
from seg3b_assets.report import tables
from seg3b_assets.report.content import FAIL, FAIL_MARK, NOTHING, PASS, Cell, Grid
from seg3b_assets.report.reference_tables import across_table, reference_gates_table, standing_of
from seg3b_assets.screen import Screen, Table, styled
from seg3b_assets.wording import margin, seconds, seeds_named

WIDTH: Final = 100
SEEDS_PER_TABLE: Final = 4
LONG_SEEDS_PER_TABLE: Final = 2
LONGEST_SHORT_SEED: Final = 8
_STYLES: Final = {PASS: "", FAIL: "bold red", NOTHING: "yellow"}


def show_certification(run: CertificationRun, console: Screen) -> None:
    """Print everything a verdict rests on, the verdict last but for where the artefacts are."""
    for seeds in _abreast(list(run.metrics)):
        documents = {seed: run.metrics[seed] for seed in seeds}
        for level in LEVELS:
            show_grid(tables.matrix_table(documents, level), console)
    show_grid(tables.cross_seed_table(run.summary, run.metrics), console)
    show_grid(tables.confidence_table(run.summary.confidence), console)
    if run.reference is not None:
        show_grid(reference_gates_table(run.reference), console)
        show_grid(across_table(run.reference), console)
    failures = tables.failures_table(run.summary)
    if failures is not None:
        show_grid(failures, console)
    show_grid(tables.seeds_table(run.metrics), console)
    grade = "grade A" if run.grade_a else "not grade A"
    verdict = styled(f"{run.verdict}, {grade}", "bold green" if run.passed else "bold red")
    console.print(styled("verdict    ").append_text(verdict))
    if run.reference is not None:
        grade = "grade A+" if run.grade_a_plus else "not grade A+"
        console.print(f"reference  {grade}: {standing_of(run.reference).counted}")
    if run.scope != POLICY_SCOPE:
        console.print(
            f"scope      named; no ref moves, the policy's certification is of {seeds_named(run.required)}"
        )
    console.print(f"summary    {run.summary_path}")
    if run.trace_path is not None:
        console.print(f"failures   {run.trace_path}")
    scored = "kept already, nothing scored" if run.reused else "scored"
    console.print(f"{scored}; {seconds(run.wall_s)}")


def show_grid(grid: Grid, console: Screen) -> None:
    """Print a table under its caption, without the columns a narrow screen does without; an empty line after it."""
    shown = [at for at in range(len(grid.header)) if at not in grid.spare]
    table = Table(padding=(0, 1, 0, 0))
    for at in shown:
        table.add_column(grid.header[at], justify="right" if at in grid.numeric else "left", overflow="fold")
    for row in grid.rows:
        table.add_row(*(_cell(row[at]) for at in shown))
    console.print(styled(grid.caption, "bold"))
    console.print(table)
    if grid.note:
        console.print(grid.note)
    console.print()


def _cell(cell: Cell | str) -> Text | str:
    if isinstance(cell, str):
        return cell
    inside = "" if cell.margin is None else f" {margin(cell.margin)}"
    mark = FAIL_MARK if cell.state == FAIL else ""
    return styled(f"{mark}{cell.text}{inside}", _STYLES.get(cell.state, ""))


def _abreast(seeds: list[int]) -> list[list[int]]:
    """The seeds whose columns fit beside each other, table by table."""
    long = max(len(str(seed)) for seed in seeds) > LONGEST_SHORT_SEED
    size = LONG_SEEDS_PER_TABLE if long else SEEDS_PER_TABLE
    return [seeds[start : start + size] for start in range(0, len(seeds), size)]
