"""Policies that cannot be meant: refused by file, key and reason before anything is computed."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest

from seg3b_assets_tests.end_to_end.installation import Installation
from seg3b_assets_tests.end_to_end.refusals import refused_run
from seg3b_assets_tests.policies.spoiling import REMOVED, spoilt

POLICY_SCHEMA_INVALID = "E3B_S0_POLICY_SCHEMA_INVALID"


@pytest.mark.parametrize(
    ("policy", "key", "value"),
    [
        ("cdn_country_weights", "countries[0].weight", -0.25),
        ("edge_topology", "budget.sigma", REMOVED),
        ("settlement", "draw.luck", 7),
        ("alias_layout", "quantised_bits", "many"),
        ("mcc_channel_rules", "rules[0].propensity", 1.5),
        ("tz_nudge", "version", "first"),
        ("tz_overrides", "policy_id", "tz_nudge"),
    ],
    ids=["negative weight", "missing key", "unknown key", "type", "range", "version", "another policy"],
)
def test_a_value_that_is_not_allowed_is_named_by_file_and_key(
    installation: Installation, edited_policies: Path, policy: str, key: str, value: object
) -> None:
    path = edited_policies / f"{policy}.yaml"
    path.write_bytes(spoilt(path.read_bytes(), key, value))
    error = refused_run(replace(installation, policies=edited_policies))
    assert error["code"] == POLICY_SCHEMA_INVALID
    assert error["place"].endswith(f"{policy}.yaml:{key}")
    assert error["detail"]["file"] == path.name
    assert error["detail"]["key"] == key
    assert error["detail"]["allowed"]


@pytest.mark.parametrize(
    "text",
    ["policy_id: tz_nudge\nversion: [1\n", "\tpolicy_id: tz_nudge", "", "- 1\n", "a: 1\na: 2\n", "\x00"],
    ids=["open bracket", "tab", "empty", "list", "key twice", "binary"],
)
def test_a_file_that_is_not_the_yaml_of_a_policy(
    installation: Installation, edited_policies: Path, text: str
) -> None:
    (edited_policies / "tz_nudge.yaml").write_text(text)
    error = refused_run(replace(installation, policies=edited_policies))
    assert error["code"] == POLICY_SCHEMA_INVALID
    assert "tz_nudge.yaml" in error["place"]


def test_a_policy_that_is_not_there(installation: Installation, edited_policies: Path) -> None:
    (edited_policies / "route_rng.yaml").unlink()
    error = refused_run(replace(installation, policies=edited_policies))
    assert error["code"] in {POLICY_SCHEMA_INVALID, "E3B_S0_INPUT_OPEN_FAILED"}
    assert "route_rng.yaml" in error["place"]
