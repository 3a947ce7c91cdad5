"""A small, safe reading of YAML for files people edit.

Accepts one document of mappings, sequences and scalars. Refuses what lets a file say other than it seems
to: anchors and aliases, tags, a key given twice, several documents, numbers that are not finite. Plain
scalars are read as in YAML 1.2, so NO is Norway, 12:30 is text, and 1e-7 is a number. Keeps the line of
every key, for the error that names it. Knows nothing of policies.

A file of another segment is read by the same rules, except that its anchors, aliases and merge keys stand for
what they name, within a bound: nine of them, each nine times the one before, would be a billion values.
"""

from __future__ import annotations

import math
import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any, Final

import yaml

KeyPath = tuple[str | int, ...]

MAX_BYTES: Final = 1 << 20
MAX_DEPTH: Final = 32
MAX_DIGITS: Final = 40
# Of a stranger's document, aliases written out. The layer's policies have some hundred.
MAX_VALUES: Final = 100_000

_LOADER: Any = getattr(yaml, "CSafeLoader", yaml.SafeLoader)
_INTEGER = re.compile(r"[-+]?(0|[1-9][0-9]*)")
_FLOAT = re.compile(r"[-+]?(\.[0-9]+|(0|[1-9][0-9]*)(\.[0-9]*)?)([eE][-+]?[0-9]+)?")
_NOT_FINITE = re.compile(r"[-+]?\.(inf|Inf|INF)|\.(nan|NaN|NAN)")
_MERGE: Final = "<<"
_WORDS: Mapping[str, object] = {"": None, "~": None, "null": None, "true": True, "false": False}


@dataclass(frozen=True)
class Document:
    """A parsed file: its value, and the 1-based line of every key path."""

    value: dict[str, Any]
    lines: Mapping[KeyPath, int]

    def line(self, path: KeyPath) -> int | None:
        """Line of ``path`` or of its nearest ancestor that the file holds."""
        while path and path not in self.lines:
            path = path[:-1]
        return self.lines.get(path)


class YamlRefusedError(Exception):
    """Bytes that are not a document of the accepted kind.

    Attributes:
        validator: which rule, in snake case.
        path: key path, empty when the file as a whole is meant.
        value: the offending text.
        allowed: what would have been accepted, in words.
        line: 1-based, None when the file as a whole is meant.
    """

    def __init__(self, validator: str, path: KeyPath, value: object, allowed: str, line: int | None) -> None:
        super().__init__(validator)
        self.validator = validator
        self.path = path
        self.value = value
        self.allowed = allowed
        self.line = line


def parse_document(data: bytes) -> Document:
    """Read one YAML mapping.

    Raises:
        YamlRefusedError: for any input that is not one.
    """
    return _Builder(_events(_decoded(data))).document()


def parse_foreign(data: bytes) -> Any:
    """The value of one YAML document of any shape, written by another segment: aliases and merge keys stand for
    what they name. Shared parts are the same object.

    Raises:
        YamlRefusedError: for any input that is none, and for one of more than ``MAX_VALUES`` values.
    """
    return _Aliasing(_events(_decoded(data))).value()[1]


def _decoded(data: bytes) -> str:
    if len(data) > MAX_BYTES:
        raise YamlRefusedError("yaml_size", (), f"{len(data)} bytes", f"at most {MAX_BYTES} bytes", None)
    try:
        return data.decode("utf-8")
    except UnicodeDecodeError as error:
        line = data.count(b"\n", 0, error.start) + 1
        raise YamlRefusedError(
            "yaml_encoding", (), f"byte 0x{data[error.start]:02x} at offset {error.start}", "UTF-8 text", line
        ) from None


def _events(text: str) -> Iterator[Any]:
    """The parser's events; Any, since its type stubs leave out their attributes."""
    try:
        yield from yaml.parse(text, Loader=_LOADER)
    except yaml.MarkedYAMLError as error:
        mark = error.problem_mark or error.context_mark
        line = int(mark.line) + 1 if mark else None
        raise YamlRefusedError(
            "yaml_syntax", (), error.problem or error.context, "well-formed YAML", line
        ) from None
    except yaml.YAMLError as error:
        raise YamlRefusedError("yaml_syntax", (), str(error), "printable YAML text", None) from None


@dataclass
class _Builder:
    """Turns the parser's events into values, one recursion per level of nesting."""

    events: Iterator[Any]
    lines: dict[KeyPath, int] = field(default_factory=dict)

    def document(self) -> Document:
        first, value = self.value()
        if not isinstance(value, dict):
            kind = "a list" if isinstance(value, list) else "a single value"
            raise YamlRefusedError("yaml_mapping", (), kind, "a mapping of keys to values", _line(first))
        return Document(value, self.lines)

    def value(self) -> tuple[Any, Any]:
        """The first event of the one document, and its value."""
        next(self.events)  # stream start
        start = next(self.events)
        if isinstance(start, yaml.StreamEndEvent):
            raise YamlRefusedError("yaml_mapping", (), "an empty file", "a mapping of keys to values", None)
        first = next(self.events)
        value = self._node(first, ())
        next(self.events)  # document end
        extra = next(self.events)
        if not isinstance(extra, yaml.StreamEndEvent):
            raise YamlRefusedError("yaml_documents", (), "---", "one document per file", _line(extra))
        return first, value

    def _node(self, event: Any, path: KeyPath) -> Any:
        self.lines.setdefault(path, _line(event))
        self._judge(event, path)
        if len(path) > MAX_DEPTH:
            raise YamlRefusedError("yaml_depth", path[:4], "…", f"at most {MAX_DEPTH} levels", _line(event))
        if isinstance(event, yaml.MappingStartEvent):
            return self._mapping(path)
        if isinstance(event, yaml.SequenceStartEvent):
            return self._sequence(path)
        return _scalar(event, path)

    def _mapping(self, path: KeyPath) -> dict[str, Any]:
        mapping: dict[str, Any] = {}
        while not isinstance(event := next(self.events), yaml.MappingEndEvent):
            self._judge(event, path)
            if not isinstance(event, yaml.ScalarEvent):
                raise YamlRefusedError("yaml_key", path, "a list or mapping", "a word as key", _line(event))
            key = _text(event, path)
            child = (*path, key)
            if key in mapping:
                allowed = f"one {key!r}; the first is on line {self.lines[child]}"
                raise YamlRefusedError("yaml_duplicate_key", child, key, allowed, _line(event))
            self.lines[child] = _line(event)
            mapping[key] = self._node(next(self.events), child)
        return mapping

    def _sequence(self, path: KeyPath) -> list[Any]:
        items: list[Any] = []
        while not isinstance(event := next(self.events), yaml.SequenceEndEvent):
            items.append(self._node(event, (*path, len(items))))
        return items

    def _judge(self, event: Any, path: KeyPath) -> None:
        """Refuse what lets a file say other than it seems to."""
        if isinstance(event, yaml.AliasEvent):
            allowed = "the value itself, written out"
            raise YamlRefusedError("yaml_alias", path, f"*{event.anchor}", allowed, _line(event))
        if getattr(event, "anchor", None) is not None:
            raise YamlRefusedError("yaml_anchor", path, f"&{event.anchor}", "a plain value", _line(event))
        _refuse_tag(event, path)


@dataclass
class _Aliasing(_Builder):
    """A builder for which an alias is the value it names, counted as if it were written out."""

    named: dict[str, tuple[Any, int]] = field(default_factory=dict)
    values: int = 0

    def _node(self, event: Any, path: KeyPath) -> Any:
        if isinstance(event, yaml.AliasEvent):
            return self._named(event, path)
        before = self.values
        self._count(1, event, path)
        value = super()._node(event, path)
        if event.anchor is not None:
            self.named[event.anchor] = (value, self.values - before)
        return value

    def _mapping(self, path: KeyPath) -> dict[str, Any]:
        mapping = super()._mapping(path)
        merged = mapping.pop(_MERGE, [])
        # Of several, the earlier one's key holds; the mapping's own holds over all.
        for source in merged if isinstance(merged, list) else [merged]:
            if not isinstance(source, dict):
                allowed = "a mapping, or a list of them"
                raise YamlRefusedError("yaml_merge", path, _MERGE, allowed, self.lines[(*path, _MERGE)])
            mapping = {**source, **mapping}
        return mapping

    def _judge(self, event: Any, path: KeyPath) -> None:
        _refuse_tag(event, path)

    def _named(self, event: Any, path: KeyPath) -> Any:
        if event.anchor not in self.named:
            allowed = "an anchor whose value ends before it"
            raise YamlRefusedError("yaml_alias", path, f"*{event.anchor}", allowed, _line(event))
        value, size = self.named[event.anchor]
        self._count(size, event, path)
        return value

    def _count(self, values: int, event: Any, path: KeyPath) -> None:
        self.values += values
        if self.values > MAX_VALUES:
            allowed = f"at most {MAX_VALUES} values, aliases written out"
            raise YamlRefusedError("yaml_values", path[:4], "…", allowed, _line(event))


def _line(event: Any) -> int:
    return int(event.start_mark.line) + 1


def _refuse_tag(event: Any, path: KeyPath) -> None:
    if getattr(event, "tag", None) is not None:
        raise YamlRefusedError("yaml_tag", path, str(event.tag), "a plain value", _line(event))


def _text(event: Any, path: KeyPath) -> str:
    text = str(event.value)
    if any("\ud800" <= letter <= "\udfff" for letter in text):  # an escape no UTF-8 file could hold
        raise YamlRefusedError("yaml_encoding", path, ascii(text), "Unicode text", _line(event))
    return text


def _scalar(event: Any, path: KeyPath) -> object:
    text = _text(event, path)
    if not event.implicit[0]:  # quoted or block text
        return text
    if text in _WORDS:
        return _WORDS[text]
    if _INTEGER.fullmatch(text) and len(text) <= MAX_DIGITS:
        return int(text)
    number = float(text) if _FLOAT.fullmatch(text) else None
    if _NOT_FINITE.fullmatch(text) or (number is not None and not math.isfinite(number)):
        raise YamlRefusedError("yaml_finite_number", path, text[:MAX_DIGITS], "a finite number", _line(event))
    return text if number is None else number
