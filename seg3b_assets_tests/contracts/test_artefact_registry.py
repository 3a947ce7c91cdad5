"""The registry and the anchors: every key and every shape that is named somewhere is there."""

from __future__ import annotations

import pytest
import yaml

from seg3b_assets.contracts import all_contracts, contract
from seg3b_assets.contracts.artefact_registry import (
    PUBLISHED_NAMES,
    REGISTRY_FILE,
    artefacts,
    by_own_id,
    own_id,
    published_id,
)
from seg3b_assets.contracts.published import column_anchor, published_contract, resolve_anchor
from seg3b_assets.contracts.schemas import CONTRACTS_FOLDER
from seg3b_assets.policies import SEALED_POLICIES
from seg3b_assets.reference.pages import registry_file


def test_the_file_is_what_would_be_generated() -> None:
    written = (CONTRACTS_FOLDER / REGISTRY_FILE).read_text(encoding="utf-8")
    assert written == registry_file(), "run `make docs`"
    assert [entry["manifest_key"] for entry in yaml.safe_load(written)["artefacts"]] == list(artefacts())


def test_everything_read_or_written_has_a_key() -> None:
    indexes = {name for name in all_contracts() if name.startswith("validation_index_")}
    expected = {*all_contracts(), *SEALED_POLICIES} - indexes
    assert expected <= set(by_own_id())


def test_published_keys_keep_their_names_and_the_segments_own_datasets_their_paths() -> None:
    keys = published_contract()["manifest_keys"]
    for key, entry in artefacts().items():
        assert entry.published == (key in keys)
        if entry.published:
            assert (entry.logical_id, entry.path) == (keys[key]["name"], keys[key]["path"])


def test_own_shapes_resolve() -> None:
    for entry in artefacts().values():
        if not entry.published and not entry.schema_ref.startswith("policies/"):
            assert resolve_anchor(entry.schema_ref) == contract(entry.own_id).schema


@pytest.mark.parametrize("own", PUBLISHED_NAMES)
def test_names_go_both_ways(own: str) -> None:
    assert own_id(published_id(own)) == own and published_id(own) != own


def test_zone_polygons_have_the_published_name_in_the_published_release_only() -> None:
    assert published_id("tz_world", "2025a") == "tz_world_2025a"
    assert published_id("tz_world", "2026c") == "tz_world"
    assert own_id("tz_world_2025a") == own_id("tz_world") == "tz_world"
    assert own_id("tz_world_2031z") == "tz_world_2031z"


def test_anchors_name_datasets_columns_and_keys() -> None:
    catalogue = "schemas.3B.yaml#/plan/edge_catalogue_3B"
    assert resolve_anchor(column_anchor(catalogue, "edge_weight"))["minimum"] == 0.0
    assert resolve_anchor("schemas.3B.yaml#/$defs/hex64")
    assert resolve_anchor("schemas.layer1.yaml#/rng/events/edge_jitter")
    own = column_anchor("contracts/edge_merchant_profile_3B.schema.json", "virtual_class")
    assert "enum" in str(resolve_anchor(own)) or resolve_anchor(own)["description"]


@pytest.mark.parametrize(
    "anchor",
    [
        "schemas.3B.yaml#/plan/edge_catalogue_3C",
        "schemas.3B.yaml#/plan/edge_catalogue_3B/edge_wait",
        "schemas.9Z.yaml#/plan/edge_catalogue_3B",
        "contracts/nothing.schema.json",
        "contracts/s2_summary_3B.schema.json#/properties/nothing",
        "2B#/rng/events/cdn_edge_pick",
    ],
)
def test_an_anchor_that_names_nothing_is_refused(anchor: str) -> None:
    with pytest.raises(ValueError, match=r"names no|there is no"):
        resolve_anchor(anchor)
