"""A sealed input opens only while its bytes are those S0 saw, and only if S0 saw it."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import polars as pl
import pytest

from seg3b_assets.inputs.sealed import SealedInputs
from seg3b_assets.laws.errors import Seg3BError
from seg3b_assets.realism.policy_reading import load_policies
from seg3b_assets.states.s0_gate import seal
from seg3b_assets.store.digest_cache import DigestCache
from seg3b_assets_tests.states.miniature_upstream import POLICIES, Root, Tables, write_root

GAZETTEER = "reference/spatial/settlement_gazetteer/v3/settlement_gazetteer.parquet"
HEADER = "merchant_id,lat_deg,lon_deg,evidence_url,coord_source,tzid_settlement,notes\n"


@pytest.fixture
def root(tmp_path: Path) -> Root:
    return write_root(tmp_path / "upstream")


def inputs_of(root: Root) -> SealedInputs:
    return seal(root.path, load_policies(POLICIES), DigestCache(root.path.parent / "d.json", False)).inputs


def refused(call: Callable[[], object]) -> Seg3BError:
    with pytest.raises(Seg3BError) as caught:
        call()
    assert caught.value.remedy
    return caught.value


def resealed_table(root: Root, logical_id: str = "settlement_gazetteer") -> Seg3BError:
    return refused(lambda: inputs_of(root).table(logical_id, "S2"))


def test_a_table_comes_back_with_the_columns_asked_for(root: Root) -> None:
    frame = inputs_of(root).table("settlement_gazetteer", "S1", ["population", "place_id"])
    assert frame.columns == ["population", "place_id"]
    assert frame.height == 36


def test_a_version_folder_is_known(root: Root) -> None:
    inputs = inputs_of(root)
    assert inputs.version("settlement_gazetteer") == "v3"
    assert inputs.version("world_countries") == "2026"
    assert inputs.version("outlet_catalogue") == ""


def test_a_folder_dataset_is_its_folder(root: Root) -> None:
    path = inputs_of(root).path("tile_weights", state="S2")
    assert path.is_dir()
    assert sorted(file.name for file in path.iterdir()) == [
        f"part-{iso}.parquet" for iso in ("FR", "GB", "MT")
    ]


def test_what_was_not_sealed_cannot_be_opened(root: Root) -> None:
    inputs = inputs_of(root)
    assert not inputs.has("virtual_settlement_coords")
    error = refused(lambda: inputs.path("virtual_settlement_coords", "S1"))
    assert error.code == "E3B_S1_REQUIRED_INPUT_NOT_SEALED"


def test_bytes_changed_after_sealing_are_refused(root: Root) -> None:
    inputs = inputs_of(root)
    path = root.path / GAZETTEER
    path.write_bytes(path.read_bytes() + b"\0")
    error = refused(lambda: inputs.table("settlement_gazetteer", "S1"))
    assert error.code == "E3B_S1_SEALED_INPUT_DIGEST_MISMATCH"
    assert error.detail["expected"] != error.detail["found"]


def test_a_file_gone_after_sealing_is_an_open_failure(root: Root) -> None:
    inputs = inputs_of(root)
    (root.path / "reference/spatial/tz_world/2026c/tz_world.parquet").unlink()
    assert refused(lambda: inputs.path("tz_world", "S2")).code == "E3B_S2_INPUT_OPEN_FAILED"


def test_a_file_added_to_a_sealed_folder_is_refused(root: Root) -> None:
    inputs = inputs_of(root)
    (inputs.path("tile_weights", "S2") / "part-GB.parquet").write_bytes(b"")
    error = refused(lambda: inputs.path("tile_weights", "S2"))
    assert error.code == "E3B_S2_SEALED_INPUT_DIGEST_MISMATCH"


def test_a_truncated_parquet_is_an_open_failure(root: Root) -> None:
    path = root.path / GAZETTEER
    path.write_bytes(path.read_bytes()[:-30])
    assert resealed_table(root).code == "E3B_S2_INPUT_OPEN_FAILED"


def test_a_missing_column_is_a_schema_mismatch(root: Root) -> None:
    path = root.path / GAZETTEER
    pl.read_parquet(path).drop("population").write_parquet(path)
    error = resealed_table(root)
    assert error.code == "E3B_S2_INPUT_SCHEMA_MISMATCH"
    assert error.detail["column"] == "population"


def test_a_wrong_type_is_a_schema_mismatch(root: Root) -> None:
    path = root.path / GAZETTEER
    pl.read_parquet(path).with_columns(pl.col("lat_deg").cast(pl.String)).write_parquet(path)
    assert resealed_table(root).code == "E3B_S2_INPUT_SCHEMA_MISMATCH"


@pytest.mark.parametrize(
    "row", ["one,1,2,http://e,me,Europe/Paris,", "1,1,2", "1,1,2,http://e,me,Europe/Paris,,,"]
)
def test_a_csv_that_does_not_read_is_a_schema_mismatch(tmp_path: Path, row: str) -> None:
    root = write_root(tmp_path / "upstream", Tables(coordinates=f"{HEADER}{row}\n"))
    assert resealed_table(root, "virtual_settlement_coords").code == "E3B_S2_INPUT_SCHEMA_MISMATCH"
