"""Changes one value of a policy file by its key, whatever the file's numbers are today."""

import re
from pathlib import Path
from typing import Any

import orjson

from seg3b_assets.policies.strict_yaml import parse_document

SHIPPED = Path(__file__).parents[2] / "policies"
REMOVED = object()

_PART = re.compile(r"([^.\[\]]+)|\[(\d+)\]")
_CONSTANTS = {None: "null", True: "true", False: "false"}


def spoilt(data: bytes, key: str, value: object) -> bytes:
    """The file with ``value`` at ``key`` (``rules[3].mcc``); ``REMOVED`` takes the key away."""
    document: Any = parse_document(data).value
    here: Any = document
    parts = [name or int(index) for name, index in _PART.findall(key)]
    for part in parts[:-1]:
        here = here[part]
    if value is REMOVED:
        del here[parts[-1]]
    else:
        here[parts[-1]] = value
    return as_yaml(document).encode()


def as_yaml(value: object) -> str:
    """Flow YAML of plain values, with the non-finite numbers JSON lacks."""
    if isinstance(value, dict):
        return "{" + ", ".join(f"{as_yaml(key)}: {as_yaml(item)}" for key, item in value.items()) + "}"
    if isinstance(value, list | tuple):
        return "[" + ", ".join(map(as_yaml, value)) + "]"
    if isinstance(value, str):
        return orjson.dumps(value.encode("utf-8", "replace").decode()).decode()
    if isinstance(value, bool) or value is None:
        return _CONSTANTS[value]
    return {"nan": ".nan", "inf": ".inf", "-inf": "-.inf"}.get(repr(value), repr(value))
