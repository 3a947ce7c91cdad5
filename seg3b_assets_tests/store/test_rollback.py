"""Rolling back: heads to last_good after every byte was read, refused whole, truthful afterwards."""

from __future__ import annotations

import shutil
from pathlib import Path

import pytest

from seg3b_assets.laws.errors import Seg3BError
from seg3b_assets.pipeline import plan
from seg3b_assets.store.refs import rollback
from seg3b_assets_tests.pipeline.toy_segment import toy_segment
from seg3b_assets_tests.store.back_ends import BackEnd, everything, lose, spoil
from seg3b_assets_tests.store.lineages import STATES, ToyHome


@pytest.fixture
def home(back_end: BackEnd, tmp_path: Path) -> ToyHome:
    return ToyHome.at(tmp_path, (42, 7), back_end)


def refused(home: ToyHome, *seeds: int) -> Seg3BError:
    before = home.files()
    with pytest.raises(Seg3BError) as raised:
        rollback(home.store, seeds)
    assert home.files() == before
    told = "recompute" if raised.value.validator == "snapshot_intact" else "No head was moved."
    assert told in raised.value.remedy
    return raised.value


def test_the_heads_are_last_goods_and_the_plan_says_what_differs(home: ToyHome) -> None:
    good = home.run(1)
    home.refs.move("last_good", {42: good.lineage_id})
    bad = home.run(2)
    done = rollback(home.store)
    assert (done[42].was, done[42].now, done[42].moved) == (bad.keys, good.keys, STATES)
    assert home.store.heads(42) == good.keys
    planned = plan(home.settings, 42, toy_segment())
    assert planned.stale == STATES
    assert planned.states["S0"].causes[0].id == "topology"
    (home.settings.policies / "topology.yaml").write_text("topology: 1\n")
    assert plan(home.settings, 42, toy_segment()).stale == ()


def test_again_it_moves_nothing_and_a_rehearsal_never_does(home: ToyHome) -> None:
    good = home.run(1)
    home.refs.move("last_good", {42: good.lineage_id})
    bad = home.run(2)
    assert rollback(home.store, dry_run=True)[42].moved == STATES
    assert home.store.heads(42) == bad.keys
    rollback(home.store)
    assert rollback(home.store)[42].moved == ()


def test_only_the_seeds_asked_for(home: ToyHome) -> None:
    good = {seed: home.run(1, seed) for seed in (42, 7)}
    home.refs.move("last_good", {seed: one.lineage_id for seed, one in good.items()})
    bad = {seed: home.run(2, seed) for seed in (42, 7)}
    rollback(home.store, [7])
    assert home.store.heads(7) == good[7].keys
    assert home.store.heads(42) == bad[42].keys


def test_without_last_good_it_is_refused(home: ToyHome) -> None:
    good = home.run(1)
    assert refused(home).validator == "last_good_set"
    home.refs.move("last_good", {42: good.lineage_id})
    assert "no seed 7" in refused(home, 42, 7).remedy


def test_a_snapshot_that_is_gone_or_altered_stops_every_seed(home: ToyHome) -> None:
    good = {seed: home.run(1, seed) for seed in (42, 7)}
    home.refs.move("last_good", {seed: one.lineage_id for seed, one in good.items()})
    for seed in (42, 7):
        home.run(2, seed)
    backend = home.store.backend
    snapshot = f"snapshots/S5/{good[42].keys['S5']}/"
    [flag] = [
        path for path in everything(backend) if path.startswith(snapshot) and path.endswith("_passed.flag")
    ]
    spoil(backend, flag, backend.read(flag)[::-1])
    shutil.rmtree(home.settings.cache, ignore_errors=True)  # with what a mirror has fetched
    error = refused(home)
    assert (error.code, error.detail["dataset_id"]) == (
        "E3B_S5_SEALED_INPUT_DIGEST_MISMATCH",
        "passed_flag_3B",
    )
    lose(backend, f"snapshots/S3/{good[42].keys['S3']}")
    assert refused(home).validator == "last_good_whole"
    lose(backend, f"runs/{good[42].lineage_id}")
    assert refused(home).validator == "last_good_whole"
