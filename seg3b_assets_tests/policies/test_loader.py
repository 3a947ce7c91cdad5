"""The shipped folder loads, nothing else does, and no input raises anything but the segment's error."""

import hashlib
from pathlib import Path
from typing import Any

import orjson
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from seg3b_assets.laws.errors import Seg3BError
from seg3b_assets.policies import POLICY_MODELS, SEALED_POLICIES
from seg3b_assets.policies.strict_yaml import parse_document
from seg3b_assets.realism.policy_reading import load_policies, parse_policy
from seg3b_assets_tests.policies.spoiling import SHIPPED, as_yaml, spoilt


def test_shipped_folder_loads_with_the_digests_of_its_bytes() -> None:
    policies = load_policies(SHIPPED)
    assert set(policies.files) == set(POLICY_MODELS)
    for policy_id, file in policies.files.items():
        assert file.sha256 == hashlib.sha256((SHIPPED / file.relative_path).read_bytes()).hexdigest()
        assert getattr(policies, policy_id).version == file.version
    assert set(POLICY_MODELS) - set(SEALED_POLICIES) == {"certification"}


def test_loaded_policies_cannot_be_changed() -> None:
    policies = load_policies(SHIPPED)
    with pytest.raises(ValueError, match="frozen"):
        policies.edge_topology.budget.median = 400
    assert isinstance(policies.mcc_channel_rules.rules, tuple)


def test_rule_book_has_fifteen_rules_with_propensities_hybrids_and_home_countries() -> None:
    rules = load_policies(SHIPPED).mcc_channel_rules.rules
    assert len(rules) >= 15
    assert {rule.decision for rule in rules} == {"virtual", "hybrid", "physical"}
    assert sum(rule.propensity < 1 for rule in rules) >= 5
    assert sum(bool(rule.match.home_country) for rule in rules) >= 3


def test_sub_folders_and_other_files_are_not_read(folder: Path) -> None:
    (folder / "baseline").mkdir()
    (folder / "baseline" / "edge_topology.yaml").write_text("nonsense")
    (folder / "README.md").write_text("notes")
    load_policies(folder)


def test_unknown_policy_file_is_refused(folder: Path) -> None:
    (folder / "edge_topologies.yaml").write_text("policy_id: x\n")
    with pytest.raises(Seg3BError) as caught:
        load_policies(folder)
    assert (caught.value.validator, caught.value.place) == ("policy_file_unknown", "edge_topologies.yaml")


def test_missing_file_and_missing_folder_are_named(folder: Path) -> None:
    (folder / "route_rng.yaml").unlink()
    with pytest.raises(Seg3BError) as caught:
        load_policies(folder)
    assert (caught.value.validator, caught.value.place) == ("policy_file_missing", "route_rng.yaml")
    with pytest.raises(Seg3BError) as caught:
        load_policies(folder / "nowhere")
    assert (caught.value.code, caught.value.validator) == ("E3B_S0_POLICY_SCHEMA_INVALID", "policy_folder")


FLAT = {
    "budget.sigma": 0,
    "budget.class_multiplier": {"OFFSHORE_HUB": 1, "HYBRID_FOOTPRINT": 1, "REGIONAL_COMPACT": 1},
    "budget.size_multiplier": {"SMALL": 1, "MEDIUM": 1, "LARGE": 1},
    "country_shares.allocation": "expected",
    "country_shares.by_class.OFFSHORE_HUB.coupling": 0,
    "country_shares.guards": {
        "sparse_tail_floor": 0,
        "min_support": 1,
        "max_single_country_share": 1,
        "min_effective_country_count": 1,
    },
    "edge_weights.law": "equal",
}


def test_a_flat_posture_can_be_written_down(folder: Path) -> None:
    path = folder / "edge_topology.yaml"
    for key, value in FLAT.items():
        path.write_bytes(spoilt(path.read_bytes(), key, value))
    topology = load_policies(folder).edge_topology
    assert (topology.budget.sigma, topology.country_shares.by_class["OFFSHORE_HUB"].coupling) == (0, 0)
    assert topology.edge_weights.law == "equal"


def test_a_file_that_cannot_be_opened_is_not_called_a_schema_error(
    folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def refuse(*_: object, **__: object) -> None:
        raise PermissionError(13, "Permission denied")

    monkeypatch.setattr("os.open", refuse)
    with pytest.raises(Seg3BError) as caught:
        load_policies(folder)
    assert caught.value.code == "E3B_S0_INPUT_OPEN_FAILED"


@pytest.mark.parametrize(
    ("line", "validator"),
    [
        (b"version: [1, 2", "yaml_syntax"),
        (b"version: &v 1.0.0", "yaml_anchor"),
        (b"version: *v", "yaml_alias"),
        (b"version: !!str 1.0.0", "yaml_tag"),
        (b"version: 1.0.0\nversion: 1.0.0", "yaml_duplicate_key"),
        (b"version: .nan", "yaml_finite_number"),
        (b"version: \xff", "yaml_encoding"),
        (b"version: 1.0.0\n#" + b"#" * (1 << 20), "yaml_size"),
    ],
)
def test_yaml_that_is_not_plain_is_refused_by_file(folder: Path, line: bytes, validator: str) -> None:
    path = folder / "tz_nudge.yaml"
    path.write_bytes(path.read_bytes().replace(b"version: 1.0.0", line))
    with pytest.raises(Seg3BError) as caught:
        load_policies(folder)
    assert (caught.value.code, caught.value.validator) == ("E3B_S0_POLICY_SCHEMA_INVALID", validator)
    assert caught.value.place.startswith("tz_nudge.yaml")
    assert {"file", "key", "value", "allowed"} <= set(caught.value.detail)


JSON_LIKE = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=8),
    lambda child: st.lists(child, max_size=3) | st.dictionaries(st.text(max_size=8), child, max_size=3),
    max_leaves=6,
)
SMALL_POLICIES = sorted(set(POLICY_MODELS) - {"cdn_country_weights"})


def _loads_or_refuses(policy_id: str, data: bytes) -> None:
    name = f"{policy_id}.yaml"
    try:
        parse_policy(name, data, POLICY_MODELS[policy_id])
    except Seg3BError as error:
        assert error.code == "E3B_S0_POLICY_SCHEMA_INVALID"
        assert error.place.startswith(name)
        assert orjson.dumps(error.record())


@settings(max_examples=100, deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(data=st.data(), policy_id=st.sampled_from(SMALL_POLICIES), junk=st.binary(max_size=6))
def test_spoilt_bytes_load_or_are_refused(data: st.DataObject, policy_id: str, junk: bytes) -> None:
    text = (SHIPPED / f"{policy_id}.yaml").read_bytes()
    start = data.draw(st.integers(0, len(text)))
    end = data.draw(st.integers(start, min(len(text), start + 40)))
    _loads_or_refuses(policy_id, text[:start] + junk + text[end:])


@settings(max_examples=100, deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(data=st.data(), policy_id=st.sampled_from(SMALL_POLICIES), junk=JSON_LIKE)
def test_any_value_in_any_place_loads_or_is_refused(
    data: st.DataObject, policy_id: str, junk: object
) -> None:
    document = parse_document((SHIPPED / f"{policy_id}.yaml").read_bytes()).value
    here, key = _any_place(data, document)
    here[key] = junk
    _loads_or_refuses(policy_id, as_yaml(document).encode())


def _any_place(data: st.DataObject, here: Any) -> tuple[Any, Any]:
    """A container of the document and one of its keys."""
    key = data.draw(st.sampled_from(list(here) if isinstance(here, dict) else range(len(here))))
    child = here[key]
    deeper = isinstance(child, dict | list) and len(child) > 0 and data.draw(st.booleans())
    return _any_place(data, child) if deeper else (here, key)
