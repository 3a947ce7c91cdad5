"""The segment's errors as Dagster failures: code, place and remedy on the run page, and no retry.

The segment is deterministic, so trying again without a change fails again.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

import dagster as dg

from seg3b_assets.laws.errors import Seg3BError


@contextmanager
def explained_failures() -> Iterator[None]:
    """Turn a ``Seg3BError`` of the block into a ``dagster.Failure`` that holds its record."""
    try:
        yield
    except Seg3BError as error:
        raise failure_of(error) from error


def failure_of(error: Seg3BError) -> dg.Failure:
    """The failure a person reads: what is wrong and what to do first, the facts below."""
    record = error.record()
    return dg.Failure(
        description=f"{error.code} at {error.place}. {error.remedy}",
        metadata={
            "code": dg.MetadataValue.text(error.code),
            "place": dg.MetadataValue.text(error.place),
            "remedy": dg.MetadataValue.text(error.remedy),
            "validator": dg.MetadataValue.text(error.validator),
            "detail": dg.MetadataValue.json(record["detail"]),
        },
        allow_retries=False,
    )
