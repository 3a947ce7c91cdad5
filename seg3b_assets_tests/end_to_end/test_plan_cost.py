"""What a plan does not do, so that its time hangs on no dataset: `make bench BENCH_ARGS=--commands` measures it.

Neither a plan nor a run of what is stale where nothing is opens a dataset, published or upstream, or imports
what works on one. Seen are files that Python opens, which is how datasets are hashed.
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import pytest

from seg3b_assets_tests.end_to_end.installation import Installation

pytestmark = pytest.mark.e2e
SEEDS = (42, 7, 101, 202)
HEAVY = ("dagster", "scipy", "pyarrow", "altair")
WATCHED = f"""
import json, os, sys
opened = set()
def watch(event, arguments):
    if event == "open" and isinstance(arguments[0], (str, bytes)):
        opened.add(os.path.abspath(os.fsdecode(arguments[0])))
sys.addaudithook(watch)
from seg3b_assets.cli import app
try:
    app(sys.argv[2:])
except SystemExit as ended:
    assert not ended.code, ended
with open(sys.argv[1], "w") as told:
    json.dump([sorted(opened), [name for name in {HEAVY!r} if name in sys.modules]], told)
"""


@pytest.fixture(scope="module")
def four(
    finished: Installation, root_of: Callable[[int], Path], tmp_path_factory: pytest.TempPathFactory
) -> Installation:
    """Four seeds of the small world in force."""
    installation = replace(finished, home=tmp_path_factory.mktemp("four") / "home")
    for seed in SEEDS:
        root_of(seed)
        installation.run(seed=seed).passed()
    return installation


def watched(installation: Installation, told: Path, *arguments: str) -> tuple[list[Path], list[str], str]:
    """Files a command opened, what it imported of ``HEAVY``, and what it printed."""
    command = [sys.executable, "-c", WATCHED, str(told), *arguments]
    environment = {**os.environ, **installation.environment}
    done = subprocess.run(command, env=environment, check=False, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    opened, imported = json.loads(told.read_text())
    return [Path(path) for path in opened], imported, done.stdout


@pytest.mark.parametrize("arguments", [("plan", "--all"), ("run", "--stale")], ids=" ".join)
def test_it_opens_no_dataset_and_imports_nothing_that_works_on_one(
    four: Installation, root_of: Callable[[int], Path], tmp_path: Path, arguments: tuple[str, ...]
) -> None:
    opened, imported, printed = watched(four, tmp_path / "told.json", *arguments)
    assert "STALE" not in printed
    assert "MISSING" not in printed
    assert any(path.is_relative_to(four.home / "heads") for path in opened)  # it looked
    roots = [root_of(seed).resolve() for seed in SEEDS]
    published = [
        path for path in opened if path.is_relative_to(four.home / "snapshots") and "data" in path.parts
    ]
    upstream = [
        path
        for path in opened
        if any(path.resolve().is_relative_to(root) for root in roots) and path.suffix == ".parquet"
    ]
    assert published == []
    assert upstream == []
    assert imported == []
