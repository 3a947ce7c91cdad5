"""Building: whole or not at all, resumable, the same bytes every time and on every processor."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from seg3b_assets.laws.hashing import directory_digest, file_digest
from seg3b_assets.laws.plain_files import files_below
from seg3b_assets.progress import SILENT
from seg3b_assets.world import WorldRecipe, build, ensure_world
from seg3b_assets.world.writing import link_dataset
from seg3b_assets_tests.world.conftest import COARSE, World

pytestmark = pytest.mark.e2e
KNOWN_FINGERPRINT = "650d6acac27696bcf72015fcef604eb5244dbcac069eeb810b2778117a3992a5"
BUILD = "from seg3b_assets.world import *; from pathlib import Path; import sys"
ENSURE = "ensure_world(42, WorldRecipe(resolution_deg=1.0, merchants=1_500), Path(sys.argv[1]))"
KILL_AT = """
import os, signal
from seg3b_assets.world import build
build.{name} = lambda *_: os.kill(os.getpid(), signal.SIGKILL)
"""


@pytest.fixture
def fresh(world: World, cache: Path, tmp_path: Path) -> Path:
    """An empty cache but for the borders, which are slow to cut."""
    for folder in (cache / "world/stages").glob("geometry-*"):
        link_dataset(folder, tmp_path / "world/stages" / folder.name)
    return tmp_path


def run(script: str, cache: Path, **environment: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "-c", script, str(cache)],
        env={**os.environ, **environment},
        check=False,
        capture_output=True,
        text=True,
    )


def test_a_second_build_is_byte_identical(world: World, fresh: Path) -> None:
    assert directory_digest(ensure_world(42, COARSE, fresh)) == directory_digest(world.root)


def test_an_older_processor_builds_the_same_bytes(world: World, fresh: Path) -> None:
    # Every feature above numpy's baseline, and every variant glibc's mathematics would choose by itself.
    masked = {
        "NPY_DISABLE_CPU_FEATURES": "AVX512F AVX512_SKX AVX2 FMA3",
        "GLIBC_TUNABLES": "glibc.cpu.hwcaps=-AVX2,-FMA,-FMA4,-AVX512F",
        "POLARS_MAX_THREADS": "4",
    }
    done = run(f"{BUILD}\n{ENSURE}", fresh, **masked)
    assert done.returncode == 0, done.stderr
    assert directory_digest(ensure_world(42, COARSE, fresh)) == directory_digest(world.root)


@pytest.mark.parametrize("name", ["write_surface", "draw_trade", "write_bundles"])
def test_a_killed_build_resumes_after_its_last_finished_stage(world: World, fresh: Path, name: str) -> None:
    killed = run(f"{BUILD}\n{KILL_AT.format(name=name)}\n{ENSURE}", fresh)
    assert killed.returncode == -9
    assert not list(fresh.glob("world/*/seed=42"))
    finished = {p: p.stat().st_mtime_ns for p in fresh.glob("world/stages/[!.]*/stage.json")}
    tiles = [path for path in finished if path.parent.name.startswith("tiles-")]
    assert len(tiles) == (0 if name == "write_surface" else 1)
    root = ensure_world(42, COARSE, fresh)
    assert directory_digest(root) == directory_digest(world.root)
    assert all(path.stat().st_mtime_ns == when for path, when in finished.items())
    assert not list(fresh.glob("world/**/.staging-*"))


def test_what_a_killed_build_left_is_swept_by_the_next_whatever_its_recipe(world: World, fresh: Path) -> None:
    killed = run(f"{BUILD}\n{KILL_AT.format(name='write_surface')}\n{ENSURE}", fresh)
    assert killed.returncode == -9
    assert list(fresh.glob("world/stages/.staging-*"))
    ensure_world(42, WorldRecipe(resolution_deg=2.0, merchants=10), fresh)
    assert not list(fresh.glob("world/**/.staging-*"))


@pytest.mark.parametrize("dataset", ["tile_weights", "world_countries"])
def test_a_root_is_not_built_of_a_stage_that_was_altered(world: World, fresh: Path, dataset: str) -> None:
    ensure_world(7, COARSE, fresh)
    # The test's cache may have borders of several kinds, and whichever is used is altered.
    for folder in fresh.glob(f"world/stages/*/{dataset}"):
        altered = next(path for path in sorted(folder.rglob("*")) if path.is_file())
        content = bytearray(altered.read_bytes())
        altered.unlink()  # its other names, in the root of seed 7 and in the test's cache, keep their bytes
        content[len(content) // 2] ^= 1
        altered.write_bytes(content)
    assert directory_digest(ensure_world(42, COARSE, fresh)) == directory_digest(world.root)
    assert not list(fresh.glob("world/**/.staging-*"))


def test_two_builders_at_once_make_one_world(world: World, fresh: Path) -> None:
    script = [sys.executable, "-c", f"{BUILD}\nprint({ENSURE})", str(fresh)]
    builders = [subprocess.Popen(script, stdout=subprocess.PIPE, text=True) for _ in range(2)]
    roots = {builder.communicate()[0].strip() for builder in builders}
    assert [builder.returncode for builder in builders] == [0, 0]
    (root,) = roots
    assert directory_digest(Path(root)) == directory_digest(world.root)


def test_a_built_world_is_not_built_again(world: World, cache: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(build, "build_root", None)
    assert ensure_world(42, COARSE, cache) == world.root


def test_other_merchants_reuse_the_tiles(fresh: Path) -> None:
    ensure_world(1, COARSE, fresh)
    ensure_world(1, WorldRecipe(resolution_deg=1.0, merchants=10), fresh)
    assert len(list(fresh.glob("world/stages/tiles-*"))) == 1


def test_a_cache_without_links_gets_copies(
    world: World, fresh: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def refuse(*_: object, **__: object) -> None:
        raise OSError("not supported here")

    monkeypatch.setattr(os, "link", refuse)
    linked = ensure_world(42, COARSE, fresh)
    assert directory_digest(linked) == directory_digest(world.root)
    shutil.rmtree(linked)
    monkeypatch.setattr(Path, "symlink_to", refuse)
    copied = ensure_world(42, COARSE, fresh)
    assert not any((copied / name).is_symlink() for name in files_below(copied))
    assert directory_digest(copied) == directory_digest(world.root)


@pytest.mark.parametrize("seed", [-1, 2**64])
def test_a_seed_that_is_no_uint64_is_refused(seed: int, tmp_path: Path) -> None:
    with pytest.raises(ValueError, match="seed is"):
        ensure_world(seed, COARSE, tmp_path)


def test_the_largest_seed_builds(fresh: Path) -> None:
    root = ensure_world(2**64 - 1, WorldRecipe(resolution_deg=2.0, merchants=1), fresh, SILENT)
    assert str(2**64 - 1) in root.name
    assert len(file_digest(root / "run_receipt.json")) == 64


def test_the_coarse_world_is_the_one_we_know(world: World) -> None:
    # A change here changes every world: raise WORLD_VERSION, so that no cache keeps serving the old one.
    receipt = json.loads((world.root / "run_receipt.json").read_bytes())
    assert receipt["manifest_fingerprint"] == KNOWN_FINGERPRINT
