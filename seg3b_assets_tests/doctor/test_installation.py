"""Python, packages, contracts, policies, home, Dagster and disk: what is sound is fine, what is not is named."""

from __future__ import annotations

import os
import platform
import re
import shutil
import sqlite3
import subprocess
import sys
import tarfile
import tomllib
from collections.abc import Callable, Iterable
from contextlib import closing
from dataclasses import replace
from importlib import metadata
from itertools import chain
from pathlib import Path
from types import SimpleNamespace

import orjson
import pytest

from seg3b_assets.doctor import Finding, Severity, environment, finding
from seg3b_assets.doctor.dagster_home import dagster_home
from seg3b_assets.doctor.disk import disk
from seg3b_assets.doctor.environment import EVERY, NEEDED_FOR
from seg3b_assets.doctor.examination import examine
from seg3b_assets.doctor.home import home, written_by
from seg3b_assets.doctor.installation import contracts, meant, policies
from seg3b_assets.laws.errors import Seg3BError
from seg3b_assets.locks import exclusive
from seg3b_assets.pipeline.keys import runtime_versions
from seg3b_assets.reference.pages import packages
from seg3b_assets.settings import REPOSITORY, Settings
from seg3b_assets.states.registry import states
from seg3b_assets.store.holding import announced, run_lock
from seg3b_assets.store.refs import Refs
from seg3b_assets_tests.store.lineages import ToyHome

HOLD = (
    "import sys, time\nfrom pathlib import Path\nfrom seg3b_assets.store.holding import announced\n"
    "with announced(Path(sys.argv[1]), 'a run of seed 42'):\n    print('held', flush=True)\n    time.sleep(60)\n"
)


def by_code(found: Iterable[Finding]) -> dict[str, Finding]:
    return {one.code: one for one in found}


def troubles(found: Iterable[Finding]) -> dict[str, Finding]:
    return {one.code: one for one in found if one.severity is not Severity.fine}


@pytest.fixture
def toy(tmp_path: Path) -> ToyHome:
    return ToyHome.at(tmp_path)


def test_this_environment_is_sound() -> None:
    found = by_code(environment.environment(embedded=True))
    assert not troubles(found.values())
    assert found["PACKAGES"].detail["versions"]["polars"] == metadata.version("polars")


def test_a_missing_package_is_said_with_what_it_stops(monkeypatch: pytest.MonkeyPatch) -> None:
    there = metadata.version

    def version(name: str) -> str:
        if name in ("scipy", "dagster", "timezonefinder", "obstore"):
            raise metadata.PackageNotFoundError(name)
        return there(name)

    monkeypatch.setattr(metadata, "version", version)
    found = {one.place: one for one in environment.environment(embedded=False)}
    assert (found["scipy"].severity, found["dagster"].severity) == (Severity.stops, Severity.odd)
    assert "verify" in found["scipy"].found
    assert "pip install 'scipy" in found["scipy"].remedy
    assert found["timezonefinder"].severity is Severity.odd
    assert found["obstore"].severity is Severity.fine
    needed = {one.place: one for one in environment.environment(embedded=True)}
    assert needed["timezonefinder"].severity is Severity.stops


def test_other_versions_and_broken_libraries_are_named(monkeypatch: pytest.MonkeyPatch) -> None:
    there = metadata.version
    monkeypatch.setattr(metadata, "version", lambda name: "1.2.3" if name == "polars" else there(name))
    monkeypatch.setattr(environment, "NATIVE", {"shapely": "seg3b_assets_tests.doctor.no_such_module"})
    found = {one.place: one for one in troubles(environment.environment(embedded=False)).values()}
    assert (found["polars"].code, found["polars"].severity) == ("PACKAGE_VERSION", Severity.odd)
    assert (found["shapely"].code, found["shapely"].severity) == ("PACKAGE_BROKEN", Severity.stops)


def test_another_python_stops(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(platform, "python_version", lambda: "3.9.1")
    assert troubles(environment.environment(embedded=False))["PYTHON_VERSION"].severity is Severity.stops


def test_what_packages_are_for_is_what_the_code_imports() -> None:
    """Reading needs what every command needs and nothing else; verifying, nothing that only runs need."""
    project = tomllib.loads((REPOSITORY / "pyproject.toml").read_text(encoding="utf-8"))["project"]
    required = [*project["dependencies"], *chain(*project["optional-dependencies"].values())]
    assert {re.split(r"[<>=!~ ]", line)[0] for line in required} == set(NEEDED_FOR)
    distributions = metadata.packages_distributions()
    of_reading = {distributions[name][0].lower().replace("_", "-") for name in packages("read")}
    of_verifying = {distributions[name][0].lower().replace("_", "-") for name in packages("verify")}
    every = {name for name, use in NEEDED_FOR.items() if use == EVERY}
    assert of_reading == every
    assert of_verifying == every | {name for name, use in NEEDED_FOR.items() if "verify" in use}


def test_contracts_ship_and_compile(monkeypatch: pytest.MonkeyPatch) -> None:
    assert not troubles(contracts())

    def none(name: str) -> Path:
        raise FileNotFoundError(f"installed without {name}")

    monkeypatch.setattr("seg3b_assets.doctor.installation.shipped", none)
    found = list(contracts())
    assert {one.code for one in found} == {"SHIPPED_FILE_MISSING"}
    assert {one.place for one in found} >= {"contracts", "policies", "dagster.yaml"}


def test_every_policy_that_does_not_load_is_named_with_its_key(tmp_path: Path) -> None:
    folder = Path(shutil.copytree(REPOSITORY / "policies", tmp_path / "policies"))
    for name, was, now in (
        ("settlement", "missing_coordinate: draw", "missing_coordinate: maybe"),
        ("tz_nudge", "epsilon_deg", "epsilon"),
    ):
        path = folder / f"{name}.yaml"
        text = path.read_text()
        assert was in text
        path.write_text(text.replace(was, now))
    (folder / "route_rng.yaml").unlink()
    (folder / "notes.yaml").write_text("a: 1\n")
    loaded, found = policies(folder)
    assert loaded is None
    assert {one.code for one in found} == {"E3B_S0_POLICY_SCHEMA_INVALID"}
    places = [one.place for one in found]
    assert places[0] == "notes.yaml"
    assert {"settlement.yaml:missing_coordinate", "route_rng.yaml"} <= set(places)
    assert any(place.startswith("tz_nudge.yaml") for place in places)
    assert policies(tmp_path / "none")[0] is None


def test_a_policy_that_binds_to_nothing_is_named_before_a_run_gets_there(tmp_path: Path) -> None:
    folder = Path(shutil.copytree(REPOSITORY / "policies", tmp_path / "policies"))
    path = folder / "virtual_routing_fields.yaml"
    text = path.read_text()
    for column in ("edge_catalogue_3B.country_iso", "edge_catalogue_3B.lat_deg"):
        assert column in text
        text = text.replace(column, "edge_catalogue_3B.nonsense")
    path.write_text(text)
    loaded, found = policies(folder)
    assert loaded is not None and not troubles(found)
    bound = [one.place for one in meant(loaded) if one.code == "E3B_S4_FIELD_BINDING_INVALID"]
    assert bound == [f"{path.name}:ip_country_source", f"{path.name}:ip_latitude_source"]
    sound, _ = policies(REPOSITORY / "policies")
    assert sound is not None and not list(meant(sound))


def test_a_home_that_is_not_there_is_made_by_a_run(tmp_path: Path, unchanged: Callable[[], None]) -> None:
    unchanged()
    found = list(home(tmp_path / "home"))
    assert [(one.code, one.severity) for one in found] == [("HOME", Severity.fine)]


def test_a_home_whose_parts_are_files_or_locked_away_stops(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    assert troubles(home(tmp_path / "file" / "home"))["HOME_UNWRITABLE"].severity is Severity.stops
    (tmp_path / "home").mkdir()
    (tmp_path / "home" / "snapshots").write_text("")
    assert troubles(home(tmp_path / "home"))["HOME_STRANGE"].place.endswith("snapshots")


def test_a_link_inside_a_home_is_said_once_as_a_run_says_it(toy: ToyHome) -> None:
    toy.run(1)
    (toy.path / "snapshots").rename(toy.path.with_name("elsewhere"))
    (toy.path / "snapshots").symlink_to(toy.path.with_name("elsewhere"))
    found = examine(replace(toy.settings, upstream=None, policies=REPOSITORY / "policies"))
    (linked,) = found.of(Severity.stops)
    assert (linked.code, linked.place) == ("E3B_S0_INPUT_OPEN_FAILED", str(toy.path / "snapshots"))
    with pytest.raises(Seg3BError) as caught:
        toy.run(2)
    assert caught.value.code == linked.code


def test_a_home_in_use_says_by_whom_and_which_processes_are_gone(
    toy: ToyHome, unchanged: Callable[[], None]
) -> None:
    toy.run(1)
    process = subprocess.Popen([sys.executable, "-c", HOLD, str(toy.path)], stdout=subprocess.PIPE, text=True)
    assert process.stdout is not None
    assert process.stdout.readline() == "held\n"
    process.kill()
    process.communicate()
    with announced(toy.path, "a run of seed 7"), exclusive(run_lock(toy.path)):
        unchanged_inside = {path: path.stat().st_mtime_ns for path in toy.path.rglob("*")}
        found = list(home(toy.path))
        assert {path: path.stat().st_mtime_ns for path in toy.path.rglob("*")} == unchanged_inside
    codes = by_code(found)
    assert f"process {os.getpid()}" in codes["HELD"].found
    assert "a run of seed 7" in codes["HELD_ALONE"].found
    assert codes["HOLDER_GONE"].severity is Severity.odd
    unchanged()
    assert "HELD" not in by_code(home(toy.path))


def test_what_lies_about_is_named(toy: ToyHome, unchanged: Callable[[], None]) -> None:
    toy.run(1)
    (toy.path / "staging" / f"S2-{'d' * 16}").mkdir()
    (toy.path / "staging" / ".DS_Store").write_text("")
    (toy.path / "trash" / "20260101T000000Z-00000000").mkdir(parents=True)
    (toy.path / "quarantine" / f"S1-{'a' * 64}-{'0' * 8}").mkdir(parents=True)
    unchanged()
    found = [one for one in home(toy.path) if one.severity is Severity.odd]
    assert {"STAGING_LEFT", "PRUNE_UNFINISHED", "QUARANTINED"} <= {one.code for one in found}
    assert [Path(one.place).name for one in found if one.code == "STAGING_LEFT"] == [f"S2-{'d' * 16}"]
    assert [Path(one.place).name for one in found if one.code == "STRAY"] == [".DS_Store"]


def test_a_stray_file_in_staging_is_no_runs_end(toy: ToyHome) -> None:
    toy.run(1)
    (toy.path / "staging" / ".DS_Store").write_text("")
    toy.run(2)
    assert (toy.path / "staging" / ".DS_Store").exists()


def test_pointers_that_do_not_resolve_are_named(toy: ToyHome, unchanged: Callable[[], None]) -> None:
    kept = toy.run(1)
    toy.refs.move("baseline", {42: kept.lineage_id, 7: "0" * 64})
    toy.run(2)
    assert "SNAPSHOT_BROKEN" not in by_code(home(toy.path))
    head = toy.store.heads(42)["S3"]
    shutil.rmtree(toy.path / "snapshots" / "S3" / head)
    (toy.path / "heads" / "seed=9.json").write_text("{")
    (toy.path / "refs" / "candidate.json").write_text("{")
    unchanged()
    found = list(home(toy.path))
    assert by_code(found)["SNAPSHOT_BROKEN"].found.startswith("S3 of seed 42")
    assert "seed 7" in by_code(found)["REF_BROKEN"].found
    stopping = [one for one in found if one.severity is Severity.stops]
    assert {Path(one.place).name for one in stopping} == {"seed=9.json", "candidate.json"}


def test_who_wrote_a_home_is_held_against_this_code(tmp_path: Path) -> None:
    here = {one.spec.name: one.spec.code_version for one in states()}
    here |= {f"package {name}": version for name, version in runtime_versions().items()}
    (same,) = written_by(tmp_path, here)
    assert same.severity is Severity.fine
    (other,) = written_by(tmp_path, {**here, "S1": "2.0.9", "package numpy": "2.0.0"})
    assert (other.code, other.severity) == ("OTHER_VERSIONS", Severity.odd)
    assert f"S1 2.0.9, here {here['S1']}, package numpy 2.0.0, here" in other.found


def test_an_older_home_is_named_with_the_release_that_reads_it(
    tmp_path: Path, unchanged: Callable[[], None]
) -> None:
    with tarfile.open(REPOSITORY / "seg3b_assets_tests" / "data" / "home_of_0.1.tar.xz") as archive:
        archive.extractall(tmp_path, (one for one in archive if one.name.startswith("home")))
    unchanged()
    found = by_code(home(tmp_path / "home"))
    assert "pip install 'seg3b-assets==0.1.*'" in found["OLDER_HOME"].remedy
    assert not [one for one in found.values() if one.severity is Severity.stops]


@pytest.fixture
def dagster(tmp_path: Path) -> Path:
    folder = tmp_path / "dagster"
    folder.mkdir()
    shutil.copy(REPOSITORY / "dagster.yaml", folder)
    return folder


def write_history(folder: Path, *revisions: str, wal: bool = True) -> Path:
    path = folder / "history" / "runs.db"
    path.parent.mkdir(exist_ok=True)
    with closing(sqlite3.connect(path)) as database:
        if wal:
            database.execute("PRAGMA journal_mode=WAL")
        database.execute("CREATE TABLE runs (id INTEGER)")
        database.execute("CREATE TABLE alembic_version (version_num VARCHAR(32))")
        database.executemany("INSERT INTO alembic_version VALUES (?)", [(one,) for one in revisions])
        database.commit()
    return path


def test_a_ruined_dagster_home_is_recognised_with_its_mend(
    dagster: Path, unchanged: Callable[[], None]
) -> None:
    path = write_history(dagster, "aaaa", "bbbb")
    unchanged()
    found = by_code(dagster_home(str(dagster)))["DAGSTER_HISTORY_RUINED"]
    assert (found.severity, found.place) == (Severity.stops, str(path))
    assert "2 revisions" in found.found
    assert "dagster instance migrate" in found.remedy


def test_a_sound_dagster_home_is_left_as_it_is(dagster: Path, unchanged: Callable[[], None]) -> None:
    write_history(dagster, "aaaa")
    unchanged()
    assert not troubles(dagster_home(str(dagster)))


def test_a_dagster_home_that_is_not_there_is_not_made(tmp_path: Path, unchanged: Callable[[], None]) -> None:
    unchanged()
    assert troubles(dagster_home(str(tmp_path / "none")))["DAGSTER_HOME"].remedy.startswith("mkdir -p ")
    assert not troubles(dagster_home(None))
    assert troubles(dagster_home(str(tmp_path / "a?b")))["DAGSTER_HOME"].severity is Severity.stops


def test_a_dagster_configuration_without_our_lock_is_odd(dagster: Path) -> None:
    assert not troubles(dagster_home(str(dagster)))
    path = dagster / "dagster.yaml"
    path.write_text("telemetry: {enabled: false}\n")
    assert troubles(dagster_home(str(dagster)))["DAGSTER_CONFIGURATION"].severity is Severity.odd
    path.write_text("a: [\n")
    assert troubles(dagster_home(str(dagster)))["DAGSTER_CONFIGURATION"].severity is Severity.stops
    path.unlink()
    assert "first users" in troubles(dagster_home(str(dagster)))["DAGSTER_CONFIGURATION"].found


def test_room_is_held_against_what_runs_write(toy: ToyHome, monkeypatch: pytest.MonkeyPatch) -> None:
    toy.run(1)
    settings = replace(toy.settings, upstream=None)
    assert {one.code for one in disk(settings, 4)} == {"DISK"}

    def free(megabytes: int) -> None:
        usage = SimpleNamespace(free=megabytes * 1_000_000)
        monkeypatch.setattr("seg3b_assets.doctor.disk.shutil.disk_usage", lambda path: usage)

    free(3)
    (narrow,) = [one for one in disk(settings, 4) if one.place == str(settings.home)]
    assert (narrow.code, narrow.detail["run_mb"], narrow.detail["free_mb"]) == ("DISK_NARROW", 1, 3)
    free(0)
    assert {one.severity for one in disk(settings, 4)} == {Severity.stops}


def test_a_check_that_fails_in_an_unforeseen_way_is_a_finding() -> None:
    class PanicError(BaseException):
        pass

    def panics() -> list[Finding]:
        raise PanicError("a parser's")

    (found,) = finding.looked("home", panics)
    assert (found.code, found.place, found.severity) == ("INTERNAL", "PanicError", Severity.stops)

    def interrupted() -> list[Finding]:
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        list(finding.looked("home", interrupted))


def test_parts_whose_packages_are_missing_do_not_hide_the_others(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    import importlib  # noqa: PLC0415

    there = importlib.import_module

    def load(name: str, package: str | None = None) -> object:
        if name == "seg3b_assets.doctor.home":
            raise ModuleNotFoundError("No module named 'polars'", name="polars")
        return there(name, package)

    monkeypatch.setattr("seg3b_assets.doctor.examination.importlib.import_module", load)
    found = examine(Settings.from_environment(home=tmp_path / "home", cache=tmp_path / "cache"))
    (missing,) = [one for one in found.findings if one.code == "PACKAGE_MISSING"]
    assert (missing.area, missing.place) == ("home", "polars")
    assert {"policies", "contracts", "disk"} <= {one.area for one in found.findings}
    assert found.exit_code == 2
    assert orjson.dumps(found.as_json())


def test_refs_are_read_as_the_store_reads_them(toy: ToyHome) -> None:
    kept = toy.run(1)
    Refs(toy.path).move("last_good", {42: kept.lineage_id})
    assert by_code(home(toy.path))["REFS"].found.startswith("1 ")
