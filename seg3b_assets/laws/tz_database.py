"""The pinned tz database: the zones that exist (law section 0), whatever the machine has installed."""

from __future__ import annotations

import importlib.resources
from collections.abc import Mapping
from functools import cache
from typing import Final

# Zones that a release of the tz database brought, since 2020: its NEWS of each release.
INTRODUCED: Final[Mapping[str, str]] = {
    "Pacific/Kanton": "2021b",
    "Europe/Kyiv": "2022b",
    "America/Ciudad_Juarez": "2022g",
    "America/Coyhaique": "2025b",
}


@cache
def tz_database_zones() -> frozenset[str]:
    """Zone names of the pinned tz database package, not of the machine."""
    listing = importlib.resources.files("tzdata").joinpath("zones").read_text(encoding="utf-8")
    return frozenset(listing.split())


def zones_newer_than(release: str) -> frozenset[str]:
    """Zones that the named release of the tz database does not have; every zone before 2020 is taken as known.

    Args:
        release: its tag, ``2025a``; tags are in the order of their text.
    """
    return frozenset(zone for zone, since in INTRODUCED.items() if since > release)
