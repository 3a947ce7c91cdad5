"""A seed run: what is computed, what is reused, what is put in force, what is recorded."""

from __future__ import annotations

import logging
from dataclasses import replace

import orjson
import pytest

from seg3b_assets.laws.errors import Seg3BError
from seg3b_assets.laws.hashing import sha256_json
from seg3b_assets.pipeline.seed_run import SeedRun
from seg3b_assets.settings import Settings
from seg3b_assets.states.context import StateContext
from seg3b_assets.store import PolicyBytes, Runs, Store
from seg3b_assets_tests.pipeline.toy_segment import run_s2, toy_segment, toy_settings
from seg3b_assets_tests.store.toy_contracts import toy_contract, toy_edges

ALL = ("S0", "S1", "S2", "S3", "S4", "S5")


def run(settings: Settings, seed: int = 42, **changed):
    return SeedRun(settings, seed, toy_segment(**changed)).run()


def heads(settings: Settings, seed: int = 42) -> dict[str, str]:
    return Store(settings.home, toy_contract).heads(seed)


def test_a_first_run_computes_every_state_and_puts_it_in_force(settings: Settings) -> None:
    record = run(settings)
    assert record.executed == ALL
    assert heads(settings) == record.keys
    assert record.counts == {
        "merchants": 30,
        "virtual": 3,
        "settlements_drawn": None,
        "edges": 300,
        "rng_events": 600,
    }
    assert record.lineage_id == sha256_json(record.keys)


def test_the_json_is_the_contract_of_the_command_line(settings: Settings) -> None:
    printed = orjson.loads(orjson.dumps(run(settings).as_json()))
    assert list(printed) == [
        "seed",
        "run_id",
        "lineage_id",
        "total_wall_s",
        "states",
        "counts",
        "joined",
        "input_notes",
        "flag",
        "bundle_dir",
    ]
    assert tuple(printed["states"]) == ALL
    for state in printed["states"].values():
        assert list(state) == ["key", "digest", "wall_s", "peak_rss_mb", "reused"]
        assert len(state["key"]) == len(state["digest"]) == 64
        assert state["peak_rss_mb"] > 1
    assert len(printed["flag"]) == 64
    assert printed["bundle_dir"].endswith("data/validation/seed=42")


def test_a_second_run_reuses_everything_and_says_the_same(settings: Settings) -> None:
    first, second = run(settings), run(settings)
    assert second.executed == ()
    assert (second.keys, second.flag, second.counts) == (first.keys, first.flag, first.counts)


def test_another_home_gives_the_same_digests(settings: Settings, tmp_path) -> None:
    first, second = run(settings), run(replace(settings, home=tmp_path / "second"))
    assert {name: state.snapshot.digest for name, state in first.states.items()} == {
        name: state.snapshot.digest for name, state in second.states.items()
    }
    assert first.flag == second.flag


def test_recompute_executes_and_compares(settings: Settings) -> None:
    run(settings)
    again = SeedRun(settings, 42, toy_segment()).run(recompute=True)
    assert again.executed == ALL


def test_a_state_that_gives_other_bytes_is_found_by_recompute(settings: Settings) -> None:
    def other(context: StateContext) -> None:
        run_s2_with(context, 7)

    first = run(settings)
    with pytest.raises(Seg3BError) as caught:
        SeedRun(settings, 42, toy_segment(S2=other)).run(recompute=True)
    assert caught.value.code == "E3B_S2_NONDETERMINISTIC_OUTPUT"
    assert heads(settings) == first.keys
    assert run(settings).executed == ()


def run_s2_with(context: StateContext, rows: int) -> None:
    context.out.table("edge_catalogue_3B", toy_edges(rows), rows_per_part=100)
    for name in ("rng_event_edge_jitter_3B", "rng_event_edge_tile_assign_3B"):
        context.out.lines(name, [])


@pytest.mark.parametrize(
    ("file", "expected"), [("rules.yaml", ALL), ("topology.yaml", ALL)], ids=["rules", "topology"]
)
def test_a_comment_in_a_sealed_policy_reruns_everything(settings: Settings, file: str, expected) -> None:
    run(settings)
    path = settings.policies / file
    path.write_text(path.read_text() + "# a comment\n")
    assert run(settings).executed == expected


def test_other_code_with_the_same_bytes_stops_there(settings: Settings) -> None:
    before = run(settings)
    after = run(settings, S2="1.1.0")
    assert after.executed == ("S2",)
    assert after.flag == before.flag
    assert after.lineage_id != before.lineage_id


def test_other_code_with_other_bytes_reruns_downstream(settings: Settings) -> None:
    run(settings)
    segment = toy_segment(S2="1.1.0")
    states = list(segment.states)
    states[2] = replace(states[2], run=lambda context: run_s2_with(context, 7))
    record = SeedRun(settings, 42, replace(segment, states=tuple(states))).run()
    assert record.executed == ("S2", "S3", "S4", "S5")
    assert record.counts["edges"] == 7


def test_one_state_brings_what_is_before_it_up_to_date_and_moves_only_those_heads(settings: Settings) -> None:
    record = SeedRun(settings, 42, toy_segment()).run_state("S2")
    assert record.executed == ("S0", "S1", "S2")
    assert tuple(heads(settings)) == ("S0", "S1", "S2")
    assert (record.flag, record.bundle_dir, record.counts["edges"]) == (None, None, 300)
    forced = SeedRun(settings, 42, toy_segment()).run_state("S2", force=True)
    assert forced.executed == ("S2",)
    assert SeedRun(settings, 42, toy_segment()).run(until="S1").executed == ()
    with pytest.raises(ValueError, match="no state S9"):
        SeedRun(settings, 42, toy_segment()).run_state("S9")


def test_a_failed_state_leaves_the_last_lineage_in_force_and_the_finished_ones_reusable(settings) -> None:
    def fail(context: StateContext) -> None:
        run_s2(context)
        raise Seg3BError("S2", "TILE_SURFACE_INVALID", "toy", "FR", "Nothing.")

    before = run(settings)
    (settings.policies / "topology.yaml").write_text("topology: 2\n")
    with pytest.raises(Seg3BError, match="TILE_SURFACE_INVALID"):
        run(settings, S2=fail)
    assert heads(settings) == before.keys
    assert list((settings.home / "staging").iterdir()) == []
    assert run(settings).executed == ("S2", "S3", "S4", "S5")


def test_other_policies_leave_the_heads_alone_unless_promoted(settings: Settings) -> None:
    configured = run(settings)
    (settings.policies / "topology.yaml").write_text("topology: 2\n")
    candidate = run(replace(settings, configured=False))
    assert heads(settings) == configured.keys
    promoted = run(replace(settings, configured=False, promote=True))
    assert promoted.executed == ()
    assert heads(settings) == promoted.keys == candidate.keys


def test_seeds_have_heads_of_their_own(tmp_path) -> None:
    settings = toy_settings(tmp_path, (42, 2**64 - 1))
    first, last = run(settings), run(settings, 2**64 - 1)
    assert heads(settings) == first.keys
    assert heads(settings, 2**64 - 1) == last.keys
    assert first.flag != last.flag


def test_undeclared_and_forgotten_outputs_are_refused(settings: Settings) -> None:
    with pytest.raises(Seg3BError) as caught:
        run(settings, S3=lambda context: context.out.document("virtual_routing_policy_3B", {}))
    assert caught.value.code == "E3B_S3_OUTPUT_WRITE_FAILED"
    assert caught.value.detail == {
        "missing": ["edge_alias_blob_3B"],
        "undeclared": ["virtual_routing_policy_3B"],
    }


def test_a_damaged_snapshot_is_built_again(settings: Settings) -> None:
    record = run(settings)
    record.published.files("edge_catalogue_3B")[0].unlink()
    again = run(settings)
    assert again.executed == ("S2",)
    assert again.keys == record.keys


def test_the_run_record_keeps_costs_that_a_reuse_does_not_erase(settings: Settings) -> None:
    first = run(settings)
    run(settings)
    kept = orjson.loads((settings.home / "runs" / first.lineage_id / "run.json").read_bytes())
    assert kept["status"] == "COMPLETE"
    assert kept["states"]["S2"]["reused"] is True
    assert kept["states"]["S2"]["built"]["lanes"].keys() == {"tile_assign", "publish"}
    assert kept["sealed_inputs_digest"] == first.identity.sealed_inputs_digest
    assert not list(settings.home.rglob("*.new"))


def test_no_clock_no_host_no_worker_count_enters_a_snapshot(settings: Settings, tmp_path) -> None:
    first = run(settings)
    second = run(replace(settings, home=tmp_path / "second", workers=7))
    for name in ALL:
        a, b = first.states[name].snapshot.root, second.states[name].snapshot.root
        files = sorted(path.relative_to(a) for path in a.rglob("*") if path.is_file())
        assert files == sorted(path.relative_to(b) for path in b.rglob("*") if path.is_file())
        assert all((a / file).read_bytes() == (b / file).read_bytes() for file in files)


def test_the_log_tells_the_story_in_few_lines(settings: Settings, caplog) -> None:
    def many_lanes(context: StateContext) -> None:
        for number in range(40):
            with context.lanes(f"lane {number}"):
                pass
        run_s2(context)

    caplog.set_level(logging.INFO, "seg3b.run")
    run(settings, S2=many_lanes)
    lines = [line for line in caplog.messages if line.startswith("S2 ")]
    assert lines[0] == "S2 objective: make edge_catalogue_3B"
    assert lines[1].startswith("S2 inputs validated: ")
    assert lines[-1].startswith("S2 complete: ")
    assert sum(line.startswith("S2 progress: ") for line in lines) == 16
    assert "report written" in caplog.messages[-1]


def test_a_record_is_read_back_with_the_bytes_of_its_policies(settings: Settings) -> None:
    record = run(settings)
    kept = Runs(settings.home).read(record.lineage_id)
    assert kept is not None
    assert (kept.seed, kept.keys, kept.flag) == (42, record.keys, record.flag)
    assert kept.states["S2"].digest == record.states["S2"].snapshot.digest
    assert set(kept.states["S2"].lanes) == {"tile_assign", "publish"}
    (settings.policies / "topology.yaml").write_text("topology: 2\n")
    run(settings)
    assert PolicyBytes(settings.home).read(kept.policies["topology"]) == b"topology: 1\n"
    assert Runs(settings.home).ids() == sorted(one.lineage_id for one in Runs(settings.home).every())


def test_a_record_under_another_lineages_name_is_refused(settings: Settings) -> None:
    record = run(settings)
    runs = settings.home / "runs"
    (runs / record.lineage_id).rename(runs / ("ab" * 32))
    assert Runs(settings.home).read(record.lineage_id) is None
    with pytest.raises(Seg3BError) as raised:
        Runs(settings.home).read("ab" * 32)
    assert raised.value.validator == "run_record_readable"


def test_policy_bytes_that_were_altered_are_not_given_out(settings: Settings) -> None:
    kept = Runs(settings.home).read(run(settings).lineage_id)
    assert kept is not None
    (settings.home / "policies" / f"{kept.policies['rules']}.yaml").write_text("rules: 9\n")
    with pytest.raises(Seg3BError) as raised:
        PolicyBytes(settings.home).read(kept.policies["rules"])
    assert raised.value.validator == "policy_kept"
    run(settings)
    assert PolicyBytes(settings.home).read(kept.policies["rules"]) == b"rules: 1\n"
