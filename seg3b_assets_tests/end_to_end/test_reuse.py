"""What is published is reused, can be computed again to the same bytes, and is never silently replaced."""

from __future__ import annotations

import shutil
from pathlib import Path

import orjson
import pytest

from seg3b_assets_tests.end_to_end.installation import STATES, Installation
from seg3b_assets_tests.end_to_end.recomputing import Recomputed

pytestmark = pytest.mark.e2e


def reused(record: dict[str, dict[str, dict[str, bool]]]) -> list[str]:
    return [name for name, state in record["states"].items() if state["reused"]]


def rewrite(path: Path, data: bytes) -> None:
    """Other bytes in this home alone: files of a copied home are links."""
    path.unlink()
    path.write_bytes(data)


def test_a_second_run_reuses_all_six_states(installation: Installation) -> None:
    before = installation.condition()
    again = installation.run().passed()
    assert reused(again) == list(STATES)
    assert installation.condition() == before


def test_deleting_the_store_and_running_again_gives_the_same_flag(installation: Installation) -> None:
    digests, flag = installation.digests(), installation.run().passed()["flag"]
    shutil.rmtree(installation.home)
    again = installation.run().passed()
    assert reused(again) == []
    assert again["flag"] == flag
    assert installation.digests() == digests


def test_a_deleted_snapshot_is_computed_again_and_nothing_else_is(installation: Installation) -> None:
    digests, snapshot = installation.digests(), installation.snapshots()["S3"]
    shutil.rmtree(snapshot.root)
    again = installation.run().passed()
    assert reused(again) == ["S0", "S1", "S2", "S4", "S5"]
    assert installation.digests() == digests


def test_recompute_finds_equal_bytes_and_leaves_the_published_files(
    recomputed: Recomputed, finished: Installation
) -> None:
    again, part = recomputed.small, "edge_catalogue_3B"
    assert reused(again.record) == []
    assert again.after == again.before
    # A copied home shares its files with the original: still the same file, not an equal one in its place.
    assert (again.installation.path(part) / "part-00000.parquet").samefile(
        finished.path(part) / "part-00000.parquet"
    )
    assert not (again.installation.home / "quarantine").exists()


def test_a_snapshot_whose_bytes_were_tampered_with_is_set_aside_and_built_again(
    installation: Installation,
) -> None:
    before, path = installation.condition(), installation.path("edge_alias_blob_3B")
    data = path.read_bytes()
    rewrite(path, data[:-9] + bytes([data[-9] ^ 1]) + data[-8:])
    assert installation.condition().spoilt == [str(installation.snapshots()["S3"].root)]
    assert installation.run("--recompute").exit_code == 0
    assert installation.condition() == before
    [aside] = (installation.home / "quarantine").iterdir()
    assert aside.name.startswith("S3-")


def test_a_shortened_output_is_noticed_without_being_asked(installation: Installation) -> None:
    digests, path = installation.digests(), installation.path("rng_event_edge_jitter_3B")
    rewrite(path, path.read_bytes()[:-100])
    assert reused(installation.run().passed()) == ["S0", "S1", "S3", "S4", "S5"]
    assert installation.digests() == digests
    assert len(list((installation.home / "quarantine").iterdir())) == 1


def test_a_snapshot_that_claims_other_digests_is_a_nondeterministic_output(
    installation: Installation,
) -> None:
    manifest = installation.snapshots()["S3"].root / "snapshot.json"
    document = orjson.loads(manifest.read_bytes())
    honest = document["outputs"]["edge_alias_blob_3B"]["digest"]
    document["outputs"]["edge_alias_blob_3B"]["digest"] = "f" * 64
    rewrite(manifest, orjson.dumps(document))
    before = installation.condition()
    outcome = installation.run("--recompute")
    assert (outcome.exit_code, outcome.error["code"]) == (3, "E3B_S3_NONDETERMINISTIC_OUTPUT")
    assert outcome.error["detail"] == {
        "dataset_id": "edge_alias_blob_3B",
        "published": "f" * 64,
        "computed": honest,
    }
    assert outcome.error["remedy"]
    assert installation.condition() == before
