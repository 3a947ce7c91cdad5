"""The page of datasets: where each lies, what its rows or document hold, who makes and reads it."""

from __future__ import annotations

from typing import Final

from seg3b_assets.contracts import DatasetContract, all_contracts
from seg3b_assets.contracts.schemas import Schema, referenced
from seg3b_assets.reference.markdown import code, page, table

_INTRO: Final = (
    "Every dataset by who makes it, from `contracts/dataset_dictionary.yaml` and `contracts/*.schema.json`. Paths\n"
    "are relative to a tree's root; `{…}` are filled from the run's identity. Dtypes are polars'. A column that may\n"
    "be null says so; no other is."
)
_GROUPS: Final = {
    "S0": "S0: gate and sealed inputs",
    "S1": "S1: classification and settlement",
    "S2": "S2: edges and their evidence",
    "S3": "S3: alias tables",
    "S4": "S4: routing policy and validation contract",
    "S5": "S5: bundle and flag",
    "certification": "Certification",
    "upstream": "Upstream: what the segment reads",
    "export": "Export: what an exported tree has besides",
}


def contract_page() -> str:
    """The page's text."""
    sections = []
    for producer, title in _GROUPS.items():
        sections.append(f"## {title}\n")
        sections += [_dataset(one) for one in all_contracts().values() if one.producer == producer]
    return page("Datasets", _INTRO, *sections)


def _dataset(declared: DatasetContract) -> str:
    facts = [
        ("path", code(declared.path + (declared.files if declared.path.endswith("/") else ""))),
        ("format", declared.format),
        ("keys", ", ".join(map(code, declared.keys))),
        ("order", ", ".join(map(code, declared.sort))),
        ("read by", ", ".join(declared.consumers)),
        ("schema", f"[{declared.schema_file}](../../contracts/{declared.schema_file})"),
    ]
    lines = "\n".join(f"- {name}: {value}" for name, value in facts if value)
    return f"### {declared.id}\n\n{declared.description}\n\n{lines}\n\n{_fields(declared)}"


def _fields(declared: DatasetContract) -> str:
    if declared.is_table:
        return table(
            ("column", "dtype", "unit", "null", "meaning"),
            (
                (code(name), dtype, unit, "yes" if nullable else "", meaning)
                for name, dtype, unit, meaning, nullable in declared.describe_columns()
            ),
        )
    schema = declared.schema.get("items", declared.schema)
    properties: dict[str, Schema] = schema.get("properties", {})
    required = set(schema.get("required", ()))
    return table(
        ("key", "type", "required", "meaning"),
        (
            (code(name), _type(part), "yes" if name in required else "", part.get("description"))
            for name, part in properties.items()
        ),
    )


def _type(part: Schema) -> str:
    """What a key holds, in a word or two."""
    options: list[Schema] = part.get("anyOf") or part.get("oneOf") or []
    if options:
        return " or ".join(dict.fromkeys(_type(option) for option in options))
    if "$ref" in part:
        name = part["$ref"].rpartition("/")[2]
        try:
            return f"{_type(referenced(part['$ref']))} ({name})"
        except ValueError:
            return str(name)
    if "const" in part:
        return code(part["const"])
    if "enum" in part:
        return ", ".join(code(value) for value in part["enum"])
    kind = part.get("type", "any")
    return " or ".join(kind) if isinstance(kind, list) else str(kind)
