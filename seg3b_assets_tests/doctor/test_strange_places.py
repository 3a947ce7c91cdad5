"""Whatever lies in the place of a file that the doctor reads, it is named, and nobody waits for it."""

from __future__ import annotations

import os
import shutil
import signal
from collections.abc import Callable, Iterator
from pathlib import Path
from types import FrameType

import pytest

from seg3b_assets.doctor import Finding, Severity
from seg3b_assets.doctor.dagster_home import dagster_home
from seg3b_assets.doctor.disk import disk
from seg3b_assets.doctor.finding import looked
from seg3b_assets.doctor.home import home as home_findings
from seg3b_assets.doctor.installation import policies as policy_findings
from seg3b_assets.settings import REPOSITORY, Settings
from seg3b_assets_tests.doctor.conftest import Broken
from seg3b_assets_tests.store.lineages import ToyHome

PATIENCE_S = 60
KINDS: dict[str, Callable[[Path], object]] = {
    "a pipe": os.mkfifo,
    "an endless device": lambda path: path.symlink_to("/dev/zero"),
    "a link to itself": lambda path: path.symlink_to(path.name),
    "a link to nothing": lambda path: path.symlink_to("nowhere"),
    "a folder": Path.mkdir,
}
NO_FOLDERS = [kind for kind in KINDS if kind != "a folder"]


@pytest.fixture(autouse=True)
def nobody_waits() -> Iterator[None]:
    """A doctor that waits for a pipe fails its test instead of keeping everybody waiting."""

    def late(_: int, __: FrameType | None) -> None:
        raise AssertionError("the doctor waits")

    before = signal.signal(signal.SIGALRM, late)
    signal.alarm(PATIENCE_S)
    yield
    signal.alarm(0)
    signal.signal(signal.SIGALRM, before)


@pytest.fixture
def home(tmp_path: Path) -> ToyHome:
    return ToyHome.at(tmp_path)


def put(kind: str, path: Path) -> None:
    """A strange thing in a path's place."""
    if path.is_dir() and not path.is_symlink():
        shutil.rmtree(path)
    elif os.path.lexists(path):
        path.unlink()
    path.parent.mkdir(parents=True, exist_ok=True)
    KINDS[kind](path)


def named(found: list[Finding], path: Path) -> list[Finding]:
    """Findings of a path; none of them may be that the doctor has no name for it."""
    assert not [one for one in found if one.code == "INTERNAL"], found
    return [one for one in found if one.severity is not Severity.fine and str(path) in (one.place, one.found)]


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize(
    "place",
    [
        "heads/seed=42.json",
        "refs/last_good.json",
        "locks/run.lock",
        "remote.json",
        "builds/S1/{}.json".format("a" * 64),
    ],
)
def test_a_document_of_the_home(place: str, kind: str, home: ToyHome) -> None:
    home.run(1)
    path = home.settings.home / place
    put(kind, path)
    found = named(list(looked("home", lambda: home_findings(home.settings.home))), path)
    assert [one.severity for one in found[:1]] == [Severity.stops]


@pytest.mark.parametrize("kind", NO_FOLDERS)
@pytest.mark.parametrize(
    "place", ["heads", "locks", "locks/holders", "snapshots/S2", "staging", "trash", "quarantine"]
)
def test_a_folder_of_the_home(place: str, kind: str, home: ToyHome) -> None:
    home.run(1)
    path = home.settings.home / place
    put(kind, path)
    found = named(list(looked("home", lambda: home_findings(home.settings.home))), path)
    assert [one.severity for one in found[:1]] == [Severity.stops]


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("name", ["snapshot.json", ""])
def test_a_snapshot_in_force(name: str, kind: str, home: ToyHome) -> None:
    run = home.run(1)
    snapshot = home.settings.home / "snapshots/S2" / run.keys["S2"]
    put(kind, snapshot / name)
    assert named(list(looked("home", lambda: home_findings(home.settings.home))), snapshot)


@pytest.fixture
def dagster(tmp_path: Path) -> Path:
    folder = tmp_path / "dagster"
    (folder / "history").mkdir(parents=True)
    shutil.copy(REPOSITORY / "dagster.yaml", folder)
    return folder


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize(
    "place", ["dagster.yaml", "history/runs.db", "history/runs.db-wal", "schedules/schedules.db"]
)
def test_a_file_of_dagster(place: str, kind: str, dagster: Path) -> None:
    if place.endswith("-wal"):
        (dagster / "history/runs.db").touch()
    put(kind, dagster / place)
    found = named(list(looked("dagster", lambda: dagster_home(str(dagster)))), dagster / place)
    assert [one.severity for one in found] == [Severity.stops]
    assert found[0].remedy


@pytest.mark.parametrize("kind", NO_FOLDERS)
def test_a_folder_of_dagster(kind: str, dagster: Path) -> None:
    put(kind, dagster / "history")
    found = named(list(looked("dagster", lambda: dagster_home(str(dagster)))), dagster / "history")
    assert [one.severity for one in found] == [Severity.stops]


@pytest.mark.parametrize("kind", KINDS)
def test_a_policy(kind: str, tmp_path: Path) -> None:
    folder = Path(shutil.copytree(REPOSITORY / "policies", tmp_path / "policies"))
    put(kind, folder / "settlement.yaml")
    loaded, found = policy_findings(folder)
    assert loaded is None
    [one] = [one for one in found if one.severity is Severity.stops]
    assert one.place == "settlement.yaml"


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize(
    "place", ["digests.json", "digests.lock", "world", "world/build.lock", "world/stages"]
)
def test_a_thing_of_the_cache(place: str, kind: str, tmp_path: Path) -> None:
    settings = Settings.from_environment(home=tmp_path / "home", cache=tmp_path / "cache")
    put(kind, settings.cache / place)
    found = named(list(looked("disk", lambda: disk(settings, 1))), settings.cache / place)
    if kind == "a folder" and place in ("world", "world/stages"):
        assert not found
    else:
        assert [one.code for one in found] == ["CACHE_STRANGE"]


FILES = {
    "the receipt": "run_receipt.json",
    "a flag": "data/layer1/1A/validation/*/_passed.flag",
    "an index": "data/layer1/2A/validation/*/index.json",
    "a member": "data/layer1/3A/validation/*/validation_summary_3A.json",
    "a part": "data/layer1/1A/outlet_catalogue/*/*/*.parquet",
    "borders": "reference/spatial/world_countries/*/*.parquet",
}


# The whole root is looked at each time: every file and every kind once, and more of the pairs by `make e2e`.
@pytest.mark.parametrize(
    ("what", "kind"),
    [
        pytest.param(what, kind, marks=() if at % len(KINDS) == nth else pytest.mark.e2e)
        for at, what in enumerate(FILES)
        for nth, kind in enumerate(KINDS)
        if at % 2 == nth % 2 or at % len(KINDS) == nth
    ],
)
def test_a_file_of_an_upstream_root(what: str, kind: str, broken: Broken) -> None:
    path = next(iter(sorted(broken.copy.path.glob(FILES[what]))))
    put(kind, path)
    found = broken.doctor()
    assert not [one for one in found if one.code == "INTERNAL"], found
    stopping = [one for one in found if one.severity is Severity.stops]
    # By itself, by the folder it is missing from, or by the index that lists it.
    assert [
        one for one in stopping if one.place in (str(path), str(path.parent), str(path.parent / "index.json"))
    ]
