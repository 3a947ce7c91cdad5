"""The pinned tz database (law section 0), whatever the machine has installed: its zones, and their present names."""

from __future__ import annotations

import importlib.resources
from collections.abc import Collection, Mapping
from functools import cache
from typing import Final

# Zones that a release of the tz database brought, since 2020: its NEWS of each release.
INTRODUCED: Final[Mapping[str, str]] = {
    "Pacific/Kanton": "2021b",
    "Europe/Kyiv": "2022b",
    "America/Ciudad_Juarez": "2022g",
    "America/Coyhaique": "2025b",
}
_LONGEST_CHAIN: Final = 8


@cache
def tz_database_zones() -> frozenset[str]:
    """Zone names of the pinned tz database package, not of the machine."""
    return frozenset(_text("zones").split())


def zones_newer_than(release: str) -> frozenset[str]:
    """Zones that the named release of the tz database does not have; every zone before 2020 is taken as known.

    Args:
        release: its tag, ``2025a``; tags are in the order of their text.
    """
    return frozenset(zone for zone, since in INTRODUCED.items() if since > release)


def newer_zones_note(release: str, zones: Collection[str]) -> list[str]:
    """A sentence that names the zones newer than 2A's release; none where there are none."""
    newer = sorted(zones_newer_than(release).intersection(zones))
    return [f"zones newer than 2A's tz database {release}: {', '.join(newer)}"] if newer else []


def present_name(tzid: str) -> str:
    """What the database calls a zone now: itself for a zone of a place, its link's target for an old name.

    Asia/Calcutta is Asia/Kolkata; Europe/Amsterdam, a place with a clock it shares with others, stays itself.
    """
    links, places = _links(), _zones_of_places()
    for _ in range(_LONGEST_CHAIN):
        if tzid in places or tzid not in links:
            break
        tzid = links[tzid]
    return tzid


@cache
def _zones_of_places() -> frozenset[str]:
    """Zones that zone.tab gives to a country."""
    rows = (line.split("\t") for line in _text("zoneinfo/zone.tab").splitlines() if not line.startswith("#"))
    return frozenset(row[2].strip() for row in rows if len(row) > 2)


@cache
def _links() -> dict[str, str]:
    """Link name to target, from the database's own text (tzdata.zi: ``L TARGET NAME``)."""
    rows = (line.split() for line in _text("zoneinfo/tzdata.zi").splitlines() if line.startswith("L "))
    return {row[2]: row[1] for row in rows}


def _text(name: str) -> str:
    return importlib.resources.files("tzdata").joinpath(name).read_text(encoding="utf-8")
