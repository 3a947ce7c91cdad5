"""A home by URL: published last, found from another machine, no update lost, nothing removed beside a run."""

from __future__ import annotations

import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from seg3b_assets.certification.retention import prune, rehearse_prune
from seg3b_assets.laws.errors import Seg3BError
from seg3b_assets.laws.hashing import canonical_json
from seg3b_assets.settings import SettingError, Settings
from seg3b_assets.store import Refs, Snapshot, Store, holding
from seg3b_assets.store.backend import home_at
from seg3b_assets.store.object_store import ObjectStore
from seg3b_assets.store.remote import Remote
from seg3b_assets_tests.store.conftest import key_of, publish
from seg3b_assets_tests.store.test_home import write_edges, write_other_edges
from seg3b_assets_tests.store.toy_contracts import toy_contract


@dataclass(frozen=True)
class Machines:
    """Two machines that work in one home, each with a cache of its own."""

    url: str
    here: Store
    there: Store

    @property
    def remote(self) -> Remote:
        backend = self.here.backend
        assert isinstance(backend, ObjectStore)
        return backend.remote

    def objects(self, folder: str) -> list[str]:
        return [entry.path for entry in self.remote.entries(folder)]


@pytest.fixture
def machines(tmp_path: Path) -> Iterator[Machines]:
    url = f"memory://{tmp_path.name}/home"
    here, there = (Store(home_at(url, tmp_path / name), toy_contract) for name in ("here", "there"))
    yield Machines(url, here, there)


def contents(snapshot: Snapshot) -> dict[str, bytes]:
    return {
        path.relative_to(snapshot.root).as_posix(): path.read_bytes()
        for path in sorted(snapshot.root.rglob("*"))
        if path.is_file()
    }


def test_what_one_machine_published_another_finds_and_reads(machines: Machines) -> None:
    published = publish(machines.here, write_edges)
    found = machines.there.snapshot("S2", key_of().key)
    assert found is not None
    assert (found.inputs, found.outputs) == (published.inputs, published.outputs)
    assert not found.folder.exists(), "nothing is fetched before it is read"
    assert contents(found) == contents(published)
    assert found.altered() is None
    assert list((machines.there.home / "staging").iterdir()) == []


def test_without_its_manifest_a_snapshot_is_not_there(
    machines: Machines, monkeypatch: pytest.MonkeyPatch
) -> None:
    def dies(self: Remote, path: str, content: bytes) -> bool:
        raise KeyboardInterrupt

    with monkeypatch.context() as patch:
        patch.setattr(Remote, "create", dies)
        with pytest.raises(KeyboardInterrupt):
            publish(machines.here, write_edges)
    assert machines.objects("snapshots"), "its files were uploaded"
    assert machines.here.snapshot("S2", key_of().key) is None
    assert machines.there.snapshot("S2", key_of().key) is None
    published = publish(machines.there, write_edges)
    found = machines.here.snapshot("S2", key_of().key)
    assert found is not None
    assert contents(found) == contents(published)


def test_a_snapshot_that_lost_a_file_is_not_there_and_is_published_again(machines: Machines) -> None:
    publish(machines.here, write_edges)
    lost = next(path for path in machines.objects("snapshots") if path.endswith(".jsonl"))
    machines.remote.remove([lost])
    assert machines.there.snapshot("S2", key_of().key) is None
    publish(machines.there, write_edges)
    assert machines.here.snapshot("S2", key_of().key) is not None


def test_other_bytes_for_the_same_key_are_refused_and_the_first_stay(machines: Machines) -> None:
    published = publish(machines.here, write_edges)
    with pytest.raises(Seg3BError) as caught:
        publish(machines.there, write_other_edges)
    assert caught.value.code == "E3B_S2_NONDETERMINISTIC_OUTPUT"
    assert caught.value.detail["dataset_id"] == "edge_catalogue_3B"
    found = machines.there.snapshot("S2", key_of().key)
    assert found is not None
    assert contents(found) == contents(published)


def test_bytes_altered_at_the_url_are_found_when_they_are_fetched(machines: Machines) -> None:
    publish(machines.here, write_edges)
    path = next(path for path in machines.objects("snapshots") if path.endswith(".jsonl"))
    machines.remote.put(path, b'{"a":2}\n')
    found = machines.there.snapshot("S2", key_of().key)
    assert found is not None
    with pytest.raises(Seg3BError, match="SEALED_INPUT_DIGEST_MISMATCH"):
        _ = found.root
    assert not found.folder.exists()


def test_heads_moved_at_once_on_two_machines_are_all_moved(machines: Machines) -> None:
    keys = {}
    for state in ("S0", "S1", "S2", "S3", "S4", "S5"):
        keys[state] = publish(machines.here, write_edges, key_of(state)).key

    def move(item: tuple[int, tuple[str, str]]) -> None:
        number, (state, key) = item
        (machines.here if number % 2 else machines.there).move_heads(42, {state: key})

    with ThreadPoolExecutor(6) as pool:
        list(pool.map(move, enumerate(keys.items())))
    assert machines.here.heads(42) == machines.there.heads(42) == keys
    assert machines.there.seeds() == [42]


def test_refs_set_at_once_for_different_seeds_are_all_set(machines: Machines) -> None:
    stores = (machines.here, machines.there)
    with ThreadPoolExecutor(8) as pool:
        list(pool.map(lambda n: Refs(stores[n % 2].home).move("candidate", {n: f"{n:064x}"}), range(16)))
    assert Refs(machines.here.home).read("candidate") == {n: f"{n:064x}" for n in range(16)}


def test_no_head_moves_to_what_was_pruned_meanwhile(machines: Machines) -> None:
    key = publish(machines.here, write_edges).key
    machines.remote.remove(machines.objects("snapshots"))
    with pytest.raises(Seg3BError) as caught:
        machines.here.move_heads(42, {"S2": key})
    assert (caught.value.code, caught.value.validator) == (
        "E3B_S2_OUTPUT_WRITE_FAILED",
        "snapshot_published",
    )
    assert machines.there.heads(42) == {}


def test_a_prune_is_refused_beside_a_run_elsewhere_and_says_whose(machines: Machines) -> None:
    publish(machines.here, write_edges)
    with machines.here.in_use("a run of seed 42"):
        [holder] = rehearse_prune(machines.there, ["heads"]).held_by
        assert holder.purpose == "a run of seed 42"
        with pytest.raises(Seg3BError, match="a run of seed 42") as caught:
            prune(machines.there, ["heads"])
        assert caught.value.place == machines.url
        assert machines.here.snapshot("S2", key_of().key) is not None
    done = prune(machines.there, ["heads"])
    assert [one.kind for one in done.removed] == ["snapshot"]
    assert machines.here.snapshot("S2", key_of().key) is None
    assert machines.objects("leases") == []
    assert machines.objects("prunes") == [f"prunes/{done.prune_id}.json"]


def test_what_a_head_reaches_stays(machines: Machines) -> None:
    publish(machines.here, write_edges)
    kept = publish(machines.here, write_edges, key_of("S3"))
    machines.here.move_heads(42, {"S3": kept.key})
    assert [one.place for one in prune(machines.there, ["heads"]).removed] == [f"snapshots/S2/{key_of().key}"]
    found = machines.there.snapshot("S3", kept.key)
    assert found is not None
    assert contents(found) == contents(kept)


def test_a_prune_that_died_left_whole_things_or_invisible_ones_and_the_next_frees_them(
    machines: Machines, monkeypatch: pytest.MonkeyPatch
) -> None:
    publish(machines.here, write_edges)

    def dies_after_one(self: Remote, paths: list[str]) -> None:
        if not (paths and paths[0].startswith("snapshots/")):
            return remove(self, paths)
        remove(self, paths[:1])
        raise KeyboardInterrupt

    remove = Remote.remove
    with monkeypatch.context() as patch:
        patch.setattr(Remote, "remove", dies_after_one)
        with pytest.raises(KeyboardInterrupt):
            prune(machines.there, ["heads"])
    assert machines.objects("snapshots"), "its files are still there"
    assert machines.here.snapshot("S2", key_of().key) is None
    assert [one.kind for one in prune(machines.there, ["heads"]).removed] == ["unfinished"]
    assert machines.objects("snapshots") == []


def test_the_lease_of_a_process_that_died_keeps_nobody_out(
    machines: Machines, monkeypatch: pytest.MonkeyPatch
) -> None:
    machines.remote.put(
        "leases/dead.json",
        canonical_json({"purpose": "a run", "pid": 1, "host": "gone", "since_utc": "2026-01-01T00:00:00Z"}),
    )
    with pytest.raises(Seg3BError, match="gone"):
        prune(machines.here, ["heads"])
    monkeypatch.setattr(holding, "LIVES_S", 0.05)
    time.sleep(0.1)
    prune(machines.here, ["heads"])
    assert machines.objects("leases") == []


def test_a_run_waits_for_a_prune_elsewhere(machines: Machines, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(holding, "_POLL_S", 0.02)
    order: list[str] = []

    def run() -> None:
        with machines.there.in_use("a run"):
            order.append("run")

    with ThreadPoolExecutor(1) as pool:
        with holding.alone(machines.remote, "a prune") as held_by:
            assert held_by is None
            waiting = pool.submit(run)
            time.sleep(0.2)
            order.append("pruned")
        waiting.result(30)
    assert order == ["pruned", "run"]


@pytest.mark.parametrize(
    ("url", "said"),
    [
        ("s3://key:secret@bucket/home", "credentials"),
        ("s3://bucket/home?secret=x", "credentials"),
        ("s3:///home", "no bucket"),
        ("ftp://host/home", "neither a path nor one of"),
    ],
)
def test_a_url_that_cannot_be_a_home_is_refused_without_repeating_secrets(
    url: str, said: str, tmp_path: Path
) -> None:
    with pytest.raises(SettingError, match=said) as caught:
        Settings.from_environment(home=url, cache=tmp_path)
    assert "secret" not in str(caught.value)
    assert list(tmp_path.iterdir()) == []


def test_a_file_url_is_the_folder(tmp_path: Path) -> None:
    assert Settings.from_environment(home=f"file://{tmp_path}/a%20home").home == tmp_path / "a home"


def test_without_the_library_the_error_says_what_to_install(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    import builtins  # noqa: PLC0415

    def without(name: str, *args: Any, **kwargs: Any) -> Any:
        if name == "obstore":
            raise ImportError(name)
        return imported(name, *args, **kwargs)

    imported = builtins.__import__
    monkeypatch.setattr(builtins, "__import__", without)
    store = Store(home_at("s3://bucket/home", tmp_path), toy_contract)
    with pytest.raises(Seg3BError, match="pip install") as caught:
        store.heads(42)
    assert caught.value.validator == "remote_library"


def test_a_home_that_somebody_holds_alone_is_given_up_with_the_holders_name(
    machines: Machines, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("SEG3B_LOCK_WAIT_S", "0.2")
    with holding.alone(machines.remote, "a prune"):
        with pytest.raises(Seg3BError) as refused, holding.leased(machines.remote, "a run"):
            pass
        assert refused.value.validator == "lock_free"
        assert "Wait for a prune (process" in refused.value.remedy
        machines.remote.put("leases/alone.json", b"\xff")
        with pytest.raises(Seg3BError, match="an unknown host"), holding.leased(machines.remote, "a run"):
            pass
    assert machines.objects("leases") == []
