"""What people wait for once four seeds are in force: a plan, a run with nothing to do, the verification of a tree.

Each is a process of its own, measured from its start to its end; the median of its turns is what counts.
"""

from __future__ import annotations

import os
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Final

import orjson
import typer

from seg3b_assets.bench.targets import Target, goals, seg3b
from seg3b_assets.screen import Screen, Table
from seg3b_assets.terminal import complain, say_json
from seg3b_assets.wording import number

PLAN, STALE, VERIFY, WHOLE = "plan --all", "run --stale", "verify", "verify --upstream --strict"
SECONDS: Final = {PLAN: 1.0, STALE: 2.0, VERIFY: 6.0}
MEGABYTES: Final = {VERIFY: 1500.0}


@dataclass(frozen=True)
class Turn:
    """One process: wall and CPU seconds, and the most memory it held."""

    wall_s: float
    cpu_s: float
    peak_mb: float


def measure_commands(turns: int, folder: Path, as_json: bool) -> None:
    """Bring the policy's seeds up to date in a fresh home, and measure each command several times.

    Args:
        turns: how often each takes its turn.
        folder: where the home is made, and removed.
        as_json: print one JSON object, no tables.
    """
    folder.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(prefix="commands-", dir=folder) as private:
        home, tree = Path(private).absolute() / "home", Path(private).absolute() / "tree"
        complain("running every seed of the certification policy, uncounted")
        seeds = list(orjson.loads(seg3b("plan", "--all", "--home", str(home), "--json"))["seeds"])
        seg3b("run", *(f"--seed={seed}" for seed in seeds), "--home", str(home))
        seed = seeds[0]
        seg3b("export", "heads", str(tree), "--seed", seed, "--home", str(home))
        built = orjson.loads(seg3b("world", "build", "--seed", seed, "--json"))
        upstream = built["worlds"][seed]["root"]
        asked = {
            PLAN: ["plan", "--all", "--home", str(home)],
            STALE: ["run", "--stale", "--home", str(home)],
            VERIFY: ["verify", str(tree)],
            WHOLE: ["verify", str(tree), "--upstream", upstream, "--strict"],
        }
        found: dict[str, list[Turn]] = {name: [] for name in asked}
        for turn in range(turns):
            for name, arguments in asked.items():
                complain(f"turn {turn + 1} of {turns}: {name}")
                found[name].append(_turn(arguments))
    targets = targets_of(found)
    if as_json:
        printed = {name: [asdict(one) for one in of_name] for name, of_name in found.items()}
        document = {"runs": printed, "targets": [target.as_json() for target in targets]}
        say_json(document)
        return
    _show(found, targets)


def targets_of(found: Mapping[str, Sequence[Turn]]) -> list[Target]:
    """The medians of what has a target."""
    walls = [Target(name, _median(found[name], "wall_s"), at_most, "s") for name, at_most in SECONDS.items()]
    peaks = [
        Target(f"{name}: peak memory", _median(found[name], "peak_mb"), at_most, "MB")
        for name, at_most in MEGABYTES.items()
    ]
    return walls + peaks


def _median(turns: Sequence[Turn], figure: str) -> float:
    return statistics.median(float(getattr(turn, figure)) for turn in turns)


def _turn(arguments: list[str]) -> Turn:
    started = time.perf_counter()
    command = [sys.executable, "-m", "seg3b_assets.cli", *arguments]
    process = subprocess.Popen(command, stdout=subprocess.DEVNULL)
    _, status, usage = os.wait4(process.pid, 0)
    process.returncode = os.waitstatus_to_exitcode(status)
    if process.returncode:
        raise typer.Exit(process.returncode)
    # Linux counts in kibibytes.
    wall_s, cpu_s = time.perf_counter() - started, usage.ru_utime + usage.ru_stime
    return Turn(wall_s, cpu_s, usage.ru_maxrss * 1024 / 1e6)


def _show(found: Mapping[str, Sequence[Turn]], targets: list[Target]) -> None:
    console = Screen()
    turns = max(map(len, found.values()))
    table = Table("wall s / CPU s / peak MB", *(f"turn {turn + 1}" for turn in range(turns)))
    for name, of_name in found.items():
        table.add_row(
            name, *(" / ".join(map(number, (one.wall_s, one.cpu_s, one.peak_mb))) for one in of_name)
        )
    console.print(table)
    console.print()
    console.print(goals(targets))
    console.print(f"load {number(os.getloadavg()[0])} on {os.cpu_count()} processors", style="dim")
