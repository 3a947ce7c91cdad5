"""Policies by key: nested keys joined with dots, and the entries of a list named by what tells them apart.

What a rule is called stays its name when a rule is moved or inserted before it, so a difference is of the rule.
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping, Sequence
from typing import Any, Final

ID_KEYS: Final = ("rule_id", "country_iso", "class", "name", "id", "mcc")


def flattened(value: Any) -> dict[str, Any]:
    """A parsed policy as {key: value}: ``a.b``, ``rules[ID].c``; a list without ids is one value."""
    return dict(_flat("", value))


def _flat(prefix: str, value: Any) -> Iterator[tuple[str, Any]]:
    if isinstance(value, Mapping) and value:
        for key, inner in value.items():
            yield from _flat(f"{prefix}.{key}" if prefix else str(key), inner)
    elif isinstance(value, list) and (key := id_key(value)):
        for entry in value:
            yield from _flat(f"{prefix}[{entry[key]}]", entry)
    else:
        yield prefix, value


def id_key(entries: Sequence[Any]) -> str | None:
    """The key by which the entries of a list are told apart; None when they are not."""
    if not entries or not all(isinstance(entry, Mapping) for entry in entries):
        return None
    for key in ID_KEYS:
        ids = [str(entry.get(key)) for entry in entries if key in entry]
        if len(ids) == len(set(ids)) == len(entries):
            return key
    return None


def differences(was: Any, now: Any, at: str = "") -> Iterator[tuple[str, Any, Any]]:
    """(key, was, now) of what differs, as deep as both sides have it; None of what a side has not."""
    if isinstance(was, list) and isinstance(now, list) and (key := id_key(was)) and key == id_key(now):
        was, now = ({f"[{entry[key]}]": entry for entry in entries} for entries in (was, now))
    if isinstance(was, dict) and isinstance(now, dict):
        for name in dict.fromkeys((*was, *now)):
            below = f"{at}.{name}" if at and not name.startswith("[") else f"{at}{name}"
            yield from differences(was.get(name), now.get(name), below)
    elif not same(was, now):
        yield at, was, now


def same(was: Any, now: Any) -> bool:
    """Whether two parsed values are one: 1 is not 1.0 and not true; the order of keys means nothing."""
    return json.dumps(was, sort_keys=True) == json.dumps(now, sort_keys=True)
