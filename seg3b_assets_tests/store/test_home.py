"""Publishing: all or nothing, once, compared on a rerun; damage set aside; heads replaced whole."""

from __future__ import annotations

import os
import shutil
import stat
import subprocess
from pathlib import Path

import orjson
import pytest

from seg3b_assets.laws.errors import Seg3BError
from seg3b_assets.laws.hashing import canonical_json, sha256_hex
from seg3b_assets.locks import shared
from seg3b_assets.store import Staging, Store
from seg3b_assets_tests.store.back_ends import everything, lose, spoil
from seg3b_assets_tests.store.conftest import key_of, publish
from seg3b_assets_tests.store.toy_contracts import toy_contract, toy_edges, toy_identity

KEYS = ["a" * 64, "b" * 64, "c" * 64, "d" * 64]


def write_edges(out: Staging) -> None:
    out.table("edge_catalogue_3B", toy_edges(10), rows_per_part=4)
    out.lines("rng_event_edge_jitter_3B", [b'{"a":1}\n'])


def write_other_edges(out: Staging) -> None:
    out.table("edge_catalogue_3B", toy_edges(11), rows_per_part=4)
    out.lines("rng_event_edge_jitter_3B", [b'{"a":1}\n'])


def test_a_snapshot_is_found_by_the_key_of_its_inputs(store: Store) -> None:
    published = publish(store, write_edges)
    found = store.snapshot("S2", key_of().key)
    assert found == published
    assert found is not None
    assert found.root == store.home / "snapshots" / "S2" / key_of().key
    assert found.outputs["edge_catalogue_3B"].rows == 10
    assert found.inputs == key_of()
    assert list((store.home / "staging").iterdir()) == []


def test_the_key_is_the_digest_of_what_the_law_lists() -> None:
    inputs = key_of()
    listed = {
        "state": "S2",
        "code_version": "2.0.0",
        "runtime": {"polars": "1"},
        "seed": 42,
        "sealed_inputs": "ef" * 32,
        "inputs": {"tile_weights": "12" * 32},
    }
    assert inputs.key == sha256_hex(canonical_json(listed))


def test_the_manifest_carries_no_clock_and_no_host(store: Store, tmp_path: Path) -> None:
    first = publish(store, write_edges)
    second = publish(Store(tmp_path / "elsewhere", store._contracts), write_edges)
    assert (first.root / "snapshot.json").read_bytes() == (second.root / "snapshot.json").read_bytes()


def test_published_files_are_read_only(store: Store) -> None:
    published = publish(store, write_edges)
    for record in published.outputs.values():
        for file in record.locations(published.root):
            assert stat.S_IMODE(file.stat().st_mode) == 0o444
    shutil.rmtree(published.root)
    assert not published.root.exists()


def test_equal_bytes_are_reused_and_nothing_is_rewritten(store: Store) -> None:
    before = publish(store, write_edges)
    inode = before.root.stat().st_ino
    assert publish(store, write_edges) == before
    assert before.root.stat().st_ino == inode
    assert list((store.home / "staging").iterdir()) == []


def test_other_bytes_for_the_same_key_are_refused_by_name_and_digest(store: Store) -> None:
    before = publish(store, write_edges)
    with pytest.raises(Seg3BError) as caught:
        publish(store, write_other_edges)
    error = caught.value
    assert error.code == "E3B_S2_NONDETERMINISTIC_OUTPUT"
    assert error.detail["dataset_id"] == "edge_catalogue_3B"
    assert error.detail["published"] == before.outputs["edge_catalogue_3B"].digest
    assert error.detail["computed"] not in (None, error.detail["published"])
    assert store.snapshot("S2", before.key) == before
    assert list((store.home / "staging").iterdir()) == []


def test_a_dataset_that_was_not_written_before_is_nondeterministic(store: Store) -> None:
    publish(store, write_edges)
    with pytest.raises(Seg3BError) as caught:
        publish(store, lambda out: out.table("edge_catalogue_3B", toy_edges(10), rows_per_part=4))
    assert caught.value.detail["dataset_id"] == "rng_event_edge_jitter_3B"
    assert caught.value.detail["computed"] is None


def test_a_failed_state_leaves_nothing(store: Store) -> None:
    def fail(out: Staging) -> None:
        write_edges(out)
        raise RuntimeError("no")

    with pytest.raises(RuntimeError):
        publish(store, fail)
    assert store.snapshot("S2", key_of().key) is None
    assert list((store.home / "staging").iterdir()) == []


def test_a_snapshot_that_lost_a_file_is_not_there_and_is_published_again(store: Store) -> None:
    published = publish(store, write_edges)
    [lines] = [path for path in everything(store.backend) if path.endswith(".jsonl")]
    lose(store.backend, lines)
    assert store.snapshot("S2", published.key) is None
    assert publish(store, write_edges) == published
    assert store.snapshot("S2", published.key) == published


def _truncate(path: Path) -> None:
    path.chmod(0o644)
    with path.open("r+b") as handle:
        handle.truncate(10)


def _flip(path: Path) -> None:
    path.chmod(0o644)
    content = bytearray(path.read_bytes())
    content[-1] ^= 1
    path.write_bytes(content)


@pytest.mark.parametrize("damage", [_truncate, Path.unlink], ids=["cut short", "missing"])
def test_a_snapshot_without_its_files_is_built_again_and_the_old_one_kept(
    folder_store, damage, caplog
) -> None:
    published = publish(folder_store, write_edges)
    damage(published.path("edge_catalogue_3B") / "part-00001.parquet")
    assert folder_store.snapshot("S2", published.key) is None
    again = publish(folder_store, write_edges)
    assert again == published
    assert not again.damage()
    (kept,) = (folder_store.home / "quarantine").iterdir()
    assert (kept / "snapshot.json").exists()
    assert "no longer holds what was published" in caplog.text


def test_altered_bytes_of_the_same_size_are_found_when_compared(folder_store: Store) -> None:
    published = publish(folder_store, write_edges)
    _flip(published.path("rng_event_edge_jitter_3B"))
    again = publish(folder_store, write_edges)
    assert again.path("rng_event_edge_jitter_3B").read_bytes() == b'{"a":1}\n'
    assert len(list((folder_store.home / "quarantine").iterdir())) == 1


@pytest.mark.parametrize("content", [b"", b"{}", b"[]", b'{"key":1}', b"\xff"])
def test_a_manifest_that_cannot_be_read_is_no_snapshot(folder_store: Store, content: bytes) -> None:
    published = publish(folder_store, write_edges)
    (published.root / "snapshot.json").write_bytes(content)
    assert folder_store.snapshot("S2", published.key) is None
    assert publish(folder_store, write_edges) == published


def published_keys(store: Store) -> list[str]:
    """Keys of two snapshots of each of S0 and S1: a head may only point at what is there."""
    return [
        publish(store, write_edges, key_of(*of)).key for of in (("S0",), ("S1",), ("S1", "2"), ("S0", "2"))
    ]


def test_heads_move_by_state_and_are_read_whole(store: Store) -> None:
    assert store.heads(42) == {}
    keys = published_keys(store)
    store.move_heads(42, {"S0": keys[0], "S1": keys[1]})
    store.move_heads(42, {"S1": keys[2]})
    store.move_heads(7, {"S0": keys[3]})
    assert store.heads(42) == {"S0": keys[0], "S1": keys[2]}
    assert orjson.loads(store.backend.read("heads/seed=42.json"))["seed"] == 42
    assert store.backend.paths("heads") == ["seed=42.json", "seed=7.json"]
    assert store.seeds() == [7, 42]


def test_heads_survive_a_leftover_of_an_interrupted_write(folder_store: Store) -> None:
    folder_store.move_heads(42, {"S0": KEYS[0]})
    (folder_store.home / "heads/seed=42.json.new").write_bytes(b'{"see')
    assert folder_store.heads(42) == {"S0": KEYS[0]}
    folder_store.move_heads(42, {"S0": KEYS[1]})
    assert folder_store.heads(42) == {"S0": KEYS[1]}


def test_heads_that_are_not_ours_say_so(store: Store) -> None:
    store.move_heads(42, {"S0": published_keys(store)[0]})
    spoil(store.backend, "heads/seed=42.json", b"nonsense")
    with pytest.raises(Seg3BError) as caught:
        store.heads(42)
    assert caught.value.code == "E3B_S0_INPUT_OPEN_FAILED"
    assert caught.value.place == store.backend.place("heads/seed=42.json")


def test_the_staging_of_a_dead_run_is_swept_and_a_live_one_kept(store: Store) -> None:
    dead = store.home / "staging" / f"S2-{'d' * 16}"
    dead.mkdir(parents=True)
    (dead / "half").write_bytes(b"x")
    with store.staging("S2", toy_identity()) as out, store.in_use():
        assert not dead.exists()
        assert out.folder.exists()
    assert list((store.home / "staging").iterdir()) == []


def test_runs_share_the_home_and_keep_a_remover_out(store: Store) -> None:
    with store.in_use(), store.in_use(), shared(store.home / "locks" / "run.lock"):
        probe = f"flock --nonblock --exclusive {store.home}/locks/run.lock true"
        assert subprocess.run(probe, shell=True, check=False).returncode == 1
    assert subprocess.run(probe, shell=True, check=False).returncode == 0


root = pytest.mark.skipif(os.geteuid() != 0, reason="mounting a file system needs root")


@pytest.fixture
def small_disk(tmp_path: Path):
    disk = tmp_path / "disk"
    disk.mkdir()
    mounted = subprocess.run(["mount", "-t", "tmpfs", "-o", "size=256k", "toy", disk], check=False)
    if mounted.returncode:
        pytest.skip("this container may not mount")
    yield disk
    subprocess.run(["umount", disk], check=True)


@root
def test_a_full_disk_is_reported_and_leaves_nothing(small_disk: Path) -> None:
    full = Store(small_disk / "home", toy_contract)
    with pytest.raises(Seg3BError) as caught:
        publish(full, lambda out: out.lines("rng_event_edge_jitter_3B", [b"x" * 65_535 + b"\n"] * 16))
    assert caught.value.code == "E3B_S2_OUTPUT_WRITE_FAILED"
    assert caught.value.detail["errno"] == "ENOSPC"
    assert "Free space" in caught.value.remedy
    assert "rng" not in caught.value.remedy
    assert list((full.home / "staging").iterdir()) == []
    assert full.snapshot("S2", key_of().key) is None


@root
def test_a_read_only_home_is_reported_and_stays_readable(small_disk: Path) -> None:
    home = Store(small_disk / "home", toy_contract)
    home.move_heads(42, {"S0": KEYS[0]})
    subprocess.run(["mount", "-o", "remount,ro", small_disk], check=True)
    for attempt in (lambda: publish(home, write_edges), lambda: home.move_heads(42, {"S0": KEYS[1]})):
        with pytest.raises(Seg3BError) as caught:
            attempt()
        assert caught.value.name == "OUTPUT_WRITE_FAILED"
        assert caught.value.detail["errno"] == "EROFS"
        assert "--home" in caught.value.remedy
    assert home.heads(42) == {"S0": KEYS[0]}


def test_a_home_that_is_a_file_is_reported(tmp_path: Path) -> None:
    (tmp_path / "file").write_bytes(b"")
    blocked = Store(tmp_path / "file", toy_contract)
    with pytest.raises(Seg3BError) as caught, blocked.in_use():
        pass
    assert caught.value.code == "E3B_S0_OUTPUT_WRITE_FAILED"
    assert str(tmp_path / "file") in caught.value.place
