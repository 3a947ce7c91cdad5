"""The contracts folder itself: valid, closed, described, and in agreement with the dictionary."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import jsonschema_rs
import pytest

from seg3b_assets.contracts import all_contracts
from seg3b_assets.contracts.artefact_registry import REGISTRY_FILE
from seg3b_assets.contracts.dictionary import DICTIONARY_FILE, DICTIONARY_SCHEMA
from seg3b_assets.contracts.schemas import CONTRACTS_FOLDER, TYPES_FILE, read_schema, validator

FILES = sorted(path.name for path in CONTRACTS_FOLDER.glob("*.schema.json"))
FREE_BY_LAW = ("validation_index_3A.schema.json", "/properties/metadata")


def nodes(value: Any, pointer: str = "") -> Iterator[tuple[str, dict[str, Any]]]:
    """Every object of a JSON value with its pointer."""
    if isinstance(value, dict):
        yield pointer, value
        for key, below in value.items():
            yield from nodes(below, f"{pointer}/{key}")
    elif isinstance(value, list):
        for position, below in enumerate(value):
            yield from nodes(below, f"{pointer}/{position}")


@pytest.mark.parametrize("name", FILES)
def test_every_file_is_a_2020_12_schema_named_by_its_id(name: str) -> None:
    schema = read_schema(name)
    jsonschema_rs.meta.validate(schema)
    assert schema["$schema"] == "https://json-schema.org/draft/2020-12/schema"
    stem, _, version = schema["$id"].rpartition(":")
    assert stem == f"urn:seg3b:contract:{name.removesuffix('.schema.json')}"
    assert version.isdecimal() and int(version) >= 1
    assert schema["title"] and schema["description"]
    validator(name)


def test_the_dictionary_and_the_folder_name_the_same_schemas() -> None:
    declared = {each.schema_file for each in all_contracts().values()}
    assert declared | {TYPES_FILE, DICTIONARY_SCHEMA} == set(FILES)
    assert {path.name for path in CONTRACTS_FOLDER.iterdir()} - set(FILES) == {
        DICTIONARY_FILE,
        REGISTRY_FILE,
        "published",
    }
    reports = {f"s{number}_run_report_3B" for number in range(1, 6)}
    for each in all_contracts().values():
        shared = "run_report_3B" if each.id in reports else each.id
        assert each.schema_file == f"{shared}.schema.json"


@pytest.mark.parametrize("name", FILES)
def test_every_object_is_closed(name: str) -> None:
    for pointer, node in nodes(read_schema(name)):
        if node.get("type") == "object" and (name, pointer) != FREE_BY_LAW:
            assert node.get("additionalProperties") is False, pointer


@pytest.mark.parametrize("name", FILES)
def test_patterns_are_anchored_at_both_ends(name: str) -> None:
    for pointer, node in nodes(read_schema(name)):
        patterns = [node["pattern"]] if isinstance(node.get("pattern"), str) else []
        patterns += node.get("patternProperties", [])
        for pattern in patterns:
            assert pattern.startswith("^") and pattern.endswith("$"), pointer


@pytest.mark.parametrize("name", FILES)
def test_required_keys_exist_and_every_property_is_described(name: str) -> None:
    for pointer, node in nodes(read_schema(name)):
        if node.get("type") != "object" or "properties" not in node:
            continue
        assert set(node["required"]) <= node["properties"].keys(), pointer
        for key, each in node["properties"].items():
            assert "$ref" in each or each.get("description"), f"{pointer}/{key}"


@pytest.mark.parametrize("dataset_id", [each.id for each in all_contracts().values() if each.is_table])
def test_a_columns_dtype_fits_its_json_type(dataset_id: str) -> None:
    kinds = {"u": "integer", "i": "integer", "f": "number", "s": "string", "b": "boolean"}
    for _, node in nodes(read_schema(f"{dataset_id}.schema.json")["properties"]):
        if "x-dtype" in node and "type" in node:
            kind = "string" if node["x-dtype"] == "bin" else kinds[node["x-dtype"][0]]
            assert kind in ([node["type"]] if isinstance(node["type"], str) else node["type"])


def test_keys_and_order_of_array_documents_stand_in_the_schema_too() -> None:
    for each in all_contracts().values():
        if each.is_table or not each.keys:
            continue
        assert each.schema["x-unique-by"] == list(each.keys)
        assert each.schema.get("x-sorted-by", []) == list(each.sort)
