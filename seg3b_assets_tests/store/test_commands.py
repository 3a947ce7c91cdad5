"""run --stale and --lane, prune and rollback from the command line: shapes, exit codes, messages."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import orjson
import pytest
from typer.testing import CliRunner, Result

from seg3b_assets.cli import app
from seg3b_assets.pipeline import Segment
from seg3b_assets_tests.pipeline.toy_segment import toy_segment
from seg3b_assets_tests.store.lineages import STATES, ToyHome


@pytest.fixture
def home(tmp_path: Path) -> ToyHome:
    return ToyHome.at(tmp_path, (42, 7))


def seg3b(home: ToyHome, *arguments: str, segment: Segment | None = None) -> Result:
    environment = {
        "SEG3B_HOME": str(home.path),
        "SEG3B_POLICIES": str(home.settings.policies),
        "SEG3B_UPSTREAM": str(home.settings.upstream),
        "SEG3B_CACHE": str(home.settings.cache),
    }
    return CliRunner(env=environment).invoke(app, list(arguments), obj=segment or toy_segment())


def printed(home: ToyHome, *arguments: str, segment: Segment | None = None) -> Any:
    done = seg3b(home, *arguments, "--json", segment=segment)
    assert done.exit_code == 0, done.stderr
    return orjson.loads(done.stdout)


def test_stale_runs_what_a_plan_calls_stale_and_nothing_else(home: ToyHome) -> None:
    seg3b(home, "run", "--seed", "42")
    seeds = printed(home, "run", "--stale")["seeds"]
    assert seeds["42"] == {"seed": 42, "stale": [], "executed": []}
    assert seeds["7"]["stale"] == seeds["7"]["executed"] == list(STATES)
    assert seeds["7"]["flag"]
    again = printed(home, "run", "--stale")["seeds"]
    assert {tuple(one["stale"]) for one in again.values()} == {()}
    assert "seed 7  fresh: nothing to run" in seg3b(home, "run", "--stale").stdout


def test_stale_after_a_code_change_begins_where_the_change_is(home: ToyHome) -> None:
    seg3b(home, "run", "--stale")
    changed = toy_segment(S3="1.1.0")
    planned = printed(home, "plan", "--seed", "42", segment=changed)["seeds"]["42"]["states"]
    assert [name for name, one in planned.items() if one["status"] != "FRESH"] == ["S3", "S4", "S5"]
    done = printed(home, "run", "--stale", "--seed", "42", segment=changed)["seeds"]["42"]
    assert done["stale"] == ["S3", "S4", "S5"]
    assert done["executed"] == ["S3"]  # its bytes are the same, so the wave stops there
    assert printed(home, "run", "--stale", "--seed", "42", segment=changed)["seeds"]["42"]["stale"] == []


@pytest.mark.parametrize(
    "arguments",
    [("--stale", "--recompute"), ("--lane", "witness", "--seed", "42"), (), ("--lane", "nonsense")],
)
def test_what_cannot_be_meant_together_is_a_usage_error(home: ToyHome, arguments: tuple[str, ...]) -> None:
    assert seg3b(home, "run", *arguments).exit_code == 2
    assert not home.path.exists()


def test_a_lane_runs_its_seeds_and_prunes_first_where_it_says_so(home: ToyHome) -> None:
    old, now = home.run(1), home.run(2)
    assert list(printed(home, "run", "--lane", "witness")["seeds"]) == ["42", "7"]
    assert home.whole(old)
    assert list(printed(home, "run", "--lane", "shadow")["seeds"]) == ["7"]
    assert home.gone(old)
    assert home.whole(now)


def test_a_lane_that_cannot_prune_says_so_and_runs(home: ToyHome, caplog: pytest.LogCaptureFixture) -> None:
    old, _ = home.run(1), home.run(2)
    with home.store.in_use("another run"):
        assert seg3b(home, "run", "--lane", "shadow").exit_code == 0
    assert home.whole(old)
    assert "nothing was pruned before this run: Wait for another run (process" in caplog.text


def test_prune_lists_then_removes_and_its_json_is_the_documented_one(home: ToyHome) -> None:
    old, _ = home.run(1), home.run(2)
    rehearsed = printed(home, "prune", "--dry-run")
    assert list(rehearsed) == ["prune_id", "kept", "removed", "bytes", "held_by", "strays", "strays_total"]
    assert home.whole(old)
    done = seg3b(home, "prune")
    assert done.exit_code == 0
    assert f"S2/{old.keys['S2'][:12]}" in done.stdout
    assert "what snapshots cost to compute: 6" in done.stdout
    assert " freed " in done.stdout
    assert home.gone(old)
    assert printed(home, "prune") == {**rehearsed, "removed": [], "bytes": 0}
    assert "everything is reached" in seg3b(home, "prune").stdout


def test_prune_names_a_hundred_strays_and_counts_the_rest(home: ToyHome) -> None:
    home.run(1)
    for name in range(300):
        (home.settings.home / f"note {name:03d}").touch()
    told = printed(home, "prune", "--dry-run")
    assert (len(told["strays"]), told["strays_total"]) == (100, 300)
    lines = seg3b(home, "prune").stdout.splitlines()
    assert len([line for line in lines if line.startswith("not ours")]) == 101
    assert "not ours, left where it is: 200 more" in lines


def test_prune_beside_a_run_is_refused_with_code_3_and_the_runs_name(home: ToyHome) -> None:
    home.run(1)
    with home.store.in_use("a run of seed 42"):
        refused = seg3b(home, "prune", "--json")
        assert "a prune would be refused now: a run of seed 42" in seg3b(home, "prune", "--dry-run").stdout
    assert refused.exit_code == 3
    assert orjson.loads(refused.stdout)["error"]["code"] == "E3B_S5_OUTPUT_WRITE_FAILED"
    assert "Wait for a run of seed 42 (process" in refused.stderr


def test_rollback_tells_what_moves_and_then_stale_rolls_forward_again(home: ToyHome) -> None:
    good = home.run(1)
    assert seg3b(home, "rollback").exit_code == 3
    home.refs.move("last_good", {42: good.lineage_id})
    home.run(2)
    assert printed(home, "rollback", "--dry-run")["seeds"]["42"]["moved"] == list(STATES)
    assert "moved S0, S1, S2, S3, S4, S5" in seg3b(home, "rollback").stdout
    assert home.store.heads(42) == good.keys
    forward = printed(home, "run", "--stale", "--seed", "42")["seeds"]["42"]
    assert (forward["stale"], forward["executed"]) == (list(STATES), [])
    assert seg3b(home, "rollback", "--seed", "7").exit_code == 3
