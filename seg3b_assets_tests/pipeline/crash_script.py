"""Run as a program: toy runs in forked children that are killed, or that race, over one home.

Children are forked from a process that has not used polars, so a run costs no interpreter start. Prints one
JSON object; the tests assert on it. Usage: ``python -m … {kills|staging|handover|race|disagree} FOLDER``.
"""

from __future__ import annotations

import os
import random
import signal
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import orjson

from seg3b_assets.laws.errors import Seg3BError
from seg3b_assets.pipeline import Segment, plan
from seg3b_assets.pipeline.seed_run import SeedRun
from seg3b_assets.settings import Settings
from seg3b_assets.states.context import StateContext
from seg3b_assets.store import Store
from seg3b_assets_tests.pipeline.toy_segment import run_s2, run_s3, toy_segment, toy_settings
from seg3b_assets_tests.store.toy_contracts import toy_contract
from seg3b_assets_tests.waiting import until

NONDETERMINISTIC = 4
KILLS = 12


def in_child(body: Callable[[], Any]) -> int:
    """Fork a child that runs ``body`` and exits with what became of it; returns its pid."""
    pid = os.fork()
    if pid:
        return pid
    code = 1
    try:
        body()
        code = 0
    except Seg3BError as error:
        code = NONDETERMINISTIC if error.name == "NONDETERMINISTIC_OUTPUT" else 3
    finally:
        os._exit(code)


def status_of(pid: int) -> int:
    return os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1])


def run(settings: Settings, segment: Segment, recompute: bool = False) -> Callable[[], Any]:
    return lambda: SeedRun(settings, 42, segment).run(recompute=recompute)


def kill_self(context: StateContext) -> None:
    os.kill(os.getpid(), signal.SIGKILL)


def state_of(settings: Settings) -> dict[str, Any]:
    """Heads, whether every head's snapshot is whole, and what lies in staging."""
    store = Store(settings.home, toy_contract)
    heads = store.heads(42)
    whole = all(store.snapshot(state, key) is not None for state, key in heads.items())
    staging = settings.home / "staging"
    left = sorted(path.name for path in staging.iterdir()) if staging.is_dir() else []
    return {"heads": heads, "whole": whole, "staging": left}


def flag_of(settings: Settings) -> str:
    """The flag the heads give."""
    store = Store(settings.home, toy_contract)
    snapshot = store.snapshot("S5", store.heads(42)["S5"])
    assert snapshot is not None
    return snapshot.path("passed_flag_3B").read_text()


def kills(folder: Path) -> dict[str, Any]:
    """Edit a policy, run, kill at a random instant; again and again; then let one run finish."""
    settings, undisturbed = toy_settings(folder / "a"), toy_settings(folder / "b")
    segment, chance = toy_segment(), random.Random(3)
    started = time.perf_counter()
    assert status_of(in_child(run(settings, segment))) == 0
    full = time.perf_counter() - started
    seen = []
    for number in range(KILLS):
        before = state_of(settings)["heads"]
        (settings.policies / "topology.yaml").write_text(f"topology: edit {number}\n")
        pid = in_child(run(settings, segment))
        time.sleep(full * chance.uniform(0.05, 0.8))
        os.kill(pid, signal.SIGKILL)
        died = status_of(pid) == -signal.SIGKILL
        after = state_of(settings)
        planned = plan(settings, 42, segment)
        seen.append(
            {
                "died": died,
                "whole": after["whole"],
                "kept_or_moved": after["heads"] == before or not planned.stale,
                "truthful": bool(planned.stale) == (after["heads"] == before),
            }
        )
    assert status_of(in_child(run(settings, segment))) == 0
    (undisturbed.policies / "topology.yaml").write_text(f"topology: edit {KILLS - 1}\n")
    assert status_of(in_child(run(undisturbed, segment))) == 0
    same = flag_of(settings) == flag_of(undisturbed)
    return {"seen": seen, "same_flag": same, "staging": state_of(settings)["staging"]}


def staging(folder: Path) -> dict[str, Any]:
    """Die inside S2, with half of it staged."""

    def half(context: StateContext) -> None:
        run_s2(context)
        kill_self(context)

    return _died_then_ran(folder, toy_segment(S2=half))


def handover(folder: Path) -> dict[str, Any]:
    """Die between S2's publishing and everything after it."""

    def begin_s3(context: StateContext) -> None:
        run_s3(context)
        kill_self(context)

    return _died_then_ran(folder, toy_segment(S3=begin_s3))


def _died_then_ran(folder: Path, deadly: Segment) -> dict[str, Any]:
    settings = toy_settings(folder)
    assert status_of(in_child(run(settings, toy_segment()))) == 0
    before = state_of(settings)
    (settings.policies / "topology.yaml").write_text("topology: 2\n")
    code = status_of(in_child(run(settings, deadly)))
    died = state_of(settings)
    assert status_of(in_child(run(settings, toy_segment()))) == 0
    return {"code": code, "before": before, "died": died, "after": state_of(settings)}


def race(folder: Path) -> dict[str, Any]:
    """Four runs of one seed at once, all computing, on an empty home."""
    settings = toy_settings(folder)
    pids = [in_child(run(settings, toy_segment(), recompute=True)) for _ in range(4)]
    codes = [status_of(pid) for pid in pids]
    return {"codes": codes, **state_of(settings), "stale": plan(settings, 42, toy_segment()).stale}


def disagree(folder: Path) -> dict[str, Any]:
    """Three runs at once whose S3 gives each its own bytes: one publishes, the others are told."""

    def own_bytes(context: StateContext) -> None:
        (folder / f"{os.getpid()}.here").touch()
        # All of them find the key unpublished.
        until(lambda: len(list(folder.glob("*.here"))) == 3, 60, "third run at S3")
        context.out.blob("edge_alias_blob_3B", str(os.getpid()).encode())

    settings = toy_settings(folder)
    pids = [in_child(run(settings, toy_segment(S3=own_bytes))) for _ in range(3)]
    codes = [status_of(pid) for pid in pids]
    return {"codes": sorted(codes), **state_of(settings)}


if __name__ == "__main__":
    script = {"kills": kills, "staging": staging, "handover": handover, "race": race, "disagree": disagree}
    sys.stdout.buffer.write(orjson.dumps(script[sys.argv[1]](Path(sys.argv[2]))))
