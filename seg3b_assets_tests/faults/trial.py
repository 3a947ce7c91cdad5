"""Faults planted and examined, in as many processes as there are processors."""

from __future__ import annotations

import logging
import multiprocessing
import os
import shutil
import tempfile
from collections.abc import Callable
from concurrent.futures import ProcessPoolExecutor
from pathlib import Path

from seg3b_assets.pipeline.seed_run import SeedRun
from seg3b_assets_tests.faults.exporting import examine, export_heads
from seg3b_assets_tests.faults.fault import Fault, Outcome
from seg3b_assets_tests.faults.library import library
from seg3b_assets_tests.faults.specimen import SEED, Specimen, small_policies


def make_specimen(folder: Path) -> Specimen:
    """Run the small world and export it below ``folder``."""
    specimen = Specimen(folder / "tree", folder)
    small_policies(specimen.policies)
    settings = specimen.settings(folder / "home")
    SeedRun(settings, SEED).run()
    export_heads(settings, specimen.tree)
    return specimen


def try_fault(specimen: Specimen, fault: Fault, folder: Path) -> Outcome:
    """Plant one fault in a copy below ``folder`` and examine the copy."""
    tree = fault.make(specimen, folder)
    root = None if fault.upstream is None else fault.upstream(specimen, folder)
    return fault.judged(examine(tree, specimen.policies, root))


def try_faults(only: str, workers: int, told: Callable[[Outcome], None]) -> list[Outcome]:
    """Every fault whose name holds ``only``, in the library's order; each is told as it is known."""
    names = [name for name in library() if only in name]
    with tempfile.TemporaryDirectory(prefix="faults-") as place:
        specimen = make_specimen(Path(place) / "specimen")
        # Forking a process whose libraries run threads can leave a lock held for ever in the child.
        # A process for each processor is enough; polars need not have as many threads in each.
        os.environ.setdefault("POLARS_MAX_THREADS", "1")
        spawned = multiprocessing.get_context("spawn")
        with ProcessPoolExecutor(max(workers, 1), mp_context=spawned) as pool:
            tried = [(specimen, name, Path(place) / f"{number}") for number, name in enumerate(names)]
            outcomes = []
            for outcome in pool.map(_try_one, tried, chunksize=4):
                told(outcome)
                outcomes.append(outcome)
            return outcomes


def _try_one(given: tuple[Specimen, str, Path]) -> Outcome:
    specimen, name, folder = given
    logging.getLogger("seg3b").setLevel(
        logging.ERROR
    )  # what a run says of its inputs is not what is asked here
    folder.mkdir()
    try:
        return try_fault(specimen, library()[name], folder)
    finally:
        shutil.rmtree(folder, ignore_errors=True)
