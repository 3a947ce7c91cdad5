"""What is odd about an upstream's maps and allowed (law section 2): told once, per country or zone, by S0.

Borders of two countries may overlap, as maps of disputed land do; a ring may go round a pole; a zone may carry a
name the tz database has replaced. None of it stops a run, and none of it should be found out from the results.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Final

import numpy as np
import shapely

from seg3b_assets.laws.polygons import Geometries, girding_rings
from seg3b_assets.laws.tz_database import present_name

COUNTRIES_OVERLAP: Final = "COUNTRIES_OVERLAP"
RING_ROUND_POLE: Final = "RING_ROUND_POLE"
OLD_ZONE_NAME: Final = "OLD_ZONE_NAME"
COUNTRY_LEFT_PRIOR: Final = "COUNTRY_LEFT_PRIOR"

# Borders drawn from two sources cross each other by slivers. An overlap is worth a word where a tenth of a degree
# fits into it, or where it is a hundredth of the smaller country.
_HALF_WIDTH_DEG: Final = 0.05
_SHARE: Final = 0.01


@dataclass(frozen=True, order=True)
class MapFinding:
    """One thing to know.

    Attributes:
        kind: one of this module's kinds.
        dataset: of which input.
        subject: the country or zone.
        others: the countries it overlaps, the zone's present name, or what the country is without.
    """

    kind: str
    dataset: str
    subject: str
    others: tuple[str, ...]

    def as_json(self) -> dict[str, Any]:
        return {
            "kind": self.kind,
            "dataset": self.dataset,
            "subject": self.subject,
            "others": list(self.others),
        }

    @property
    def sentence(self) -> str:
        """In words, on one line."""
        others = ", ".join(self.others)
        return {
            COUNTRIES_OVERLAP: f"{self.dataset}: {self.subject} overlaps {others}",
            RING_ROUND_POLE: f"{self.dataset}: {self.subject} has a ring round a pole, wider than 180 degrees",
            OLD_ZONE_NAME: f"{self.dataset}: {self.subject} is an old name of {others}",
            COUNTRY_LEFT_PRIOR: f"{self.dataset}: {self.subject} left the prior, being without {others}",
        }[self.kind]


def overlapping_countries(dataset: str, codes: Sequence[str], polygons: Geometries) -> list[MapFinding]:
    """A finding per country that overlaps smaller ones.

    Args:
        codes: of the countries (n,). polygons: sound ones (n,), or empty.
    """
    # A tree asks boxes only; two that touch along a border share no area.
    first, second = shapely.STRtree(polygons).query(polygons)
    apart = first < second
    first, second = first[apart], second[apart]
    met = shapely.intersects(polygons[first], polygons[second])
    first, second = first[met], second[met]
    crossed = ~shapely.touches(polygons[first], polygons[second])
    area = shapely.area(polygons)
    found: dict[str, set[str]] = {}
    for one, other in zip(first[crossed].tolist(), second[crossed].tolist(), strict=True):
        large, small = (one, other) if area[one] >= area[other] else (other, one)
        if _substantial(polygons[large], polygons[small]):
            found.setdefault(codes[large], set()).add(codes[small])
    return [
        MapFinding(COUNTRIES_OVERLAP, dataset, code, tuple(sorted(others))) for code, others in found.items()
    ]


def _substantial(large: shapely.Geometry, small: shapely.Geometry) -> bool:
    common = shapely.intersection(large, small)
    if float(shapely.area(common)) >= _SHARE * float(shapely.area(small)):
        return True
    return not shapely.is_empty(shapely.buffer(common, -_HALF_WIDTH_DEG, quad_segs=1))


def rings_round_poles(dataset: str, names: Sequence[str], polygons: Geometries) -> list[MapFinding]:
    """A finding per polygon with a ring round a pole."""
    subjects = sorted({names[at] for at in girding_rings(polygons)})
    return [MapFinding(RING_ROUND_POLE, dataset, name, ()) for name in subjects]


def old_zone_names(dataset: str, tzids: Sequence[str]) -> list[MapFinding]:
    """A finding per zone that the tz database calls otherwise now."""
    old = [(name, present_name(name)) for name in sorted(set(tzids))]
    return [MapFinding(OLD_ZONE_NAME, dataset, name, (now,)) for name, now in old if now != name]


def zones_met(polygons: Geometries, zones: Geometries) -> np.ndarray[Any, np.dtype[np.bool_]]:
    """Whether each polygon (n,) shares a point with some zone polygon: bool (n,)."""
    met = np.zeros(len(polygons), bool)
    found, _ = shapely.STRtree(zones).query(polygons, predicate="intersects")
    met[found] = True
    return met
