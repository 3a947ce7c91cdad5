"""Runs and plans for a person at a terminal. What is shown is what the JSON holds, shortened."""

from __future__ import annotations

from seg3b_assets.laws.input_notes import KEYS_UNUSED
from seg3b_assets.pipeline.plan import SeedPlan
from seg3b_assets.pipeline.record import RunRecord
from seg3b_assets.screen import Screen, Table
from seg3b_assets.wording import number, seconds, wall


def show_run(record: RunRecord, console: Screen) -> None:
    """States with their cost, counts, the flag, and where the bundle is."""
    table = Table("state", "", "wall s", "peak MB", "outputs", "digest")
    for name, result in record.states.items():
        done = "reused" if result.reused else "computed"
        outputs = str(len(result.snapshot.outputs))
        figures = (wall(result.wall_s), number(result.peak_rss_mb), outputs)
        table.add_row(name, done, *figures, result.snapshot.digest[:12])
    counts = ", ".join(
        f"{number(count)} {name}" for name, count in record.counts.items() if count is not None
    )
    console.print(
        f"seed {record.identity.seed}  run {record.identity.run_id}  {seconds(record.total_wall_s)}"
    )
    console.print(table)
    told = counts.replace("rng_events", "random draws logged").replace(
        "settlements_drawn", "settlements drawn"
    )
    console.print(told)
    for one in record.joined:
        lost = f"; nobody's: {', '.join(one['examples'])}" if one["examples"] else ""
        past = f", {number(one['expired'])} expired" if one.get("expired") else ""
        console.print(
            f"{one['source']}  {number(one['used'])} of {number(one['rows'])} rows used{past}{lost}"
        )
    for note in record.input_notes:
        if note.kind != KEYS_UNUSED:  # said above, source by source
            console.print(f"inputs  {note.sentence}")
    console.print(f"flag    {record.flag}")
    console.print(f"bundle  {record.bundle_dir}")
    if not record.heads_moved:
        console.print("heads   unchanged: not the configured policies or upstream (--promote puts in force)")


def show_plan(planned: SeedPlan, console: Screen) -> None:
    """A line per state: whether it is fresh, and every reason why not."""
    console.print(f"seed {planned.seed}")
    for name, state in planned.states.items():
        causes = "; ".join(
            f"{cause.kind} {cause.id} {_short(cause.was)} -> {_short(cause.now)}" for cause in state.causes
        )
        console.print(f"  {name}  {state.status:<7}  {causes}".rstrip())


def _short(value: str | None) -> str:
    return "?" if value is None else value[:12]
