"""The bench compares what it measured with the targets; the measuring itself is ``make bench``."""

from __future__ import annotations

from seg3b_assets.bench import command_line
from seg3b_assets.bench.command_line import Measured, seed_targets


def measured(s2: float, merchants: int, total: float) -> Measured:
    states = {name: {"wall_s": 1.0, "peak_rss_mb": 500.0} for name in ("S0", "S1", "S3", "S4", "S5")}
    states["S2"] = {"wall_s": s2, "peak_rss_mb": 900.0}
    run = {"states": states, "counts": {"merchants": merchants}, "total_wall_s": total}
    return Measured(process_s=total + 1, run=run, evidence_bytes=1, guard_share={"tempering": 0.3})


def test_targets_are_relative_to_the_default_run() -> None:
    runs = {
        "default": measured(3.0, 1000, 8.0),
        "default again": measured(0.0, 1000, 1.0),
        "fine": measured(5.5, 1000, 10.0),
        "many": measured(30.0, 10_000, 89.0),
    }
    targets = {target.name: target for target in seed_targets(runs, "fine", "many")}
    assert targets["default: peak memory"].measured == 900.0
    assert not targets["default: merchants tempered, share"].met
    assert targets["default again: whole process"].met
    assert targets["fine: S2 beyond the default's"].measured == 2.5
    scaling = targets["many: time for 10x the merchants"]
    assert (round(scaling.at_most, 6), scaling.met) == (11.0, False)


def test_skipped_variants_have_no_target() -> None:
    runs = {"default": measured(3.0, 1000, 8.0), "default again": measured(0.0, 1000, 1.0)}
    assert {target.name.split(":")[0] for target in seed_targets(runs, "fine", "many")} == {
        "default",
        "default again",
    }


def test_a_command_is_held_to_the_median_of_its_turns() -> None:
    turns = [command_line.Turn(wall_s, 1.0, 800.0) for wall_s in (0.9, 1.6, 0.8)]
    found = dict.fromkeys((command_line.PLAN, command_line.STALE, command_line.VERIFY), turns)
    targets = {target.name: target for target in command_line.command_targets(found)}
    assert targets["plan --all"].measured == 0.9
    assert targets["verify: peak memory"].measured == 800.0
    assert all(target.met for target in targets.values())
