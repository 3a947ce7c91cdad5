"""Lineages side by side: policies by key, also of bytes the folder no longer has; digests; costs."""

from __future__ import annotations

from pathlib import Path

import pytest

from seg3b_assets.certification.comparison import compare_lineages
from seg3b_assets.laws.errors import Seg3BError
from seg3b_assets.pipeline.record import RunRecord
from seg3b_assets.policies.keyed import flattened
from seg3b_assets.store import KeptRun, Runs
from seg3b_assets_tests.store.back_ends import BackEnd, lose
from seg3b_assets_tests.store.lineages import STATES, ToyHome


@pytest.fixture
def home(back_end: BackEnd, tmp_path: Path) -> ToyHome:
    return ToyHome.at(tmp_path, back_end=back_end)


def kept(home: ToyHome, record: RunRecord) -> KeptRun:
    run = Runs(home.path).read(record.lineage_id)
    assert run is not None
    return run


def test_nested_keys_are_joined_and_lists_with_ids_are_keyed_by_them() -> None:
    rules = [{"rule_id": "A", "weight": 1, "of": {"x": []}}, {"rule_id": "B", "weight": 2}]
    policy = {"version": "1.0.0", "band": [1, 2], "rules": rules, "none": {}}
    expected = {
        "version": "1.0.0",
        "band": [1, 2],
        "rules[A].rule_id": "A",
        "rules[A].weight": 1,
        "rules[A].of.x": [],
        "rules[B].rule_id": "B",
        "rules[B].weight": 2,
        "none": {},
    }
    assert flattened(policy) == expected
    assert flattened({**policy, "rules": rules[::-1]}) == expected


def test_entries_whose_ids_repeat_are_one_value() -> None:
    entries = [{"rule_id": "A", "x": 1}, {"rule_id": "A", "x": 2}]
    assert flattened({"rules": entries}) == {"rules": entries}


def test_policies_by_key_after_the_folder_moved_on(home: ToyHome) -> None:
    was, now = kept(home, home.run(1)), kept(home, home.run(2))
    home.run(3)
    found = compare_lineages(home.store, was, now)
    assert found.policies == [{"policy": "topology", "key": "topology", "was": 1, "now": 2}]
    assert [one["state"] for one in found.states] == ["S0", "S5"]
    assert {one["dataset"] for one in found.datasets} == {
        "sealed_inputs_3B",
        "validation_bundle_3B",
        "passed_flag_3B",
    }
    assert [one["state"] for one in found.timings] == list(STATES)
    assert all(one["was_s"] >= 0 and one["now_s"] >= 0 for one in found.timings)


def test_a_comment_changes_bytes_and_no_key(home: ToyHome) -> None:
    was = kept(home, home.run(1))
    now = kept(home, home.run("1 # why"))  # type: ignore[arg-type]
    [change] = compare_lineages(home.store, was, now).policies
    assert (change["policy"], change["key"]) == ("topology", None)
    assert (change["was"], change["now"]) == (was.policies["topology"], now.policies["topology"])


def test_a_lineage_against_itself_differs_in_nothing(home: ToyHome) -> None:
    run = kept(home, home.run(1))
    found = compare_lineages(home.store, run, run)
    assert (found.states, found.datasets, found.policies) == ([], [], [])


def test_policies_that_are_not_kept_are_an_error(home: ToyHome) -> None:
    was, now = kept(home, home.run(1)), kept(home, home.run(2))
    lose(home.store.backend, f"policies/{was.policies['topology']}.yaml")
    with pytest.raises(Seg3BError) as raised:
        compare_lineages(home.store, was, now)
    assert raised.value.validator == "policy_kept"
