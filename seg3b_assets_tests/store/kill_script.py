"""Run as a program: four toy seeds in a child that is killed at random instants, while another prunes.

Each round takes the policies to another posture and back, so that what the killed run leaves, what the prunes
remove and what the next run must compute differ. Prints one JSON object; the test asserts on it. Usage:
``python -m … FOLDER KILLS``.
"""

from __future__ import annotations

import os
import random
import signal
import sys
import time
from pathlib import Path
from typing import Any

import orjson

from seg3b_assets.certification.retention import prune
from seg3b_assets.laws.errors import HeldError
from seg3b_assets.pipeline import SeedPlan, plan
from seg3b_assets.pipeline.seed_run import SeedRun
from seg3b_assets_tests.pipeline.crash_script import in_child, status_of
from seg3b_assets_tests.pipeline.toy_segment import toy_segment
from seg3b_assets_tests.store.lineages import KEEP, ToyHome

SEEDS = (42, 7, 101, 202)
POSTURES = (1, 2)


def set_posture(home: ToyHome, posture: int) -> None:
    (home.settings.policies / "topology.yaml").write_text(f"topology: {posture}\n")


def run_all(home: ToyHome) -> None:
    for seed in SEEDS:
        SeedRun(home.settings, seed, toy_segment()).run()


def prune_on_and_on(home: ToyHome) -> None:
    """Prune whenever the home is free, until killed."""
    while True:
        prune_once(home)
        time.sleep(0.002)


def prune_once(home: ToyHome) -> bool:
    """Whether a prune ran; False when it was refused."""
    try:
        prune(home.store, KEEP)
    except HeldError:
        return False
    return True


def flags(home: ToyHome) -> dict[str, str]:
    """The flag the heads give, by seed."""
    found = {}
    for seed in SEEDS:
        snapshot = home.store.snapshot("S5", home.store.heads(seed)["S5"])
        assert snapshot is not None
        found[str(seed)] = snapshot.path("passed_flag_3B").read_text()
    return found


def heads_whole(home: ToyHome) -> bool:
    """Whether every head can be read and names a snapshot that is whole, byte for byte."""
    for seed in SEEDS:
        for state, key in home.store.heads(seed).items():
            snapshot = home.store.snapshot(state, key)
            if snapshot is None or snapshot.altered() is not None:
                return False
    return True


def is_truthful(home: ToyHome, planned: SeedPlan, executed: tuple[str, ...]) -> bool:
    """Whether the run that followed did no more than planned, and left the plan empty."""
    after = plan(home.settings, planned.seed, toy_segment())
    return set(executed) <= set(planned.stale) and not after.stale


def complete(home: ToyHome, planned: list[SeedPlan], truth: Path) -> None:
    """Finish every seed, noting whether each did what its plan said."""
    told = []
    for one in planned:
        record = SeedRun(home.settings, one.seed, toy_segment()).run()
        told.append(is_truthful(home, one, record.executed))
    truth.write_bytes(orjson.dumps(told))


def killed_once(home: ToyHome, undisturbed: dict[int, Any], full: float, chance: random.Random) -> Any:
    """One kill: what it left, and what the next run made of it."""
    posture = chance.choice(POSTURES)
    set_posture(home, posture)
    before = {seed: home.store.heads(seed) for seed in SEEDS}
    pruner = in_child(lambda: prune_on_and_on(home)) if chance.random() < 0.7 else None
    runner = in_child(lambda: run_all(home))
    time.sleep(full * chance.uniform(0.02, 1.0))
    os.kill(runner, signal.SIGKILL)
    died = status_of(runner) == -signal.SIGKILL
    if pruner is not None:
        time.sleep(full * chance.uniform(0.0, 0.1))
        os.kill(pruner, signal.SIGKILL)
        status_of(pruner)
    whole = heads_whole(home)
    planned = [plan(home.settings, seed, toy_segment()) for seed in SEEDS]
    now = {seed: home.store.heads(seed) for seed in SEEDS}
    kept_or_moved = all(now[one.seed] == before[one.seed] or not one.stale for one in planned)
    pruned = prune_once(home)
    truth = home.path.parent / "truth.json"
    finished = status_of(in_child(lambda: complete(home, planned, truth)))
    return {
        "died": died,
        "whole": whole,
        "kept_or_moved": kept_or_moved,
        "pruned": pruned,
        "finished": finished,
        "truthful": orjson.loads(truth.read_bytes()) if finished == 0 else [],
        "same_flags": flags(home) == undisturbed[posture],
        "stale": [len(one.stale) for one in planned],
    }


def prune_killed_once(home: ToyHome, full: float, chance: random.Random) -> Any:
    """One kill of a prune that has a lineage to remove."""
    for posture in POSTURES:
        set_posture(home, posture)
        assert status_of(in_child(lambda: SeedRun(home.settings, 42, toy_segment()).run())) == 0
    pruner = in_child(lambda: prune_once(home))
    time.sleep(full * chance.uniform(0.0, 1.0))
    os.kill(pruner, signal.SIGKILL)
    died = status_of(pruner) == -signal.SIGKILL
    whole = heads_whole(home)
    snapshots = [(root.parent.name, root.name) for root in (home.path / "snapshots").glob("S?/*")]
    half = [key for state, key in snapshots if home.store.snapshot(state, key) is None]
    fresh = [not plan(home.settings, seed, toy_segment()).stale for seed in SEEDS]
    return {"died": died, "whole": whole, "half": half, "fresh": fresh[0], "pruned": prune_once(home)}


def prune_seconds(home: ToyHome) -> float:
    """What a prune with a lineage to remove takes."""
    for posture in POSTURES:
        set_posture(home, posture)
        assert status_of(in_child(lambda: SeedRun(home.settings, 42, toy_segment()).run())) == 0
    started = time.perf_counter()
    assert status_of(in_child(lambda: prune_once(home))) == 0
    return time.perf_counter() - started


def main(folder: Path, kills: int) -> dict[str, Any]:
    chance = random.Random(11)
    calm = ToyHome.at(folder / "calm", SEEDS)
    undisturbed: dict[int, Any] = {}
    started = time.perf_counter()
    for posture in POSTURES:
        set_posture(calm, posture)
        assert status_of(in_child(lambda: run_all(calm))) == 0
        undisturbed[posture] = flags(calm)
    full = (time.perf_counter() - started) / len(POSTURES)
    home = ToyHome.at(folder / "killed", SEEDS)
    rounds = [killed_once(home, undisturbed, full, chance) for _ in range(kills)]
    full_prune = prune_seconds(home)
    prunes = [prune_killed_once(home, full_prune, chance) for _ in range(kills // 2)]
    left = sorted(path.name for path in (home.path / "staging").iterdir())
    prune(home.store, KEEP)
    snapshots = len(list((home.path / "snapshots").glob("S?/*")))
    records = [orjson.loads(path.read_bytes()) for path in (home.path / "prunes").iterdir()]
    return {
        "rounds": rounds,
        "killed_prunes": prunes,
        "staging": left,
        "trash": sorted(path.name for path in (home.path / "trash").iterdir()),
        "snapshots": snapshots,
        "prunes": len(records),
        "interrupted": sum(record["interrupted"] for record in records),
        "seconds": time.perf_counter() - started,
    }


if __name__ == "__main__":
    sys.stdout.buffer.write(orjson.dumps(main(Path(sys.argv[1]), int(sys.argv[2]))))
