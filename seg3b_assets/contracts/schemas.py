"""The schema files, read once and resolved by their urn, and documents against them (JSON Schema 2020-12, formats on).

Knows where the folder is and how a ``$ref`` is followed. What a schema means for a table is ``columns``' and
``frames``' business. For documents two keywords are added to arrays of objects, so that keys and order of a document
are declared where its shape is: ``x-unique-by`` (fields that identify an item) and ``x-sorted-by`` (ascending, text
by bytes). An integer here is one as written, too: JSON Schema would let 5.0 pass, whose canonical JSON is not that of
5.
"""

from __future__ import annotations

import copy
from collections.abc import Iterable, Iterator
from functools import cache
from itertools import islice, pairwise
from typing import Any, ClassVar, Final, TypeAlias

import orjson
from jsonschema_rs import Draft202012Validator, Registry, ValidationError, ValidationErrorKind

from seg3b_assets.contracts.formats import FORMATS
from seg3b_assets.contracts.violations import Violation
from seg3b_assets.shipped import shipped

Schema: TypeAlias = dict[str, Any]

CONTRACTS_FOLDER: Final = shipped("contracts")
TYPES_FILE: Final = "types.schema.json"

_SHOWN_CHARACTERS: Final = 200
# A document of sixteen megabytes may break its contract millions of times; so many are counted.
_MOST_ERRORS: Final = 10_000


@cache
def read_schema(file_name: str) -> Schema:
    """One schema file as it stands, references unresolved."""
    schema: Schema = orjson.loads((CONTRACTS_FOLDER / file_name).read_bytes())
    return schema


@cache
def registry() -> Registry:
    """What a ``$ref`` in any contract may point at."""
    types = read_schema(TYPES_FILE)
    return Registry([(types["$id"], types)])


def referenced(reference: str) -> Schema:
    """The definition a ``$ref`` names.

    Raises:
        ValueError: for a reference to anything but ``#/$defs/NAME`` of the shared types.
    """
    types = read_schema(TYPES_FILE)
    base, _, name = reference.partition("#/$defs/")
    if base != types["$id"] or name not in types["$defs"]:
        raise ValueError(f"$ref {reference} does not name a shared type")
    definition: Schema = types["$defs"][name]
    return definition


class _ItemKeys:
    """The tuple of named fields of every item of an array, for the two keywords below."""

    keyword: ClassVar[str]

    def __init__(self, _parent: dict[str, Any], fields: Any, _path: list[str | int]) -> None:
        self.fields: list[str] = list(fields)

    def of(self, items: Any) -> list[tuple[Any, ...]]:
        """Empty when an item lacks a field: that is the ``required`` keyword's finding."""
        if not isinstance(items, list) or not all(isinstance(item, dict) for item in items):
            return []
        if not all(field in item for item in items for field in self.fields):
            return []
        return [tuple(item[field] for field in self.fields) for item in items]


class UniqueBy(_ItemKeys):
    """``x-unique-by: [field, …]``: no two items agree in all these fields."""

    keyword = "x-unique-by"

    def validate(self, instance: Any) -> None:
        seen = set()
        for key in map(repr, self.of(instance)):
            if key in seen:
                raise ValueError(f"items must be unique by {', '.join(self.fields)}; repeated: {key}")
            seen.add(key)


class SortedBy(_ItemKeys):
    """``x-sorted-by: [field, …]``: items ascend by these fields."""

    keyword = "x-sorted-by"

    def validate(self, instance: Any) -> None:
        keys = self.of(instance)
        if not all(type(value) is type(keys[0][i]) for key in keys for i, value in enumerate(key)):
            return  # a field of the wrong type is the ``type`` keyword's finding
        for first, second in pairwise(keys):
            if second < first:
                raise ValueError(f"items must ascend by {', '.join(self.fields)}; {second} follows {first}")


@cache
def validator(file_name: str) -> Draft202012Validator:
    """Compiled validator of one schema file of the contracts folder."""
    return Draft202012Validator(
        read_schema(file_name),
        registry=registry(),
        formats=FORMATS,
        validate_formats=True,
        ignore_unknown_formats=False,
        keywords={each.keyword: each for each in (UniqueBy, SortedBy)},
        offline=True,
    )


def check_document(file_name: str, value: Any) -> list[Violation]:
    """What is wrong with ``value``: one violation per rule, counted (10,000 in all), with its first place and value."""
    compiled = validator(file_name)
    try:
        if compiled.is_valid(value):
            return _fractional(compiled, value)
        errors = list(islice(_specific(compiled.iter_errors(value)), _MOST_ERRORS))
    except ValueError as deep:
        if "Recursion limit" not in str(deep):
            raise
        return [Violation("depth", "", 1, None, "nested less deep")]
    found: dict[tuple[str, ...], list[ValidationError]] = {}
    for error in errors:
        rule_at = tuple(str(part) for part in error.schema_path)
        found.setdefault((*rule_at, str(_missing_or_unknown(error))), []).append(error)
    return [_violation(errors) for errors in found.values()]


def _fractional(compiled: Draft202012Validator, value: Any) -> list[Violation]:
    """Numbers like 5.0 where a valid document must have an integer: those that 0.5 could not replace."""
    written = dict(_whole_floats(value))
    if not written:
        return []
    shifted = copy.deepcopy(value)
    for *at, last in written:
        holder = shifted
        for step in at:
            holder = holder[step]
        holder[last] = 0.5
    found = [
        error.instance_path
        for error in _specific(compiled.iter_errors(shifted))
        if isinstance(error.kind, ValidationErrorKind.Type)
    ]
    if not found:
        return []
    # The validator tells a key of digits as a number.
    example = next(number for path, number in written.items() if _pointer(path) == _pointer(found[0]))
    expected = "an integer, written without a fraction"
    return [Violation("type", _pointer(found[0]), len(found), example, expected)]


def _pointer(path: Iterable[str | int]) -> str:
    return "".join(f"/{part}" for part in path)


def _whole_floats(value: Any) -> Iterator[tuple[tuple[str | int, ...], float]]:
    """Floats without a fraction inside objects and arrays, with their paths."""
    waiting: list[tuple[tuple[str | int, ...], Any]] = [((), value)]
    while waiting:
        at, found = waiting.pop()
        if isinstance(found, dict):
            waiting.extend(((*at, key), inner) for key, inner in found.items())
        elif isinstance(found, list):
            waiting.extend(((*at, position), inner) for position, inner in enumerate(found))
        elif at and isinstance(found, float) and found.is_integer():
            yield at, found


def _specific(errors: Iterable[ValidationError]) -> Iterator[ValidationError]:
    """Errors with a nullable's ``anyOf`` replaced by what its non-null branch says."""
    for error in errors:
        if isinstance(error.kind, ValidationErrorKind.AnyOf) and error.kind.context[0]:
            yield from _specific(error.kind.context[0])
        else:
            yield error


def _missing_or_unknown(error: ValidationError) -> str | None:
    kind = error.kind
    if isinstance(kind, ValidationErrorKind.Required):
        return kind.property
    if isinstance(kind, ValidationErrorKind.AdditionalProperties | ValidationErrorKind.UnevaluatedProperties):
        return ",".join(kind.unexpected)
    return None


def _violation(errors: list[ValidationError]) -> Violation:
    first = errors[0]
    pointer = _pointer(first.instance_path)
    field = _missing_or_unknown(first)
    example = field if field is not None else _clipped(first.instance)
    return Violation(
        rule=first.kind.name,
        column=f"{pointer}/{field}" if field is not None else pointer,
        count=len(errors),
        example=example,
        expected=first.message[:_SHOWN_CHARACTERS],
    )


def _clipped(value: Any) -> Any:
    text = repr(value)
    return value if len(text) <= _SHOWN_CHARACTERS else text[:_SHOWN_CHARACTERS] + "…"
