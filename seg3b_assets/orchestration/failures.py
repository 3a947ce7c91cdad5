"""The segment's errors as Dagster failures: code, place and remedy on the run page, and no retry.

The segment is deterministic, so trying again without a change fails again.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import dagster as dg
import orjson

from seg3b_assets.laws.errors import Seg3BError
from seg3b_assets.laws.visible_text import json_text, visible


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
        description=visible(f"{error.code} at {record['place']}. {record['remedy']}"),
        metadata={
            "code": dg.MetadataValue.text(error.code),
            "place": dg.MetadataValue.text(visible(record["place"])),
            "remedy": dg.MetadataValue.text(visible(record["remedy"])),
            "validator": dg.MetadataValue.text(error.validator),
            "detail": json_metadata(record["detail"]),
        },
        allow_retries=False,
    )


def json_metadata(value: Any) -> dg.JsonMetadataValue:
    """A value as JSON that Dagster can store and print, whatever texts are in it."""
    return dg.MetadataValue.json(orjson.loads(json_text(value, default=str)))
