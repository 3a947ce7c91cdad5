"""What a person at a terminal is shown of a certification, and of a comparison.

A certification: gates by seed, gates over seeds, confidence, what failed, the verdict. A comparison: what changed and
nothing else, the decisive first. The tables of a verdict are those of the report. A certification fits 100
columns; what fails is marked and does not depend on colour.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import Any, Final

import orjson
from rich.text import Text

from seg3b_assets.certification.archive import POLICY_SCOPE
from seg3b_assets.certification.comparison import Change, Comparison, SeedComparison
from seg3b_assets.certification.documents import LEVELS
from seg3b_assets.certification.run import CertificationRun
from seg3b_assets.report import tables
from seg3b_assets.report.content import FAIL, FAIL_MARK, NOTHING, PASS, Cell, Grid, verdict_cell
from seg3b_assets.report.reference_tables import across_table, reference_gates_table, standing_of
from seg3b_assets.screen import Screen, Table, styled
from seg3b_assets.wording import apart, margin, percent, seconds, seeds_named, wall

WIDTH: Final = 100
SEEDS_PER_TABLE: Final = 4
LONG_SEEDS_PER_TABLE: Final = 2
LONGEST_SHORT_SEED: Final = 8
_STYLES: Final = {PASS: "", FAIL: "bold red", NOTHING: "yellow"}

COMPARISON_WIDTH: Final = 110
RUN_REPORT: Final = "_run_report_3B"
LONGEST_VALUE: Final = 40


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


def show_comparison(comparison: Comparison, console: Screen) -> None:
    """Policies once where they are the same for every seed, then each seed."""
    console.print(f"was  {comparison.was.label}")
    console.print(f"now  {comparison.now.label}")
    for only, label in ((comparison.only_was, "was"), (comparison.only_now, "now")):
        if only:
            console.print(f"only in {label}: seeds {', '.join(str(seed) for seed in only)}")
    seeds = list(comparison.seeds.items())
    policies = [one.lineage.policies for _, one in seeds]
    once = all(changes == policies[0] for changes in policies)
    if once:
        _show_policies(policies[0], console)
    for seed, one in seeds:
        console.print()
        _show_seed(seed, one, console)
        if not once:
            _show_policies(one.lineage.policies, console)


def _show_policies(changes: Sequence[Change], console: Screen) -> None:
    if not changes:
        console.print("policies  the same")
        return
    table = _table("policy", "key", "was", "now")
    for change in changes:
        key = change["key"] if change["key"] is not None else "(bytes only)"
        table.add_row(change["policy"], key, _text(change["was"]), _text(change["now"]))
    console.print(table)


def _show_seed(seed: int, one: SeedComparison, console: Screen) -> None:
    if one.was.lineage_id == one.now.lineage_id:
        console.print(f"seed {seed}  the same lineage {one.now.lineage_id[:12]}")
        return
    console.print(f"seed {seed}  {one.was.lineage_id[:12]} -> {one.now.lineage_id[:12]}")
    for label, measured in zip(("was", "now"), one.measured, strict=True):
        source = measured.source if len(measured.source) < LONGEST_VALUE else f"{measured.source[:26]}"
        console.print(
            f"  {label} measured by {source}" + (f": {measured.verdict}" if measured.verdict else "")
        )
    # A run report names its run, so it differs whenever anything does; it says nothing of its state's results.
    changed = [one for one in one.lineage.datasets if not one["dataset"].endswith(RUN_REPORT)]
    states = ", ".join(sorted({change["state"] for change in changed})) or "none"
    console.print(f"  states with other results: {states} ({len(changed)} datasets)")
    console.print(_timings(one.lineage.timings))
    for title, table in (("gates", _gates(one.gates)), ("metrics", _metrics(one.metrics))):
        if table.row_count:
            console.print(table)
        else:
            console.print(f"  {title}: the same")
    _show_one_sided(one, console)


def _timings(timings: Sequence[Change]) -> str:
    told = [f"{one['state']} {wall(one['was_s'])} -> {wall(one['now_s'])}" for one in timings]
    return "  seconds to compute: " + ", ".join(told)


def _gates(changes: Sequence[Change]) -> Table:
    """Gates whose outcome changed first, marked; of the others only those over all merchants."""
    table = _table("", "gate", "population", "was", "margin", "now", "margin")
    both = [change for change in changes if change["was"] and change["now"]]
    turned = [change for change in both if change["was"]["pass"] is not change["now"]["pass"]]
    moved = [change for change in both if change not in turned and change["population"] == "all"]
    for mark, group in (("!", turned), ("", moved)):
        for change in group:
            was, now = change["was"], change["now"]
            told = zip((was, now), apart(was["observed"], now["observed"]), strict=True)
            cells = [cell for gate, observed in told for cell in _gate(gate, observed)]
            table.add_row(mark, change["gate"], change["population"], *cells)
    return table


def _show_one_sided(one: SeedComparison, console: Screen) -> None:
    """What only one side measured, by name."""
    for side, other in (("was", "now"), ("now", "was")):
        gates = [change["gate"] for change in one.gates if change[other] is None]
        metrics = [change["metric"] for change in one.metrics if change[other] is None]
        if gates or metrics:
            told = f"{len(metrics)} metrics" + (f", gates {', '.join(gates)}" if gates else "")
            console.print(f"  measured only in {side}: {told}")


def _gate(gate: Mapping[str, Any], observed: str) -> Iterator[str]:
    yield f"{verdict_cell(gate['pass']).text} {observed}"
    yield "" if gate["margin"] is None else margin(gate["margin"])


def _metrics(changes: Sequence[Change]) -> Table:
    table = _table("metric", "population", "was", "now", "change")
    for change in changes:
        if change["population"] == "all" and None not in (change["was"], change["now"]):
            was, now = change["was"], change["now"]
            table.add_row(change["metric"], change["population"], *apart(was, now), _change(was, now))
    return table


def _change(was: Any, now: Any) -> str:
    numbers = all(isinstance(one, int | float) and not isinstance(one, bool) for one in (was, now))
    return percent(now / was - 1, 1, signed=True) if numbers and was else ""


def _text(value: Any) -> str:
    """A policy's value as it is written there."""
    if value is None:
        return "none"
    text = value if isinstance(value, str) else orjson.dumps(value).decode()
    return text if len(text) <= LONGEST_VALUE else text[: LONGEST_VALUE - 1] + "…"


def _table(*columns: str) -> Table:
    return Table(*columns)
