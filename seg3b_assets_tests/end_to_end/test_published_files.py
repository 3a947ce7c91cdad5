"""Every published file of an export, held strictly against the layer's contract by a reader that knows no other.

Documents and log lines go through ``jsonschema``, tables through ``published_shape``; neither sees our contracts.
Excepted, each for its reason:

- The index tables are declared in order of scope and merchant, and have their GLOBAL row last: the layer's own files
  have it there, and scope sorted as text would put it first.
- ``unevaluatedProperties`` of an event stands in a branch of its own, where it would forbid every key; it is lifted to
  the whole event, as the layer's own code does.
- A null inside a struct or list column counts as absent: a parquet struct has all its members in every row.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import orjson
import polars as pl
import pyarrow.parquet as pq
import pytest
import yaml
from jsonschema import Draft202012Validator

from seg3b_assets.contracts.artefact_registry import REGISTRY_FILE
from seg3b_assets.contracts.published import published_contract, resolve_anchor
from seg3b_assets.contracts.schemas import CONTRACTS_FOLDER
from seg3b_assets_tests.contracts.published_shape import assert_published
from seg3b_assets_tests.end_to_end.installation import Installation

FACTS = published_contract()
DATASETS = FACTS["datasets"]
GLOBAL_LAST = {"edge_alias_index_3B", "edge_catalogue_index_3B"}
LINES = 3000


@pytest.fixture(scope="module")
def tree(finished: Installation, tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("published") / "tree"
    finished.seg3b("export", "heads", str(folder), "--json").passed()
    return folder


@pytest.fixture(scope="module")
def tokens(tree: Path) -> dict[str, str]:
    receipt = orjson.loads((tree / "run_receipt.json").read_bytes())
    return {key: str(receipt[key]) for key in ("seed", "manifest_fingerprint", "parameter_hash", "run_id")}


def json_schema(shape: Any) -> Any:
    """A published shape as a JSON Schema by itself: references put in, ``nullable`` in the schema's own words."""
    if isinstance(shape, list):
        return [json_schema(each) for each in shape]
    if not isinstance(shape, dict):
        return shape
    rest = {key: value for key, value in shape.items() if key not in ("$ref", "nullable", "properties")}
    made = {key: json_schema(value) for key, value in rest.items()}
    if "properties" in shape:
        made["properties"] = {key: json_schema(value) for key, value in shape["properties"].items()}
    if "$ref" in shape:
        target = shape["$ref"]
        anchor = target.replace("#/", "schemas.3B.yaml#/") if target.startswith("#/") else target
        made = {"allOf": [json_schema(resolve_anchor(anchor)), made]}
    return {"anyOf": [made, {"type": "null"}]} if shape.get("nullable") else made


def of_event(shape: dict[str, Any]) -> dict[str, Any]:
    """An event's schema with its ``unevaluatedProperties`` lifted to the whole event."""
    branches = [branch for branch in shape["allOf"] if "unevaluatedProperties" not in branch]
    assert len(branches) == len(shape["allOf"]) - 1
    return {"allOf": branches, "unevaluatedProperties": False}


def files_of(tree: Path, name: str, tokens: dict[str, str]) -> list[Path]:
    """The files of a dataset, where the published path says."""
    template = DATASETS[name]["path"]
    path = template.format(**tokens)
    if path.endswith("/"):
        return sorted(one for one in (tree / path).iterdir() if one.is_file())
    return sorted(tree.glob(path.replace("[", "[[]"))) if "*" in path else [tree / path]


def complaints(schema: Any, value: Any) -> Iterator[str]:
    validator = Draft202012Validator(schema, format_checker=Draft202012Validator.FORMAT_CHECKER)
    for error in validator.iter_errors(value):
        yield f"{error.json_path}: {error.message[:200]}"


def table(files: list[Path]) -> pl.DataFrame:
    return pl.concat([pl.read_parquet(file.read_bytes()) for file in files])


@pytest.mark.parametrize("name", DATASETS)
def test_a_published_file_keeps_the_layers_contract(tree: Path, tokens: dict[str, str], name: str) -> None:
    declared = DATASETS[name]
    files = files_of(tree, name, tokens)
    assert files and all(file.is_file() for file in files), f"nothing at {declared['path']}"
    shape = resolve_anchor(declared["schema_ref"])
    check: dict[str, Callable[[], None]] = {
        "parquet": lambda: _parquet(name, files),
        "json": lambda: _json(shape, files),
        "jsonl": lambda: _lines(shape, files),
        "text": lambda: _text(shape, files),
        "bin": lambda: _blob(tree, files[0]),
        "folder": lambda: _bundle(shape, files),
    }
    check[declared["format"]]()


def _parquet(name: str, files: list[Path]) -> None:
    frame = table(files)
    key = DATASETS[name]["schema_ref"].partition("#/")[2]
    assert_published(key, frame)
    schema = FACTS["schemas"][key]
    assert frame.select(pl.struct(schema["primary_key"]).is_duplicated().any()).item() is False
    order = DATASETS[name]["ordering"]
    if name in GLOBAL_LAST:
        assert frame["scope"].to_list() == ["MERCHANT"] * (frame.height - 1) + ["GLOBAL"]
        frame, order = frame[:-1], [column for column in order if column != "scope"]
    assert frame.equals(frame.sort(order))
    for file in files:  # a reader by another library sees the same columns
        assert pq.read_schema(file).names == [column["name"] for column in schema["columns"]]


def _json(shape: dict[str, Any], files: list[Path]) -> None:
    [file] = files
    value = orjson.loads(file.read_bytes())
    rows = value if isinstance(value, list) else [value]
    found = [complaint for row in rows for complaint in complaints(json_schema(shape), row)]
    assert not found, found[:5]


def _lines(shape: dict[str, Any], files: list[Path]) -> None:
    shape = shape.get("record", shape)
    schema = json_schema(of_event(shape) if "allOf" in shape else shape)
    validator = Draft202012Validator(schema, format_checker=Draft202012Validator.FORMAT_CHECKER)
    for file in files:
        lines = file.read_bytes().splitlines()
        for line in lines[:: max(1, len(lines) // LINES)]:
            found = [error.message for error in validator.iter_errors(orjson.loads(line))]
            assert not found, (line[:300], found[:3])


def _text(shape: dict[str, Any], files: list[Path]) -> None:
    [file] = files
    text = file.read_text(encoding="ascii")
    assert text.endswith("\n") and re.search(shape["pattern"], text.removesuffix("\n"))


def _blob(tree: Path, file: Path) -> None:
    """The blob has no header of its own; what the layer's header says stands in index and policies."""
    index = table(sorted(tree.rglob("edge_alias_index_3B.parquet")))
    assert index["blob_length_bytes"][-1] == file.stat().st_size


def _bundle(shape: dict[str, Any], files: list[Path]) -> None:
    [index] = [file for file in files if file.name == "index.json"]
    value = orjson.loads(index.read_bytes())
    assert not list(complaints(json_schema(shape), value))
    listed = {member["path"] for member in value["members"]} | {"index.json", "_passed.flag"}
    assert listed == {file.name for file in files}


def test_the_strict_reader_can_refuse() -> None:
    receipt = json_schema(resolve_anchor("schemas.3B.yaml#/validation/s4_run_summary_3B"))
    sound = {"manifest_fingerprint": "0" * 64, "parameter_hash": "0" * 64, "status": "PASS"}
    assert not list(complaints(receipt, sound))
    for change in ({"status": "GREAT"}, {"more": 1}, {"manifest_fingerprint": "0"}, {"parameter_hash": None}):
        assert list(complaints(receipt, sound | change))
    event = json_schema(of_event(resolve_anchor("schemas.layer1.yaml#/rng/events/edge_jitter")))
    assert any("more" in text for text in complaints(event, {"more": 1}))


def test_what_published_documents_name_is_registered(tree: Path, tokens: dict[str, str]) -> None:
    registry = yaml.safe_load((CONTRACTS_FOLDER / REGISTRY_FILE).read_bytes())["artefacts"]
    keys = {entry["manifest_key"] for entry in registry}
    named = {entry["logical_id"] for entry in registry}
    [policy] = files_of(tree, "virtual_routing_policy_3B", tokens)
    routing = orjson.loads(policy.read_bytes())
    assert {value for key, value in routing.items() if key.endswith("_manifest_key")} <= keys
    [sealed] = files_of(tree, "sealed_inputs_3B", tokens)
    assert {row["logical_id"] for row in orjson.loads(sealed.read_bytes())} <= named
    [manifest] = files_of(tree, "s5_manifest_3B", tokens)
    assert {row["logical_id"] for row in orjson.loads(manifest.read_bytes())["evidence"]} <= named
    for dataset in FACTS["datasets"]:
        assert dataset in named
