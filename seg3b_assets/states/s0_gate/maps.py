"""The maps before anybody uses them (law section 2): borders that are none are refused, all of them at once.

Which polygons are looked at does not depend on the seed: every row of the two tables, whoever draws it. What is odd
and allowed becomes ``input_findings_3B``, and so does what a policy's countries are without.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final

import numpy as np
import shapely
from numpy.typing import NDArray

from seg3b_assets.laws.geography import groups
from seg3b_assets.laws.map_findings import (
    MapFinding,
    old_zone_names,
    overlapping_countries,
    rings_round_poles,
    zones_met,
)
from seg3b_assets.laws.polygons import Geometries, PolygonFault, polygon_faults, read_polygons
from seg3b_assets.states.maps import COUNTRIES, ZONES, unfit, zone_names
from seg3b_assets.states.tile_files import files_by_country, sample_bounds

if TYPE_CHECKING:
    from seg3b_assets.inputs.sealed import SealedInputs
    from seg3b_assets.laws.errors import Seg3BError

SWAPPED_AXES: Final = "axes swapped"
ELSEWHERE: Final = "outside its own tiles"

_SAMPLED_TILES: Final = 64
# A lawful surface's tiles all meet their country; borders of another source may miss small islands. Below the first
# share a country lies elsewhere. Above the second a country read with exchanged axes is at home.
_AT_HOME: Final = 0.5
_PLAINLY: Final = 0.9


@dataclass(frozen=True)
class Maps:
    """The two tables, sound.

    Attributes:
        codes: countries, in file order; polygons beside them.
        tzids: zone of each row; zone_countries its country, None for a table without; zones its polygon.
    """

    codes: list[str]
    polygons: Geometries
    tzids: list[str]
    zone_countries: list[str] | None
    zones: Geometries

    def findings(self) -> list[MapFinding]:
        """What is odd about them, in no order."""
        names = sorted(set(self.tzids))
        return [
            *overlapping_countries(COUNTRIES, self.codes, self.polygons),
            *rings_round_poles(COUNTRIES, self.codes, self.polygons),
            *rings_round_poles(ZONES, self.tzids, self.zones),
            *old_zone_names(ZONES, names),
        ]

    def zoned(self) -> frozenset[str]:
        """Countries that have a zone: listed for them, or met by their polygon where the table lists none."""
        if self.zone_countries is not None:
            return frozenset(self.zone_countries)
        met = zones_met(self.polygons, self.zones)
        return frozenset(code for code, there in zip(self.codes, met.tolist(), strict=True) if there)


def read_maps(inputs: SealedInputs) -> Maps:
    """Both tables, every polygon looked at.

    Raises:
        Seg3BError: ``INPUT_SCHEMA_MISMATCH`` naming the dataset and every country, or zone, that is no border; what
            reading a sealed table raises.
    """
    borders = judged_countries(inputs)
    if borders.error is not None:
        raise borders.error
    zones = judged_zones(inputs, borders)
    if zones.error is not None:
        raise zones.error
    return Maps(borders.codes, borders.polygons, zones.tzids, zones.countries, zones.polygons)


@dataclass(frozen=True)
class Borders:
    """The country polygons as read.

    Attributes:
        error: of those that are none, all of them; None where all are sound. Such a one is an empty polygon here, or
            is as it was sent.
    """

    codes: list[str]
    polygons: Geometries
    error: Seg3BError | None


@dataclass(frozen=True)
class ZoneBorders:
    """The zone polygons as read; ``error`` as of ``Borders``, ``countries`` None for a table without."""

    tzids: list[str]
    countries: list[str] | None
    polygons: Geometries
    error: Seg3BError | None


def judged_countries(inputs: SealedInputs) -> Borders:
    """``world_countries``, every polygon looked at. Raises what reading a sealed table raises."""
    frame = inputs.table(COUNTRIES, "S0", ["country_iso", "geom"])
    codes = frame["country_iso"].to_list()
    polygons, faults = _judged(frame["geom"].to_list())
    faults = {**_misplaced(inputs, codes, polygons, faults), **faults}
    return Borders(codes, polygons, unfit("S0", COUNTRIES, codes, faults) if faults else None)


def judged_zones(inputs: SealedInputs, borders: Borders) -> ZoneBorders:
    """``tz_world``, every polygon looked at. Raises what reading a sealed table raises."""
    table = inputs.table(ZONES, "S0")
    zones, faults = _judged(table["geometry"].to_list())
    countries = table["country_iso"].to_list() if "country_iso" in table.columns else None
    if countries is not None:
        homes = dict(zip(borders.codes, borders.polygons, strict=True))
        faults = {**_swapped(countries, zones, homes, faults), **faults}
    error = unfit("S0", ZONES, zone_names(table), faults) if faults else None
    return ZoneBorders(table["tzid"].to_list(), countries, zones, error)


def _judged(wkb: Sequence[bytes | None]) -> tuple[Geometries, dict[int, PolygonFault]]:
    polygons, faults = read_polygons(wkb)
    return polygons, {**polygon_faults(polygons), **faults}


def _misplaced(
    inputs: SealedInputs, codes: Sequence[str], polygons: Geometries, faulty: Mapping[int, Any]
) -> dict[int, PolygonFault]:
    """Countries that do not lie where their own tiles do, by position."""
    files = files_by_country("tile_bounds", inputs.path("tile_bounds", "S0"))
    faults: dict[int, PolygonFault] = {}
    for at, code in enumerate(codes):
        if at in faulty or code not in files:
            continue
        boxes = sample_bounds(files[code], _SAMPLED_TILES)
        share = _share_met(polygons[at], boxes)
        if share >= _PLAINLY or not len(boxes):
            continue
        if _share_met(_exchanged(polygons[at]), boxes) >= _PLAINLY:
            faults[at] = PolygonFault(
                SWAPPED_AXES, f"{_where(polygons[at])}; exchanged it meets its own tiles"
            )
        elif share < _AT_HOME:
            met = round(share * len(boxes))
            faults[at] = PolygonFault(ELSEWHERE, f"{_where(polygons[at])}; meets {met} of {len(boxes)} tiles")
    return faults


def _share_met(polygon: shapely.Geometry, boxes: NDArray[np.float64]) -> float:
    if not len(boxes):
        return 1.0
    shapely.prepare(polygon)
    return float(shapely.intersects(polygon, shapely.box(*boxes.T)).mean())


def _swapped(
    countries: Sequence[str],
    zones: Geometries,
    polygons: Mapping[str, shapely.Geometry],
    faulty: Mapping[int, Any],
) -> dict[int, PolygonFault]:
    """Zones that miss their country's box as they are and meet it with their axes exchanged, by position."""
    faults: dict[int, PolygonFault] = {}
    bounds = shapely.bounds(zones)
    for code, at in groups(np.array(countries, dtype="U2")):
        if str(code) not in polygons:
            continue
        home = shapely.bounds(polygons[str(code)])
        plain, turned = _boxes_meet(bounds[at], home), _boxes_meet(bounds[at][:, [1, 0, 3, 2]], home)
        for row in at[turned & ~plain].tolist():
            if row not in faulty:
                faults[row] = PolygonFault(SWAPPED_AXES, f"{_where(zones[row])}; exchanged it meets {code}")
    return faults


def _boxes_meet(boxes: NDArray[np.float64], home: NDArray[np.float64]) -> NDArray[np.bool_]:
    meets: NDArray[np.bool_] = np.all((boxes[:, :2] <= home[2:]) & (boxes[:, 2:] >= home[:2]), axis=1)
    return meets


def _exchanged(polygon: shapely.Geometry) -> shapely.Geometry:
    return shapely.transform(polygon, lambda xy: xy[:, ::-1])


def _where(polygon: shapely.Geometry) -> str:
    west, south, east, north = (f"{value:.5g}" for value in shapely.bounds(polygon).tolist())
    return f"longitudes {west} to {east}, latitudes {south} to {north}"
