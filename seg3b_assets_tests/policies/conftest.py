"""A private copy of the shipped policies, and ways to spoil one."""

from collections.abc import Callable
from pathlib import Path

import pytest

from seg3b_assets.laws.errors import Seg3BError
from seg3b_assets.policies import POLICY_MODELS
from seg3b_assets.realism.policy_reading import load_policies
from seg3b_assets_tests.policies.spoiling import SHIPPED, spoilt

Refused = Callable[[str, str, object], Seg3BError]


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    for policy_id in POLICY_MODELS:
        name = f"{policy_id}.yaml"
        (tmp_path / name).write_bytes((SHIPPED / name).read_bytes())
    return tmp_path


@pytest.fixture
def refused(folder: Path) -> Refused:
    """Puts a value under a key of a policy and returns the error that loading the folder then gives."""

    def spoil(policy_id: str, key: str, value: object) -> Seg3BError:
        path = folder / f"{policy_id}.yaml"
        path.write_bytes(spoilt(path.read_bytes(), key, value))
        with pytest.raises(Seg3BError) as caught:
            load_policies(folder)
        assert caught.value.code == "E3B_S0_POLICY_SCHEMA_INVALID"
        assert caught.value.detail["file"] == path.name
        return caught.value

    return spoil
