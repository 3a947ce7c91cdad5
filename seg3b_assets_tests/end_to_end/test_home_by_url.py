"""A home in a real object store: whole runs from two machines, at once, killed, pruned, exported."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import orjson
import pytest

from seg3b_assets.laws.hashing import sha256_hex
from seg3b_assets.store.remote import Remote
from seg3b_assets_tests.end_to_end.installation import STATES, Installation, Outcome, finish
from seg3b_assets_tests.end_to_end.object_store import SECRET, ObjectStore, object_store

pytestmark = pytest.mark.e2e
PATIENCE_S = 60.0


@pytest.fixture(scope="module")
def objects() -> Iterator[ObjectStore]:
    with object_store() as served, pytest.MonkeyPatch.context() as environment:
        for name, value in served.variables.items():
            environment.setenv(name, value)
        yield served


@dataclass(frozen=True)
class Machine:
    """A machine with caches of its own, over a home by URL."""

    url: str
    installation: Installation

    def seg3b(self, *arguments: str, **variables: str) -> Outcome:
        """A command in a process of its own."""
        return finish(self.start(*arguments, **variables))

    def start(self, *arguments: str, **variables: str) -> subprocess.Popen[str]:
        return subprocess.Popen(
            [sys.executable, "-m", "seg3b_assets.cli", *arguments],
            env=os.environ | self.installation.environment | {"SEG3B_HOME": self.url} | variables,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
        )

    def run(self, *arguments: str, seed: int = 42) -> dict[str, Any]:
        return self.seg3b("run", "--seed", str(seed), "--json", *arguments).passed()

    def statuses(self, seed: int = 42) -> dict[str, str]:
        states = self.seg3b("plan", "--seed", str(seed), "--json").passed()["seeds"][str(seed)]["states"]
        return {state: states[state]["status"] for state in states}

    @property
    def mirrors(self) -> list[Path]:
        return sorted((self.installation.cache / "homes").iterdir())


@pytest.fixture(scope="module")
def machine(
    finished: Installation,
    objects: ObjectStore,
    root_of: Callable[[int], Path],
    tmp_path_factory: pytest.TempPathFactory,
) -> Callable[[str], Machine]:
    """A new machine over a home, by its name; the world is at hand."""
    root_of(7)

    def new(home: str) -> Machine:
        cache = tmp_path_factory.mktemp("machine")
        (cache / "world").symlink_to(finished.cache / "world")
        return Machine(objects.url(home), replace(finished, cache=cache))

    return new


def test_what_one_machine_ran_is_fresh_and_reused_on_another(
    finished: Installation, machine: Callable[[str], Machine], tmp_path: Path
) -> None:
    here, there = machine("shared"), machine("shared")
    ran = here.run()
    assert ran["flag"] == finished.run().passed()["flag"]
    assert set(there.statuses().values()) == {"FRESH"}
    again = there.run()
    assert again["flag"] == ran["flag"]
    assert all(state["reused"] for state in again["states"].values())
    [mirror] = there.mirrors
    assert not list((mirror / "snapshots").glob("S2/*/data")), "what is reused is not fetched"
    there.seg3b("export", "heads", str(tmp_path / "tree"), "--seed", "42", "--json").passed()
    assert there.seg3b("verify", str(tmp_path / "tree"), "--json").passed()["status"] == "PASS"
    assert there.seg3b("sample").exit_code == 0
    assert there.seg3b("refs", "--json").passed()["candidate"]


def test_an_export_at_a_url_is_there_when_its_receipt_is_and_once(
    machine: Callable[[str], Machine], objects: ObjectStore, tmp_path: Path
) -> None:
    here, url = machine("shared"), objects.url("exports/a")
    here.run()
    [first] = here.seg3b("export", "heads", url, "--json").passed()["exports"]
    here.seg3b("export", "heads", str(tmp_path / "tree"), "--json").passed()
    assert (first["path"], first["written"]) == (url, True)
    there = Remote(url)
    published = {entry.path: there.read(entry.path) for entry in there.entries("")}
    local = {
        path.relative_to(tmp_path / "tree").as_posix(): path.read_bytes()
        for path in (tmp_path / "tree").rglob("*")
        if path.is_file()
    }
    assert {path: found and sha256_hex(found.content) for path, found in published.items()} == {
        path: sha256_hex(content) for path, content in local.items()
    }
    [again] = here.seg3b("export", "heads", url, "--json").passed()["exports"]
    assert not again["written"]
    there.put("notes.txt", b"a person's")
    kept = here.seg3b("export", "heads", url, "--json")
    assert (kept.exit_code, kept.error["validator"]) == (3, "export_unlisted")
    assert kept.error["detail"]["unlisted"] == ["notes.txt"]
    [forced] = here.seg3b("export", "heads", url, "--force", "--json").passed()["exports"]
    assert not forced["written"]
    assert there.read("notes.txt")
    there.remove(["notes.txt"])
    there.remove(["run_receipt.json", "data"])
    there.put(".export", orjson.dumps({"lineage_id": "0" * 64}))
    refused = here.seg3b("export", "heads", url, "--json")
    assert (refused.exit_code, refused.error["validator"]) == (3, "export_target_free")
    there.put(".export", orjson.dumps({"lineage_id": first["lineage_id"]}))
    [taken_up] = here.seg3b("export", "heads", url, "--json").passed()["exports"]
    assert taken_up["written"]
    assert {entry.path for entry in there.entries("")} == set(published)


def test_two_machines_at_once_agree_and_lose_nothing(machine: Callable[[str], Machine]) -> None:
    first, second, third = (machine("race") for _ in range(3))
    started = [
        first.start("run", "--seed", "42", "--json"),
        second.start("run", "--seed", "42", "--json"),
        third.start("run", "--seed", "7", "--json"),
    ]
    one, same, other = (finish(process).passed() for process in started)
    assert one["flag"] == same["flag"] != other["flag"]
    for seed in (42, 7):
        assert set(first.statuses(seed).values()) == {"FRESH"}
    assert not Remote(first.url).entries("leases")


def test_a_run_killed_while_it_publishes_leaves_nothing_in_force(
    finished: Installation, machine: Callable[[str], Machine]
) -> None:
    dying, other = machine("killed"), machine("killed")
    remote = Remote(dying.url)
    process = dying.start("run", "--seed", "42")
    deadline = time.monotonic() + PATIENCE_S
    while not remote.entries("snapshots/S2"):
        assert process.poll() is None, process.communicate()
        assert time.monotonic() < deadline
    process.send_signal(signal.SIGKILL)
    process.wait()
    statuses = other.statuses()
    assert statuses["S5"] == "MISSING"
    assert other.seg3b("refs", "--json").passed()["candidate"] == {}
    assert other.run()["flag"] == finished.run().passed()["flag"]
    assert set(dying.statuses().values()) == {"FRESH"}


def test_a_prune_is_refused_beside_a_run_and_then_frees(machine: Callable[[str], Machine]) -> None:
    working, pruning = machine("pruned"), machine("pruned")
    working.run()
    process = working.start("run", "--seed", "7", "--json")
    deadline = time.monotonic() + PATIENCE_S
    while not Remote(working.url).entries("leases"):
        assert time.monotonic() < deadline
    refused = pruning.seg3b("prune", "--json")
    assert (refused.exit_code, refused.error["validator"]) == (3, "home_unused")
    assert "a run of seed 7" in refused.error["remedy"]
    finish(process).passed()
    policy = working.installation.policies / "edge_topology.yaml"
    shipped = policy.read_bytes()
    policy.write_bytes(shipped + b"# another posture\n")
    try:
        working.run()
        rehearsed = pruning.seg3b("prune", "--dry-run", "--json").passed()
        removed = pruning.seg3b("prune", "--json").passed()
        assert rehearsed["removed"] == removed["removed"]
        assert {one["kind"] for one in removed["removed"]} >= {"run", "snapshot", "build"}
        for seed in (42, 7):
            expected = {"FRESH"} if seed == 42 else {"STALE"}
            assert set(pruning.statuses(seed).values()) == expected
    finally:
        policy.write_bytes(shipped)
    assert set(working.statuses(7).values()) == {"FRESH"}


@pytest.mark.parametrize(
    ("home", "variables", "validator"),
    [
        ("s3://no-such-bucket/home", {}, "remote_bucket"),
        ("", {"AWS_SECRET_ACCESS_KEY": "wrong-secret"}, "remote_permitted"),
        ("", {"AWS_ENDPOINT_URL_S3": "http://127.0.0.1:9"}, "remote_reachable"),
    ],
)
def test_an_object_store_that_cannot_be_used_is_told_with_a_remedy_and_no_secret(
    machine: Callable[[str], Machine], home: str, variables: dict[str, str], validator: str
) -> None:
    here = machine("shared")
    failed = replace(here, url=home or here.url).seg3b("plan", "--seed", "42", "--json", **variables)
    assert (failed.exit_code, failed.error["validator"]) == (3, validator)
    assert failed.error["remedy"]
    for secret in (SECRET, "wrong-secret"):
        assert secret not in failed.stdout + failed.stderr
    assert all(state in STATES for state in here.statuses())
