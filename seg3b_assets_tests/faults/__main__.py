"""``make faults``: plant every fault, say how many were caught and in what time, and write the table of them."""

from __future__ import annotations

import argparse
import os
import sys
import time
from collections.abc import Callable
from pathlib import Path

from seg3b_assets.doors import through_door
from seg3b_assets.settings import REPOSITORY
from seg3b_assets_tests.faults.false_alarms import RUNS, try_untouched_runs
from seg3b_assets_tests.faults.fault import Outcome
from seg3b_assets_tests.faults.page import fault_page
from seg3b_assets_tests.faults.trial import try_faults

PAGE = REPOSITORY / "docs" / "faults.md"


def main() -> int:
    """Exit code 0 when every fault was caught by its check alone and no untouched run raised an alarm."""
    parser = argparse.ArgumentParser(prog="python -m seg3b_assets_tests.faults", description=__doc__)
    parser.add_argument("--only", default="", help="faults whose name holds this text")
    parser.add_argument("--workers", type=_count(1), default=len(os.sched_getaffinity(0)))
    parser.add_argument(
        "--runs", type=_count(0), default=RUNS, help="untouched runs over random policies and seeds"
    )
    given = parser.parse_args()
    sound = _faults(given.only, given.workers)
    return 0 if _untouched(given.runs, given.workers) and sound else 1


def _count(least: int) -> Callable[[str], int]:
    def count(text: str) -> int:
        if not text.isascii() or not text.isdigit() or len(text) > 6 or int(text) < least:
            raise argparse.ArgumentTypeError(f"{text[:20]!r} is not a number from {least} to 999999")
        return int(text)

    return count


def _faults(only: str, workers: int) -> bool:
    started = time.perf_counter()
    outcomes = try_faults(only, workers, _complain)
    caught = sum(outcome.caught for outcome in outcomes)
    _say(f"faults: caught {caught} of {len(outcomes)} in {time.perf_counter() - started:.0f} s")
    sound = all(outcome.sound for outcome in outcomes)
    PAGE.write_text(fault_page(), encoding="utf-8")
    return sound


def _complain(outcome: Outcome) -> None:
    if not outcome.sound:
        _say(_complaint(outcome))


def _complaint(outcome: Outcome) -> str:
    if not outcome.caught:
        return f"missed: {outcome.name}; fired: {', '.join(outcome.fired) or 'nothing'}"
    if outcome.wrong:
        return f"wrong kind: {outcome.name}; claimed by {', '.join(outcome.wrong)}"
    return f"no example: {outcome.name}"


def _untouched(runs: int, workers: int) -> bool:
    if not runs:
        return True
    started = time.perf_counter()
    alarms = try_untouched_runs(runs, workers)
    for alarm in alarms:
        _say(f"false alarm: {alarm}")
    quiet = runs - len(alarms)
    _say(f"untouched runs: {quiet} of {runs} verify in {time.perf_counter() - started:.0f} s")
    return not alarms


def _say(text: str) -> None:
    sys.stdout.write(f"{text}\n")
    sys.stdout.flush()


if __name__ == "__main__":
    Path(PAGE.parent).mkdir(exist_ok=True)
    through_door(main)
