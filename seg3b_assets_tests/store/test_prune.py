"""Pruning: what is kept and what goes, listed first, refused beside a run, recorded, whole after any death."""

from __future__ import annotations

import os
from collections.abc import Sequence
from pathlib import Path

import orjson
import pytest

from seg3b_assets.certification.retention import prune, prune_if_free, rehearse_prune
from seg3b_assets.laws.errors import Seg3BError
from seg3b_assets.laws.hashing import canonical_json
from seg3b_assets.store import local_folder
from seg3b_assets.store.layout import Unreached
from seg3b_assets_tests.store.back_ends import BackEnd, everything, lose, spoil
from seg3b_assets_tests.store.lineages import KEEP, STATES, ToyHome


@pytest.fixture
def home(back_end: BackEnd, tmp_path: Path) -> ToyHome:
    return ToyHome.at(tmp_path, (42, 7), back_end)


@pytest.fixture
def folder(tmp_path: Path) -> ToyHome:
    """Where what is asked is about the files of a folder."""
    return ToyHome.at(tmp_path, (42, 7))


def test_what_heads_and_refs_reach_stays_and_the_rest_goes(home: ToyHome) -> None:
    good, superseded, other_seed, now = home.run(1), home.run(2), home.run(1, seed=7), home.run(3)
    home.refs.move("last_good", {42: good.lineage_id})
    done = prune(home.store, KEEP)
    assert [home.whole(one) for one in (good, other_seed, now)] == [True, True, True]
    assert home.gone(superseded)
    assert done.kept == {
        good.lineage_id: ["last_good seed 42"],
        other_seed.lineage_id: ["heads seed 7"],
        now.lineage_id: ["heads seed 42"],
    }
    assert {one.kind for one in done.removed} == {"run", "build", "snapshot", "policy"}
    assert {one.place for one in done.removed if one.kind == "snapshot"} == {
        f"snapshots/{state}/{superseded.keys[state]}" for state in STATES
    }
    assert home.store.backend.paths("trash") == []


@pytest.mark.parametrize("ref", ["baseline", "candidate", "last_good", "certification"])
def test_a_ref_keeps_its_lineage_only_while_the_policy_lists_it(home: ToyHome, ref: str) -> None:
    pinned, _ = home.run(1), home.run(2)
    home.refs.move(ref, {42: pinned.lineage_id})  # type: ignore[arg-type]
    prune(home.store, KEEP)
    assert home.whole(pinned)
    prune(home.store, [name for name in KEEP if name != ref])
    assert home.gone(pinned)


def test_a_rehearsal_says_the_same_and_changes_nothing(home: ToyHome) -> None:
    home.run(1), home.run(2)
    before = home.files()
    rehearsed = rehearse_prune(home.store, KEEP)
    assert home.files() == before
    assert home.store.backend.paths("prunes") == []
    listed: list[Unreached] = []
    done = prune(home.store, KEEP, listed.extend)
    assert tuple(listed) == done.removed == rehearsed.removed
    assert done.bytes == rehearsed.bytes > 0


def test_what_goes_is_listed_while_it_is_still_there(home: ToyHome) -> None:
    home.run(1), home.run(2)
    seen: list[bool] = []

    def look(listed: Sequence[Unreached]) -> None:
        there = [f"{path}/" for path in everything(home.store.backend)]
        seen.extend(any(path.startswith(f"{one.place}/") for path in there) for one in listed)

    prune(home.store, KEEP, look)
    assert seen
    assert all(seen)


def test_a_second_prune_finds_nothing_and_writes_nothing(home: ToyHome) -> None:
    home.run(1), home.run(2)
    prune(home.store, KEEP)
    records = home.store.backend.paths("prunes")
    done = prune(home.store, KEEP)
    assert (done.prune_id, done.removed) == (None, ())
    assert home.store.backend.paths("prunes") == records


def test_a_home_that_does_not_exist_is_not_made(folder: ToyHome) -> None:
    assert prune(folder.store, KEEP).removed == rehearse_prune(folder.store, KEEP).removed == ()
    assert not folder.path.exists()


def test_the_record_says_what_a_pruned_lineage_was(home: ToyHome) -> None:
    old = home.run(1)
    flag = old.flag
    home.run(2)
    done = prune(home.store, KEEP)
    record = orjson.loads(home.store.backend.read(f"prunes/{done.prune_id}.json"))
    assert (record["interrupted"], record["pid"]) == (False, os.getpid())
    [run] = [one for one in record["removed"] if one["kind"] == "run"]
    assert run["about"]["lineage_id"] == old.lineage_id
    about = run["about"]
    assert (about["seed"], about["flag"], about["keys"]) == (42, flag, old.keys)


STAGED = f"staging/S2-{'a' * 16}"
ASIDE = f"quarantine/S2-{'b' * 64}-{'c' * 8}"
HALF = f".seed=42.json.{'d' * 16}.new"


def test_leftovers_go_too(folder: ToyHome) -> None:
    now = folder.run(1)
    for place in (f"{STAGED}/logs/x", f"{ASIDE}/y", "runs/left.json.new", f"heads/{HALF}"):
        path = folder.path / place
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(b"12345")
    done = prune(folder.store, KEEP)
    assert [(one.kind, one.place, one.bytes) for one in done.removed] == [
        ("quarantine", ASIDE, 5),
        ("staging", STAGED, 5),
        ("unfinished", f"heads/{HALF}", 5),
        ("unfinished", "runs/left.json.new", 5),
    ]
    assert folder.whole(now)


def test_what_the_store_did_not_make_is_left_alone(folder: ToyHome) -> None:
    folder.run(1)
    for place in ("notes.txt", "snapshots/S2/mine/file", "certifications/README", "exports/42/data"):
        path = folder.path / place
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(b"mine")
    assert prune(folder.store, KEEP).removed == ()


def test_certifications_stay_while_a_lineage_they_judged_does(home: ToyHome) -> None:
    old, now = home.run(1), home.run(2)
    for name, judged in (("a" * 64, old), ("b" * 64, now)):
        inputs = {"lineages": {"42": judged.lineage_id}, "certification_policy": "c" * 64}
        content = canonical_json({"inputs": inputs, "files": {}})
        spoil(home.store.backend, f"certifications/{name}/certification.json", content)
    prune(home.store, KEEP)
    assert home.store.backend.paths("certifications") == [f"{'b' * 64}/certification.json"]


def test_beside_a_run_it_is_refused_and_says_whose(home: ToyHome) -> None:
    home.run(1), home.run(2)
    before = home.files()
    with home.store.in_use("a run of seed 42"), pytest.raises(Seg3BError) as raised:
        prune(home.store, KEEP)
    error = raised.value
    assert (error.code, error.validator) == ("E3B_S5_OUTPUT_WRITE_FAILED", "home_unused")
    assert f"a run of seed 42 (process {os.getpid()} on " in error.remedy
    assert home.files() == before
    with home.store.in_use("a run of seed 42"):
        rehearsed = rehearse_prune(home.store, KEEP)
        assert [holder.purpose for holder in rehearsed.held_by] == ["a run of seed 42"]
        assert prune_if_free(home.store, KEEP) is None
    assert prune_if_free(home.store, KEEP) is not None


def test_a_ref_whose_lineage_has_no_record_stops_it(home: ToyHome) -> None:
    good, _ = home.run(1), home.run(2)
    home.refs.move("last_good", {42: good.lineage_id})
    lose(home.store.backend, f"runs/{good.lineage_id}/run.json")
    before = home.files()
    with pytest.raises(Seg3BError) as raised:
        prune(home.store, KEEP)
    assert raised.value.validator == "ref_lineage_recorded"
    assert home.files() == before


@pytest.mark.parametrize("moves", range(0, 14, 2))
def test_one_that_dies_leaves_only_whole_things_and_the_next_records_it(
    folder: ToyHome, monkeypatch: pytest.MonkeyPatch, moves: int
) -> None:
    old, now = folder.run(1), folder.run(2)
    left = moves
    real = local_folder._move

    def dying(base: Path, trash: Path, place: str) -> None:
        nonlocal left
        if not left:
            raise KeyboardInterrupt
        left -= 1
        real(base, trash, place)

    monkeypatch.setattr(local_folder, "_move", dying)
    with pytest.raises(KeyboardInterrupt):
        prune(folder.store, KEEP)
    monkeypatch.setattr(local_folder, "_move", real)

    for state, key in old.keys.items():
        left_there = folder.path / "snapshots" / state / key
        assert not left_there.exists() or folder.store.snapshot(state, key)
    if (folder.path / "runs" / old.lineage_id).exists():
        assert folder.whole(old)
    assert folder.whole(now)
    assert not (folder.path / "prunes").exists()

    done = prune(folder.store, KEEP)
    assert folder.gone(old)
    assert list((folder.path / "trash").iterdir()) == []
    records = [orjson.loads(path.read_bytes()) for path in (folder.path / "prunes").iterdir()]
    interrupted = [record for record in records if record["interrupted"]]
    assert [len(record["removed"]) for record in interrupted] == [moves]
    removed = {one["place"] for record in records for one in record["removed"]}
    assert {f"snapshots/{state}/{key}" for state, key in old.keys.items()} <= removed
    assert len(done.removed) + moves == len(removed)


def test_a_pruned_lineage_is_computed_again_with_the_same_flag(home: ToyHome) -> None:
    old = home.run(1)
    flag = old.flag
    home.run(2)
    prune(home.store, KEEP)
    again = home.run(1)
    assert again.executed == STATES
    assert again.flag == flag
