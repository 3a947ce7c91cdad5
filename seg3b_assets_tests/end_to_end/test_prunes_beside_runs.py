"""Real processes over one home: runs of the same and of different seeds with prunes among them, and kill -9 at
random instants of a run of four seeds. Nothing is corrupted, there is one truth, and whoever must wait is told.
"""

from __future__ import annotations

import random
import shutil
import signal
import subprocess
import time
from collections.abc import Callable
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import pytest

from seg3b_assets_tests.end_to_end.installation import STATES, Installation, Outcome, finish

pytestmark = pytest.mark.soak
SEEDS = (42, 7, 101, 202)
KILLS = 20


@dataclass(frozen=True)
class Race:
    """Three runs that began together on an empty home, and the prunes that were tried meanwhile."""

    installation: Installation
    first: dict[str, Any]
    same_seed: dict[str, Any]
    other_seed: dict[str, Any]
    prunes: list[Outcome]


@pytest.fixture(scope="module")
def race(
    finished: Installation, root_of: Callable[[int], Path], tmp_path_factory: pytest.TempPathFactory
) -> Race:
    root_of(7)
    shared = replace(finished, home=tmp_path_factory.mktemp("race") / "home")
    processes = [shared.start(), shared.start("--recompute"), shared.start(seed=7)]
    prunes = []
    while any(process.poll() is None for process in processes):
        prunes.append(shared.seg3b("prune", "--json"))
        time.sleep(0.05)
    return Race(shared, *(finish(process).passed() for process in processes), prunes)


def test_runs_with_prunes_among_them_are_what_they_are_alone(race: Race, finished: Installation) -> None:
    assert race.first["flag"] == race.same_seed["flag"] == finished.run().passed()["flag"]
    assert race.other_seed["flag"] != race.first["flag"]
    assert race.installation.digests() == finished.digests()
    condition = race.installation.condition()
    assert (condition.spoilt, condition.leftovers) == ([], [])
    assert len(condition.snapshots) == 2 * len(STATES)


def test_every_prune_ran_or_was_refused_by_name(race: Race) -> None:
    refused = [one for one in race.prunes if one.exit_code == 3]
    assert refused
    assert {one.exit_code for one in race.prunes} <= {0, 3}
    assert all("Wait for " in one.stderr for one in refused)
    assert any("a run of seed " in one.stderr for one in refused)


@dataclass(frozen=True)
class Killed:
    """One kill: what it left, and what the next run made of it.

    Attributes:
        died: whether the run was still at work when it was killed.
        spoilt: snapshots that are not whole. heads: whether each seed's are the old ones, or fresh.
        planned, executed: states by seed, as planned after the kill and as computed by the next run.
        flags: by seed, after the next run. expected: of an undisturbed one.
    """

    died: bool
    spoilt: list[str]
    heads: bool
    planned: dict[int, list[str]]
    executed: dict[int, list[str]]
    flags: dict[int, str]
    expected: dict[int, str]


@pytest.fixture(scope="module")
def kills(
    finished: Installation, root_of: Callable[[int], Path], tmp_path_factory: pytest.TempPathFactory
) -> list[Killed]:
    folder, chance = tmp_path_factory.mktemp("kills"), random.Random(5)
    for seed in SEEDS:
        root_of(seed)
    postures = [
        replace(finished, home=folder / "home", policies=_posture(finished, folder, n)) for n in (0, 1)
    ]
    expected = [_undisturbed(replace(one, home=folder / f"calm-{n}")) for n, one in enumerate(postures)]
    started = time.perf_counter()
    assert finish(_start(postures[0])).exit_code == 0
    full = time.perf_counter() - started
    found = []
    for number in range(KILLS):
        turn = number % 2  # the other posture each time, whose snapshots a prune has removed
        found.append(_killed(postures[1 - turn], full * chance.uniform(0.1, 0.95), expected[1 - turn]))
    return found


def _posture(finished: Installation, folder: Path, number: int) -> Path:
    policies = Path(shutil.copytree(finished.policies, folder / f"policies-{number}"))
    with (policies / "edge_topology.yaml").open("ab") as topology:
        topology.write(b"# posture %d\n" % number)
    return policies


def _start(installation: Installation) -> subprocess.Popen[str]:
    first, *others = SEEDS
    return installation.start("--stale", *(f"--seed={seed}" for seed in others), seed=first)


def _stale(installation: Installation) -> dict[int, dict[str, Any]]:
    done = installation.seg3b("run", "--stale", "--json", *(f"--seed={seed}" for seed in SEEDS)).passed()
    return {int(seed): one for seed, one in done["seeds"].items()}


def _undisturbed(installation: Installation) -> dict[int, str]:
    _stale(installation)
    return _flags(installation)


def _flags(installation: Installation) -> dict[int, str]:
    return {seed: installation.path("passed_flag_3B", seed).read_text() for seed in SEEDS}


def _killed(now: Installation, after_s: float, expected: dict[int, str]) -> Killed:
    before = {seed: now.heads(seed) for seed in SEEDS}
    process = _start(now)
    time.sleep(after_s)
    process.send_signal(signal.SIGKILL)
    died = finish(process).exit_code == -signal.SIGKILL
    spoilt = now.condition().spoilt
    states = {seed: _planned(now, seed) for seed in SEEDS}
    heads = all(now.heads(seed) == before[seed] or not states[seed] for seed in SEEDS)
    assert now.seg3b("prune", "--json").passed()
    executed = {seed: one["executed"] for seed, one in _stale(now).items()}
    return Killed(died, spoilt, heads, states, executed, _flags(now), expected)


def _planned(installation: Installation, seed: int) -> list[str]:
    seeds = installation.seg3b("plan", "--seed", str(seed), "--json").passed()["seeds"]
    return [name for name, one in seeds[str(seed)]["states"].items() if one["status"] != "FRESH"]


def test_after_every_kill_the_plan_is_truthful_and_the_heads_are_whole(kills: list[Killed]) -> None:
    assert sum(one.died for one in kills) >= KILLS // 2
    for one in kills:
        assert one.spoilt == []
        assert one.heads
        for seed in SEEDS:
            assert set(one.executed[seed]) <= set(one.planned[seed])


def test_after_every_kill_the_next_run_gives_the_flags_of_an_undisturbed_one(kills: list[Killed]) -> None:
    for one in kills:
        assert one.flags == one.expected
