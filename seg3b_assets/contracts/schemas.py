"""The schema files: read once, resolved by their urn (JSON Schema 2020-12).

Knows where the folder is and how a ``$ref`` is followed. What a schema means for a table is
``columns``' and ``frames``' business; for a document, ``documents``'.
"""

from __future__ import annotations

from functools import cache
from typing import Any, Final, TypeAlias

import orjson
from jsonschema_rs import Registry

from seg3b_assets.shipped import shipped

Schema: TypeAlias = dict[str, Any]

CONTRACTS_FOLDER: Final = shipped("contracts")
TYPES_FILE: Final = "types.schema.json"


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
