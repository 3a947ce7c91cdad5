"""Which release of the package wrote a lineage, and so which one reads it.

A dataset's shape changes with the first number of its state's code version. A lineage of another generation is kept,
listed, put in force and pruned as any other; what would read its tables refuses by name instead, and says which
release can.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final

from seg3b_assets.laws.errors import Seg3BError, fail

# First number of every state's code version: release of the package whose contracts those are.
RELEASES: Final[Mapping[int, str]] = {1: "0.1", 2: "0.2"}
CURRENT: Final = 2


def foreign_release(code_version: str) -> str | None:
    """The release that reads what a state of this code version wrote; None when it is this one."""
    first = code_version.partition(".")[0]
    generation = int(first) if first.isascii() and first.isdigit() else 0
    return None if generation == CURRENT else RELEASES.get(generation, "another")


def require_current(versions: Mapping[str, str], place: str) -> None:
    """Return when every state's outputs have this release's shapes.

    Args:
        versions: code version by state.
        place: the tree or lineage, for the error.

    Raises:
        Seg3BError: ``INPUT_SCHEMA_MISMATCH``, of the first state that has not.
    """
    for state, version in sorted(versions.items()):
        if foreign_release(version) is not None:
            raise written_before(state, version, place)


def written_before(state: str, code_version: str, place: str) -> Seg3BError:
    """The refusal of something a state of another generation wrote."""
    release = foreign_release(code_version)
    named, how = f"seg3b-assets {release}", f"that release (pip install 'seg3b-assets=={release}.*')"
    if release not in RELEASES.values():
        named, how = "a release of seg3b-assets that this one does not know", "the release that wrote it"
    return fail(
        "written_by_this_release",
        place,
        f"It was written by {named}, with other shapes: read it with {how}, or run the seed again with this one. "
        "Nothing of it was read or changed.",
        in_state=state,
        state=state,
        code_version=code_version,
        release=release,
        this_release=RELEASES[CURRENT],
    )
