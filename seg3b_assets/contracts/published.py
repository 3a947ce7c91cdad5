"""The published contract: what the layer's other segments expect of this one, word for word.

``contracts/published/layer1.3B.json`` holds the facts of the layer's schema packs, dictionary and registry that
concern segment 3B: its datasets and schemas, those they refer to, the tables it reads and the manifest keys. The
segment's own contracts say more (dtypes, units, meanings) and never something else; a test holds them together.

An *anchor* names a shape: ``schemas.3B.yaml#/plan/edge_catalogue_3B`` a published dataset or document,
``…/edge_weight`` one of its columns, ``contracts/NAME.schema.json#/properties/KEY`` a key of a contract of ours.
"""

from __future__ import annotations

from functools import cache
from typing import Any, Final

import orjson

from seg3b_assets.contracts.schemas import CONTRACTS_FOLDER, Schema, read_schema

PUBLISHED_FILE: Final = "published/layer1.3B.json"
SEGMENT_PACK: Final = "schemas.3B.yaml#/"
OWN_FOLDER: Final = "contracts/"


@cache
def published_contract() -> dict[str, Any]:
    """The facts as their file has them: $defs, datasets, layer, manifest_keys, schemas, upstream."""
    facts: dict[str, Any] = orjson.loads((CONTRACTS_FOLDER / PUBLISHED_FILE).read_bytes())
    return facts


def resolve_anchor(anchor: str) -> Schema:
    """The shape an anchor names, references unresolved.

    Raises:
        ValueError: when it names nothing: no such pack, dataset, document, column or key.
    """
    pack, _, pointer = anchor.partition("#/")
    if anchor.startswith(OWN_FOLDER):
        return _part(
            anchor, _own(anchor, pack.removeprefix(OWN_FOLDER)), pointer.split("/") if pointer else []
        )
    facts = published_contract()
    local = {f"{SEGMENT_PACK}{name}": shape for name, shape in facts["schemas"].items()}
    local |= {f"{SEGMENT_PACK}$defs/{name}": shape for name, shape in facts["$defs"].items()}
    shapes = {**facts["layer"], **local}
    for name in sorted(shapes, key=len, reverse=True):
        if anchor == name or anchor.startswith(f"{name}/"):
            rest = anchor.removeprefix(name).strip("/")
            return _part(anchor, shapes[name], rest.split("/") if rest else [])
    raise ValueError(f"{anchor} names no published shape")


def column_anchor(anchor: str, column: str) -> str:
    """The anchor of a column or key of what ``anchor`` names.

    Raises:
        ValueError: when there is no such column or key.
    """
    own = anchor.startswith(OWN_FOLDER)
    narrowed = f"{anchor}#/properties/{column}" if own else f"{anchor}/{column}"
    resolve_anchor(narrowed)
    return narrowed


def _own(anchor: str, file_name: str) -> Schema:
    try:
        return read_schema(file_name)
    except OSError as error:
        raise ValueError(f"{anchor} names no contract of this segment") from error


def _part(anchor: str, shape: Schema, steps: list[str]) -> Schema:
    for step in steps:
        columns = {column["name"]: column for column in shape.get("columns", ())}
        inner = columns.get(step) or shape.get("properties", {}).get(step) or shape.get(step)
        if not isinstance(inner, dict):
            raise ValueError(f"{anchor}: there is no {step}")
        shape = inner
    return shape
