"""A tree that was forged whole, by our own laws: it agrees with itself, and only what lies outside it can tell."""

from __future__ import annotations

from pathlib import Path

import pytest

from seg3b_assets.audit.verification import verify
from seg3b_assets.consume import open_run
from seg3b_assets.laws.errors import Seg3BError
from seg3b_assets.settings import Settings
from seg3b_assets_tests.audit.spoilt_tree import failed
from seg3b_assets_tests.faults.forged_whole import forge

SEED = 42


@pytest.fixture
def forged(settings: Settings, upstream: Path, tmp_path: Path) -> Path:
    """The genuine run's tree with the weights of every country's tiles reversed, and one digest made to lie."""
    return forge(settings, upstream, SEED, tmp_path)


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
