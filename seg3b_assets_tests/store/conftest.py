"""A store in a temporary home, with toy contracts, over each back end."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest

from seg3b_assets.store import KeyInputs, Snapshot, Staging, Store
from seg3b_assets_tests.store.back_ends import BACK_ENDS, BackEnd, home_of
from seg3b_assets_tests.store.toy_contracts import toy_contract, toy_identity


@pytest.fixture(params=BACK_ENDS)
def back_end(request: pytest.FixtureRequest) -> BackEnd:
    found: BackEnd = request.param
    return found


@pytest.fixture
def store(back_end: BackEnd, tmp_path: Path) -> Store:
    return Store(home_of(back_end, tmp_path), toy_contract)


@pytest.fixture
def folder_store(tmp_path: Path) -> Store:
    """Where what is asked is about the files of a folder."""
    return Store(home_of("folder", tmp_path), toy_contract)


def key_of(state: str = "S2", code_version: str = "2.0.0") -> KeyInputs:
    return KeyInputs(
        state=state,
        code_version=code_version,
        runtime={"polars": "1"},
        seed=42,
        sealed_inputs="ef" * 32,
        inputs={"tile_weights": "12" * 32},
        sealed={"tile_weights": "12" * 32, "edge_topology": "34" * 32},
    )


def publish(store: Store, write: Callable[[Staging], None], inputs: KeyInputs | None = None) -> Snapshot:
    inputs = inputs or key_of()
    with store.staging(inputs.state, toy_identity()) as out:
        write(out)
        return store.publish(out, inputs)
