"""Who holds a home: named while they live, forgotten when they die, told to whoever waits."""

from __future__ import annotations

import logging
import os
import signal
import subprocess
import sys
import threading
from pathlib import Path

import pytest

from seg3b_assets.locks import exclusive
from seg3b_assets.store import Store
from seg3b_assets.store.holding import announced, holders, run_lock, told

HOLD = (
    "import sys, time\nfrom pathlib import Path\nfrom seg3b_assets.store.holding import announced\n"
    "with announced(Path(sys.argv[1]), 'a run of seed 42'):\n    print('held', flush=True)\n    time.sleep(60)\n"
)


def test_a_holder_is_named_while_the_block_lasts(tmp_path: Path) -> None:
    with announced(tmp_path, "a prune"), announced(tmp_path, "a run of seed 7"):
        assert {one.purpose for one in holders(tmp_path)} == {"a prune", "a run of seed 7"}
        assert f"process {os.getpid()} on " in told(holders(tmp_path))
    assert holders(tmp_path) == []
    assert list((tmp_path / "locks" / "holders").iterdir()) == []


def test_one_that_was_killed_is_no_holder_and_its_file_goes(tmp_path: Path) -> None:
    process = subprocess.Popen([sys.executable, "-c", HOLD, str(tmp_path)], stdout=subprocess.PIPE, text=True)
    assert process.stdout is not None
    assert process.stdout.readline() == "held\n"
    assert [one.pid for one in holders(tmp_path)] == [process.pid]
    process.send_signal(signal.SIGKILL)
    process.communicate()
    assert len(list((tmp_path / "locks" / "holders").iterdir())) == 1
    assert holders(tmp_path) == []
    assert list((tmp_path / "locks" / "holders").iterdir()) == []


def test_a_run_that_must_wait_says_for_whom_and_then_runs(
    store: Store, caplog: pytest.LogCaptureFixture
) -> None:
    entered = threading.Event()

    def run() -> None:
        with store.in_use("a run of seed 42"):
            entered.set()

    run_lock(store.home).parent.mkdir(parents=True, exist_ok=True)
    waiting = threading.Thread(target=run)
    with (
        caplog.at_level(logging.WARNING, "seg3b.store"),
        exclusive(run_lock(store.home)),
        announced(store.home, "a prune"),
    ):
        waiting.start()
        while "waiting for a prune (process" not in caplog.text:
            assert waiting.is_alive()
        assert not entered.is_set()
    waiting.join(10)
    assert entered.is_set()
