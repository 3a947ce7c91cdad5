"""Paths through make: whatever a person's folders are called, the folder as given or one line of refusal."""

from __future__ import annotations

import os
import shutil
import subprocess
from pathlib import Path

import orjson
import pytest

from seg3b_assets.settings import REPOSITORY
from seg3b_assets_tests.documents.session import checkout

# Prints how it was called: as python, and as seg3b.
STUB = """#!/usr/bin/env python3
import json, os, sys
names = ("SEG3B_HOME", "SEG3B_POLICIES", "SEG3B_UPSTREAM", "SEG3B_CACHE", "DAGSTER_HOME", "DAGSTER_MODULE_NAME")
print(json.dumps({"argv": sys.argv[1:], "cwd": os.getcwd(), **{name: os.environ.get(name) for name in names}}))
"""
USABLE = [
    "plain",
    "a space",
    "a#b",
    "a$b",
    "a$(b)",
    "a'b",
    'a"b',
    "a&b",
    "a;b",
    "ä",
    "a\\b",
    "a  b ",
    "(a)",
    "a`b`",
    "~a",
    "-a",
]
REFUSED = ["a:b", "a%b", "a?b", "a\tb", "a\nb"]


def clone(folder: Path) -> Path:
    """A checkout as far as make is concerned, with an environment of stubs."""
    programs = folder / ".venv" / "bin"
    programs.mkdir(parents=True)
    for name in ("Makefile", "pyproject.toml", "uv.lock", "dagster.yaml"):
        shutil.copy(REPOSITORY / name, folder)
        os.utime(folder / name, (0, 0))
    for name in ("seg3b", "python"):
        (programs / name).write_text(STUB)
        (programs / name).chmod(0o755)
    (folder / ".venv" / ".ready").touch()
    return folder


def make(folder: Path, *arguments: str, **settings: str) -> subprocess.CompletedProcess[str]:
    kept = {
        name: value
        for name, value in os.environ.items()
        if not name.startswith(("SEG3B_", "DAGSTER_", "MAKE"))
    }
    return subprocess.run(
        ["make", "--no-print-directory", *arguments],
        cwd=folder,
        env=kept | settings,
        capture_output=True,
        text=True,
        check=False,
        timeout=60,
    )


def told(done: subprocess.CompletedProcess[str]) -> dict[str, object]:
    assert done.returncode == 0, done.stderr
    return dict(orjson.loads(done.stdout))


@pytest.mark.parametrize("name", USABLE)
def test_a_clone_is_used_where_it_is(name: str, tmp_path: Path) -> None:
    folder = clone(tmp_path / name)
    said = told(make(folder, "run", "SEED=7"))
    assert said["argv"] == ["run", "--seed", "7"]
    assert said["cwd"] == str(folder)
    assert (said["SEG3B_HOME"], said["DAGSTER_HOME"]) == (f"{folder}/.seg3b", f"{folder}/.dagster")
    assert (folder / ".dagster" / "dagster.yaml").resolve() == folder / "dagster.yaml"
    assert sorted(path.name for path in tmp_path.iterdir()) == [name]


@pytest.mark.parametrize("name", REFUSED)
def test_a_clone_that_cannot_be_used_is_refused_in_one_line(name: str, tmp_path: Path) -> None:
    folder = clone(tmp_path / name)
    before = sorted(tmp_path.rglob("*"))
    done = make(folder, "run")
    assert done.returncode != 0
    assert len([line for line in done.stderr.splitlines() if not line.startswith("make:")]) == 1
    assert sorted(tmp_path.rglob("*")) == before


FOLDERS = ("SEG3B_HOME", "SEG3B_POLICIES", "SEG3B_UPSTREAM", "SEG3B_CACHE", "DAGSTER_HOME")


# Every name in all the settings at once, and each setting alone.
@pytest.mark.parametrize(
    ("name", "variables"),
    [*((name, FOLDERS) for name in USABLE), *(("a$(b) c", (variable,)) for variable in FOLDERS)],
)
def test_a_folder_named_in_a_setting_is_that_folder(
    name: str, variables: tuple[str, ...], tmp_path: Path
) -> None:
    folder = clone(tmp_path / "clone")
    for given in (str(tmp_path / name), name):
        right = given if given.startswith("/") else f"{folder}/{given}"
        for said in (
            told(make(folder, "run", **dict.fromkeys(variables, given))),
            told(make(folder, "run", *(f"{variable}={given}" for variable in variables))),
        ):
            assert {variable for variable in FOLDERS if said[variable] == right} == set(variables)
    assert (folder / ".dagster").exists() == ("DAGSTER_HOME" not in variables)


def test_a_url_is_left_as_it_is(tmp_path: Path) -> None:
    folder = clone(tmp_path / "clone")
    assert told(make(folder, "run", SEG3B_HOME="s3://bucket/prefix"))["SEG3B_HOME"] == "s3://bucket/prefix"


@pytest.mark.parametrize("name", USABLE)
def test_what_env_prints_a_shell_reads(name: str, tmp_path: Path) -> None:
    folder = clone(tmp_path / name)
    done = make(folder, "env", SEG3B_HOME="a home")
    script = f'{done.stdout}\nprintf \'%s\\n\' "$SEG3B_HOME" "$DAGSTER_HOME" "${{PATH%%:*}}"'
    shown = subprocess.run(["bash", "-c", script], capture_output=True, text=True, check=True).stdout
    assert shown == f"{folder}/a home\n{folder}/.dagster\n{folder}/.venv/bin\n"


@pytest.mark.parametrize("name", ["plain", "a space", "a#b", "a$b"])
def test_make_may_be_called_from_elsewhere(name: str, tmp_path: Path) -> None:
    folder = clone(tmp_path / name)
    for arguments in (("-C", str(folder), "run"), ("-f", str(folder / "Makefile"), "run")):
        assert told(make(tmp_path, *arguments))["cwd"] == str(folder)


def test_several_first_uses_at_once_make_one_dagster_home(tmp_path: Path) -> None:
    folder = clone(tmp_path / "clone")
    line = " ".join(["make run & "] * 8) + " wait"
    done = subprocess.run(["bash", "-c", line], cwd=folder, capture_output=True, text=True, check=True)
    assert (done.stderr, len(done.stdout.splitlines())) == ("", 8)


@pytest.mark.e2e
@pytest.mark.parametrize("name", ["with a space", "with#a$b"])
def test_a_run_in_a_folder_with_an_odd_name(name: str, tmp_path: Path) -> None:
    folder = checkout(tmp_path / name)
    (folder / ".venv").unlink()
    settings = {
        "SEG3B_WORLD_RESOLUTION": "2",
        "SEG3B_WORLD_MERCHANTS": "600",
        "SEG3B_CACHE": str(tmp_path / "cache"),
    }
    policy = folder / "policies" / "virtual_validation.yaml"
    policy.write_text(policy.read_text().replace("_mode: enforce", "_mode: observe"))
    ours = ("SEG3B_", "DAGSTER_", "MAKE", "PYTHON")
    kept = {key: value for key, value in os.environ.items() if not key.startswith(ours)}
    line = 'make run && eval "$(make env)" && seg3b plan --seed 42 && dagster instance info >/dev/null'
    done = subprocess.run(
        ["bash", "-c", line], cwd=folder, env=kept | settings, capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stderr[-4000:]
    assert "not told" not in done.stderr
    assert "S5  FRESH" in done.stdout
    assert (folder / ".seg3b" / "heads" / "seed=42.json").is_file()
    assert sorted(path.name for path in tmp_path.iterdir()) == sorted(["cache", name])
