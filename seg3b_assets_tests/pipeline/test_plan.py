"""The plan names what is stale and why, and a run does exactly that."""

from __future__ import annotations

from dataclasses import replace

import pytest

from seg3b_assets.laws.hashing import file_digest
from seg3b_assets.pipeline import keys, plan
from seg3b_assets.pipeline.seed_run import SeedRun
from seg3b_assets.settings import Settings
from seg3b_assets.states.context import StateContext
from seg3b_assets_tests.pipeline.test_seed_run import run_s2_with
from seg3b_assets_tests.pipeline.toy_segment import toy_segment

ALL = ("S0", "S1", "S2", "S3", "S4", "S5")


def kinds(state) -> set[tuple[str, str]]:
    return {(cause.kind, cause.id) for cause in state.causes}


@pytest.fixture
def ran(settings: Settings) -> Settings:
    SeedRun(settings, 42, toy_segment()).run()
    return settings


def test_nothing_ran_yet_is_missing(settings: Settings) -> None:
    planned = plan(settings, 42, toy_segment())
    assert {state.status for state in planned.states.values()} == {"MISSING"}
    assert planned.stale == ALL
    assert not settings.home.exists()


def test_after_a_run_everything_is_fresh(ran: Settings) -> None:
    assert plan(ran, 42, toy_segment()).as_json()["states"] == {
        name: {"status": "FRESH", "causes": []} for name in ALL
    }


@pytest.mark.parametrize("policy", ["rules", "topology"])
def test_a_policy_edit_is_named_with_both_digests(ran: Settings, policy: str) -> None:
    path = ran.policies / f"{policy}.yaml"
    was = file_digest(path)
    path.write_text(path.read_text() + "# comment\n")
    planned = plan(ran, 42, toy_segment())
    assert planned.stale == ALL
    for state in planned.states.values():
        causes = [cause.as_json() for cause in state.causes if cause.kind == "policy"]
        assert causes == [{"kind": "policy", "id": policy, "was": was, "now": file_digest(path)}]
    assert ("state", "S2") in kinds(planned.states["S3"])
    assert SeedRun(ran, 42, toy_segment()).run().executed == ALL


def test_an_upstream_change_is_named(ran: Settings) -> None:
    (ran.upstream / "seed=42" / "tiles").write_bytes(b"other tiles")
    planned = plan(ran, 42, toy_segment())
    assert planned.stale == ALL
    assert kinds(planned.states["S0"]) == {("upstream", "tiles")}


@pytest.mark.parametrize("state", ["S1", "S2", "S3", "S4", "S5"])
def test_a_code_change_leaves_what_is_before_it_fresh_and_what_is_after_it_provisional(
    ran, state: str
) -> None:
    planned = plan(ran, 42, toy_segment(**{state: "2.0.0"}))
    assert planned.stale == ALL[ALL.index(state) :]
    assert [cause.as_json() for cause in planned.states[state].causes] == [
        {"kind": "code", "id": state, "was": "1.0.0", "now": "2.0.0"}
    ]
    for name in planned.stale[1:]:
        assert {cause.kind for cause in planned.states[name].causes} == {"state"}
        assert {cause.now for cause in planned.states[name].causes} == {None}


def test_the_same_bytes_after_a_code_change_turn_downstream_fresh(ran: Settings) -> None:
    segment = toy_segment(S2="2.0.0")
    record = SeedRun(ran, 42, segment).run()
    assert record.executed == ("S2",)
    assert plan(ran, 42, segment).stale == ()


def test_a_state_run_alone_leaves_downstream_stale_with_the_data_it_read(ran: Settings) -> None:
    def other(context: StateContext) -> None:
        run_s2_with(context, 7)

    segment = toy_segment(S2="2.0.0")
    states = list(segment.states)
    states[2] = replace(states[2], run=other)
    segment = replace(segment, states=tuple(states))
    SeedRun(ran, 42, segment).run_state("S2")
    planned = plan(ran, 42, segment)
    assert planned.stale == ("S3", "S4", "S5")
    (cause,) = planned.states["S3"].causes
    assert (cause.kind, cause.id) == ("state", "S2")
    assert None not in (cause.was, cause.now)
    assert cause.was != cause.now
    assert SeedRun(ran, 42, segment).run().executed == ("S3", "S4", "S5")


def test_a_runtime_change_is_code(ran: Settings, monkeypatch: pytest.MonkeyPatch) -> None:
    changed = {**keys.runtime_versions(), "numpy": "0.0.1"}
    monkeypatch.setattr(keys, "runtime_versions", lambda: changed)
    planned = plan(ran, 42, toy_segment())
    assert ("code", "runtime:numpy") in kinds(planned.states["S1"])
    assert planned.stale == ALL


def test_a_lost_snapshot_is_missing(ran: Settings) -> None:
    record = SeedRun(ran, 42, toy_segment()).run()
    record.published.files("edge_alias_blob_3B")[0].unlink()
    planned = plan(ran, 42, toy_segment())
    assert planned.states["S3"].status == "MISSING"
    assert planned.states["S2"].status == "FRESH"


def test_going_back_to_a_policy_that_ran_before_is_stale_but_known(ran: Settings) -> None:
    path = ran.policies / "topology.yaml"
    original = path.read_text()
    path.write_text("topology: 2\n")
    SeedRun(ran, 42, toy_segment()).run()
    path.write_text(original)
    planned = plan(ran, 42, toy_segment())
    assert planned.stale == ALL
    assert kinds(planned.states["S3"]) == {("policy", "topology")}
    assert SeedRun(ran, 42, toy_segment()).run().executed == ()
    assert plan(ran, 42, toy_segment()).stale == ()
