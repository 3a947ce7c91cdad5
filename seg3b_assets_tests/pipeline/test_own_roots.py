"""A root of the embedded world in the cache is held against its bundles like anybody's; ours is built anew."""

from __future__ import annotations

import os
import shutil
from collections.abc import Callable
from pathlib import Path

import pytest

from seg3b_assets.laws.errors import Seg3BError
from seg3b_assets.laws.hashing import directory_digest
from seg3b_assets.pipeline.segment import default_segment, seal_seed, upstream_root
from seg3b_assets.progress import SILENT
from seg3b_assets.settings import Settings
from seg3b_assets.world import ensure_world, world_root
from seg3b_assets_tests.faults.specimen import RECIPE, SEED, world_cache

SEGMENT = default_segment()


@pytest.fixture
def settings(tmp_path: Path) -> Settings:
    """Over a cache that holds one small world, as hard links: replace its files."""
    built = ensure_world(SEED, RECIPE, world_cache())
    target = world_root(SEED, RECIPE, tmp_path / "cache")
    shutil.copytree(built, target, copy_function=os.link)
    shutil.copytree(world_cache() / "world/stages", tmp_path / "cache/world/stages", copy_function=os.link)
    return Settings.from_environment(home=tmp_path / "home", cache=tmp_path / "cache", recipe=RECIPE)


def other_byte(path: Path) -> None:
    content = bytearray(path.read_bytes())
    content[len(content) // 2] ^= 1
    path.unlink()
    path.write_bytes(content)


def a_part_of(dataset: str) -> Callable[[Path], None]:
    return lambda root: other_byte(next(iter(sorted(root.glob(f"**/{dataset}/**/*.parquet")))))


SPOILT: dict[str, Callable[[Path], object]] = {
    "tile_weights": a_part_of("tile_weights"),
    "outlet_catalogue": a_part_of("outlet_catalogue"),
    "world_countries": a_part_of("world_countries"),
    "settlement_gazetteer": a_part_of("settlement_gazetteer"),
    "a flag": lambda root: next(root.glob("**/3A/**/_passed.flag")).unlink(),
    "the receipt": lambda root: (root / "run_receipt.json").unlink(),
    "a pipe for the receipt": lambda root: [
        (root / "run_receipt.json").unlink(),
        os.mkfifo(root / "run_receipt.json"),
    ],
}


@pytest.mark.parametrize("how", SPOILT)
def test_a_cached_root_that_was_altered_is_refused_and_built_anew_once_removed(
    how: str, settings: Settings
) -> None:
    root = upstream_root(settings, SEED, SILENT)
    right = directory_digest(root)
    seal_seed(SEGMENT, settings, root)
    SPOILT[how](root)
    with pytest.raises(Seg3BError) as refused:
        seal_seed(SEGMENT, settings, upstream_root(settings, SEED, SILENT))
    assert refused.value.place.startswith(str(root))
    assert f"Remove {root}" in refused.value.remedy
    shutil.rmtree(root)
    assert directory_digest(upstream_root(settings, SEED, SILENT)) == right
