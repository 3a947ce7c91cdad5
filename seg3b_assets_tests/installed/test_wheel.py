"""The wheel, installed whole and by the two short lines of the consumer's page, and used as each user would."""

from __future__ import annotations

import os
import re
import shlex
import subprocess
import sys
import venv
from dataclasses import dataclass
from pathlib import Path

import orjson
import pytest

from seg3b_assets.settings import REPOSITORY

pytestmark = pytest.mark.e2e
COARSE = {"SEG3B_WORLD_RESOLUTION": "2", "SEG3B_WORLD_MERCHANTS": "600"}
HEAVY = ("dagster", "shapely", "scipy", "matplotlib")


@dataclass(frozen=True)
class Installed:
    """An environment somewhere, and a folder to work in somewhere else."""

    root: Path
    work: Path

    def run(self, *command: str, **settings: str) -> subprocess.CompletedProcess[str]:
        kept = {name: value for name, value in os.environ.items() if not name.startswith("PYTHON")}
        environment = {**kept, "PATH": f"{self.root / 'bin'}:{os.environ['PATH']}", **settings}
        return subprocess.run(
            command, cwd=self.work, env=environment, capture_output=True, text=True, timeout=900, check=False
        )

    def must(self, *command: str, **settings: str) -> str:
        done = self.run(*command, **settings)
        assert done.returncode == 0, f"{command}: {done.stdout[-2000:]}{done.stderr[-4000:]}"
        return done.stdout

    @property
    def packages(self) -> set[str]:
        listed = orjson.loads(self.must("pip", "list", "--format", "json", "--disable-pip-version-check"))
        return {one["name"].lower() for one in listed}


@pytest.fixture(scope="module")
def wheel(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("wheel")
    command = [
        sys.executable,
        "-m",
        "pip",
        "wheel",
        "--quiet",
        "--no-deps",
        "-w",
        str(folder),
        str(REPOSITORY),
    ]
    subprocess.run(command, check=True)
    (built,) = folder.glob("*.whl")
    return built


def installed(folder: Path, line: str) -> Installed:
    """A fresh environment in which a line of a shell was run."""
    venv.create(folder / "environment", with_pip=True)
    (folder / "work").mkdir()
    made = Installed(folder / "environment", folder / "work")
    made.must("bash", "-c", line)
    return made


def line_of(door: str, wheel: Path) -> str:
    """The line as the page has it, for this wheel instead of the one of a package index."""
    page = (REPOSITORY / "docs" / "consumer.md").read_text(encoding="utf-8")
    found = re.search(rf"^<!-- install: {door} -->\n```console\n\$ (.*)$", page, re.MULTILINE)
    assert found is not None
    return found[1].replace("seg3b-assets", shlex.quote(str(wheel)), 1)


@pytest.fixture(scope="module")
def whole(wheel: Path, tmp_path_factory: pytest.TempPathFactory) -> Installed:
    return installed(tmp_path_factory.mktemp("whole"), f"pip install --quiet {shlex.quote(str(wheel))}")


@pytest.fixture(scope="module")
def tree(whole: Installed) -> Path:
    """A run of a folder that `seg3b init` made, exported."""
    whole.must("seg3b", "init", "mine")
    mine = Installed(whole.root, whole.work / "mine")
    cache = {"SEG3B_CACHE": str(whole.work / "cache"), **COARSE}
    # The coarse world is too small for the gates; in observe mode they are measured and block nothing.
    mine.must("sed", "-i", "s/_mode: enforce/_mode: observe/", "policies/virtual_validation.yaml")
    printed = orjson.loads(mine.must("seg3b", "run", "--seed", "42", "--json", **cache))
    assert Path(printed["bundle_dir"]).is_relative_to(mine.work / ".seg3b")
    mine.must("seg3b", "export", "heads", "out", "--seed", "42", **cache)
    return mine.work / "out"


def test_the_whole_product_runs_verifies_and_loads_into_dagster(whole: Installed, tree: Path) -> None:
    assert whole.must("seg3b", "--version").startswith("seg3b-assets 0.")
    whole.must("seg3b", "verify", str(tree))
    assert "Validation successful" in _said(
        whole.run("dagster", "definitions", "validate", "-m", "seg3b_assets.definitions")
    )
    assert whole.must("seg3b", "doctor").splitlines()[-1].startswith("nothing found that would stop a run")
    assert str(whole.root) in whole.must("python", "-c", "import seg3b_assets; print(seg3b_assets.__file__)")


def test_what_init_writes_is_told_to_a_shell_and_to_dagster(whole: Installed, tree: Path) -> None:
    told = f"set -a; . ./.env; set +a; {shlex.join(['dagster', 'definitions', 'validate'])}"
    mine = Installed(whole.root, tree.parent)
    assert "Validation successful" in _said(mine.run("bash", "-c", told))
    again = orjson.loads(mine.must("seg3b", "init", ".", "--json"))
    assert again["written"] == []
    assert "policies/virtual_validation.yaml" in again["kept"]


def test_who_reads_needs_neither_dagster_nor_geometry(
    wheel: Path, tree: Path, tmp_path_factory: pytest.TempPathFactory
) -> None:
    reader = installed(tmp_path_factory.mktemp("read"), line_of("read", wheel))
    assert not reader.packages & set(HEAVY)
    program = (
        "import sys\nfrom seg3b_assets.consume import Router, open_run, settlement_days, virtual_merchants\n"
        "import polars as pl, datetime as dt\n"
        "run = open_run(sys.argv[1])\nids = virtual_merchants(run)['merchant_id']\n"
        "events = Router.of(run).route(ids.to_numpy())\n"
        "at = pl.Series('utc', [dt.datetime(2026, 1, 1)] * events.height)\n"
        "print(settlement_days(at, events['tzid_settlement']).len() == ids.len() > 0)\n"
    )
    assert reader.must("python", "-c", program, str(tree)) == "True\n"
    (first, *_) = orjson.loads(reader.must("seg3b", "sample", "--tree", str(tree), "--json"))["merchants"]
    drawn = reader.must(
        "seg3b", "sample", str(first["merchant_id"]), "-n", "3", "--tree", str(tree), "--json"
    )
    assert len(orjson.loads(drawn)["events"]) == 3
    home = tree.parent / ".seg3b"
    assert "merchant_id" in reader.must("seg3b", "sample", "--seed", "42", "--home", str(home))
    lacking = reader.run("seg3b", "run", "--seed", "42")
    assert (lacking.returncode, lacking.stderr.split()[0]) == (2, "PACKAGE_MISSING")


def test_who_verifies_needs_no_dagster(
    wheel: Path, tree: Path, tmp_path_factory: pytest.TempPathFactory
) -> None:
    verifier = installed(tmp_path_factory.mktemp("verify"), line_of("verify", wheel))
    assert not verifier.packages & {"dagster", "matplotlib"}
    assert orjson.loads(verifier.must("seg3b", "verify", str(tree), "--json"))["failed"] == 0
    told = verifier.run("seg3b", "doctor")
    assert (told.returncode, told.stderr) == (2, "")
    assert "timezonefinder" in told.stdout and "INTERNAL" not in told.stdout


def _said(done: subprocess.CompletedProcess[str]) -> str:
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout + done.stderr
