"""An overlay: a policy folder that holds what differs from another, its base, and nothing else.

``overlay.yaml`` marks the folder and names the base. Beside it lie policy files with the keys that differ: a mapping is
merged key by key; of a list whose entries have an id, a mapping of ids names the entries to change; anything else takes
the place of what the base has; ``null`` takes a key or an entry out. What results is text, the base's with the values
put in (``overlaid_text``): it is what is validated, sealed, kept and exported, like a file somebody wrote whole. It is
a pure function of the base's text and the merged value, so the digest that is sealed is the same on any machine; it
reads by PyYAML's own parser, whose marks do not depend on whether libyaml is there.
"""

from __future__ import annotations

import difflib
import json
import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Final

import yaml

from seg3b_assets.policies.keyed import differences, id_key, same
from seg3b_assets.policies.policy_model import PolicyModel, Sentence
from seg3b_assets.policies.strict_yaml import Document, KeyPath, YamlRefusedError, parse_document

MARK: Final = "overlay.yaml"
SHIPPED: Final = "shipped"

_HEAD: Final = (
    "# As an overlay makes it. Keys that differ from the base, whose comments these are: {count}.\n"
)
_SHOWN: Final = 120
_PLAIN: Final = re.compile(r"[A-Za-z_][A-Za-z0-9_./-]{2,}")
_NOT_PLAIN: Final = frozenset({"null", "true", "false", "yes", "off"})
# Characters that JSON writes as they are and YAML does not read.
_UNPRINTABLE: Final = re.compile("[\x7f-\x9f\u2028\u2029\ufeff\ufffe\uffff]")


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


def overlaid_text(base: str, old: dict[str, Any], new: dict[str, Any], count: int) -> bytes:
    """The text of a merged policy.

    Args:
        base: the base's text; old: its value; new: the merged value. count: keys that differ.

    Raises:
        YamlRefusedError: the base is written in a way that values cannot be put into.
    """
    edits = _Edits(base)
    root = yaml.compose(base, Loader=yaml.SafeLoader)
    assert root is not None  # it was read as a mapping before
    edits.compare(root, old, new)
    text = _HEAD.format(count=count) + edits.applied()
    if not _says(text, new):  # never sealed, what the overlay does not say
        raise YamlRefusedError("overlay_text", (), text[:_SHOWN], "a base in plain block style", None)
    return text.encode()


def _says(text: str, value: dict[str, Any]) -> bool:
    try:
        return same(parse_document(text.encode()).value, value)
    except YamlRefusedError:
        return False


@dataclass
class _Edits:
    """Replacements in a text, by (start, end), collected from a tree of nodes and its two values."""

    text: str
    found: list[tuple[int, int, str]] = field(default_factory=list)

    def applied(self) -> str:
        """The text with every replacement made. Those at one place follow each other as they were found."""
        parts, at = [], 0
        for start, end, words in sorted(self.found, key=lambda edit: edit[:2]):
            parts += [self.text[at:start], words]
            at = max(at, end)
        return "".join([*parts, self.text[at:]])

    def compare(self, node: yaml.Node, old: Any, new: Any) -> None:
        """Collect what makes the node's text say ``new`` instead of ``old``."""
        if same(old, new):
            return
        if isinstance(node, yaml.MappingNode) and isinstance(new, dict):
            children = {key.value: (key, value) for key, value in node.value}
            self._collection(node, old, new, children)
        elif isinstance(node, yaml.SequenceNode) and isinstance(new, list) and (key := _common_key(old, new)):
            was, now = ({str(entry[key]): entry for entry in entries} for entries in (old, new))
            children = {name: (part, part) for name, part in zip(was, node.value, strict=True)}
            self._collection(node, was, now, children)
        else:
            self._replace(node, new)

    def _collection(
        self,
        node: yaml.CollectionNode,
        old: dict[str, Any],
        new: dict[str, Any],
        children: dict[str, tuple[yaml.Node, yaml.Node]],
    ) -> None:
        """A mapping, or a list by the ids of its entries: what is in both is compared, the rest cut and added."""
        listed = isinstance(node, yaml.SequenceNode)
        kept, added = [key for key in old if key in new], [key for key in new if key not in old]
        gone = [key for key in old if key not in new]
        in_order = list(new) == [*kept, *added] or not listed
        by_lines = not node.flow_style and all(self._has_its_lines(children[key][0], listed) for key in gone)
        if not kept or not in_order or ((gone or added) and not by_lines):
            self._replace(node, list(new.values()) if listed else new)
            return
        for key in kept:
            self.compare(children[key][1], old[key], new[key])
        for key in gone:
            self._cut(*children[key])
        for key in added:
            pad = "\n" + " " * node.start_mark.column
            at = self._line_end(_end(self.text, node))
            self.found.append((at, at, f"{pad}{'- ' if listed else f'{_word(key)}: '}{_flow(new[key])}"))

    def _replace(self, node: yaml.Node, new: Any) -> None:
        start, end = int(node.start_mark.index), _end(self.text, node)
        words = _flow(new)
        if start == end:  # `key:` and nothing
            words = f" {words}"
        elif isinstance(node, yaml.SequenceNode) and not node.flow_style:
            # Its dashes may stand right below the key, where no other value may.
            pad = "\n" + " " * node.start_mark.column
            entries = isinstance(new, list) and new
            words = pad.join(f"- {_flow(entry)}" for entry in new) if entries else f"  {words}"
        self.found.append((start, end, words))

    def _has_its_lines(self, first: yaml.Node, listed: bool) -> bool:
        """Whether nothing stands before it in its line but, of an entry, its dash."""
        at = int(first.start_mark.index)
        before = self.text[self.text.rfind("\n", 0, at) + 1 : at].strip()
        return before == ("-" if listed else "")

    def _cut(self, first: yaml.Node, last: yaml.Node) -> None:
        """Take out the lines of a key or an entry, with the comment right above it."""
        start = self.text.rfind("\n", 0, first.start_mark.index)
        while start > 0:
            above = self.text.rfind("\n", 0, start)
            if not self.text[above + 1 : start].lstrip().startswith("#"):
                break
            start = above
        self.found.append((max(start, 0), self._line_end(_end(self.text, last)), ""))

    def _line_end(self, at: int) -> int:
        end = self.text.find("\n", at)
        return len(self.text) if end < 0 else end


def _common_key(old: Any, new: list[Any]) -> str | None:
    key = id_key(old) if isinstance(old, list) else None
    return key if key is not None and key == id_key(new) else None


def _end(text: str, node: yaml.Node) -> int:
    """Where a node's last character ends; a block collection's own mark is where the next thing begins."""
    if isinstance(node, yaml.MappingNode) and node.value and not node.flow_style:
        return max(_end(text, part) for part in node.value[-1])
    if isinstance(node, yaml.SequenceNode) and node.value and not node.flow_style:
        return _end(text, node.value[-1])
    start, end = int(node.start_mark.index), int(node.end_mark.index)
    return start + len(text[start:end].rstrip())


def _flow(value: Any) -> str:
    """A value in one line, as YAML 1.1 and 1.2 read it alike."""
    if isinstance(value, dict):
        return "{" + ", ".join(f"{_word(key)}: {_flow(inner)}" for key, inner in value.items()) + "}"
    if isinstance(value, list):
        return "[" + ", ".join(map(_flow, value)) + "]"
    if isinstance(value, str):
        return _word(value)
    if isinstance(value, float):
        mantissa, exponent, power = repr(value).partition("e")
        return mantissa + (".0" if exponent and "." not in mantissa else "") + exponent + power
    return json.dumps(value)


def _word(text: str) -> str:
    if _PLAIN.fullmatch(text) and text.lower() not in _NOT_PLAIN:
        return text
    return _UNPRINTABLE.sub(lambda found: f"\\u{ord(found[0]):04x}", json.dumps(text, ensure_ascii=False))
