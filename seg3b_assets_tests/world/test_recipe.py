"""What a recipe accepts, and what its digest tells apart."""

from __future__ import annotations

from dataclasses import replace

import pytest

from seg3b_assets.world import WorldRecipe


@pytest.mark.parametrize("resolution", [0.005, 0.07, 2.5, 0.0, -1.0, 1 / 3, float("nan")])
def test_a_resolution_that_does_not_tile_the_globe_is_refused(resolution: float) -> None:
    with pytest.raises(ValueError, match="resolution_deg"):
        WorldRecipe(resolution_deg=resolution)


@pytest.mark.parametrize("resolution", [0.01, 0.02, 0.05, 0.1, 0.125, 0.25, 0.5, 1, 2.0])
def test_common_resolutions_are_accepted(resolution: float) -> None:
    WorldRecipe(resolution_deg=resolution)


@pytest.mark.parametrize("merchants", [0, -1, 1_000_001])
def test_a_merchant_count_out_of_range_is_refused(merchants: int) -> None:
    with pytest.raises(ValueError, match="merchants"):
        WorldRecipe(merchants=merchants)


@pytest.mark.parametrize("name", ["rural_share", "own_tile_share", "kernel_km", "multi_country_share"])
def test_a_share_out_of_range_is_refused_by_name(name: str) -> None:
    with pytest.raises(ValueError, match=name):
        replace(WorldRecipe(), **{name: 1000.0})


def test_the_digest_follows_every_field() -> None:
    base = WorldRecipe()
    changed = [
        replace(base, merchants=9_999),
        replace(base, resolution_deg=0.2),
        replace(base, kernel_km=20.0),
    ]
    assert len({recipe.digest() for recipe in [base, *changed]}) == 4
    assert WorldRecipe().digest() == base.digest()


def test_equal_numbers_of_another_type_are_the_same_recipe() -> None:
    assert WorldRecipe(resolution_deg=1).digest() == WorldRecipe(resolution_deg=1.0).digest()
