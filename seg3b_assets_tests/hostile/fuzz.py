"""``python -m seg3b_assets_tests.hostile.fuzz``: thousands of mutated files at verify, open_run and the seal.

Every trial ends with a refusal that has a name, or with a result: no other exception, no process that ends or does not
end, no memory beyond a bound. Processes try one after another; each is watched, and ended and replaced where it takes
too long or too much.
"""

from __future__ import annotations

import argparse
import contextlib
import faulthandler
import logging
import multiprocessing
import os
import shutil
import sys
import tempfile
import time
from collections import Counter
from collections.abc import Callable, Iterable
from dataclasses import dataclass, replace
from multiprocessing.connection import Connection
from pathlib import Path
from typing import Any, Final

from seg3b_assets.doors import through_door
from seg3b_assets_tests.hostile.material import Material, make_material
from seg3b_assets_tests.hostile.trying import (
    GENUINE,
    REFUSED,
    TAKEN,
    UNNAMED,
    Bench,
    Outcome,
    spoilt,
    trial_of,
)

COUNT: Final = 2000

_LOOK_S: Final = 0.02
_READY_S: Final = 120.0
_STACK_LINES: Final = 12


@dataclass(frozen=True)
class Bounds:
    """What a trial may take.

    Attributes:
        seconds: of the wall clock.
        memory: bytes resident beyond what the process held before: its libraries, and what it keeps of earlier trials.
    """

    seconds: float = 20.0
    memory: int = 512 << 20


def main() -> int:
    """Exit code 0 when every trial ended as it should."""
    parser = argparse.ArgumentParser(prog="python -m seg3b_assets_tests.hostile.fuzz", description=__doc__)
    parser.add_argument("--count", type=int, default=COUNT)
    parser.add_argument("--seed", type=int, default=1, help="another seed tries other mutations")
    parser.add_argument("--workers", type=int, default=len(os.sched_getaffinity(0)))
    parser.add_argument("--only", type=int, default=None, help="the number of one trial, to see it again")
    given = parser.parse_args()
    logging.getLogger("seg3b").setLevel(logging.CRITICAL)
    started = time.perf_counter()
    numbers = range(given.count) if given.only is None else [given.only]
    outcomes = fuzz(numbers, given.seed, given.workers, lambda one: _tell(one, given.only is not None))
    counted = Counter(outcome.kind for outcome in outcomes)
    kinds = ", ".join(f"{counted[kind]} {kind}" for kind in (REFUSED, GENUINE, TAKEN, UNNAMED))
    _say(
        f"fuzz --seed {given.seed}: {len(outcomes)} inputs in {time.perf_counter() - started:.0f} s: {kinds}"
    )
    return 1 if counted[UNNAMED] else 0


def fuzz(
    numbers: int | Iterable[int],
    seed: int,
    workers: int,
    told: Callable[[Outcome], Any],
    material: Material | None = None,
    bounds: Bounds = Bounds(),
    bench: Callable[[Material, Path], Bench] = Bench,
) -> list[Outcome]:
    """Try mutated files; each outcome is told as it is known, and all are returned by number.

    Args:
        numbers: of the trials, or how many of them. seed: of the mutations.
        workers: processes at once; never changes an outcome.
        material: what is mutated; made if None. bounds: of each trial. bench: where they are tried.
    """
    waiting = list(range(numbers) if isinstance(numbers, int) else numbers)[::-1]
    outcomes: list[Outcome] = []
    with tempfile.TemporaryDirectory(prefix="fuzz-") as place:
        given = material or make_material(Path(place) / "material")
        many = min(workers, len(waiting))
        watched = [_Watched(given, seed, Path(place) / f"{at}", bounds, bench) for at in range(many)]

        try:
            while waiting or any(one.busy for one in watched):
                for one in watched:
                    for outcome in one.looked_at():
                        told(outcome)
                        outcomes.append(outcome)
                    if waiting and one.ready:
                        one.give(waiting.pop())
                time.sleep(_LOOK_S)
        finally:
            for one in watched:
                one.end()
    return sorted(outcomes, key=lambda outcome: outcome.number)


class _Watched:
    """A process that tries, as its parent sees it."""

    def __init__(
        self,
        material: Material,
        seed: int,
        folder: Path,
        bounds: Bounds,
        bench: Callable[[Material, Path], Bench],
    ) -> None:
        self._material, self._seed, self._folder = material, seed, folder
        self._bounds, self._bench = bounds, bench
        self._begin()

    def _begin(self) -> None:
        spawned = multiprocessing.get_context("spawn")
        self._connection, theirs = spawned.Pipe()
        shutil.rmtree(self._folder, ignore_errors=True)
        self._folder.mkdir()
        self._process = spawned.Process(
            target=_work,
            args=(theirs, self._material, self._seed, self._folder, self._bounds, self._bench),
            daemon=True,
        )
        self._process.start()
        theirs.close()
        self._number: int | None = None
        self._since, self._held = time.monotonic(), 0
        self.ready = False

    @property
    def busy(self) -> bool:
        return self._number is not None

    def give(self, number: int) -> None:
        self._number, self.ready = number, False
        self._since, self._held = time.monotonic(), self._resident()
        self._connection.send(number)

    def looked_at(self) -> list[Outcome]:
        """What it has said, or what ended it."""
        taken = time.monotonic() - self._since
        try:
            if self._connection.poll():
                said = self._connection.recv()
                number, self._number, self.ready = self._number, None, True
                return [] if number is None else [replace(said, seconds=taken)]
        except (EOFError, OSError):
            self._process.join(1)
            return self._ended(f"the process ended with {self._process.exitcode}")
        if self._number is None:
            if not self.ready and taken > _READY_S:
                raise RuntimeError("the untouched run is not tried in time")
            return []
        if taken > self._bounds.seconds:
            return self._ended(f"no end after {self._bounds.seconds:.0f} s")
        grown = self._resident() - self._held
        return self._ended(f"{grown >> 20} MB more than before") if grown > self._bounds.memory else []

    def _ended(self, why: str) -> list[Outcome]:
        if self._number is None:
            raise RuntimeError(f"the untouched run: {why}")
        number, stack = self._number, self._stack()
        self.end()
        self._begin()
        trial = trial_of(self._material, self._seed, number)
        return [
            Outcome(
                number,
                trial,
                spoilt(self._material, self._seed, trial)[0],
                UNNAMED,
                f"{why} {stack}".rstrip(),
            )
        ]

    def _stack(self) -> str:
        """Where it was a second before its time was over."""
        lines = (self._folder / "stack").read_text(encoding="utf-8").splitlines()[:_STACK_LINES]
        return " < ".join(line.rpartition("/")[2] for line in lines if "File" in line)

    def _resident(self) -> int:
        with contextlib.suppress(OSError, IndexError):
            pages = Path(f"/proc/{self._process.pid}/statm").read_text(encoding="ascii").split()[1]
            return int(pages) * os.sysconf("SC_PAGE_SIZE")
        return 0

    def end(self) -> None:
        self._process.kill()
        self._process.join()
        self._connection.close()


def _work(
    parent: Connection,
    material: Material,
    seed: int,
    folder: Path,
    bounds: Bounds,
    bench: Callable[[Material, Path], Bench],
) -> None:
    os.environ["POLARS_MAX_THREADS"] = "1"  # before polars is asked for anything
    logging.getLogger("seg3b").setLevel(logging.CRITICAL)
    with (folder / "stack").open("w", encoding="utf-8") as stack:
        tried = bench(material, folder / "copies")
        tried.warm()
        parent.send(None)
        while True:
            number = parent.recv()
            faulthandler.dump_traceback_later(bounds.seconds * 0.95, file=stack)
            outcome = tried.try_one(seed, number)
            faulthandler.cancel_dump_traceback_later()
            parent.send(outcome)


def _tell(outcome: Outcome, always: bool) -> None:
    if always or outcome.kind == UNNAMED:
        _say(outcome.line)


def _say(text: str) -> None:
    sys.stdout.write(f"{text}\n")
    sys.stdout.flush()


if __name__ == "__main__":
    through_door(main)
