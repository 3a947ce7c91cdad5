"""Names of lineages: whatever `seg3b run` prints, as far as it is unambiguous."""

from __future__ import annotations

from pathlib import Path

import orjson
import pytest

from seg3b_assets.certification.targets import Target, UnknownTargetError, resolve_target
from seg3b_assets.contracts import contract
from seg3b_assets.pipeline.seed_run import SeedRun
from seg3b_assets.store import Refs, Runs, Store
from seg3b_assets.store.runs import record_path
from seg3b_assets_tests.pipeline.toy_segment import toy_segment
from seg3b_assets_tests.store.back_ends import BACK_ENDS, BackEnd, spoil
from seg3b_assets_tests.store.lineages import ToyHome


@pytest.fixture(scope="module", params=BACK_ENDS)
def store(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Store:
    """A home with a run of each of two seeds, and the refs that runs move."""
    settings = ToyHome.at(tmp_path_factory.mktemp("home"), (42, 7), request.param).settings
    lineages = {}
    for seed in (42, 7):
        lineages[seed] = SeedRun(settings, seed, toy_segment()).run().lineage_id
    Refs(settings.home).move("last_good", lineages)
    Refs(settings.home).move("candidate", {7: lineages[7]})
    return Store(settings.home, contract)


def named(store: Store, text: str) -> Target:
    return resolve_target(store, text)


def test_a_run_is_named_by_its_run_id_or_its_lineage_or_the_start_of_either(store: Store) -> None:
    for run in Runs(store.home).every():
        for text in (run.run_id, run.lineage_id, run.run_id[:12], run.lineage_id[:12], run.run_id.upper()):
            assert named(store, text).lineages == {run.seed: run.lineage_id}


@pytest.mark.parametrize("text", ["last_good", "last", "l", "LAST_GOOD", " last_good "])
def test_a_ref_is_named_by_its_start(store: Store, text: str) -> None:
    assert named(store, text).lineages == Refs(store.home).read("last_good")


@pytest.mark.parametrize("text", ["heads", "he", "h"])
def test_the_heads_are_named_so_too(store: Store, text: str) -> None:
    assert set(named(store, text).lineages) == {42, 7}


@pytest.mark.parametrize(
    ("text", "told"),
    [
        ("c", "c is the start of 2 names: candidate, certification"),
        ("cert", "the ref certification is not set"),
        ("", "is the start neither of a name"),
        ("zzz", "is the start neither of a name"),
        ("abc", "4 or more hexadecimal digits"),
        ("0" * 64, "no run, lineage or certification of this home begins with"),
        ("g" * 5000, "is the start neither of a name"),
    ],
)
def test_what_names_nothing_or_several_things_is_refused(store: Store, text: str, told: str) -> None:
    with pytest.raises(UnknownTargetError) as refused:
        named(store, text)
    assert told in str(refused.value)
    assert len(str(refused.value)) < 400


def test_a_run_id_of_several_lineages_is_refused_with_the_lineages(back_end: BackEnd, tmp_path: Path) -> None:
    toy = ToyHome.at(tmp_path, (42, 7), back_end)
    for seed in (42, 7):
        toy.run(1, seed)
    store = toy.store
    first, second = Runs(store.home).every()
    changed = {**second.document, "run_id": first.run_id}
    spoil(store.backend, record_path(second.lineage_id), orjson.dumps(changed))
    with pytest.raises(UnknownTargetError) as refused:
        named(store, first.run_id)
    assert "is the start of 2 ids" in str(refused.value)
    assert {one.lineage_id[:16] in str(refused.value) for one in (first, second)} == {True}
