"""A verdict is told once: every renderer shows the cells of the same tables, and the numbers of the documents."""

from __future__ import annotations

import csv
import io
from html import escape
from io import StringIO

import pytest

from seg3b_assets.certification.documents import LEVELS
from seg3b_assets.report import reference_tables, tables
from seg3b_assets.report.content import FAIL_MARK, Cell, Grid, Section
from seg3b_assets.report.document import grids_csv
from seg3b_assets.report.markdown import grid_markdown
from seg3b_assets.report.material import ReportMaterial
from seg3b_assets.report.page import report_page
from seg3b_assets.report.terminal import show_grid
from seg3b_assets.screen import Screen
from seg3b_assets.wording import margin
from seg3b_assets_tests.realism.worlds import SOUND
from seg3b_assets_tests.report.material import FLAT, material


@pytest.fixture(scope="module")
def shown() -> ReportMaterial:
    return material((SOUND, FLAT))


def reference_grids(shown: ReportMaterial) -> list[Grid]:
    assert shown.reference is not None
    return [
        reference_tables.reference_gates_table(shown.reference),
        reference_tables.reference_table(shown.reference, shown.seeds),
        reference_tables.across_table(shown.reference),
        reference_tables.sources_table(shown.reference),
    ]


def every_table(shown: ReportMaterial) -> list[Grid]:
    failures = tables.failures_table(shown.summary)
    assert failures is not None
    layers = shown.summary.confidence
    return [
        tables.seeds_table(shown.metrics),
        *(tables.matrix_table(shown.metrics, level) for level in LEVELS),
        tables.cross_seed_table(shown.summary, shown.metrics),
        tables.confidence_table(layers),
        tables.uplift_table(layers),
        tables.classes_table(layers, shown.seeds),
        failures,
        *reference_grids(shown),
        tables.lanes_table(shown.lanes, shown.costs, shown.scoring_s),
        tables.states_table(shown.costs, shown.seeds),
    ]


def printed(grid: Grid) -> str:
    screen = Screen(file=StringIO(), width=400)
    show_grid(grid, screen)
    assert isinstance(screen.file, StringIO)
    return screen.file.getvalue()


def test_a_cell_reads_the_same_in_html_markdown_and_on_a_terminal(shown: ReportMaterial) -> None:
    for grid in every_table(shown):
        page = report_page(shown, [Section("one", "One", [grid])])
        markdown, terminal = (
            grid_markdown(grid).replace("\N{NO-BREAK SPACE}", " ").replace("\\", ""),
            printed(grid),
        )
        for row in grid.rows:
            for at, cell in enumerate(row):
                given = Cell(cell) if isinstance(cell, str) else cell
                inside = "" if given.margin is None else margin(given.margin)
                for text in (page, markdown, *(() if at in grid.spare else (terminal,))):
                    assert (escape(given.text) if text is page else given.text) in text, (grid.caption, given)
                    assert inside in text, (grid.caption, given)


def test_what_fails_is_marked_without_colour_everywhere(shown: ReportMaterial) -> None:
    grid = tables.matrix_table(shown.metrics, "hard")
    [row] = [row for row in grid.rows if isinstance(row[0], Cell) and row[0].text == "V01"]
    flat = row[5]
    assert isinstance(flat, Cell)
    for text in (grid_markdown(grid).replace("\N{NO-BREAK SPACE}", " "), printed(grid)):
        assert f"{FAIL_MARK}{flat.text}" in text
    page = report_page(shown, [Section("one", "One", [grid])])
    assert f'<span class="value">{FAIL_MARK}{flat.text}</span>' in page


def test_what_was_not_measured_is_told_alike(shown: ReportMaterial) -> None:
    seed = shown.seeds[0]
    gate = shown.metrics[seed].hard_gates["3B-V01"]
    nothing = {"observed": None, "passed": None, "miss_abs": None, "miss_pct": None, "margin": None}
    gates = {**shown.metrics[seed].hard_gates, "3B-V01": gate.model_copy(update=nothing)}
    documents = {**shown.metrics, seed: shown.metrics[seed].model_copy(update={"hard_gates": gates})}
    grid = tables.matrix_table(documents, "hard")
    [row] = [row for row in grid.rows if isinstance(row[0], Cell) and row[0].text == "V01"]
    assert row[4] == Cell("n/a", "nothing")


def test_the_csv_has_the_numbers_of_the_documents(shown: ReportMaterial) -> None:
    checked = 0
    rows = [
        (level, row)
        for level in LEVELS
        for row in csv.DictReader(io.StringIO(grids_csv([tables.matrix_table(shown.metrics, level)])))
    ]
    for level, row in rows:
        for seed, document in shown.metrics.items():
            gate = document.gates(level).get(f"3B-{row['gate']}")
            if gate is None or len(gate.parts) > 1 or gate.operator == "bool_true":
                continue
            assert float(row[f"seed {seed}"]) == gate.observed
            assert float(row[f"seed {seed} margin"]) == gate.margin
            checked += 1
    assert checked > 40


def first_words(grid: Grid) -> list[str]:
    return [cell if isinstance(cell, str) else cell.text for cell in (row[0] for row in grid.rows)]


def test_the_reference_tier_is_told_by_its_worst(shown: ReportMaterial) -> None:
    tier = shown.reference
    assert tier is not None
    brief = reference_tables.reference_gates_table(tier)
    assert first_words(brief) == ["R01a", "R03a", "R06e", "R09b"]
    atoms, bets = brief.rows[1:3]
    assert [cell if isinstance(cell, str) else cell.text for cell in atoms[1:]] == [
        "atom_share",
        "\u2264 0.0381",
        "0.2",
        "seed 42, home_share",
        f"0 of {len(shown.seeds)}",
    ]
    assert isinstance(bets[3], Cell) and bets[3].state == "nothing"
    standing = reference_tables.standing_of(tier)
    assert (standing.failing, standing.untold) == (("3B-R03", "3B-RX1"), ("3B-R06", "3B-RX3"))
    assert standing.sentence == "3 of 7 gates hold; R03 and RX1 do not; R06 and RX3 cannot be judged."
    whole = reference_tables.reference_table(tier, shown.seeds)
    assert first_words(whole) == ["R01a", "R03a", "R06e", "R09b", "all"]
    assert {len(row) for row in whole.rows} == {4 + len(shown.seeds)}
    assert first_words(reference_tables.across_table(tier)) == ["RX1", "RX2", "RX2", "RX3"]
