"""An overlay: a policy folder that holds what differs from another, its base, and nothing else.

``overlay.yaml`` marks the folder and names the base. Beside it lie policy files with the keys that differ: a mapping is
merged key by key; of a list whose entries have an id, a mapping of ids names the entries to change; anything else takes
the place of what the base has; ``null`` takes a key or an entry out. What results is text, the base's with the values
put in (``overlay_text``): it is what is validated, sealed, kept and exported, like a file somebody wrote whole.
"""

from __future__ import annotations

import difflib
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Final

from seg3b_assets.policies.keyed import differences, id_key
from seg3b_assets.policies.policy_model import PolicyModel, Sentence
from seg3b_assets.policies.strict_yaml import Document, KeyPath, YamlRefusedError

MARK: Final = "overlay.yaml"
SHIPPED: Final = "shipped"


class OverlayMark(PolicyModel):
    """``overlay.yaml``.

    Attributes:
        base: ``shipped``, or a policy folder by its path from the overlay's folder.
        description: what the overlay is for.
    """

    base: str
    description: Sentence = "An overlay."


@dataclass(frozen=True)
class Overlaid:
    """What an overlay makes of its base.

    Attributes:
        folder: of the overlay.
        base: as ``overlay.yaml`` names it.
        changes: {policy, key, was, now}: what differs, as deep as both have it; None of what a side has not.
    """

    folder: Path
    base: str
    changes: tuple[Mapping[str, Any], ...]

    def as_json(self) -> dict[str, Any]:
        return {"folder": str(self.folder), "base": self.base, "changes": [dict(one) for one in self.changes]}


def changes(policy_id: str, was: Any, now: Any) -> list[Mapping[str, Any]]:
    """What differs in a policy, by key."""
    return [
        {"policy": policy_id, "key": key, "was": before, "now": after}
        for key, before, after in differences(was, now)
    ]


def merged(base: Document, overlay: Document) -> Document:
    """The base with an overlay's values in their places; lines are the overlay's, where it says something.

    Raises:
        YamlRefusedError: for what takes out a key or an entry that the base has not.
    """
    merging = _Merging(overlay)
    value = merging.mapping(base.value, overlay.value, (), ())
    return Document(value, merging.lines)


@dataclass
class _Merging:
    """Builds the merged value, and the line in the overlay of every key path that comes from it."""

    overlay: Document
    lines: dict[KeyPath, int] = field(default_factory=dict)

    def mapping(
        self, old: dict[str, Any], new: dict[str, Any], source: KeyPath, target: KeyPath
    ) -> dict[str, Any]:
        """Args: source: where ``new`` stands in the overlay; target: in the result."""
        found: dict[str, Any] = {}
        for key, value in old.items():
            if key not in new:
                found[key] = value
            elif new[key] is not None or value is None:
                found[key] = self.value(value, new[key], (*source, key), (*target, key))
        for key, value in new.items():
            if key not in old:
                found[key] = self.taken(value, (*source, key), (*target, key), list(old))
        return found

    def value(self, old: Any, new: Any, source: KeyPath, target: KeyPath) -> Any:
        self._told(source, target)
        if isinstance(old, dict) and isinstance(new, dict):
            return self.mapping(old, new, source, target)
        if isinstance(old, list) and isinstance(new, dict) and (key := id_key(old)):
            return self.entries(old, new, key, source, target)
        self._all_told(source, target)
        return new

    def entries(
        self, old: list[Any], new: dict[str, Any], key: str, source: KeyPath, target: KeyPath
    ) -> list[Any]:
        """A list, some of whose entries are named by their id."""
        found: list[Any] = []
        names = [str(entry[key]) for entry in old]
        for name, entry in zip(names, old, strict=True):
            if name not in new:
                found.append(entry)
            elif new[name] is not None:
                found.append(self.value(entry, new[name], (*source, name), (*target, len(found))))
        for name, entry in new.items():
            if name not in names:
                value = self.taken(entry, (*source, name), (*target, len(found)), names)
                found.append({key: name, **value} if isinstance(value, dict) else value)
        return found

    def taken(self, new: Any, source: KeyPath, target: KeyPath, known: list[str]) -> Any:
        """What the base has not."""
        if new is None:
            near = difflib.get_close_matches(str(source[-1]), known, n=1)
            hint = f"; did you mean {near[0]}?" if near else ""
            allowed = f"null only for what the base has{hint}"
            raise YamlRefusedError("overlay_takes_out", source, None, allowed, self.overlay.line(source))
        self._all_told(source, target)
        return new

    def _told(self, source: KeyPath, target: KeyPath) -> None:
        line = self.overlay.line(source)
        if line is not None:
            self.lines[target] = line

    def _all_told(self, source: KeyPath, target: KeyPath) -> None:
        depth = len(source)
        for path, line in self.overlay.lines.items():
            if path[:depth] == source:
                self.lines[(*target, *path[depth:])] = line
