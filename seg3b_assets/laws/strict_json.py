"""JSON as evidence is read: a key that an object repeats says two things, and which one counts is nobody's law."""

from __future__ import annotations

import json
from collections import Counter
from typing import Any

import orjson


class RepeatedKeyError(ValueError):
    """An object names a key twice.

    Attributes:
        key: the first such.
    """

    def __init__(self, key: str) -> None:
        super().__init__(f"the key {key!r} is there more than once")
        self.key = key


def parse_once(raw: bytes) -> Any:
    """The value of a JSON text.

    Raises:
        RepeatedKeyError: an object in it repeats a key.
        ValueError: it is not JSON in UTF-8 (``orjson.JSONDecodeError``), or too deep to look into.
    """
    value = orjson.loads(raw)
    try:
        json.loads(raw, object_pairs_hook=_object)
    except RecursionError:
        raise ValueError("it is nested too deeply") from None
    return value


def _object(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    found = dict(pairs)
    if len(found) < len(pairs):
        times = Counter(key for key, _ in pairs)
        raise RepeatedKeyError(next(key for key, count in times.items() if count > 1))
    return found
