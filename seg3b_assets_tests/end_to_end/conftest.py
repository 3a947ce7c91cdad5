"""Coarse worlds, kept between sessions, and finished homes over them, one for all workers of a session.

``small`` is 300 merchants on a 1° surface (ten of them virtual, five thousand edges): enough to reach every
state. ``coarse`` is 1,500 (fifty virtual, thirty thousand edges): for digests, decoding and conformity.
"""

from __future__ import annotations

import os
import shutil
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import pytest

from seg3b_assets.settings import REPOSITORY
from seg3b_assets.world import WorldRecipe, ensure_world
from seg3b_assets_tests.end_to_end.installation import (
    COARSE,
    RESOLUTION,
    SEED,
    SMALL,
    Installation,
    copy_home,
)
from seg3b_assets_tests.end_to_end.recomputing import Recomputation, Recomputed, recompute
from seg3b_assets_tests.end_to_end.upstream_copies import UpstreamCopy
from seg3b_assets_tests.made_once import made_once


@pytest.fixture(scope="session")
def cache() -> Path:
    """Where test worlds are kept; $SEG3B_TEST_CACHE moves it."""
    return Path(os.environ.get("SEG3B_TEST_CACHE", "~/.cache/seg3b-tests")).expanduser()


@pytest.fixture(scope="session")
def policies(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The shipped policies as they were when the session began: an edit meanwhile is no fault to be found."""
    return made_once(tmp_path_factory, "shipped", _observing)


def _observing(folder: Path) -> Path:
    policies = Path(shutil.copytree(REPOSITORY / "policies", folder / "policies"))
    # Ten merchants are no population: these worlds are sound, not realistic, and S5 is to seal them.
    validation = policies / "virtual_validation.yaml"
    validation.write_text(validation.read_text().replace("mode: enforce", "mode: observe"))
    return policies


def _finished(folder: Path, policies: Path, cache: Path, merchants: int) -> Installation:
    installation = Installation(folder / "home", policies, cache, merchants=merchants)
    assert installation.run().passed()["counts"]["virtual"] > 5
    return installation


@pytest.fixture(scope="session")
def finished(tmp_path_factory: pytest.TempPathFactory, policies: Path, cache: Path) -> Installation:
    """A home with the small world's seed 42 in force. Read it; change a copy."""
    return made_once(tmp_path_factory, "small", lambda folder: _finished(folder, policies, cache, SMALL))


@pytest.fixture(scope="session")
def coarse(tmp_path_factory: pytest.TempPathFactory, policies: Path, cache: Path) -> Installation:
    """A home with the coarse world's seed 42 in force. Read it; change a copy."""
    return made_once(tmp_path_factory, "coarse", lambda folder: _finished(folder, policies, cache, COARSE))


@pytest.fixture(scope="session")
def recomputed(
    finished: Installation, coarse: Installation, tmp_path_factory: pytest.TempPathFactory
) -> Recomputed:
    """Copies of the finished homes, computed again with another worker count."""

    def again(original: Installation) -> Recomputation:
        home = tmp_path_factory.mktemp("recomputed") / "home"
        copy_home(original.home, home)
        return recompute(replace(original, home=home, variables={"SEG3B_WORKERS": "4"}))

    return Recomputed(again(finished), again(coarse))


@pytest.fixture
def installation(finished: Installation, tmp_path: Path) -> Installation:
    """A copy of the finished small home, to be changed."""
    copy_home(finished.home, tmp_path / "home")
    return replace(finished, home=tmp_path / "home")


@pytest.fixture
def empty(finished: Installation, tmp_path: Path) -> Installation:
    """The finished installation's settings over a home that does not exist yet."""
    return replace(finished, home=tmp_path / "empty")


@pytest.fixture(scope="session")
def root_of(cache: Path) -> Callable[[int], Path]:
    """The small world's root of a seed, built if it is not cached."""
    recipe = WorldRecipe(resolution_deg=RESOLUTION, merchants=SMALL)
    return lambda seed: ensure_world(seed, recipe, cache)


@pytest.fixture
def upstream(root_of: Callable[[int], Path], tmp_path: Path) -> UpstreamCopy:
    """A copy of the small world's root, to be changed."""
    return UpstreamCopy.of(root_of(SEED), tmp_path / "upstream")


@pytest.fixture
def edited_policies(policies: Path, tmp_path: Path) -> Path:
    """A copy of the policies, to be changed."""
    return Path(shutil.copytree(policies, tmp_path / "policies"))
