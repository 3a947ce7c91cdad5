"""The pinned tz database: the zones that exist (law section 0), whatever the machine has installed."""

from __future__ import annotations

import importlib.resources
from functools import cache


@cache
def tz_database_zones() -> frozenset[str]:
    """Zone names of the pinned tz database package, not of the machine."""
    listing = importlib.resources.files("tzdata").joinpath("zones").read_text(encoding="utf-8")
    return frozenset(listing.split())
