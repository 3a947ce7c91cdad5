"""``make hostile``: every hostile input at every door it may be brought to, under a limit of memory and of time."""

from __future__ import annotations

import argparse
import os
import sys
import tempfile
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from itertools import groupby
from pathlib import Path
from typing import Any

import polars as pl

from seg3b_assets.certification import certify
from seg3b_assets.certification.pinned import after_certification
from seg3b_assets.doors import through_door
from seg3b_assets.report.written import report_of
from seg3b_assets.settings import REPOSITORY
from seg3b_assets.store.refs import move_refs
from seg3b_assets_tests.faults.specimen import SEED, Specimen
from seg3b_assets_tests.faults.trial import make_specimen
from seg3b_assets_tests.hostile.doors import Door, doors
from seg3b_assets_tests.hostile.hostile import MOST_MB, MOST_S, Hostile, Outcome
from seg3b_assets_tests.hostile.library import library
from seg3b_assets_tests.hostile.page import hostile_page
from seg3b_assets_tests.hostile.trial import genuine_result, tried

PAGE = REPOSITORY / "docs" / "hostile.md"
Case = tuple[Hostile, Door]


def main() -> int:
    """Exit code 0 when every input was refused by name, or came out as the genuine one, as is right for it."""
    parser = argparse.ArgumentParser(prog="python -m seg3b_assets_tests.hostile", description=__doc__)
    parser.add_argument(
        "--only", default="", help="inputs whose name holds this text, or a part between bars: a|b"
    )
    parser.add_argument(
        "--subject", default="", help="inputs of subjects whose name holds this text: tree, root"
    )
    parser.add_argument("--door", default="", help="doors whose name holds this text")
    parser.add_argument("--all", action="store_true", help="print what is right, too")
    parser.add_argument("--workers", type=int, default=len(os.sched_getaffinity(0)))
    given = parser.parse_args()
    cases = [
        (hostile, door)
        for hostile in library().values()
        if given.subject.upper() in hostile.subject.name
        and any(part in hostile.name for part in given.only.split("|"))
        for door in hostile.doors
        if given.door in door.name
    ]
    started = time.perf_counter()
    outcomes = []
    with tempfile.TemporaryDirectory(prefix="hostile-", ignore_cleanup_errors=True) as place:
        for outcome in _tried(cases, given.workers, Path(place)):
            outcomes.append(outcome)
            if given.all or outcome.wrong:
                _say(_line(outcome))
    _table(outcomes)
    PAGE.write_text(hostile_page(), encoding="utf-8")
    right = sum(not outcome.wrong for outcome in outcomes)
    _say(f"hostile: {right} of {len(outcomes)} as is right, in {time.perf_counter() - started:.0f} s")
    return 0 if outcomes and right == len(outcomes) else 1


def _tried(cases: list[Case], workers: int, place: Path) -> Iterator[Outcome]:
    specimen = _certified(make_specimen(place / "specimen"))
    merchant = _merchant(specimen)
    with ThreadPoolExecutor(max(workers, 1)) as pool:
        names = list(dict.fromkeys(door.name for _, door in cases))

        def genuine(name: str) -> Any:
            return genuine_result(specimen, merchant, doors()[name], place / f"genuine-{names.index(name)}")

        results = dict(zip(names, pool.map(genuine, names), strict=True))

        def one(numbered: tuple[int, Case]) -> Outcome:
            number, (hostile, door) = numbered
            return tried(specimen, merchant, hostile, door, results[door.name], place / f"{number}")

        yield from pool.map(one, enumerate(cases))


def _certified(specimen: Specimen) -> Specimen:
    """With a report to be asked for in its home, and a candidate."""
    settings = specimen.settings(specimen.folder / "home")
    run = certify(settings, (SEED,))
    report_of(settings, run)
    move_refs(settings.home, after_certification(run.complete, run.passed, settings.moves_heads))
    return specimen


def _merchant(specimen: Specimen) -> int:
    [part, *_] = sorted(specimen.tree.glob("data/layer1/3B/edge_catalogue/**/*.parquet"))
    return int(pl.read_parquet(part, glob=False, hive_partitioning=False)["merchant_id"][0])


def _line(outcome: Outcome) -> str:
    what = f"WRONG: {'; '.join(outcome.wrong)}; " if outcome.wrong else ""
    return (
        f"{outcome.door}: {outcome.hostile}: {what}{outcome.told!r}"
        f" [{outcome.code}, {outcome.seconds:.1f} s, {outcome.peak_mb:.0f} MB]"
    )


def _table(outcomes: list[Outcome]) -> None:
    """By door: cases, how many as is right, the most that one took."""
    ordered = sorted(outcomes, key=lambda outcome: list(doors()).index(outcome.door))
    _say(
        f"{'door':<22}{'cases':>7}{'right':>7}{'most s':>8}{'most MB':>9}   (limits {MOST_S} s, {MOST_MB} MB)"
    )
    for door, group in groupby(ordered, key=lambda outcome: outcome.door):
        those = list(group)
        right = sum(not outcome.wrong for outcome in those)
        seconds, memory = max(one.seconds for one in those), max(one.peak_mb for one in those)
        _say(f"{door:<22}{len(those):>7}{right:>7}{seconds:>8.1f}{memory:>9.0f}")


def _say(text: str) -> None:
    sys.stdout.write(f"{text}\n")
    sys.stdout.flush()


if __name__ == "__main__":
    through_door(main)
