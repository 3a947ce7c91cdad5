"""A plan of four seeds takes at most a second, and a run of what is stale at most two where nothing is.

Processor time is what is held against the bounds: on an idle machine it is the wall time, on a busy one the wall
says nothing.
"""

from __future__ import annotations

import os
import resource
import subprocess
import sys
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import pytest

from seg3b_assets_tests.end_to_end.installation import Installation

pytestmark = pytest.mark.e2e
SEEDS = (42, 7, 101, 202)
TRIES = 3


@pytest.fixture(scope="module")
def four(
    finished: Installation, root_of: Callable[[int], Path], tmp_path_factory: pytest.TempPathFactory
) -> Installation:
    """Four seeds of the small world in force."""
    installation = replace(finished, home=tmp_path_factory.mktemp("four") / "home")
    for seed in SEEDS:
        root_of(seed)
        installation.run(seed=seed).passed()
    return installation


def processor_seconds(installation: Installation, *arguments: str) -> float:
    """The least of several processes' user and system time; the first one also compiles."""
    environment = {**os.environ, **installation.environment}
    environment.pop("PYTHONDONTWRITEBYTECODE", None)
    command = [sys.executable, "-m", "seg3b_assets.cli", *arguments]
    taken = []
    for _ in range(1 + TRIES):
        before = resource.getrusage(resource.RUSAGE_CHILDREN)
        done = subprocess.run(command, env=environment, check=False, capture_output=True, text=True)
        assert done.returncode == 0, done.stderr
        assert "STALE" not in done.stdout
        assert "MISSING" not in done.stdout
        after = resource.getrusage(resource.RUSAGE_CHILDREN)
        taken.append(after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime)
    return min(taken[1:])


def test_a_plan_of_four_seeds_takes_at_most_a_second(four: Installation) -> None:
    assert processor_seconds(four, "plan", "--all") <= 1.0


def test_a_run_of_what_is_stale_takes_at_most_two_where_nothing_is(four: Installation) -> None:
    assert processor_seconds(four, "run", "--stale") <= 2.0
