"""What the command line costs, held against the project's targets; each figure is of a process of its own.

One seed, whole and per state: in the configured world, again where everything is reused, in larger worlds. And what
people wait for once four seeds are in force: a plan, a run with nothing to do, the verification of a tree; measured
from start to end, the median of their turns is what counts.
"""

from __future__ import annotations

import os
import shutil
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any, Final

import orjson
import typer

from seg3b_assets.contracts import contract
from seg3b_assets.screen import Screen, Table
from seg3b_assets.store import Snapshot, Store
from seg3b_assets.terminal import complain, say_json
from seg3b_assets.wording import number, percent

EVIDENCE = (
    "rng_event_edge_jitter_3B",
    "rng_event_edge_tile_assign_3B",
    "rng_trace_log_3B",
    "rng_audit_log_3B",
)
GUARDS = ("sparse_tail", "min_support", "country_cap", "tempering")

PLAN, STALE, VERIFY, WHOLE = "plan --all", "run --stale", "verify", "verify --upstream --strict"
SECONDS: Final = {PLAN: 1.0, STALE: 2.0, VERIFY: 6.0}
MEGABYTES: Final = {VERIFY: 1500.0}


@dataclass(frozen=True)
class Target:
    """A figure and the most it should be."""

    name: str
    measured: float
    at_most: float
    unit: str

    @property
    def met(self) -> bool:
        return self.measured <= self.at_most

    def as_json(self) -> dict[str, Any]:
        figures = {"measured": round(self.measured, 3), "at_most": self.at_most, "unit": self.unit}
        return {"name": self.name, **figures, "met": self.met}


def goals(targets: Iterable[Target]) -> Table:
    """The targets as a person reads them; a missed one is shown, and no error."""
    table = Table("target", "measured", "at most", "")
    for target in targets:
        limits = (f"{number(one)} {target.unit}" for one in (target.measured, target.at_most))
        table.add_row(target.name, *limits, "met" if target.met else "MISSED")
    return table


def seg3b(*arguments: str) -> bytes:
    """What a command prints; raises typer.Exit with its exit code, when it failed."""
    command = [sys.executable, "-m", "seg3b_assets.cli", *arguments]
    done = subprocess.run(command, stdout=subprocess.PIPE, check=False)
    if done.returncode:
        raise typer.Exit(done.returncode)
    return done.stdout


@dataclass(frozen=True)
class Measured:
    """One run in a process of its own.

    Attributes:
        process_s: wall seconds of the whole process, interpreter start included.
        run: what ``seg3b run --json`` printed.
        evidence_bytes: size of the RNG evidence.
        guard_share: share of virtual merchants each guard touched; empty in a world without any.
    """

    process_s: float
    run: dict[str, Any]
    evidence_bytes: int
    guard_share: dict[str, float]

    def wall_s(self, state: str) -> float:
        return float(self.run["states"][state]["wall_s"])

    @property
    def peak_mb(self) -> float:
        """Largest of the states' peaks: the process's own mark is reset between states."""
        return max(float(state["peak_rss_mb"]) for state in self.run["states"].values())

    def as_json(self) -> dict[str, Any]:
        return {
            "process_s": round(self.process_s, 3),
            "peak_rss_mb": self.peak_mb,
            "evidence_bytes": self.evidence_bytes,
            "guard_share": self.guard_share,
            "run": self.run,
        }


def measure_seed(seed: int, surface: float, merchants: int, folder: Path, as_json: bool) -> None:
    """Measure the configured world, a run that reuses everything, a larger surface and more merchants.

    Args:
        surface: tile side of the larger surface, degrees; 0 for none.
        merchants: of the scaling run; 0 for none.
        folder: where fresh homes are made, and removed.
        as_json: print one JSON object, no tables.
    """
    variants: dict[str, list[str]] = {"default": []}
    if surface:
        variants[f"surface {surface} deg"] = ["--world-resolution", f"{surface}"]
    if merchants:
        variants[f"{number(merchants)} merchants"] = ["--world-merchants", f"{merchants}"]
    folder.mkdir(parents=True, exist_ok=True)
    runs: dict[str, Measured] = {}
    for name, options in variants.items():
        complain(f"{name}: building its world if it is not cached, then running")
        of_world = (option.replace("--world-", "--") for option in options)
        seg3b("world", "build", "--seed", str(seed), *of_world)
        home = Path(tempfile.mkdtemp(prefix="home-", dir=folder))
        try:
            runs[name] = measure(home, seed, options)
            if name == "default":
                runs["default again"] = measure(home, seed, options)
        finally:
            shutil.rmtree(home, ignore_errors=True)
    targets = seed_targets(runs, f"surface {surface} deg", f"{number(merchants)} merchants")
    if as_json:
        printed = {name: measured.as_json() for name, measured in runs.items()}
        document = {"runs": printed, "targets": [target.as_json() for target in targets]}
        say_json(document)
        return
    _show_seed(runs, targets)


def measure(home: Path, seed: int, options: list[str]) -> Measured:
    """One ``seg3b run`` in a process of its own.

    Raises:
        typer.Exit: with the run's exit code, when it failed.
    """
    started = time.perf_counter()
    printed = seg3b("run", "--seed", str(seed), "--home", str(home), "--json", *options)
    elapsed = time.perf_counter() - started
    run = orjson.loads(printed)
    snapshot = Store(home, contract).snapshot("S2", run["states"]["S2"]["key"])
    if snapshot is None:
        raise RuntimeError(f"{home} lost its snapshot of S2 while it was measured")
    evidence = sum(snapshot.outputs[name].bytes for name in EVIDENCE)
    return Measured(elapsed, run, evidence, _guard_share(snapshot))


def seed_targets(runs: dict[str, Measured], surface: str, merchants: str) -> list[Target]:
    """The project's targets for what was measured; ``surface`` and ``merchants`` name those runs."""
    base = runs["default"]
    targets = [
        Target("default: S0-S5, whole process", base.process_s, 10.0, "s"),
        Target("default: S2", base.wall_s("S2"), 4.0, "s"),
        Target("default: S5", base.wall_s("S5"), 4.0, "s"),
        Target("default: peak memory", base.peak_mb, 2000.0, "MB"),
        Target("default: merchants tempered, share", base.guard_share.get("tempering", 0.0), 0.25, ""),
        Target("default again: whole process", runs["default again"].process_s, 3.0, "s"),
    ]
    if surface in runs:
        more = runs[surface].wall_s("S2") - base.wall_s("S2")
        targets.append(Target(f"{surface}: S2 beyond the default's", more, 3.0, "s"))
    if merchants in runs:
        ratio = runs[merchants].run["counts"]["merchants"] / base.run["counts"]["merchants"]
        times = runs[merchants].run["total_wall_s"] / base.run["total_wall_s"]
        linear = 1.1 * ratio
        targets.append(Target(f"{merchants}: time for {number(ratio)}x the merchants", times, linear, "x"))
    return targets


def _guard_share(snapshot: Snapshot) -> dict[str, float]:
    summary = orjson.loads(snapshot.path("s2_summary_3B").read_bytes())
    merchants = summary["virtual_merchants"]
    return {name: summary["guard_counts"][name] / merchants for name in GUARDS} if merchants else {}


def _show_seed(runs: dict[str, Measured], targets: list[Target]) -> None:
    console = Screen()
    table = Table("", *runs)
    facts = [_facts(measured) for measured in runs.values()]
    for name in facts[0]:
        table.add_row(name, *(fact[name] for fact in facts))
    console.print(table)
    console.print()
    console.print(goals(targets))


def _facts(measured: Measured) -> dict[str, str]:
    """What is shown of a run, by row name."""
    states = measured.run["states"]
    guards = {f"guard {name}": percent(measured.guard_share.get(name, 0.0), 1) for name in GUARDS}
    return {
        "process, s": number(measured.process_s),
        **{f"{state}, s": number(measured.wall_s(state)) for state in states},
        "peak memory, MB": number(measured.peak_mb),
        **{name.replace("_", " "): number(count) for name, count in measured.run["counts"].items()},
        "evidence, MB": number(measured.evidence_bytes / 1e6),
        **guards,
    }


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
    targets = command_targets(found)
    if as_json:
        printed = {name: [asdict(one) for one in of_name] for name, of_name in found.items()}
        document = {"runs": printed, "targets": [target.as_json() for target in targets]}
        say_json(document)
        return
    _show_commands(found, targets)


def command_targets(found: Mapping[str, Sequence[Turn]]) -> list[Target]:
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


def _show_commands(found: Mapping[str, Sequence[Turn]], targets: list[Target]) -> None:
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
