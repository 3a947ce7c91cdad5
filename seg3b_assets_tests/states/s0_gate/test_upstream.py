"""Which root answers for a seed, and which folder for a dataset."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import orjson
import pytest

from seg3b_assets.contracts import contract
from seg3b_assets.laws.errors import Seg3BError
from seg3b_assets.states.s0_gate.upstream import locate, read_receipt, resolve_upstream
from seg3b_assets_tests.states.miniature_upstream import WORLD, write, write_root


def code_of(call: object, *arguments: object) -> str:
    with pytest.raises(Seg3BError) as caught:
        call(*arguments)  # type: ignore[operator]
    assert caught.value.remedy
    return caught.value.code


def test_a_root_is_its_own_or_a_seed_folder(tmp_path: Path) -> None:
    write_root(tmp_path / "one")
    assert resolve_upstream(tmp_path / "one", 42) == tmp_path / "one"
    write_root(tmp_path / "many/seed=7", world=replace(WORLD, seed=7))
    assert resolve_upstream(tmp_path / "many", 7) == tmp_path / "many/seed=7"


def test_a_root_of_another_seed_is_an_identity_mismatch(tmp_path: Path) -> None:
    write_root(tmp_path)
    assert code_of(resolve_upstream, tmp_path, 7) == "E3B_S0_IDENTITY_MISMATCH"


def test_no_receipt_anywhere_is_an_open_failure(tmp_path: Path) -> None:
    assert code_of(resolve_upstream, tmp_path, 42) == "E3B_S0_INPUT_OPEN_FAILED"
    assert code_of(resolve_upstream, tmp_path / "nowhere", 42) == "E3B_S0_INPUT_OPEN_FAILED"


@pytest.mark.parametrize(
    "change",
    [
        {"seed": -1},
        {"seed": 2**64},
        {"seed": "42"},
        {"parameter_hash": "A" * 64},
        {"manifest_fingerprint": None},
        {"created_utc": "2026-01-02T03:04:05Z"},
        {"created_utc": "2026-13-02T03:04:05.000000Z"},
        {"surprise": 1},
    ],
)
def test_a_receipt_that_is_not_one_is_a_schema_mismatch(tmp_path: Path, change: dict[str, object]) -> None:
    write_root(tmp_path)
    path = tmp_path / "run_receipt.json"
    receipt = orjson.loads(path.read_bytes())
    try:
        path.write_bytes(orjson.dumps(receipt | change))
    except TypeError:
        text = path.read_text().replace('"seed":42', f'"seed":{change["seed"]}')
        path.write_text(text)
    assert code_of(read_receipt, tmp_path) == "E3B_S0_INPUT_SCHEMA_MISMATCH"


def test_bytes_that_are_not_json_are_a_schema_mismatch(tmp_path: Path) -> None:
    write(tmp_path / "run_receipt.json", b"{")
    assert code_of(read_receipt, tmp_path) == "E3B_S0_INPUT_SCHEMA_MISMATCH"


def test_the_largest_seed_is_a_seed(tmp_path: Path) -> None:
    world = replace(WORLD, seed=2**64 - 1)
    write_root(tmp_path, world=world)
    assert read_receipt(tmp_path) == world


def test_one_version_folder_is_the_version(tmp_path: Path) -> None:
    write_root(tmp_path)
    gazetteer = contract("settlement_gazetteer")
    assert locate(gazetteer, tmp_path, WORLD) == tmp_path / "reference/spatial/settlement_gazetteer/v3"
    (tmp_path / "reference/spatial/settlement_gazetteer/v4").mkdir()
    assert code_of(locate, gazetteer, tmp_path, WORLD) == "E3B_S0_IDENTITY_MISMATCH"


def test_folders_of_another_identity_are_an_identity_mismatch(tmp_path: Path) -> None:
    write_root(tmp_path)
    other = replace(WORLD, manifest_fingerprint="9" * 64)
    assert code_of(locate, contract("outlet_catalogue"), tmp_path, other) == "E3B_S0_IDENTITY_MISMATCH"


def test_an_absent_dataset_is_an_open_failure_unless_it_is_optional(tmp_path: Path) -> None:
    assert code_of(locate, contract("outlet_catalogue"), tmp_path, WORLD) == "E3B_S0_INPUT_OPEN_FAILED"
    assert locate(contract("virtual_settlement_coords"), tmp_path, WORLD) is None
