"""A home and an export that release 0.1 wrote: kept, listed, put in force, pruned; never half read.

``data/home_of_0.1.tar.xz`` holds what that release made of a world of 150 merchants on simplified borders: the
upstream roots of seeds 42 and 7, its policies (in observe mode), a home with a certification and two lineages of
seed 42, and an export of the later one.
"""

from __future__ import annotations

import shutil
import tarfile
from dataclasses import replace
from pathlib import Path

import orjson
import pytest

from seg3b_assets.consume import open_run
from seg3b_assets.contracts import contract
from seg3b_assets.contracts.generation import CURRENT, RELEASES, foreign_release, written_before
from seg3b_assets.laws.errors import Seg3BError
from seg3b_assets.laws.hashing import directory_digest
from seg3b_assets.states.registry import states
from seg3b_assets.store import Runs, Store
from seg3b_assets_tests.end_to_end.installation import Installation, Outcome

ARCHIVE = Path(__file__).parents[1] / "data" / "home_of_0.1.tar.xz"
CERTIFIED = "28bb4b68387a"  # the certification of the archive, by its first digits


@pytest.fixture(scope="module")
def unpacked(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("older")
    with tarfile.open(ARCHIVE) as archive:
        archive.extractall(folder)
    return folder


@pytest.fixture
def older(unpacked: Path, policies: Path, cache: Path, tmp_path: Path) -> Installation:
    """A copy of the old home with the shipped policies, to be changed."""
    shutil.copytree(unpacked / "home", tmp_path / "home", symlinks=True)
    return Installation(tmp_path / "home", policies, cache, upstream=unpacked / "upstream")


def refused(outcome: Outcome) -> dict[str, object]:
    """The error of a refusal by name."""
    assert outcome.exit_code == 3, outcome
    error = outcome.error
    assert error["code"].endswith("INPUT_SCHEMA_MISMATCH") and error["validator"] == "written_by_this_release"
    assert "seg3b-assets==0.1.*" in error["remedy"]
    return error


def test_every_state_is_of_this_generation() -> None:
    assert {foreign_release(one.spec.code_version) for one in states()} == {None}
    assert foreign_release("1.4.0") == "0.1" and foreign_release("2.3.4") is None
    assert foreign_release("x") == foreign_release("9.0.0") == "another"
    assert "pip install 'seg3b-assets==0.1.*'" in written_before("S2", "1.4.0", "tree").remedy
    for unknown in ("x", "9.0.0"):
        remedy = written_before("S2", unknown, "tree").remedy
        assert "that this one does not know" in remedy and "pip install" not in remedy
    assert max(RELEASES) == CURRENT


def test_what_it_holds_is_listed(older: Installation) -> None:
    listed = older.seg3b("refs", "--json").passed()
    assert "candidate" in str(listed) and "FAIL_REALISM" in str(listed)
    plan = older.seg3b("plan", "--seed", "42", "--json").passed()
    assert "STALE" in str(plan)


def test_its_report_is_written_again(older: Installation, tmp_path: Path) -> None:
    report = str(tmp_path / "report.html")
    older.seg3b("report", "--certification", CERTIFIED, "--out", report, "--json").passed()
    assert "FAIL_REALISM" in (tmp_path / "report.html").read_text(encoding="utf-8")


def test_prune_frees_what_nothing_names_and_keeps_the_rest(older: Installation) -> None:
    heads = older.heads()
    freed = older.seg3b("prune", "--json").passed()
    assert "snapshot" in str(freed)
    assert older.heads() == heads
    store = Store(older.home, contract)
    assert all(store.snapshot(state, key) for state, key in heads.items())


def test_a_run_puts_a_new_lineage_in_force_and_rollback_the_old_one_again(older: Installation) -> None:
    before = older.heads()
    # As a certification that passed would have left it; what 0.1 made here failed its gates.
    shutil.copy(older.home / "refs" / "candidate.json", older.home / "refs" / "last_good.json")
    assert older.run().passed()["run_id"]
    assert older.heads() != before
    older.seg3b("rollback", "--seed", "42", "--json").passed()
    assert older.heads() == before


@pytest.mark.parametrize("target", ["heads", "candidate"])
def test_an_old_lineage_is_not_exported_half(older: Installation, tmp_path: Path, target: str) -> None:
    told = older.seg3b("export", target, str(tmp_path / "tree"), "--seed", "42", "--json")
    assert refused(told)["state"] == "S0"
    assert not (tmp_path / "tree").exists()


def test_old_outputs_are_not_compared_half(older: Installation) -> None:
    [kept] = [run for run in Runs(older.home).every() if run.keys == older.heads()]
    older.run().passed()
    refused(older.seg3b("diff", kept.lineage_id, "heads", "--seed", "42", "--json"))


def test_an_old_export_is_not_verified_half(older: Installation, unpacked: Path) -> None:
    tree = unpacked / "export-42"
    digest = directory_digest(tree)
    told = older.seg3b("verify", str(tree), "--json")
    assert str(tree) in str(refused(told)["place"])
    assert directory_digest(tree) == digest


def test_an_old_run_is_not_drawn_from_half(older: Installation, unpacked: Path) -> None:
    refused(older.seg3b("sample", "--tree", str(unpacked / "export-42"), "--json"))
    refused(older.seg3b("sample", "--seed", "42", "--json"))
    with pytest.raises(Seg3BError, match="written_by_this_release"):
        open_run(unpacked / "export-42", check_seal=False)


def test_a_table_of_an_old_lineage_is_refused_by_name(older: Installation) -> None:
    snapshots = older.snapshots()
    from seg3b_assets.inputs.published import Published  # noqa: PLC0415

    published = Published("S5", snapshots.values(), contract)
    for dataset in ("virtual_classification_3B", "virtual_validation_contract_3B"):
        with pytest.raises(Seg3BError) as caught:
            published.table(dataset)
        assert caught.value.validator == "written_by_this_release"
    with pytest.raises(Seg3BError) as caught:
        published.document("s4_run_summary_3B")
    assert caught.value.validator == "written_by_this_release"
    assert orjson.loads(published.path("edge_universe_hash_3B").read_bytes())


def test_another_world_beside_the_old_one_is_no_mixture(older: Installation) -> None:
    """Seed 7's head is old, seed 42's new: each is what it is."""
    older.run().passed()
    refused(older.seg3b("export", "heads", str(older.home.parent / "t"), "--seed", "7", "--json"))
    older.seg3b("export", "heads", str(older.home.parent / "t"), "--seed", "42", "--json").passed()
    told = replace(older).seg3b("verify", str(older.home.parent / "t"), "--json")
    assert told.exit_code == 0, told.json["failed"]
