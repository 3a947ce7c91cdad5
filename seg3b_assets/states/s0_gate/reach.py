"""Whose files an upstream root shows: its own, and those its user said it may (law section 2).

A link in a folder that somebody gave us may lead to any file of ours, which an export would then give away. Roots do
share surfaces by links: into the folder their user named, the cache, or one named for it.
"""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path
from typing import TYPE_CHECKING

from seg3b_assets.inputs.sealed import open_failed
from seg3b_assets.laws.plain_files import OutOfReachError, Reach
from seg3b_assets.store.writing import out_of_reach

if TYPE_CHECKING:
    from seg3b_assets.inputs.sealed import SealedInput

OURS = "policy"


def require_reachable(sealed: Iterable[SealedInput], reach: Reach) -> None:
    """Return where every sealed input of upstream lies within reach.

    Raises:
        Seg3BError: ``INPUT_OPEN_FAILED`` naming the link and where it leads.
    """
    for entry in sealed:
        if entry.row["artefact_kind"] != OURS:
            require_in_reach(str(entry.row["logical_id"]), entry.location, reach)


def require_in_reach(logical_id: str, location: Path, reach: Reach) -> None:
    """``require_reachable`` of one input."""
    try:
        reach.require(location)
    except OutOfReachError as error:
        raise out_of_reach(logical_id, error) from error
    except OSError as error:
        raise open_failed("S0", logical_id, Path(error.filename or location), error.strerror) from error
