"""Value formats that no pattern can say: the zones of the pinned tz database, and real instants.

Used by both engines: as jsonschema-rs formats for documents, over distinct values for columns.
"""

from __future__ import annotations

from collections.abc import Callable
from datetime import datetime
from typing import Final

from seg3b_assets.laws.tz_database import tz_database_zones


def is_iana_tzid(text: str) -> bool:
    """Whether the pinned tz database package has the zone."""
    return text in tz_database_zones()


def is_instant(text: str) -> bool:
    """Whether an RFC 3339 text names an instant that exists (2026-02-30 does not)."""
    try:
        return datetime.fromisoformat(text).tzinfo is not None
    except ValueError:
        return False


FORMATS: Final[dict[str, Callable[[str], bool]]] = {"iana-tzid": is_iana_tzid, "date-time": is_instant}
