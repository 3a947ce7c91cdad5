"""Text and facts of strangers at the length a person reads: what is left out is counted.

A document of sixteen megabytes may have a million keys that nobody knows, or one of them as long. What is told of it,
in an error, a finding or a log, as text or as JSON, is the first of them and how many more there are. Values themselves
are never clipped: outputs, documents and comparisons hold what was given.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, Final

LINE: Final = 4_000
"""Characters of a line that is printed."""
TEXT: Final = 1_000
"""Characters of one text among facts."""
ENTRIES: Final = 100
"""Entries of one list or object among facts."""
TOTAL: Final = 24_000
"""Characters of all facts of one error or finding, as they are shown."""
_DEEPEST: Final = 12
_ENTRY: Final = 8  # what an entry takes besides its text


def clipped_text(text: str, most: int = TEXT) -> str:
    """A text, or its beginning and how much more there is."""
    return text if len(text) <= most else f"{text[:most]}… and {len(text) - most:,} characters more"


def clipped(facts: Any) -> Any:
    """Facts as JSON tells them: long texts, lists and objects are cut, and say how much more there was.

    Args:
        facts: of texts, numbers, lists and mappings; anything else stays as it is.

    Returns:
        The same where nothing is too long. A cut list ends in a text "and N more"; a cut object has a key "…" that
        says so.
    """
    return _Clipper().of(facts, 0)


class _Clipper:
    """One value's way through: how much may still be told."""

    def __init__(self) -> None:
        self._left = TOTAL

    def of(self, value: Any, depth: int) -> Any:
        if isinstance(value, str):
            return self._text(value)
        self._left -= _ENTRY
        if isinstance(value, Mapping):
            return self._object(value, depth)
        if isinstance(value, list | tuple):
            return self._list(value, depth)
        return value

    def _text(self, text: str) -> str:
        # At the least a name's length, so that what comes last still says something.
        found = clipped_text(text, max(40, min(TEXT, self._left)))
        self._left -= len(repr(found))  # escapes count as they are shown
        return found

    def _list(self, values: Sequence[Any], depth: int) -> list[Any]:
        told: list[Any] = []
        for value in values[: self._entries(depth)]:
            if self._left <= 0:
                break
            told.append(self.of(value, depth + 1))
        more = len(values) - len(told)
        return [*told, f"and {more:,} more"] if more else told

    def _object(self, values: Mapping[Any, Any], depth: int) -> dict[Any, Any]:
        told: dict[Any, Any] = {}
        most = self._entries(depth)
        for seen, (key, value) in enumerate(values.items()):
            if seen >= most or self._left <= 0:
                return {**told, "…": f"and {len(values) - seen:,} more"}
            told[self._text(key) if isinstance(key, str) else key] = self.of(value, depth + 1)
        return told

    def _entries(self, depth: int) -> int:
        return ENTRIES if depth < _DEEPEST else 0
