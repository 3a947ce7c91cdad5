"""Tile weights that follow people (laws.md section 2).

A place's people stay in its tile or spread to the country's tiles around it by a quartic kernel; a little
weight is spread over the country's area. Masses are whole numbers, and the kernel is rounded to a grid before
it multiplies anything, so no bit depends on a machine's cosine.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

import numpy as np
from numpy.typing import NDArray

from seg3b_assets.laws.apportionment import apportion
from seg3b_assets.laws.snapping import snap
from seg3b_assets.world.recipe import MICRO, WorldRecipe
from seg3b_assets.world.tiling import Raster, TileCover

I64 = NDArray[np.int64]

_KM_PER_DEGREE: Final = 111.195  # of latitude, on the sphere of radius 6371.0088 km
_KERNEL_UNITS: Final = 1 << 20
_MASS_PER_PERSON: Final = 1 << 10
_MOST_TILES_AWAY: Final = 3  # beyond, a fine raster would spend minutes on what nobody can see
_COSINE_FLOOR: Final = 0.05  # keeps the kernel's reach in columns finite towards the poles


@dataclass(frozen=True)
class _Kernel:
    """How mass spreads: tile offsets (offsets,) and, per latitude row of interest, integer strengths."""

    reach_km: float
    raster: Raster

    def cosine(self, row: I64) -> NDArray[np.float64]:
        """Cosine of each row's middle latitude, on a grid of a millionth."""
        middle = self.raster.north(row) - self.raster.side_deg / 2.0
        return np.maximum(snap(np.cos(np.radians(middle)), MICRO), _COSINE_FLOOR)

    def strength(self, row: I64, down: int, right: int) -> I64:
        """Quartic kernel (1 − d²/reach²)² of the offset, seen from each row, in units of 2⁻²⁰."""
        side_km = self.raster.side_deg * _KM_PER_DEGREE
        east = self.cosine(row) * (right * side_km)
        squared = (east * east + (down * side_km) ** 2) / (self.reach_km * self.reach_km)
        rest = np.maximum(1.0 - squared, 0.0)
        strength: I64 = np.rint(rest * rest * _KERNEL_UNITS).astype(np.int64)
        return strength

    def columns(self, row: I64) -> int:
        """Most columns the kernel reaches from any of the rows."""
        if not row.size:
            return 0
        return int(self.reach_km / (self.raster.side_deg * _KM_PER_DEGREE * float(self.cosine(row).min())))

    def rows(self) -> int:
        return int(self.reach_km / (self.raster.side_deg * _KM_PER_DEGREE))


def tile_weights(
    cover: TileCover, place_tile: I64, population: I64, raster: Raster, recipe: WorldRecipe
) -> I64:
    """Integer weights of one country's tiles, in tile order, summing to 10**recipe.weight_dp.

    Args:
        cover: the country's tiles.
        place_tile: tile_id of each of its places. population: people of each.
        raster: the raster of ``cover``. recipe: kernel, shares, acceptance and dp.
    """
    usable = _usable(cover.acceptance(raster), recipe.min_acceptance)
    people = _spread(cover.tile_id, usable, _at_tiles(cover.tile_id, place_tile, population), raster, recipe)
    mass = people + _rural(cover, usable, int(people.sum()), raster, recipe.rural_share)
    return apportion(mass.astype(np.float64), [mass.size], [10**recipe.weight_dp])


def _usable(acceptance: NDArray[np.float64], least: float) -> NDArray[np.bool_]:
    """Tiles a point can be drawn in; where none passes, the country's best one."""
    usable = acceptance >= least
    if not usable.any():
        usable[np.argmax(acceptance)] = True
    return usable


def _at_tiles(tile_id: I64, place_tile: I64, population: I64) -> I64:
    """People per tile; a place whose tile is not the country's (it lies on an edge) is left out."""
    at = np.searchsorted(tile_id, place_tile)
    at_known = np.minimum(at, tile_id.size - 1)
    known = tile_id[at_known] == place_tile
    people = np.zeros(tile_id.size, np.int64)
    np.add.at(people, at_known[known], population[known])
    return people


def _spread(tile_id: I64, usable: NDArray[np.bool_], people: I64, raster: Raster, recipe: WorldRecipe) -> I64:
    source = np.flatnonzero(people)
    row, column = tile_id[source] // raster.ncols, tile_id[source] % raster.ncols
    side_km = raster.side_deg * _KM_PER_DEGREE
    kernel = _Kernel(min(recipe.kernel_km, (_MOST_TILES_AWAY + 0.5) * side_km), raster)
    reached: list[tuple[I64, I64, I64]] = []
    strength_sum = np.zeros(source.size, np.int64)
    across = kernel.columns(row)
    for down in range(-kernel.rows(), kernel.rows() + 1):
        for right in range(-across, across + 1):
            wanted = (row + down) * raster.ncols + (column + right) % raster.ncols
            at = np.minimum(np.searchsorted(tile_id, wanted), tile_id.size - 1)
            strength = np.where((tile_id[at] == wanted) & usable[at], kernel.strength(row, down, right), 0)
            hit = np.flatnonzero(strength)
            reached.append((hit, at[hit], strength[hit]))
            strength_sum += strength
    mass = people[source] * _MASS_PER_PERSON
    stays = np.where(usable[source], np.rint(mass * recipe.own_tile_share).astype(np.int64), 0)
    spread = np.zeros(tile_id.size, np.int64)
    spread[source] += stays
    for hit, at, strength in reached:
        share = strength / strength_sum[hit]
        spread[at] += np.floor((mass - stays)[hit] * share).astype(np.int64)
    return spread


def _rural(
    cover: TileCover, usable: NDArray[np.bool_], total: int, raster: Raster, rural_share: float
) -> I64:
    """Mass by area on the usable tiles, in all about ``rural_share`` of the country's."""
    rows = cover.tile_id // raster.ncols
    area = np.where(usable, cover.share * _Kernel(1.0, raster).cosine(rows), 0.0)
    relative = np.rint(area * _KERNEL_UNITS).astype(np.int64)
    budget = max(total, _KERNEL_UNITS) * (rural_share / (1.0 - rural_share))
    mass: I64 = np.rint(relative * (budget / int(relative.sum()))).astype(np.int64)
    return np.maximum(mass, usable)  # every usable tile can be drawn
