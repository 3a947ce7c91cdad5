"""What data names is looked up, or is one name below a folder; never a way out of it."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from seg3b_assets.audit.surface import SurfaceError, _country_files
from seg3b_assets.contracts import all_contracts, contract
from seg3b_assets.laws.path_names import is_one_name
from seg3b_assets.laws.zone_clock import offsets_at, pinned_zone

WAYS_OUT = [
    "../x",
    "/etc/passwd",
    "a/b",
    "..",
    ".",
    "",
    "a\0b",
    "a\nb",
    "x" * 5000,
    "ä" * 200,
    "a\\b",
    "\udcff/",
]


@pytest.mark.parametrize("name", WAYS_OUT)
def test_a_way_out_is_no_name(name: str) -> None:
    assert not is_one_name(name)


@pytest.mark.parametrize("name", ["42", "a" * 64, "v1.2.0", "timezonefinder-data-3.2026.3.post1", "*", "ä"])
def test_a_name_is_one(name: str) -> None:
    assert is_one_name(name)


@pytest.mark.parametrize("name", WAYS_OUT[:-1])
def test_no_dataset_is_looked_for_outside_its_folder(name: str) -> None:
    asked = 0
    for declared in all_contracts().values():
        tokens = [part.split("}")[0] for part in declared.path.split("{")[1:]]
        for token in tokens:
            asked += 1
            identity = {**dict.fromkeys(tokens, "x"), token: name}
            with pytest.raises(ValueError, match="takes no"):
                declared.relative_path(identity)
    assert asked > 50
    assert contract("s0_gate_receipt_3B").relative_path({"manifest_fingerprint": "x" * 64})


@pytest.mark.parametrize(
    "name",
    ["../tzdata/zones", "/etc/localtime", "Europe/../Europe/Paris", "europe/paris", "", "Mars/Base", "a\0b"],
)
def test_a_zone_is_looked_up_and_never_opened(name: str) -> None:
    with pytest.raises(ValueError, match="no zone of the pinned tz database"):
        pinned_zone(name)
    with pytest.raises(ValueError, match="no zone"):
        offsets_at(name, np.array([0], np.int64))


def test_zones_are_found_old_names_too() -> None:
    assert str(pinned_zone("Europe/Paris")) == "Europe/Paris"
    assert str(pinned_zone("Asia/Calcutta")) == "Asia/Calcutta"


@pytest.mark.parametrize("iso", ["../..", "/etc", "a\0", "fr", "FRA", "X" * 5000])
def test_a_country_of_a_foreign_tree_is_no_path(iso: str) -> None:
    for surface in ("tile_weights", "tile_bounds", "tile_index"):
        with pytest.raises(SurfaceError, match="no country"):
            _country_files(Path("/nowhere"), surface, iso)
