"""kill -9 at any instant, several runs at once: the last good state stays readable, the next run is right."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path
from typing import Any

import orjson

from seg3b_assets_tests.pipeline.crash_script import NONDETERMINISTIC

ALL = {"S0", "S1", "S2", "S3", "S4", "S5"}
SIGKILLED = -9


def script(name: str, folder: Path) -> Any:
    command = [sys.executable, "-m", "seg3b_assets_tests.pipeline.crash_script", name, str(folder)]
    done = subprocess.run(command, capture_output=True, check=False, timeout=60)
    assert done.returncode == 0, done.stderr.decode()
    return orjson.loads(done.stdout)


def test_killed_while_s2_is_staged_the_old_heads_stay_and_the_rerun_is_right(tmp_path: Path) -> None:
    seen = script("staging", tmp_path)
    assert seen["code"] == SIGKILLED
    assert len(seen["died"]["staging"]) == 1
    assert (seen["died"]["heads"], seen["died"]["whole"]) == (seen["before"]["heads"], True)
    assert seen["after"]["heads"].keys() == ALL
    assert seen["after"]["heads"]["S2"] != seen["before"]["heads"]["S2"]
    assert (seen["after"]["whole"], seen["after"]["staging"]) == (True, [])


def test_killed_after_s2_was_published_the_old_heads_stay_and_the_rerun_is_right(tmp_path: Path) -> None:
    seen = script("handover", tmp_path)
    assert seen["code"] == SIGKILLED
    assert (seen["died"]["heads"], seen["died"]["whole"]) == (seen["before"]["heads"], True)
    assert (seen["after"]["whole"], seen["after"]["staging"]) == (True, [])
    assert seen["after"]["heads"] != seen["before"]["heads"]


def test_killed_at_random_instants_heads_are_old_or_new_and_always_whole(tmp_path: Path) -> None:
    result = script("kills", tmp_path)
    assert any(kill["died"] for kill in result["seen"])
    for kill in result["seen"]:
        assert kill["whole"]
        assert kill["kept_or_moved"]
        assert kill["truthful"]
    assert result["same_flag"]
    assert result["staging"] == []


def test_several_runs_of_one_seed_at_once_agree(tmp_path: Path) -> None:
    result = script("race", tmp_path)
    assert result["codes"] == [0, 0, 0, 0]
    assert result["heads"].keys() == ALL
    assert (result["whole"], result["staging"], result["stale"]) == (True, [], [])


def test_runs_that_disagree_have_one_winner_and_the_others_say_so(tmp_path: Path) -> None:
    result = script("disagree", tmp_path)
    assert result["codes"] == [0, NONDETERMINISTIC, NONDETERMINISTIC]
    assert (result["whole"], result["staging"]) == (True, [])
