"""The other side: runs nobody touched, over random valid policies and seeds, raise no alarm.

A policy is made by moving its numbers, one after another, and keeping each move that the policies' own models
accept. Every run is exported and verified.
"""

from __future__ import annotations

import multiprocessing
import random
import re
import shutil
import tempfile
from concurrent.futures import ProcessPoolExecutor
from pathlib import Path

from seg3b_assets.laws.errors import Seg3BError
from seg3b_assets.pipeline.seed_run import SeedRun
from seg3b_assets.realism.policy_reading import load_policies
from seg3b_assets.settings import Settings
from seg3b_assets_tests.faults.exporting import examine, export_heads
from seg3b_assets_tests.faults.specimen import RECIPE, small_policies, world_cache

RUNS = 50
SEEDS = 10
_MOVED = ("edge_topology", "settlement", "mcc_channel_rules", "tz_nudge", "virtual_validation")
_NUMBER = re.compile(r"(?<=: )-?\d+(\.\d+)?(e-?\d+)?(?=$|[,}\s])")
_MOVES = 12
# Guards that cannot hold together, and a gate beyond what its metric can be, are refused by name where they are
# used: no valid policy, and not a run.
_REFUSED = ("BUDGET_COUNTRY_WEIGHTS_INVALID", "TEST_THRESHOLD_INVALID")
_TRIES = 8


def try_untouched_runs(runs: int, workers: int) -> list[str]:
    """What went wrong, one line per run that did not verify."""
    spawned = multiprocessing.get_context("spawn")
    with ProcessPoolExecutor(max(workers, 1), mp_context=spawned) as pool:
        return [told for told in pool.map(try_untouched, range(runs)) if told]


def try_untouched(number: int) -> str | None:
    """Run, export and verify one; None when nothing fails."""
    seed = random.Random(f"seed {number % SEEDS}").getrandbits(64)
    with tempfile.TemporaryDirectory(prefix="untouched-") as place:
        folder = Path(place)
        settings = Settings.from_environment(
            home=folder / "home",
            policies=folder / "policies",
            cache=world_cache(),
            recipe=RECIPE,
            workers=1,
            promote=True,
        )
        for attempt in range(_TRIES):
            shutil.rmtree(settings.policies, ignore_errors=True)
            small_policies(settings.policies)
            move_numbers(settings.policies, random.Random(f"policies {number} {attempt}"))
            try:
                SeedRun(settings, seed).run()
            except Seg3BError as error:
                if error.name in _REFUSED:
                    continue
                return f"run {number}, seed {seed}: {error}"
            tree = export_heads(settings, folder / "tree", seed)
            failed = [result.check_id for result in examine(tree, settings.policies).failed]
            return f"run {number}, seed {seed}: {', '.join(failed)}" if failed else None
    return f"run {number}, seed {seed}: no policy in {_TRIES} could be run"


def move_numbers(policies: Path, chance: random.Random) -> None:
    """Move some numbers of the policies by up to a third; a move their models refuse is taken back."""
    for _ in range(_MOVES):
        path = policies / f"{chance.choice(_MOVED)}.yaml"
        before = path.read_text(encoding="utf-8")
        code = [match for match in _NUMBER.finditer(before) if not _in_comment(before, match.start())]
        match = chance.choice(code)
        path.write_text(
            before[: match.start()] + _moved(match[0], chance) + before[match.end() :], encoding="utf-8"
        )
        try:
            load_policies(policies)
        except Seg3BError:
            path.write_text(before, encoding="utf-8")


def _in_comment(text: str, at: int) -> bool:
    return "#" in text[text.rfind("\n", 0, at) + 1 : at]


def _moved(number: str, chance: random.Random) -> str:
    value = float(number) * chance.uniform(0.67, 1.5)
    return f"{value:.6g}" if "." in number or "e" in number else str(round(value))
