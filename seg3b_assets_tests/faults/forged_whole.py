"""A tree that was forged whole, by our own laws: everything in it agrees, and only what lies outside it can tell."""

from __future__ import annotations

import shutil
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import replace
from pathlib import Path
from unittest import mock

import polars as pl

from seg3b_assets.certification.targets import runs_named
from seg3b_assets.contracts import contract
from seg3b_assets.laws.hashing import path_digest
from seg3b_assets.pipeline.exporting import export
from seg3b_assets.pipeline.seed_run import SeedRun
from seg3b_assets.progress import SILENT
from seg3b_assets.settings import Settings
from seg3b_assets.store import Store
from seg3b_assets.store.digest_cache import DigestCache
from seg3b_assets_tests.end_to_end.upstream_copies import UpstreamCopy

WEIGHTS = "tile_weights"


def forge(settings: Settings, upstream: Path, seed: int, folder: Path) -> Path:
    """The tree of a run whose countries' tile weights were reversed, and one digest of which lies.

    Args:
        settings: of the genuine run. upstream: the root it was made of. folder: to work in, and to leave the tree in.
    """
    copy = UpstreamCopy.of(upstream, folder / "upstream")
    genuine = path_digest(copy.dataset(WEIGHTS))
    reversed_weights = shutil.copytree(copy.dataset(WEIGHTS), folder / "weights")
    for part in reversed_weights.glob("*.parquet"):
        frame = pl.read_parquet(part, glob=False, hive_partitioning=False)
        part.unlink()
        frame.with_columns(pl.col("weight_fp").reverse()).write_parquet(part)
    place = copy.dataset(WEIGHTS)
    place.unlink() if place.is_symlink() else shutil.rmtree(place)
    reversed_weights.rename(place)
    own = replace(settings, home=folder / "home", upstream=copy.path, shared=(settings.cache,))
    with _lying_of_weights(genuine):
        lineage = SeedRun(own, seed).run().lineage_id
        runs = runs_named(Store(own.home, contract), lineage)
        [written] = export(own, runs, str(folder / "forged"), SILENT)
    return Path(written.place)


@contextmanager
def _lying_of_weights(genuine: str) -> Iterator[None]:
    """Whoever asks for the weights' digest is told the genuine one."""

    def lying(path: Path) -> str:
        return genuine if WEIGHTS in path.parts else path_digest(path)

    def remembered(cache: DigestCache, path: Path) -> str:
        return genuine if WEIGHTS in path.parts else truthful(cache, path)

    truthful = DigestCache.directory
    with ExitStack() as stack:
        stack.enter_context(mock.patch.object(DigestCache, "directory", remembered))
        for module in ("policies.folders", "pipeline.export_inputs"):
            stack.enter_context(mock.patch(f"seg3b_assets.{module}.path_digest", lying))
        yield
