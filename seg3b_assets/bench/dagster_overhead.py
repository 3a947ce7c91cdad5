"""What Dagster adds to the time of a seed: ``python -m seg3b_assets.bench --dagster``.

The same seed from S0 to S5, computed, by every road a person has: the command line alone, the command line with a
Dagster home to tell, a run launched at a webserver that is up, a ``dagster`` command from cold. Every run has a home
of its own and a copy of a Dagster home that was used before; worlds and bytecode are built beforehand. Sides take
turns, so that a busy machine is no side's alone; CPU seconds are those of every process a run needed.

Whoever tells Dagster also evaluates the seed's checks, as every materialization does.
"""

from __future__ import annotations

import json
import os
import shutil
import socket
import statistics
import subprocess
import sys
import tempfile
import time
import urllib.request
from collections.abc import Callable, Iterator, Mapping
from contextlib import ExitStack, contextmanager, suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Final

import orjson

from seg3b_assets.screen import Screen, Table
from seg3b_assets.settings import REPOSITORY
from seg3b_assets.shipped import shipped
from seg3b_assets.terminal import complain, say_json
from seg3b_assets.wording import change, number

ALONE, TOLD, LAUNCHED, COLD = "seg3b run", "seg3b run, told", "launched in the UI", "dagster command"
SEGMENT, JOB = "warm: segment alone", "warm: through a job"
LOCATION: Final = "seg3b_assets"
MODULE: Final = "seg3b_assets.definitions"
GROUPS: Final = "S0_gate,S1_classification,S2_edges,S3_alias,S4_contract,S5_bundle"
TICKS: Final = os.sysconf("SC_CLK_TCK")
PATIENCE_S: Final = 600.0
LAUNCH: Final = """
mutation($params: ExecutionParams!) {
  launchRun(executionParams: $params) { __typename ... on LaunchRunSuccess { run { runId } } }
}"""
RUN: Final = "query($id: ID!) { runOrError(runId: $id) { ... on Run { status endTime } } }"
# Long enough that asking costs the webserver nothing that counts; when a run ended, the run itself says.
ASKED_EVERY_S: Final = 1.0


@dataclass(frozen=True)
class Spent:
    """Wall and CPU seconds of one run."""

    wall_s: float
    cpu_s: float


@dataclass(frozen=True)
class Comparison:
    """A side against the one it is held to: the medians of what each pair differs by.

    Attributes:
        at_most: the project's target for the wall seconds between them.
    """

    side: str
    base: str
    at_most: float
    wall_s: float
    cpu_s: float

    @property
    def met(self) -> bool:
        return self.wall_s <= self.at_most

    def as_json(self) -> dict[str, Any]:
        seconds = {"wall_s": round(self.wall_s, 3), "cpu_s": round(self.cpu_s, 3), "at_most": self.at_most}
        return {"side": self.side, "base": self.base, **seconds, "met": self.met}


TARGETS: Final = ((TOLD, ALONE, 3.0), (JOB, SEGMENT, 3.0), (LAUNCHED, ALONE, 3.0), (COLD, ALONE, 8.0))


def measure_dagster(seed: int, pairs: int, folder: Path, as_json: bool) -> None:
    """Measure one seed by every road, several times, and hold Dagster's against the command line's.

    Args:
        seed: one of the partitions.
        pairs: how many times every side takes its turn.
        folder: where fresh homes are made, and removed.
        as_json: print one JSON object, no tables.
    """
    folder.mkdir(parents=True, exist_ok=True)
    spent: dict[str, list[Spent]] = {}
    with tempfile.TemporaryDirectory(prefix="dagster-", dir=folder) as private:
        workshop = Workshop(Path(private).absolute(), seed)
        complain("building the world if it is not cached; a first run, uncounted")
        workshop.prepare()
        for turn in range(pairs):
            for side, measure in SIDES.items():
                complain(f"pair {turn + 1} of {pairs}: {side}")
                with workshop.fresh():
                    spent.setdefault(side, []).append(measure(workshop))
    found = compared(spent)
    if as_json:
        runs = {side: [vars(one) for one in of_side] for side, of_side in spent.items()}
        told = {"runs": runs, "load": os.getloadavg(), "compared": [one.as_json() for one in found]}
        say_json(told)
        return
    _show(spent, found)


def compared(spent: Mapping[str, list[Spent]]) -> list[Comparison]:
    """Each side with a target, held against its base turn by turn."""
    found = []
    for side, base, at_most in TARGETS:
        turns = list(zip(spent[side], spent[base], strict=True))
        wall_s = statistics.median(one.wall_s - other.wall_s for one, other in turns)
        cpu_s = statistics.median(one.cpu_s - other.cpu_s for one, other in turns)
        found.append(Comparison(side, base, at_most, wall_s, cpu_s))
    return found


@dataclass
class Workshop:
    """The folders of a measurement and the environment of what is measured in them.

    Attributes:
        folder: a private one, removed afterwards.
        seed: what is run.
        run: the environment of the run at hand.
    """

    folder: Path
    seed: int
    run: dict[str, str] = field(default_factory=dict)

    def prepare(self) -> None:
        """Build the world, write bytecode, and use a Dagster home whose databases every run begins with."""
        _command(["-m", "seg3b_assets.cli", "world", "build", "--seed", str(self.seed)], self._environment())
        used = self.folder / "used"
        used.mkdir()
        shutil.copy(shipped("dagster.yaml"), used)
        _command(["-c", _OPEN_INSTANCE], self._environment() | {"DAGSTER_HOME": str(used)})
        for measure in (cold, launched):
            with self.fresh():
                measure(self)

    @contextmanager
    def fresh(self) -> Iterator[None]:
        """Homes of its own for a run, removed afterwards."""
        with tempfile.TemporaryDirectory(prefix="run-", dir=self.folder) as private:
            home = shutil.copytree(self.folder / "used", Path(private) / "dagster")
            self.run = self._environment() | {
                "SEG3B_HOME": str(Path(private) / "home"),
                "DAGSTER_HOME": str(home),
            }
            yield

    def _environment(self) -> dict[str, str]:
        """Ours, with bytecode kept in the folder whatever the caller's says, and no Dagster home."""
        dropped = {"PYTHONDONTWRITEBYTECODE", "DAGSTER_HOME", "DAGSTER_MODULE_NAME", "SEG3B_HOME"}
        kept = {name: value for name, value in os.environ.items() if name not in dropped}
        own = {"PYTHONPYCACHEPREFIX": str(self.folder / "bytecode"), "DAGSTER_DISABLE_TELEMETRY": "1"}
        return kept | own


def alone(workshop: Workshop) -> Spent:
    """``seg3b run``, no Dagster home in its environment."""
    environment = {name: value for name, value in workshop.run.items() if name != "DAGSTER_HOME"}
    return _command(["-m", "seg3b_assets.cli", "run", "--seed", str(workshop.seed)], environment)


def told(workshop: Workshop) -> Spent:
    """``seg3b run`` that tells Dagster."""
    return _command(["-m", "seg3b_assets.cli", "run", "--seed", str(workshop.seed)], workshop.run)


def cold(workshop: Workshop) -> Spent:
    """``dagster asset materialize``."""
    groups = ",".join(f"group:{group}" for group in GROUPS.split(","))
    options = ["--select", groups, "--partition", str(workshop.seed), "-m", MODULE]
    return _command(["-m", "dagster", "asset", "materialize", *options], workshop.run)


def launched(workshop: Workshop) -> Spent:
    """A run launched at a webserver that has the code location loaded, from the request to its end."""
    with ExitStack() as running:
        port = _free_port()
        server = running.enter_context(_webserver(workshop, port))
        before, started = tree_cpu_s(server.pid), time.time()
        run_id = _launch(port, workshop.seed)
        _wait(lambda: _run(port, run_id)["status"] in {"SUCCESS", "FAILURE"}, server)
        # By then the run's process has ended, and its CPU time is its parent's to tell.
        time.sleep(ASKED_EVERY_S)
        run = _run(port, run_id)
        if run["status"] != "SUCCESS":
            raise RuntimeError(f"run {run_id} failed")
        return Spent(float(run["endTime"]) - started, tree_cpu_s(server.pid) - before)


def warm(name: str) -> Callable[[Workshop], Spent]:
    """The segment or the job of assets, in a process that has loaded everything; only the run is counted."""

    def measure(workshop: Workshop) -> Spent:
        printed = _output(["-c", _WARM, name, str(workshop.seed)], workshop.run)
        wall_s, cpu_s = json.loads(printed.splitlines()[-1])
        return Spent(wall_s, cpu_s)

    return measure


SIDES: Final[Mapping[str, Callable[[Workshop], Spent]]] = {
    ALONE: alone,
    TOLD: told,
    SEGMENT: warm("segment"),
    JOB: warm("job"),
    LAUNCHED: launched,
    COLD: cold,
}


def tree_cpu_s(pid: int) -> float:
    """CPU seconds of a process, of its descendants, and of those of them that ended and were waited for."""
    after_name = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    spent = sum(int(ticks) for ticks in after_name[11:15]) / TICKS
    children: list[str] = []
    for thread in Path(f"/proc/{pid}/task").iterdir():
        with suppress(OSError):  # a thread that has ended meanwhile
            children += (thread / "children").read_text().split()
    for child in children:
        with suppress(OSError):
            spent += tree_cpu_s(int(child))
    return spent


def _launch(port: int, seed: int) -> str:
    selector = {"repositoryName": "__repository__", "repositoryLocationName": LOCATION}
    tags = [{"key": "dagster/partition", "value": str(seed)}]
    params = {
        "selector": {**selector, "jobName": "seed_pipeline"},
        "runConfigData": {},
        "executionMetadata": {"tags": tags},
    }
    answer = _ask(port, LAUNCH, {"params": params})["launchRun"]
    if answer["__typename"] != "LaunchRunSuccess":
        raise RuntimeError(f"the webserver launches no run: {answer['__typename']}")
    return str(answer["run"]["runId"])


def _run(port: int, run_id: str) -> dict[str, Any]:
    return dict(_ask(port, RUN, {"id": run_id})["runOrError"])


def _ask(port: int, query: str, variables: dict[str, Any]) -> dict[str, Any]:
    body = orjson.dumps({"query": query, "variables": variables})
    headers = {"Content-Type": "application/json"}
    request = urllib.request.Request(f"http://127.0.0.1:{port}/graphql", body, headers)
    with urllib.request.urlopen(request, timeout=60) as answer:
        return dict(orjson.loads(answer.read())["data"])


@contextmanager
def _webserver(workshop: Workshop, port: int) -> Iterator[subprocess.Popen[bytes]]:
    options = ["-w", str(shipped("workspace.yaml")), "-h", "127.0.0.1", "-p", str(port)]
    log = workshop.folder / "webserver.log"
    with log.open("wb") as said:
        server = subprocess.Popen(
            [sys.executable, "-m", "dagster_webserver", *options],
            cwd=workshop.run["DAGSTER_HOME"],
            env=workshop.run | {"PYTHONPATH": str(REPOSITORY)},
            stdout=said,
            stderr=said,
        )
    try:
        _wait(lambda: _answers(port), server)
        yield server
    finally:
        server.terminate()
        server.wait(60)


def _answers(port: int) -> bool:
    with suppress(OSError):
        loaded = _ask(port, "{ repositoriesOrError { ... on RepositoryConnection { nodes { name } } } }", {})
        return bool(loaded["repositoriesOrError"].get("nodes"))
    return False


def _wait(happened: Callable[[], bool], server: subprocess.Popen[bytes]) -> None:
    until = time.monotonic() + PATIENCE_S
    while not happened():
        if server.poll() is not None or time.monotonic() > until:
            raise RuntimeError("the webserver ended, or did not do what it was asked")
        time.sleep(ASKED_EVERY_S)


def _free_port() -> int:
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        return int(free.getsockname()[1])


def _command(arguments: list[str], environment: Mapping[str, str]) -> Spent:
    """Run to the end in a process of its own; raises RuntimeError when it fails."""
    started = time.perf_counter()
    command = [sys.executable, *arguments]
    process = subprocess.Popen(command, env=environment, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE)
    said = process.stderr.read() if process.stderr else b""
    _, status, usage = os.wait4(process.pid, 0)
    process.returncode = os.waitstatus_to_exitcode(status)
    if process.returncode:
        raise RuntimeError(f"{command} ended with {process.returncode}:\n{said.decode()[-2000:]}")
    return Spent(time.perf_counter() - started, usage.ru_utime + usage.ru_stime)


def _output(arguments: list[str], environment: Mapping[str, str]) -> str:
    done = subprocess.run(
        [sys.executable, *arguments],
        env=environment,
        capture_output=True,
        check=True,
    )
    return done.stdout.decode()


def _show(spent: Mapping[str, list[Spent]], found: list[Comparison]) -> None:
    console = Screen()
    table = Table("wall / CPU, s", *(f"pair {turn + 1}" for turn in range(len(spent[ALONE]))))
    for side, runs in spent.items():
        table.add_row(side, *(f"{number(one.wall_s)} / {number(one.cpu_s)}" for one in runs))
    console.print(table)
    beyond = Table("beyond", "wall, s", "CPU, s", "at most", "")
    for one in found:
        row = (f"{one.side} - {one.base}", change(one.wall_s), change(one.cpu_s), f"{number(one.at_most)} s")
        beyond.add_row(*row, "met" if one.met else "MISSED")
    console.print()
    console.print(beyond)
    console.print(f"load {number(os.getloadavg()[0])} on {os.cpu_count()} processors", style="dim")


_OPEN_INSTANCE = """
import dagster as dg
with dg.DagsterInstance.get() as instance:
    instance.get_runs(limit=1)
    instance.all_asset_keys()
    instance.all_instigator_state()
"""

_WARM = """
import json, sys, time
import dagster as dg
from seg3b_assets.definitions import defs
from seg3b_assets.pipeline import default_segment
from seg3b_assets.pipeline.seed_run import SeedRun
from seg3b_assets.settings import Settings
what, seed = sys.argv[1:]
job = defs.resolve_job_def("seed_pipeline")
with dg.DagsterInstance.get() as instance:
    started = time.perf_counter(), time.process_time()
    if what == "job":
        assert job.execute_in_process(instance=instance, partition_key=seed).success
    else:
        SeedRun(Settings.from_environment(), int(seed), default_segment()).run()
    print(json.dumps([time.perf_counter() - started[0], time.process_time() - started[1]]))
"""
