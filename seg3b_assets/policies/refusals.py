"""Turns what is wrong with a policy file into one error that names file, key, value and allowed range.

The allowed range is read from the model's JSON schema, so it cannot disagree with the check.
"""

from __future__ import annotations

import difflib
import re
import unicodedata
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any, Final

from pydantic import ValidationError
from pydantic_core import ErrorDetails

from seg3b_assets.laws.errors import Seg3BError
from seg3b_assets.policies.policy_model import PolicyModel
from seg3b_assets.policies.strict_yaml import Document, KeyPath, YamlRefusedError

Schema = Mapping[str, Any]

MAX_REPORTED: Final = 50
_MAX_TEXT: Final = 120
_NAMING_KEYS: Final = ("rule_id", "country_iso")
_KEY_PART = re.compile(r"([^.\[\]]+)|\[(\d+)\]")
_KEY_MARK: Final = "[key]"
_NUMBERS: Final = ("number", "integer")
_KINDS: Final = {
    "number": "a number",
    "integer": "a whole number",
    "string": "text",
    "boolean": "true or false",
    "object": "a mapping",
    "array": "a list",
    "null": "null",
}
_MINUS: Final = str.maketrans({"\N{MINUS SIGN}": "-", "\N{EN DASH}": "-"})
_PLAIN: Final = re.compile(r"[+-]?(0|[1-9][0-9]*)(\.[0-9]+)?([eE][+-]?[0-9]+)?")
# What a text looks like, what keeps it from being a number, and the number.
_SHAPES: Final[Sequence[tuple[re.Pattern[str], str, Callable[[re.Match[str]], str]]]] = (
    (_PLAIN, "it holds characters that only look like digits, signs or spaces", lambda found: found[0]),
    (
        re.compile(r"([+-]?)0+([0-9]+(?:\.[0-9]+)?)"),
        "a number has no leading zero",
        lambda found: found[1] + found[2],
    ),
    (
        re.compile(r"0[xX][0-9a-fA-F]{1,16}|0[oO][0-7]{1,22}|0[bB][01]{1,64}"),
        "a number is written in decimal digits",
        lambda found: str(int(found[0], 0)),
    ),
    (
        re.compile(r"[+-]?[0-9]{1,3}(?:[_ '][0-9]{3})+"),
        "digits are not grouped",
        lambda found: re.sub(r"[_ ']", "", found[0]),
    ),
    (
        re.compile(r"[+-]?[0-9]+,[0-9]+"),
        "the decimal sign is a point",
        lambda found: found[0].replace(",", "."),
    ),
)
_LONGEST: Final = 40


@dataclass(frozen=True)
class Refusal:
    """One thing wrong: where (key path and line), what stands there, and what would do."""

    validator: str
    path: KeyPath
    value: object
    allowed: str
    line: int | None
    suggestion: str | None = None
    item: str | None = None
    why: str | None = None

    def record(self) -> dict[str, Any]:
        """The refusal as JSON facts; absent parts are left out."""
        facts: dict[str, Any] = {
            "key": dotted(self.path),
            "value": self.value,
            "allowed": self.allowed,
            "rule": self.validator,
            "line": self.line,
            "suggestion": self.suggestion,
            "item": self.item,
            "why": self.why,
        }
        return {name: fact for name, fact in facts.items() if fact is not None or name == "value"}


def dotted(path: KeyPath) -> str:
    """``("rules", 3, "mcc")`` as ``rules[3].mcc``."""
    text = ""
    for part in path:
        text += f"[{part}]" if isinstance(part, int) else f".{part}" if text else part
    return text


def policy_error(file: str, refusals: list[Refusal]) -> Seg3BError:
    """The error of one file: its first refusal as place and remedy, all of them in the detail."""
    first = refusals[0]
    key = dotted(first.path)
    where = f"`{key}` in {file}" if key else file
    line = f" (line {first.line})" if first.line else ""
    hint = f" Did you mean `{first.suggestion}`?" if first.suggestion else ""
    why = f" The file has the text `{first.value}`: {first.why}." if first.why else ""
    detail: dict[str, Any] = {"file": file, **first.record()}
    if len(refusals) > 1:
        detail["error_count"] = len(refusals)
        detail["errors"] = [refusal.record() for refusal in refusals[:MAX_REPORTED]]
    return Seg3BError(
        "S0",
        "POLICY_SCHEMA_INVALID",
        first.validator,
        f"{file}:{key}" if key else file,
        f"Correct {where}{line}; allowed: {first.allowed}.{why}{hint}",
        detail,
    )


def from_yaml(error: YamlRefusedError) -> Refusal:
    """The refusal of a file that is not the YAML we read."""
    return Refusal(error.validator, error.path, _shown(error.value), error.allowed, error.line)


def from_validation(error: ValidationError, model: type[PolicyModel], document: Document) -> list[Refusal]:
    """Every refusal of a model, in the order of the file."""
    schema: Schema = model.model_json_schema()
    found = [_refusal(entry, schema, document) for entry in error.errors(include_url=False)]
    return sorted(found, key=lambda refusal: refusal.line or 0)


def _refusal(entry: ErrorDetails, schema: Schema, document: Document) -> Refusal:
    path: KeyPath = tuple(part for part in entry["loc"] if part != _KEY_MARK)
    kind = entry["type"]
    if kind == "policy_rule":
        context = entry["ctx"]
        path = (*path, *_parts(str(context["key"])))
        return _at(document, "policy_rule", path, context["value"], str(context["allowed"]))
    if kind == "missing":
        allowed = f"the key is required: {_described(schema, path)}"
        return _at(document, "policy_key_missing", path, None, allowed)
    if kind == "extra_forbidden":
        known = sorted(_resolved(schema, path[:-1]).get("properties", {}))
        allowed = f"one of the keys {', '.join(known)}" if known else "no such key"
        return _at(
            document, "policy_key_unknown", path, entry["input"], allowed, _nearest(str(path[-1]), known)
        )
    if _KEY_MARK in entry["loc"]:
        allowed = _words(_resolved(schema, path[:-1]).get("propertyNames", {}))
        return _at(document, "policy_key_unknown", path, str(path[-1]), allowed)
    governing = {"enum": entry["ctx"]["choices"]} if kind == "policy_choice" else _resolved(schema, path)
    allowed = _words(governing)
    given = entry["input"]
    if governing.get("type") in _NUMBERS and isinstance(given, str) and (meant := meant_number(given)):
        why, number = meant
        return replace(_at(document, "policy_value", path, given, allowed, number), why=why)
    choices = [str(choice) for choice in governing.get("enum", [])]
    suggestion = _nearest(str(given), choices)
    return _at(document, "policy_value", path, given, allowed, suggestion)


def _at(
    document: Document,
    validator: str,
    path: KeyPath,
    value: object,
    allowed: str,
    suggestion: str | None = None,
) -> Refusal:
    item = _item_name(document.value, path)
    return Refusal(validator, path, _shown(value), allowed, document.line(path), suggestion, item)


def _item_name(value: object, path: KeyPath) -> str | None:
    """``rule_id=…`` of the list item a path goes through, so that a person need not count."""
    name: str | None = None
    for part in path:
        if isinstance(value, dict):
            value = value.get(part)
        elif isinstance(value, list) and isinstance(part, int) and part < len(value):
            value = value[part]
            name = _named(value) or name
        else:
            break
    return name


def _named(item: object) -> str | None:
    if not isinstance(item, dict):
        return None
    return next((f"{key}={item[key]}" for key in _NAMING_KEYS if isinstance(item.get(key), str)), None)


def _shown(value: object) -> object:
    """The value as JSON a person can read: scalars as they are, the rest cut short."""
    if value is None or isinstance(value, (bool, float)):
        return value
    if isinstance(value, int) and abs(value) < 2**63:
        return value
    value = list(value) if isinstance(value, tuple) else value
    text = value if isinstance(value, str) else repr(value)
    return text if len(text) <= _MAX_TEXT else f"{text[:_MAX_TEXT]}…"


def _parts(key: str) -> KeyPath:
    return tuple(name or int(index) for name, index in _KEY_PART.findall(key))


def _nearest(word: str, known: list[str]) -> str | None:
    close = difflib.get_close_matches(word, known, n=1, cutoff=0.6)
    return close[0] if close else None


def _resolved(schema: Schema, path: KeyPath) -> Schema:
    """The JSON schema that governs ``path``; empty where there is none."""
    here = _followed(schema, schema)
    for part in path:
        here = _followed(schema, _child(here, part))
    return here


def _child(schema: Schema, part: str | int) -> Schema:
    found: Any = {}
    if isinstance(part, int):
        prefix = schema.get("prefixItems", [])
        found = prefix[part] if part < len(prefix) else schema.get("items", {})
    elif part in schema.get("properties", {}):
        found = schema["properties"][part]
    else:
        found = schema.get("additionalProperties", {})
        patterns = schema.get("patternProperties", {})
        found = next(iter(patterns.values())) if patterns else found
    return found if isinstance(found, dict) else {}


def _followed(root: Schema, schema: Schema) -> Schema:
    """Through ``$ref`` and ``anyOf [x, null]`` to the schema itself."""
    if "$ref" in schema:
        return _followed(root, root["$defs"][schema["$ref"].rsplit("/", 1)[-1]])
    options = [option for option in schema.get("anyOf", []) if option.get("type") != "null"]
    return _followed(root, options[0]) if len(options) == 1 else schema


def _described(schema: Schema, path: KeyPath) -> str:
    return _words(_resolved(schema, path))


def _words(schema: Schema) -> str:
    """What a JSON schema allows, in words."""
    if "words" in schema:
        return str(schema["words"])
    if "const" in schema:
        return f"{schema['const']}"
    if "enum" in schema:
        return "one of " + ", ".join(str(choice) for choice in schema["enum"])
    kind = str(schema.get("type", ""))
    limits = _LIMITS.get(kind, _number_limits)(schema)
    return f"{_KINDS.get(kind, 'a value')} {limits}".rstrip()


def _number_limits(schema: Schema) -> str:
    bounds = (
        ("exclusiveMinimum", "greater than"),
        ("minimum", "at least"),
        ("exclusiveMaximum", "less than"),
        ("maximum", "at most"),
    )
    return " and ".join(f"{words} {_exact(schema[key])}" for key, words in bounds if key in schema)


def _exact(bound: float) -> str:
    return str(bound) if isinstance(bound, int) else f"{bound:g}"


def _text_limits(schema: Schema) -> str:
    low, high = schema.get("minLength"), schema.get("maxLength")
    return f"of {low or 0} to {high} characters" if high else ""


def _list_limits(schema: Schema) -> str:
    if "prefixItems" in schema:
        items = [_words(item) for item in schema["prefixItems"]]
        return f"of {len(items)}: {', '.join(items)}"
    return f"of at least {schema['minItems']}" if schema.get("minItems") else ""


def _mapping_limits(schema: Schema) -> str:
    keys = schema.get("required", [])
    return f"with the keys {', '.join(keys)}" if keys else ""


_LIMITS: Final[Mapping[str, Callable[[Schema], str]]] = {
    "array": _list_limits,
    "object": _mapping_limits,
    "string": _text_limits,
}


def meant_number(text: str) -> tuple[str, str] | None:
    """Why a text is no number, and the number it seems to mean; None where it means none.

    >>> meant_number("0742")
    ('a number has no leading zero', '742')
    """
    if len(text) > _LONGEST:
        return None
    if _PLAIN.fullmatch(text):
        return "in quotes it is text", text
    plain = unicodedata.normalize("NFKC", text).translate(_MINUS).strip()
    for shape, why, number in _SHAPES:
        if found := shape.fullmatch(plain):
            return why, number(found)
    return None
