"""A tree that was forged whole, by our own laws: it agrees with itself, and only what lies outside it can tell."""

from __future__ import annotations

import shutil
from dataclasses import replace
from pathlib import Path

import polars as pl
import pytest

from seg3b_assets.audit.verification import verify
from seg3b_assets.consume import open_run
from seg3b_assets.laws.errors import Seg3BError
from seg3b_assets.laws.hashing import path_digest
from seg3b_assets.pipeline import SeedRun
from seg3b_assets.pipeline.exporting import export
from seg3b_assets.progress import SILENT
from seg3b_assets.settings import Settings
from seg3b_assets.store.digest_cache import DigestCache
from seg3b_assets_tests.audit.spoilt_tree import failed
from seg3b_assets_tests.end_to_end.upstream_copies import UpstreamCopy

SEED = 42
WEIGHTS = "tile_weights"


@pytest.fixture
def forged(settings: Settings, upstream: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The genuine run's tree with the weights of every country's tiles reversed, and one digest made to lie."""
    copy = UpstreamCopy.of(upstream, tmp_path / "upstream")
    genuine = path_digest(copy.dataset(WEIGHTS))
    own_folder = shutil.copytree(copy.dataset(WEIGHTS), tmp_path / "weights")
    for part in own_folder.glob("*.parquet"):
        frame = pl.read_parquet(part, glob=False, hive_partitioning=False)
        part.unlink()
        frame.with_columns(pl.col("weight_fp").reverse()).write_parquet(part)
    place = copy.dataset(WEIGHTS)
    place.unlink() if place.is_symlink() else shutil.rmtree(place)
    own_folder.rename(place)

    def lying(path: Path) -> str:
        return genuine if WEIGHTS in path.parts else path_digest(path)

    truthful = DigestCache.directory
    monkeypatch.setattr(
        DigestCache,
        "directory",
        lambda cache, path: genuine if WEIGHTS in path.parts else truthful(cache, path),
    )
    monkeypatch.setattr("seg3b_assets.states.s5_bundle.state.path_digest", lying)
    monkeypatch.setattr("seg3b_assets.store.export_inputs.path_digest", lying)
    own = replace(settings, home=tmp_path / "home", upstream=copy.path, shared=(settings.cache,))
    lineage = SeedRun(own, SEED).run().lineage_id
    [written] = export(own, lineage, (), str(tmp_path / "forged"), SILENT)
    monkeypatch.undo()
    return Path(written.place)


def test_a_forgery_that_agrees_with_itself_is_told_by_its_flag_and_by_upstream(
    forged: Path, exported: Path, upstream: Path, settings: Settings
) -> None:
    genuine = open_run(exported)
    other = open_run(forged)
    assert other.identity == genuine.identity
    assert not other.table("edge_catalogue_3B").equals(genuine.table("edge_catalogue_3B"))

    alone = verify(forged, settings.policies)
    assert (failed(alone), alone.anchors, alone.holds()) == ([], (), True)
    assert alone.flag == other.flag != genuine.flag

    expected = verify(forged, settings.policies, expect=genuine.flag)
    assert (failed(expected), expected.anchors) == (["tree.flag"], ())
    with pytest.raises(Seg3BError) as refused:
        open_run(forged, expect=genuine.flag)
    assert refused.value.validator == "expected_flag"

    held = verify(forged, settings.policies, upstream)
    assert "tree.tile_excerpt_sealed" in failed(held) or "S0.sealed_digests" in failed(held)
    assert not held.holds()
