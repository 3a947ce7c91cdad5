"""What Dagster adds is held against the command line turn by turn; the measuring itself is ``make bench``."""

import os
import subprocess
import sys
import time

from seg3b_assets.bench.dagster_overhead import (
    ALONE,
    COLD,
    JOB,
    LAUNCHED,
    SEGMENT,
    SIDES,
    TOLD,
    Spent,
    tree_cpu_s,
)
from seg3b_assets.bench.dagster_overhead import compared as compare

BUSY = "import time\nwhile time.process_time() < 0.3: pass\n"


def test_sides_are_compared_within_their_turn_and_by_the_median() -> None:
    alone = [Spent(10.0, 12.0), Spent(20.0, 13.0), Spent(11.0, 12.5)]
    spent = dict.fromkeys(SIDES, alone) | {
        TOLD: [Spent(11.0, 13.0), Spent(21.5, 14.0), Spent(19.0, 30.0)],
        COLD: [Spent(one.wall_s + 8.1, one.cpu_s) for one in alone],
    }
    found = {(one.side, one.base): one for one in compare(spent)}
    assert set(found) == {(TOLD, ALONE), (JOB, SEGMENT), (LAUNCHED, ALONE), (COLD, ALONE)}
    told = found[TOLD, ALONE]
    assert (told.wall_s, told.cpu_s, told.met) == (1.5, 1.0, True)
    assert not found[COLD, ALONE].met
    assert found[JOB, SEGMENT].as_json() == {
        "side": JOB,
        "base": SEGMENT,
        "wall_s": 0.0,
        "cpu_s": 0.0,
        "at_most": 3.0,
        "met": True,
    }


def test_cpu_seconds_are_those_of_children_running_and_ended() -> None:
    before = tree_cpu_s(os.getpid())
    subprocess.run([sys.executable, "-c", BUSY], check=True)
    ended = tree_cpu_s(os.getpid())
    assert ended - before >= 0.25
    running = subprocess.Popen([sys.executable, "-c", BUSY + "time.sleep(60)"])
    try:
        until = time.monotonic() + 30
        while tree_cpu_s(os.getpid()) - ended < 0.25:
            assert time.monotonic() < until
            time.sleep(0.05)
    finally:
        running.kill()
        running.wait()
