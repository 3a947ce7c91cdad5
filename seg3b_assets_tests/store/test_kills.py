"""kill -9 at twenty random instants of a run of four seeds, with prunes in between and during."""

from __future__ import annotations

import subprocess
import sys
from typing import Any

import orjson
import pytest

from seg3b_assets_tests.store.lineages import STATES

pytestmark = pytest.mark.e2e
KILLS = 20


@pytest.fixture(scope="module")
def killed(tmp_path_factory: pytest.TempPathFactory) -> Any:
    """What every kill left, and what the next run made of it."""
    folder = tmp_path_factory.mktemp("kills")
    command = [sys.executable, "-m", "seg3b_assets_tests.store.kill_script", str(folder), str(KILLS)]
    done = subprocess.run(command, capture_output=True, check=False, timeout=300)
    assert done.returncode == 0, done.stderr.decode()
    return orjson.loads(done.stdout)


def test_after_every_kill_the_heads_are_whole_and_old_or_new(killed: Any) -> None:
    # A run on a machine that has become less busy may end before its kill.
    assert sum(one["died"] for one in killed["rounds"]) >= KILLS // 4
    assert any(0 < stale < len(STATES) * 4 for stale in (sum(one["stale"]) for one in killed["rounds"]))
    for one in killed["rounds"]:
        assert one["whole"]
        assert one["kept_or_moved"]


def test_after_every_kill_the_plan_is_truthful_and_the_next_run_completes(killed: Any) -> None:
    for one in killed["rounds"]:
        assert one["pruned"]  # a dead run's lock died with it
        assert one["finished"] == 0
        assert one["truthful"] == [True] * 4
        assert one["same_flags"]


def test_a_killed_prune_leaves_whole_things_only_and_the_next_one_finishes_it(killed: Any) -> None:
    assert any(one["died"] for one in killed["killed_prunes"])
    for one in killed["killed_prunes"]:
        assert one["whole"]
        assert one["half"] == []
        assert one["fresh"]
        assert one["pruned"]


def test_in_the_end_nothing_is_left_that_nothing_reaches(killed: Any) -> None:
    assert (killed["staging"], killed["trash"]) == ([], [])
    assert killed["snapshots"] == 4 * len(STATES)
    assert killed["prunes"] >= 1
