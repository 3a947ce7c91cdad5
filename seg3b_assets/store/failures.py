"""How files that cannot be written, or may not be read, are reported: with the place and the remedy."""

from __future__ import annotations

import errno
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from seg3b_assets.laws.errors import Seg3BError
from seg3b_assets.laws.plain_files import OutOfReachError

_FULL = {errno.ENOSPC, errno.EDQUOT, errno.EFBIG}
_FORBIDDEN = {errno.EACCES, errno.EPERM, errno.EROFS}


@contextmanager
def reported_writes(state: str, place: Path, setting: str = "--home") -> Iterator[None]:
    """Turn an OSError of the body into the segment's error; nothing else is touched.

    Args:
        state: whose output it was.
        place: where the body writes; the error's own file name is more exact where it has one.
        setting: what a person changes to write elsewhere.
    """
    try:
        yield
    except OSError as error:
        raise write_failed(state, place, error, setting) from error


def write_failed(state: str, place: Path, error: OSError, setting: str = "--home") -> Seg3BError:
    """OUTPUT_WRITE_FAILED for an operating-system error at ``place``."""
    if error.errno in _FULL:
        remedy = "Free space on that disk"
    elif error.errno in _FORBIDDEN:
        remedy = "Make that place writable for this user"
    else:
        remedy = "Check that disk"
    return Seg3BError(
        state=state,
        name="OUTPUT_WRITE_FAILED",
        validator="place_writable",
        place=str(error.filename or place),
        remedy=f"{remedy}, or choose another place with {setting}, and run again. Nothing was published.",
        detail={"errno": errno.errorcode.get(error.errno or 0), "reason": error.strerror or str(error)},
    )


def out_of_reach(logical_id: str, error: OutOfReachError) -> Seg3BError:
    """INPUT_OPEN_FAILED of a link by which an upstream root shows what is not its own."""
    return Seg3BError(
        "S0",
        "INPUT_OPEN_FAILED",
        "link_within_reach",
        str(error.filename),
        "Put the file itself there; or, if the root may show it, name the folder it lies in with SEG3B_SHARED.",
        {"logical_id": logical_id, "target": str(error.target)},
    )
