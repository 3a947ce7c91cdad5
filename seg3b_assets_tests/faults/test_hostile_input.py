"""Input that means harm, and machines that are broken: a named error, bounded memory, nothing published."""

from __future__ import annotations

import os
import resource
import shutil
import subprocess
import sys
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import orjson
import pytest

from seg3b_assets.pipeline.seed_run import SeedRun
from seg3b_assets_tests.faults.edited_tree import Tree
from seg3b_assets_tests.faults.exporting import examine, export_heads
from seg3b_assets_tests.faults.specimen import RECIPE, SEED, Specimen, world_cache

pytestmark = pytest.mark.e2e

# Threads reserve address space they never use, so the bound on it is far above what is really held.
ADDRESS_SPACE = 12 * 1024**3
HELD_MB = 1_500
# Root reads and writes whatever modes say, unless it gives that up.
MODES_COUNT = (
    "setpriv",
    "--bounding-set=-dac_override,-dac_read_search",
    "--inh-caps=-dac_override,-dac_read_search",
)


@dataclass(frozen=True)
class Ended:
    """How a command ended, and the memory it held at most, in megabytes."""

    code: int
    said: dict[str, Any]
    peak_mb: float
    stderr: str

    @property
    def error(self) -> str:
        return str(self.said["error"]["code"])


def seg3b(
    *words: str, prefix: Sequence[str] = (), bound: Callable[[], None] | None = None, **variables: str
) -> Ended:
    """Run the command line in a process of its own; its last standard output must be one JSON object."""
    script = (
        "import resource, sys\n"
        "from seg3b_assets.cli import app\n"
        "try: app()\n"
        "finally: print(f'peak={resource.getrusage(resource.RUSAGE_SELF).ru_maxrss}', file=sys.stderr)"
    )

    def limits() -> None:
        resource.setrlimit(resource.RLIMIT_AS, (ADDRESS_SPACE, ADDRESS_SPACE))
        if bound is not None:
            bound()

    done = subprocess.run(
        [*prefix, sys.executable, "-c", script, *words, "--json"],
        check=False,
        capture_output=True,
        timeout=300,
        preexec_fn=limits,
        env={**os.environ, **variables},
        cwd="/",
    )
    stderr = done.stderr.decode("utf-8", "replace")
    peak = float(stderr.rpartition("peak=")[2] or 0) / 1024
    said = orjson.loads(done.stdout) if done.stdout else {}
    return Ended(done.returncode, said, peak, stderr)


def run_words(specimen: Specimen, home: Path) -> tuple[str, ...]:
    return (
        *("run", "--seed", str(SEED), "--home", str(home), "--policies", str(specimen.policies)),
        *("--world-resolution", str(RECIPE.resolution_deg), "--world-merchants", str(RECIPE.merchants)),
    )


def verify(specimen: Specimen, tree: Path, **variables: str) -> Ended:
    return seg3b("verify", str(tree), "--policies", str(specimen.policies), **variables)


def failed(ended: Ended) -> set[str]:
    return {check["check_id"] for check in ended.said["checks"] if check["status"] == "FAIL"}


def published(home: Path) -> list[str]:
    """What a reader of the home would take for published."""
    return sorted(str(path.relative_to(home)) for path in home.glob("snapshots/*/*/snapshot.json"))


@pytest.fixture
def copy(specimen: Specimen, tmp_path: Path) -> Tree:
    return Tree(specimen.copy(tmp_path / "tree"))


def sparse(path: Path, size: int, head: bytes = b"") -> None:
    """A file of ``size`` bytes, all but ``head`` a hole."""
    path.unlink(missing_ok=True)
    with path.open("wb") as handle:
        handle.write(head)
        handle.truncate(size)


@pytest.mark.parametrize(
    ("size", "check"),
    [(10 * 1024**3, "S2.rng_event_edge_jitter_3B.contract"), (900 * 1024**2, "S2.jitter.sequence")],
    ids=["ten gigabytes, not read", "as much as is read"],
)
def test_a_log_of_nothing(size: int, check: str, specimen: Specimen, copy: Tree) -> None:
    sparse(copy.file("rng_event_edge_jitter_3B"), size)
    ended = verify(specimen, copy.root)
    assert ended.code == 3
    assert check in failed(ended)
    assert ended.peak_mb < HELD_MB


@pytest.mark.parametrize("dataset", ["virtual_routing_policy_3B", "sealed_inputs_3B"])
def test_a_document_of_two_gigabytes(dataset: str, specimen: Specimen, copy: Tree) -> None:
    sparse(copy.file(dataset), 2 * 1024**3, b"{")
    ended = verify(specimen, copy.root)
    assert ended.code == 3
    assert ended.peak_mb < HELD_MB


@pytest.mark.parametrize("name", ["run_receipt.json", "index.json", "_passed.flag"])
def test_a_seal_of_two_gigabytes(name: str, specimen: Specimen, copy: Tree) -> None:
    sparse(copy.root / name if name == "run_receipt.json" else copy.member(name), 2 * 1024**3, b"{")
    ended = verify(specimen, copy.root)
    assert ended.code == 3
    assert ended.peak_mb < HELD_MB


@pytest.mark.parametrize("bomb", [b"[" * 50_000_000, b"[" + b"0," * 20_000_000 + b"0]"])
def test_a_document_that_swells_or_nests(bomb: bytes, specimen: Specimen, copy: Tree) -> None:
    copy.replace(copy.file("virtual_routing_policy_3B"), bomb)
    ended = verify(specimen, copy.root)
    assert ended.code == 3
    assert ended.peak_mb < HELD_MB


def test_a_tree_that_is_a_link_out(specimen: Specimen, copy: Tree, tmp_path: Path) -> None:
    outside = tmp_path / "outside"
    outside.mkdir()
    blob = copy.path("edge_alias_blob_3B")
    shutil.move(blob, outside / "blob")
    blob.symlink_to(outside / "blob")
    ended = verify(specimen, copy.root)
    assert ended.code == 3
    assert "tree.layout" in failed(ended)


@pytest.mark.parametrize(
    "spoilt",
    [
        "a: &x 1\nb: *x\n",
        "a: !!python/object/apply:os.system ['touch /tmp/owned']\n",
        "a: 1\na: 2\n",
        "[" * 10**6,
    ],
)
def test_a_policy_that_means_harm(spoilt: str, specimen: Specimen, tmp_path: Path) -> None:
    hostile = Specimen(specimen.tree, tmp_path)
    shutil.copytree(specimen.policies, hostile.policies)
    (hostile.policies / "tz_nudge.yaml").write_text(spoilt)
    ended = seg3b(*run_words(hostile, tmp_path / "home"), SEG3B_CACHE=str(world_cache()))
    assert (ended.code, ended.error) == (3, "E3B_S0_POLICY_SCHEMA_INVALID")
    assert published(tmp_path / "home") == []


def test_a_disk_that_is_full(specimen: Specimen, tmp_path: Path) -> None:
    def no_room() -> None:
        resource.setrlimit(resource.RLIMIT_FSIZE, (60_000, 60_000))

    home = tmp_path / "home"
    ended = seg3b(*run_words(specimen, home), bound=no_room, SEG3B_CACHE=str(world_cache()))
    assert ended.code == 3
    assert ended.error.endswith("_OUTPUT_WRITE_FAILED")
    assert not any("/S5/" in name for name in published(home))
    assert not list(home.glob("heads/*"))
    # What was published before the disk ran full is whole, and the next run goes on from there.
    after = seg3b(*run_words(specimen, home), SEG3B_CACHE=str(world_cache()))
    assert after.code == 0


@pytest.mark.parametrize("mode", [0o500, 0o000])
def test_a_home_that_cannot_be_written(mode: int, specimen: Specimen, tmp_path: Path) -> None:
    home = tmp_path / "home"
    home.mkdir(mode=0o700)
    home.chmod(mode)
    prefix = MODES_COUNT if os.geteuid() == 0 else ()
    ended = seg3b(*run_words(specimen, home), prefix=prefix, SEG3B_CACHE=str(world_cache()))
    home.chmod(0o700)
    assert list(home.iterdir()) == []
    assert ended.code == 3
    assert ended.error.endswith("_OUTPUT_WRITE_FAILED")


def test_a_tree_that_may_not_be_read(specimen: Specimen, copy: Tree) -> None:
    path = copy.file("virtual_settlement_3B")
    copy.replace(path, path.read_bytes())
    path.chmod(0)
    prefix = MODES_COUNT if os.geteuid() == 0 else ()
    ended = seg3b("verify", str(copy.root), "--policies", str(specimen.policies), prefix=prefix)
    assert ended.code == 3
    assert "S1.virtual_settlement_3B.contract" in failed(ended)


NOT_UTF8 = {"LC_ALL": "C", "LANG": "C", "PYTHONUTF8": "0", "PYTHONCOERCECLOCALE": "0"}


def test_a_locale_that_is_not_utf8(specimen: Specimen, tmp_path: Path) -> None:
    ended = seg3b(*run_words(specimen, tmp_path / "home"), SEG3B_CACHE=str(world_cache()), **NOT_UTF8)
    assert ended.code == 0, ended.stderr
    assert verify(specimen, specimen.tree, **NOT_UTF8).code == 0
    receipt = orjson.loads((specimen.tree / "run_receipt.json").read_bytes())
    assert ended.said["lineage_id"] == receipt["lineage_id"]


def test_a_path_that_is_no_text_under_the_locale(specimen: Specimen, tmp_path: Path) -> None:
    home = tmp_path / "bei Müller"
    ended = seg3b(*run_words(specimen, home), SEG3B_CACHE=str(world_cache()), **NOT_UTF8)
    assert ended.code == 2
    assert "PYTHONUTF8=1" in "".join(ended.stderr.split())
    assert not home.exists()
    tree = specimen.copy(tmp_path / "Bäume")
    assert verify(specimen, tree, **NOT_UTF8).code == 2
    assert verify(specimen, tree).code == 0


def test_a_clock_that_jumps_to_and_fro(
    specimen: Specimen, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    import time  # noqa: PLC0415 - its functions are replaced

    ticks = iter(range(10**9))
    true = time.time

    def jumping() -> float:
        return true() + (-1) ** next(ticks) * 10**8

    monkeypatch.setattr(time, "time", jumping)
    monkeypatch.setattr(time, "perf_counter", jumping)
    settings = specimen.settings(tmp_path / "home")
    SeedRun(settings, SEED).run()
    tree = export_heads(settings, tmp_path / "tree")
    monkeypatch.undo()
    assert examine(tree, specimen.policies).failed == ()
    flag = Tree(tree).member("_passed.flag").read_bytes()
    assert flag == Tree(specimen.tree).member("_passed.flag").read_bytes()
