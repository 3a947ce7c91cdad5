"""The home among strangers: links are refused, names cannot be foreseen, nobody else gets in, strays stay unread."""

from __future__ import annotations

import fcntl
import os
import stat
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path

import orjson
import pytest

from seg3b_assets.certification.retention import prune, rehearse_prune
from seg3b_assets.laws.errors import Seg3BError
from seg3b_assets.locks import HELD, WAIT, exclusive, shared
from seg3b_assets.own_places import LINKED, make_private, read_regular
from seg3b_assets.pipeline import plan
from seg3b_assets.store import Refs, Store, layout
from seg3b_assets.store.holding import announced, holders, run_lock
from seg3b_assets.store.refs import REF_NAMES
from seg3b_assets.store.runs import Runs
from seg3b_assets.store.writing import replace_file
from seg3b_assets_tests.pipeline.toy_segment import toy_segment
from seg3b_assets_tests.store.lineages import KEEP, ToyHome

FOLDERS = [
    "snapshots",
    "snapshots/S2",
    "heads",
    "refs",
    "runs",
    "builds/S0",
    "policies",
    "locks",
    "locks/holders",
]
FOLDERS += ["staging", "quarantine", "trash", "prunes", "certifications", "reports"]
HOLD = """
import fcntl, os, sys, time
descriptor = os.open(sys.argv[1], os.O_RDONLY)
fcntl.flock(descriptor, fcntl.LOCK_EX)
print("held", flush=True)
time.sleep(60)
"""


@pytest.fixture
def home(tmp_path: Path) -> ToyHome:
    return ToyHome.at(tmp_path / "mine")


def put_link(home: ToyHome, folder: str, outside: Path) -> None:
    """Have a folder of the home, with what is in it, outside, and a link in its place."""
    place = home.path / folder
    place.parent.mkdir(parents=True, exist_ok=True)
    place.rename(outside) if place.exists() else outside.mkdir()
    place.symlink_to(outside)


def contents(folder: Path) -> dict[str, bytes]:
    return {str(path.relative_to(folder)): path.read_bytes() for path in folder.rglob("*") if path.is_file()}


@pytest.mark.parametrize("folder", FOLDERS)
def test_a_home_with_a_link_for_a_folder_is_refused_by_name(
    home: ToyHome, tmp_path: Path, folder: str
) -> None:
    home.run(1)
    put_link(home, folder, tmp_path / "outside")
    before = contents(tmp_path / "outside")
    doors: list[Callable[[], object]] = [
        lambda: home.run(2),
        lambda: plan(home.settings, 42, toy_segment()),
        lambda: rehearse_prune(home.store, KEEP),
        lambda: prune(home.store, KEEP),
        lambda: Refs(home.path).all(),
        lambda: Runs(home.path).every(),
    ]
    for door in doors:
        with pytest.raises(Seg3BError) as refused:
            door()
        assert (refused.value.validator, refused.value.place) == (LINKED, str(home.path / folder))
    assert contents(tmp_path / "outside") == before


def test_a_home_that_is_itself_reached_by_a_link_is_as_good_as_any(tmp_path: Path) -> None:
    (tmp_path / "elsewhere" / "home").mkdir(parents=True)
    home = ToyHome.at(tmp_path)
    home.path.symlink_to(tmp_path / "elsewhere" / "home")
    assert home.whole(home.run(1))


@pytest.mark.parametrize("place", ["heads/seed=42.json", "refs/candidate.json"])
def test_a_document_that_is_a_link_is_not_read_and_not_written_through(
    home: ToyHome, tmp_path: Path, place: str
) -> None:
    record = home.run(1)
    home.refs.move("candidate", {42: record.lineage_id})
    (home.path / place).rename(tmp_path / "outside.json")
    (home.path / place).symlink_to(tmp_path / "outside.json")
    before = (tmp_path / "outside.json").read_bytes()
    with pytest.raises(Seg3BError, match="place_of_its_own"):
        Store(home.path, lambda _: pytest.fail("no contract is asked for")).heads(
            42
        ) if "heads" in place else (home.refs.read("candidate"))
    with pytest.raises(Seg3BError, match="place_of_its_own"):
        home.run(2) if "heads" in place else home.refs.move("candidate", {42: "0" * 64})
    assert (tmp_path / "outside.json").read_bytes() == before


@pytest.mark.parametrize("suffix", [".new", ".tmp"])
def test_a_link_beside_a_document_is_no_trap(home: ToyHome, tmp_path: Path, suffix: str) -> None:
    victim = tmp_path / "victim"
    victim.write_text("theirs")
    (home.path / "heads").mkdir(parents=True)
    (home.path / "heads" / f"seed=42.json{suffix}").symlink_to(victim)
    assert home.whole(home.run(1))
    assert victim.read_text() == "theirs"


def test_a_link_among_staged_work_is_not_swept_through(home: ToyHome, tmp_path: Path) -> None:
    (tmp_path / "theirs").mkdir()
    (tmp_path / "theirs" / "file").write_text("theirs")
    (home.path / "staging").mkdir(parents=True)
    (home.path / "staging" / f"S2-{'a' * 16}").symlink_to(tmp_path / "theirs")
    (home.path / "staging" / "notes").mkdir()
    home.run(1)
    prune(home.store, KEEP)
    assert (tmp_path / "theirs" / "file").read_text() == "theirs"
    assert (home.path / "staging" / "notes").is_dir()


@pytest.mark.parametrize("make", [Path.symlink_to, lambda path, _: os.mkfifo(path)], ids=["link", "fifo"])
@pytest.mark.parametrize("name", ["run.lock", "seed=42.lock"])
def test_a_lock_that_is_no_file_is_refused(
    home: ToyHome, tmp_path: Path, name: str, make: Callable[[Path, Path], None]
) -> None:
    (home.path / "locks").mkdir(parents=True)
    make(home.path / "locks" / name, tmp_path / "victim")
    with pytest.raises(Seg3BError) as refused:
        home.run(1)
    assert refused.value.place == str(home.path / "locks" / name)
    assert not (tmp_path / "victim").exists()


def test_a_pipe_in_place_of_a_document_is_an_error_and_not_a_wait(home: ToyHome) -> None:
    home.run(1)
    (home.path / "heads" / "seed=42.json").unlink()
    os.mkfifo(home.path / "heads" / "seed=42.json")
    with pytest.raises(Seg3BError, match="heads_readable"):
        home.store.heads(42)


def test_home_and_locks_are_this_users_alone_and_an_older_lock_becomes_so(home: ToyHome) -> None:
    home.run(1)
    assert stat.S_IMODE(home.path.stat().st_mode) == 0o700
    lock = run_lock(home.path)
    assert stat.S_IMODE(lock.stat().st_mode) == 0o600
    lock.chmod(0o644)
    home.run(2)
    assert stat.S_IMODE(lock.stat().st_mode) == 0o600
    with announced(home.path, "a test"):
        [told] = (home.path / "locks" / "holders").iterdir()
        assert stat.S_IMODE(told.stat().st_mode) == 0o600


def test_a_folder_that_is_there_keeps_its_mode(tmp_path: Path) -> None:
    (tmp_path / "theirs").mkdir(mode=0o755)
    make_private(tmp_path / "theirs" / "a" / "b")
    modes = [stat.S_IMODE((tmp_path / "theirs" / name).stat().st_mode) for name in ("", "a", "a/b")]
    assert modes == [0o755, 0o700, 0o700]


def test_a_file_is_written_under_a_name_nobody_can_foresee(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    seen: set[str] = set()
    real = os.replace

    def watched(fresh: Path, target: Path) -> None:
        seen.add(fresh.name)
        real(fresh, target)

    monkeypatch.setattr(os, "replace", watched)
    for _ in range(3):
        replace_file(tmp_path / "a.json", b"{}", 0o600)
    assert len(seen) == 3
    assert all(layout.is_unfinished(name) for name in seen)
    assert stat.S_IMODE((tmp_path / "a.json").stat().st_mode) == 0o600


@pytest.fixture
def held(tmp_path: Path) -> object:
    """A lock file that another process holds without telling."""
    path = tmp_path / "a.lock"
    path.touch()
    process = subprocess.Popen([sys.executable, "-c", HOLD, str(path)], stdout=subprocess.PIPE, text=True)
    assert process.stdout is not None
    assert process.stdout.readline() == "held\n"
    yield path, process.pid
    process.kill()
    process.communicate()


@pytest.mark.parametrize("take", [exclusive, shared])
def test_a_lock_somebody_holds_is_given_up_with_the_holders_name(
    held: tuple[Path, int], monkeypatch: pytest.MonkeyPatch, take: Callable[..., object]
) -> None:
    path, pid = held
    monkeypatch.setenv(WAIT, "0.2")
    started = time.monotonic()
    with pytest.raises(Seg3BError) as refused, take(path):  # type: ignore[attr-defined]
        pass
    assert time.monotonic() - started < 30
    assert (refused.value.validator, refused.value.place) == (HELD, str(path))
    assert refused.value.detail["held_by"].startswith((f"process {pid} (", "an unknown process"))
    with pytest.raises(Seg3BError) as named, take(path, lambda: "a prune"):  # type: ignore[attr-defined]
        pass
    assert "Wait for a prune to end" in named.value.remedy


def test_a_run_names_who_keeps_it_waiting(
    home: ToyHome, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    monkeypatch.setenv(WAIT, "0.2")
    home.run(1)
    descriptor = os.open(run_lock(home.path), os.O_RDONLY)
    fcntl.flock(descriptor, fcntl.LOCK_EX)
    with announced(home.path, "a prune"), pytest.raises(Seg3BError) as refused, home.store.in_use("a run"):
        pass
    os.close(descriptor)
    assert "a prune (process" in refused.value.remedy
    assert "waiting for a prune (process" in caplog.text


@pytest.mark.parametrize(
    "content",
    [
        b"",
        b"[]",
        b"\xff",
        b'{"purpose":7}',
        b'{"purpose":[],"pid":"x","host":{},"since_utc":1}',
        b"x" * 99999,
    ],
)
def test_a_holder_file_that_is_nobodys_is_no_holder(home: ToyHome, content: bytes) -> None:
    home.run(1)
    folder = home.path / "locks" / "holders"
    path = folder / f"{'a' * 16}.json"
    path.write_bytes(content)
    with path.open() as handle, announced(home.path, "a test"):
        fcntl.flock(handle, fcntl.LOCK_EX)
        assert [one.purpose for one in holders(home.path)] == ["a test"]


STRAYS = [".DS_Store", "Thumbs.db", ".seed=42.json.swp", "notes", "ü\udcff"]


def test_strays_anywhere_are_left_listed_and_nobodys_business(home: ToyHome) -> None:
    first = home.run(1)
    home.refs.move("candidate", {42: first.lineage_id})
    folders = ["", *(folder for folder in layout._HOME if not folder.startswith("leases"))]
    folders += [f"runs/{first.lineage_id}", f"snapshots/S2/{first.keys['S2']}"]
    put = []
    for folder in folders:
        for name in STRAYS:
            place = home.path / folder / name
            place.parent.mkdir(parents=True, exist_ok=True)
            place.mkdir() if name == "notes" else place.write_bytes(b"\0mine")
            put.append(place)
    assert home.run(1).executed == ()
    second = home.run(2)
    assert home.store.seeds() == [42]
    assert Refs(home.path).all()["candidate"] == {42: first.lineage_id}
    assert {run.lineage_id for run in Runs(home.path).every()} == {first.lineage_id, second.lineage_id}
    plan(home.settings, 42, toy_segment())
    done = prune(home.store, KEEP)
    assert done.removed == ()
    assert all(os.path.lexists(place) for place in put)
    inside = (first.lineage_id, first.keys["S2"])  # what is in a thing of ours goes with it
    assert sorted(done.strays) == sorted(str(place) for place in put if place.parent.name not in inside)


def test_nothing_of_ours_is_a_stray(home: ToyHome) -> None:
    record = home.run(1)
    for name in REF_NAMES:
        home.refs.move(name, {42: record.lineage_id})
    home.run(2)
    home.refs.move("candidate", {42: "0" * 64}, merge=False)
    home.refs.move("candidate", {42: record.lineage_id})
    home.run(3)
    prune(home.store, KEEP)
    with home.store.in_use("a test"), announced(home.path, "another"):
        assert layout.strays(home.path) == []


@pytest.mark.parametrize(
    "name",
    ["seed=042.json", "seed=-1.json", "seed=٤٢.json", "seed=1.json.bak", "seed=" + "9" * 200 + ".json"],
)
def test_only_a_seed_names_a_heads_file(home: ToyHome, name: str) -> None:
    home.run(1)
    (home.path / "heads" / name).write_bytes(b"{}")
    assert home.store.seeds() == [42]


@pytest.mark.parametrize("key", ["../../../etc", "/etc/passwd", "a\0b", "x" * 5000, "A" * 64])
def test_what_a_document_names_is_never_a_path_out_of_the_home(home: ToyHome, key: str) -> None:
    record = home.run(1)
    heads = home.path / "heads" / "seed=42.json"
    for states in ({"S2": key}, {key: "a" * 64}):
        heads.write_bytes(orjson.dumps({"seed": 42, "states": states}))
        with pytest.raises(Seg3BError, match="heads_readable"):
            home.store.heads(42)
    manifest = home.path / "snapshots" / "S2" / record.keys["S2"] / "snapshot.json"
    document = orjson.loads(manifest.read_bytes())
    for output in document["outputs"].values():
        output["path"] = key
    manifest.chmod(0o644)
    manifest.write_bytes(orjson.dumps(document))
    named = home.store.snapshot("S2", record.keys["S2"])
    assert named is None or "/" not in key


def test_a_regular_file_is_read_and_nothing_else(tmp_path: Path) -> None:
    (tmp_path / "a").write_bytes(b"x")
    (tmp_path / "b").symlink_to(tmp_path / "a")
    os.mkfifo(tmp_path / "c")
    assert read_regular(tmp_path / "a") == b"x"
    for name in ("b", "c", "."):
        with pytest.raises(OSError):
            read_regular(tmp_path / name)


def test_strays_of_a_cache_are_listed_and_its_worlds_are_none(tmp_path: Path) -> None:
    ours = [
        "world/0123456789abcdef/seed=42/data",
        "world/stages/tiles-0123456789abcdef",
        "roots/0123456789abcdef/x",
    ]
    for place in (*ours, "homes/0123456789abcdef", "world/0123456789abcdef/notes", "notes"):
        (tmp_path / place).mkdir(parents=True)
    for place in ("digests.json", "digests.lock", "world/build.lock", "world/.DS_Store", "Thumbs.db"):
        (tmp_path / place).touch()
    expected = ["Thumbs.db", "notes", "world/.DS_Store", "world/0123456789abcdef/notes"]
    assert layout.strays_of_cache(tmp_path) == expected
