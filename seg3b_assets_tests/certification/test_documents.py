"""The typed documents say what the published schemas say, and lose nothing of a document."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any, get_args, get_origin

import pytest
from pydantic import BaseModel

from seg3b_assets.certification.documents import Document, Measured, SeedDocument, Summary
from seg3b_assets.contracts.schemas import read_schema
from seg3b_assets_tests.contracts.sample_certification import CERTIFICATION

DOCUMENTS: dict[str, type[Document]] = {
    "validation_metrics_seed_3B": SeedDocument,
    "validation_cross_seed_summary_3B": Summary,
}


def names(model: type[BaseModel]) -> dict[str, bool]:
    """Key by name of the JSON, and whether it must be there."""
    return {field.alias or name: field.is_required() for name, field in model.model_fields.items()}


def models(annotation: Any) -> Iterator[type[BaseModel]]:
    """The models a field holds, however deep."""
    if isinstance(annotation, type) and issubclass(annotation, BaseModel):
        yield annotation
    elif get_origin(annotation) is not None:
        for inner in get_args(annotation):
            yield from models(inner)


def objects(schema: Mapping[str, Any], whole: Mapping[str, Any]) -> Iterator[Mapping[str, Any]]:
    """What a part of a schema holds: itself, the values of a map, the items of an array."""
    if "$ref" in schema:
        place = schema["$ref"]
        if place.startswith("#/$defs/"):
            yield from objects(whole["$defs"][place.removeprefix("#/$defs/")], whole)
        return
    if "items" in schema:
        yield from objects(schema["items"], whole)
    for inner in schema.get("patternProperties", {}).values():
        yield from objects(inner, whole)
    properties = schema.get("properties", {})
    if (
        properties
        and all(name.startswith("3B-") for name in properties)
        and schema.get("patternProperties") is None
    ):
        for inner in properties.values():
            yield from objects(inner, whole)
    if properties:
        yield schema


def compare(
    model: type[BaseModel], schema: Mapping[str, Any], whole: Mapping[str, Any], seen: list[str]
) -> None:
    """Every key of the schema is a field of the model, as required as there; and so on below it."""
    seen.append(model.__name__)
    told, required = schema["properties"], set(schema.get("required", ()))
    keys = names(model)
    if model is not Measured:  # its metrics are the registry's, and any may be there
        assert keys.keys() == told.keys(), model.__name__
        assert {key for key, needed in keys.items() if needed} == required, model.__name__
    for name, field in model.model_fields.items():
        below = list(objects(told[field.alias or name], whole))
        for inner in models(field.annotation):
            fitting = [
                one for one in below if names(inner).keys() == one["properties"].keys() or inner is Measured
            ]
            assert fitting, (model.__name__, name)
            compare(inner, fitting[0], whole, seen)


@pytest.mark.parametrize("dataset_id", DOCUMENTS)
def test_the_models_have_the_keys_of_the_schemas(dataset_id: str) -> None:
    schema = read_schema(f"{dataset_id}.schema.json")
    seen: list[str] = []
    compare(DOCUMENTS[dataset_id], schema, schema, seen)
    assert len(seen) > 4, seen


@pytest.mark.parametrize("dataset_id", DOCUMENTS)
def test_a_document_comes_back_as_it_was(dataset_id: str) -> None:
    document = CERTIFICATION[dataset_id]
    assert DOCUMENTS[dataset_id].of(document).as_json() == document


@pytest.mark.parametrize("dataset_id", DOCUMENTS)
def test_what_a_later_release_adds_is_left_out(dataset_id: str) -> None:
    document = CERTIFICATION[dataset_id]
    assert DOCUMENTS[dataset_id].of({**document, "new": 1}).as_json() == document


def test_a_number_stays_the_number_it_is() -> None:
    document = CERTIFICATION["validation_metrics_seed_3B"]
    measured = {
        **document["metrics"],
        "active_rule_id_count": 12,
        "virtual_rate": 0.5,
        "top1_share_p50": None,
    }
    values = SeedDocument.of({**document, "metrics": measured}).metrics.values
    assert values["realism_block_active_enforced"] is True
    assert (values["active_rule_id_count"], type(values["active_rule_id_count"])) == (12, int)
    assert (type(values["virtual_rate"]), values["top1_share_p50"]) == (float, None)
