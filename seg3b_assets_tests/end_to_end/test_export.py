"""Exported trees: the published bytes, the same every time, in nobody's way."""

from __future__ import annotations

import hashlib
import os
import subprocess
import sys
from dataclasses import replace
from pathlib import Path

import orjson
import polars as pl
import pytest

from seg3b_assets.consume import open_run
from seg3b_assets.contracts import contract
from seg3b_assets.laws.hashing import file_digest, sha256_json
from seg3b_assets.laws.plain_files import files_below
from seg3b_assets_tests.end_to_end.installation import Installation

RECEIPT = "run_receipt.json"


@pytest.fixture(scope="module")
def tree(finished: Installation, tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("exported") / "seed=42"
    [printed] = finished.seg3b("export", "heads", str(folder), "--json").passed()["exports"]
    assert printed["written"] and printed["path"] == str(folder)
    assert printed["files"] == len(files_below(folder))
    return folder


def test_datasets_and_policies_are_the_published_bytes(finished: Installation, tree: Path) -> None:
    for snapshot in finished.snapshots().values():
        for record in snapshot.outputs.values():
            for location in record.locations(snapshot.root):
                copy = tree / location.relative_to(snapshot.root)
                assert copy.read_bytes() == location.read_bytes()
                assert not copy.is_symlink() and copy.stat().st_ino != location.stat().st_ino
    for sealed in orjson.loads(next(tree.rglob("sealed_inputs_3B.json")).read_bytes()):
        if sealed["artefact_kind"] == "policy":
            assert file_digest(tree / "inputs/policies" / sealed["path"]) == sealed["sha256_hex"]


def test_the_receipt_lists_every_file_and_the_lineage(finished: Installation, tree: Path) -> None:
    receipt = orjson.loads((tree / RECEIPT).read_bytes())
    assert contract("export_receipt").check_document(receipt) == []
    listed = {file["path"]: file["sha256_hex"] for file in receipt["files"]}
    on_disk = {name: file_digest(tree / name) for name in files_below(tree) if name != RECEIPT}
    assert listed == on_disk
    keys = {state: one["key"] for state, one in receipt["states"].items()}
    assert keys == finished.heads() and receipt["lineage_id"] == sha256_json(keys)


def test_the_excerpt_holds_the_used_tiles_and_what_lies_before_them(
    finished: Installation, tree: Path
) -> None:
    excerpt = pl.read_parquet(tree / "inputs/tile_excerpt.parquet")
    assert contract("tile_excerpt").check_frame(excerpt) == []
    edges = pl.read_parquet(sorted(finished.path("edge_catalogue_3B").glob("*.parquet")))
    used = edges.select("country_iso", tile_id=pl.col("hrsl_tile_id").cast(pl.UInt64)).unique()
    assert excerpt.select("country_iso", "tile_id").equals(used.sort("country_iso", "tile_id"))
    inside = excerpt.filter(
        (pl.col("weight_fp") > 0)
        & (pl.col("weight_before") + pl.col("weight_fp") <= pl.col("country_weight"))
    )
    assert inside.height == excerpt.height


def test_a_consumer_opens_it(tree: Path) -> None:
    assert open_run(tree).identity.seed == 42


def test_the_same_run_gives_the_same_bytes_and_is_not_written_twice(
    finished: Installation, tree: Path, tmp_path: Path
) -> None:
    lineage = orjson.loads((tree / RECEIPT).read_bytes())["lineage_id"]
    before = (tree / RECEIPT).stat().st_ino
    [again] = finished.seg3b("export", lineage[:12], str(tree), "--json").passed()["exports"]
    assert not again["written"] and (tree / RECEIPT).stat().st_ino == before
    finished.seg3b("export", "candidate", str(tmp_path / "other"), "--json").passed()
    assert _bytes(tmp_path / "other") == _bytes(tree)
    assert [path.name for path in tree.parent.iterdir()] == [tree.name]


def test_a_damaged_export_is_put_right(finished: Installation, tmp_path: Path) -> None:
    target = tmp_path / "tree"
    finished.seg3b("export", "heads", str(target), "--json").passed()
    whole = _bytes(target)
    next(target.rglob("*.parquet")).write_bytes(b"")
    [again] = finished.seg3b("export", "heads", str(target), "--json").passed()["exports"]
    assert again["written"] and _bytes(target) == whole
    assert [path.name for path in tmp_path.iterdir()] == ["tree"]


# Each is a process; which of them read a byte first changes nothing of what is slow to start.
@pytest.mark.parametrize(
    ("command", "read"),
    [
        *((command, 0) for command in ("verify TREE", "sample --tree TREE", "plan --seed 42", "refs")),
        *((command, 1) for command in ("sample --tree TREE", "refs")),
        *(
            pytest.param(command, read, marks=pytest.mark.e2e)
            for command, read in (
                ("verify TREE --json", 0),
                ("verify TREE --json", 1),
                ("verify TREE", 1),
                ("plan --seed 42", 1),
            )
        ),
    ],
)
def test_a_reader_who_leaves_ends_a_command_quietly(
    finished: Installation, tree: Path, command: str, read: int
) -> None:
    words = command.replace("TREE", str(tree)).split()
    reader, writer = os.pipe()
    process = subprocess.Popen(
        [sys.executable, "-m", "seg3b_assets.cli", *words],
        env={**os.environ, **finished.environment},
        stdout=writer,
        stderr=subprocess.PIPE,
    )
    os.close(writer)
    if read:
        os.read(reader, read)
    os.close(reader)
    _, said = process.communicate(timeout=300)
    assert said == b""
    assert process.returncode in ((0, 141) if read else (141,))


def test_what_a_person_put_into_an_export_is_named_and_stays_unless_it_is_forced(
    finished: Installation, tmp_path: Path
) -> None:
    target = tmp_path / "tree"
    finished.seg3b("export", "heads", str(target), "--json").passed()
    whole = _bytes(target)
    (target / "notes.txt").write_text("precious")
    (target / "data" / "mine" / "deep").mkdir(parents=True)
    (target / "logs" / "elsewhere").symlink_to(finished.home)
    next(target.rglob("*.parquet")).write_bytes(b"")
    before = _bytes(target)
    refused = finished.seg3b("export", "heads", str(target), "--json")
    assert refused.exit_code == 3 and refused.error["validator"] == "export_unlisted"
    unlisted = {"data/mine/", "data/mine/deep/", "logs/elsewhere", "notes.txt"}
    assert set(refused.error["detail"]["unlisted"]) == unlisted and refused.error["detail"]["count"] == 4
    assert _bytes(target) == before and [path.name for path in tmp_path.iterdir()] == ["tree"]
    [again] = finished.seg3b("export", "heads", str(target), "--force", "--json").passed()["exports"]
    assert again["written"] and _bytes(target) == whole and not (target / "logs" / "elsewhere").is_symlink()


def test_a_folder_of_something_else_is_left_alone(finished: Installation, tmp_path: Path) -> None:
    (tmp_path / "mine").write_text("precious")
    refused = finished.seg3b("export", "heads", str(tmp_path), "--json")
    assert refused.exit_code == 3 and refused.error["code"] == "E3B_S5_OUTPUT_WRITE_FAILED"
    assert refused.error["validator"] == "export_target_free"
    assert [path.name for path in tmp_path.iterdir()] == ["mine"]


def test_an_altered_snapshot_is_not_exported(installation: Installation, tmp_path: Path) -> None:
    blob = installation.path("edge_alias_blob_3B")
    data = bytearray(blob.read_bytes())
    data[20] ^= 1
    blob.unlink()  # the copied home shares its files with the original
    blob.write_bytes(data)
    refused = installation.seg3b("export", "heads", str(tmp_path / "tree"), "--json")
    assert refused.exit_code == 3 and refused.error["code"] == "E3B_S5_DIGEST_COMPONENT_MISMATCH"
    assert "edge_alias_blob" in refused.error["place"] and not (tmp_path / "tree").exists()
    assert not list(tmp_path.glob(".tree.*"))


def test_another_upstream_root_is_refused(finished: Installation, root_of, tmp_path: Path) -> None:  # type: ignore[no-untyped-def]
    elsewhere = replace(finished, upstream=root_of(7))
    refused = elsewhere.seg3b("export", "heads", str(tmp_path / "tree"), "--json")
    assert refused.exit_code == 3 and not (tmp_path / "tree").exists()


@pytest.mark.parametrize("named", ["nothing", "baseline", "0000"])
def test_an_unknown_run_is_a_usage_error(finished: Installation, tmp_path: Path, named: str) -> None:
    refused = finished.seg3b("export", named, str(tmp_path / "tree"))
    assert refused.exit_code == 2 and not (tmp_path / "tree").exists()


def test_a_seed_that_is_not_there_is_a_usage_error(finished: Installation, tmp_path: Path) -> None:
    refused = finished.seg3b("export", "heads", str(tmp_path / "tree"), "--seed", "7")
    assert refused.exit_code == 2 and "has no seed 7" in refused.stderr


def _bytes(folder: Path) -> dict[str, str]:
    return {name: hashlib.sha256((folder / name).read_bytes()).hexdigest() for name in files_below(folder)}
