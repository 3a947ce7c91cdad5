"""How programs end: exit 1 is a verdict, and nothing but a verdict exits 1."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import orjson
import polars as pl
import pyarrow as pa
import pytest
from polars.exceptions import PanicException

from seg3b_assets.cli.options import parse_seed, uint64
from seg3b_assets.doors import through_door
from seg3b_assets.laws.identity import UINT64_MAX

LONG = "9" * 5000
SEG3B = [sys.executable, "-m", "seg3b_assets.cli"]


def ended(program: object, *arguments: str) -> int:
    def main() -> object:
        if isinstance(program, BaseException):
            raise program
        return program

    with pytest.raises(SystemExit) as leaving:
        through_door(main, [*arguments])
    assert isinstance(leaving.value.code, int)
    return leaving.value.code


@pytest.mark.parametrize(
    ("program", "code"),
    [
        (None, 0),
        (0, 0),
        (1, 1),
        (SystemExit(1), 1),
        (SystemExit(2), 2),
        (SystemExit("a text"), 3),
        (ValueError("x"), 3),
        (RecursionError(), 3),
        (MemoryError(), 3),
        (PanicException("a parser"), 3),
        (GeneratorExit(), 3),
        (OSError(28, "full"), 3),
        (KeyboardInterrupt(), 130),
        (ModuleNotFoundError("No module named 'shapely.ops'", name="shapely.ops"), 2),
        (ModuleNotFoundError("No module named 'seg3b_assets.lost'", name="seg3b_assets.lost"), 3),
    ],
)
def test_only_a_verdict_exits_1(program: object, code: int) -> None:
    assert ended(program) == code


def test_a_library_that_exits_1_over_a_broken_pipe_is_no_verdict() -> None:
    program = """
import sys
from seg3b_assets.doors import through_door
def main():
    try:
        raise BrokenPipeError(32, "Broken pipe")
    except OSError:
        sys.exit(1)
through_door(main, [])
"""
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, check=False, timeout=60)
    assert (done.returncode, done.stderr) == (141, b"")


def test_what_nobody_foresaw_is_told_once_and_as_json_where_that_is_asked_for(
    capsys: pytest.CaptureFixture[str],
) -> None:
    ended(ZeroDivisionError("by zero"), "--json")
    said = capsys.readouterr()
    assert orjson.loads(said.out)["error"]["code"] == "INTERNAL"
    assert said.err.splitlines()[0] == "INTERNAL ZeroDivisionError: by zero"
    ended(ZeroDivisionError("by zero"), "--debug")
    assert "Traceback" in capsys.readouterr().err


def test_bytes_that_a_parser_cannot_read_are_no_defect_of_ours(capsys: pytest.CaptureFixture[str]) -> None:
    for error in (
        PanicException("index out of bounds"),
        pl.exceptions.ComputeError("bad"),
        pa.ArrowInvalid("bad"),
    ):
        ended(error, "--json")
        said = capsys.readouterr()
        assert orjson.loads(said.out)["error"]["code"] == "DATA_UNREADABLE"
        assert "seg3b doctor" in said.err


@pytest.mark.parametrize(
    "arguments",
    [
        ["run", "--seed", LONG],
        ["certify", "--seeds", f"42,{LONG}"],
        ["world", "build", "--seed", LONG],
        ["sample", LONG],
        ["sample", "5", "-n", LONG],
        ["sample", "5", "--from-event", str(UINT64_MAX)],
        ["run", "--seed", "1", "--workers", LONG],
        ["plan", "--seed", "1", "--world-resolution", "nan"],
        ["plan", "--seed", "1", "--world-merchants", LONG],
        ["plan", "--seed", "1", "--home", "a" * 5000],
        ["plan", "--seed", "1", "--home", "/dev/null/home"],
        ["plan", "--seed", "1", "--policies", "a" * 5000],
        ["verify", "a" * 5000],
        ["init", "/dev/null/x"],
        ["init", "a'b"],
    ],
    ids=lambda arguments: " ".join(arguments)[:40],
)
def test_an_option_that_cannot_be_read_is_a_usage_error(arguments: list[str], tmp_path: Path) -> None:
    done = subprocess.run(
        [*SEG3B, *arguments], cwd=tmp_path, capture_output=True, text=True, check=False, timeout=60
    )
    assert (done.returncode, "Traceback" in done.stderr) == (2, False), done.stderr
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize(
    ("module", "arguments", "code"),
    [
        ("seg3b_assets.bench", ["--seed", LONG], 2),
        ("seg3b_assets.bench", ["--folder", "/dev/null/x"], 3),
        ("seg3b_assets.orchestration.instance_home", [], 2),
        ("seg3b_assets.orchestration.instance_home", ["/dev/null/x"], 3),
        ("seg3b_assets.certification.baseline_of_record", [], 2),
        ("seg3b_assets.policies.derive_country_weights", ["nowhere/at/all.yaml"], 2),
        ("seg3b_assets_tests.faults", ["--workers", LONG], 2),
        ("seg3b_assets_tests.faults", ["--workers", "0"], 2),
    ],
)
def test_every_other_door_ends_alike(module: str, arguments: list[str], code: int, tmp_path: Path) -> None:
    command = [sys.executable, "-m", module, *arguments]
    done = subprocess.run(command, cwd=tmp_path, capture_output=True, text=True, check=False, timeout=60)
    assert (done.returncode, "Traceback" in done.stderr) == (code, False), done.stderr


@pytest.mark.parametrize("arguments", [["--help"], ["plan", "--help"], ["refs"], ["--version"]])
def test_a_reader_who_stops_ends_it_quietly(arguments: list[str], tmp_path: Path) -> None:
    reading, writing = os.pipe()
    os.close(reading)
    with os.fdopen(writing, "wb") as nobody:
        done = subprocess.run(
            [*SEG3B, *arguments], cwd=tmp_path, stdout=nobody, stderr=subprocess.PIPE, check=False, timeout=60
        )
    assert (done.returncode, done.stderr) == (141, b"")


@pytest.mark.parametrize("text", ["0", "7", "00042", str(UINT64_MAX), f"{'0' * 5000}9"])
def test_a_number_is_read_however_it_is_padded(text: str) -> None:
    assert uint64(text) == int(text.lstrip("0") or "0") == parse_seed(text)
