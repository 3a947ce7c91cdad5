"""``seg3b doctor``: its exit codes, its lines, its JSON; and that it writes nothing, anywhere."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import orjson
import pytest
from typer.testing import CliRunner, Result

from seg3b_assets.cli import app
from seg3b_assets.doctor import Examination, Finding, Severity, examination
from seg3b_assets_tests.doctor.conftest import Broken
from seg3b_assets_tests.doctor.test_upstream import lose_channel, lose_outlets
from seg3b_assets_tests.faults.specimen import world_cache

LACKING = ("dagster", "shapely", "scipy", "matplotlib", "pyarrow", "polars_hash", "filelock", "packaging")
KEYS = {"area", "severity", "code", "place", "found", "remedy", "detail", "seed"}


def seg3b(tmp_path: Path, *arguments: str, **environment: str) -> Result:
    told = {
        "SEG3B_HOME": str(tmp_path / "home"),
        "SEG3B_CACHE": str(tmp_path / "cache"),
        "DAGSTER_HOME": str(tmp_path / "dagster"),
        "SEG3B_SHARED": str(world_cache()),
        **environment,
    }
    return CliRunner(env=told).invoke(app, ["doctor", *arguments])


def test_a_fresh_installation_has_nothing_that_stops_and_none_of_it_is_made(
    tmp_path: Path, unchanged: Callable[[], None]
) -> None:
    unchanged()
    done = seg3b(tmp_path)
    assert done.exit_code == 0, done.output
    lines = done.stdout.splitlines()
    assert [line for line in lines if not line.startswith(" ")][:-1] == [
        "environment", "contracts", "policies", "home", "dagster", "disk",
    ]  # fmt: skip
    assert lines[-1] == "nothing found that would stop a run; 1 odd and allowed"
    assert "mkdir -p" in done.stdout


def test_a_hundred_of_a_kind_are_told_and_the_rest_counted(tmp_path: Path) -> None:
    (tmp_path / "home").mkdir()
    for name in range(300):
        (tmp_path / "home" / f"note {name:03d}").touch()
    found = orjson.loads(seg3b(tmp_path, "--json").stdout)["findings"]
    strays = [one for one in found if one["code"] == "STRAY"]
    assert len(strays) == 101
    assert (strays[-1]["found"], strays[-1]["detail"]) == ("and 200 more", {"more": 200})


def test_a_broken_root_is_told_line_by_line_and_counted(
    broken: Broken, tmp_path: Path, unchanged: Callable[[], None]
) -> None:
    lose_channel(broken)
    lose_outlets(broken)
    arguments = ("--upstream", str(broken.copy.path), "--policies", str(broken.settings.policies))
    unchanged()
    done = seg3b(tmp_path, *arguments)
    assert done.exit_code == 2
    stopping = [line.split() for line in done.stdout.splitlines() if line.startswith("  STOPS")]
    assert [line[1] for line in stopping] == ["E3B_S0_INPUT_OPEN_FAILED", "E3B_S1_INPUT_SCHEMA_MISMATCH"]
    assert all("->" in line for line in stopping)
    assert done.stdout.splitlines()[-1].startswith("2 things stop a run; 1 odd and allowed")
    printed = orjson.loads(seg3b(tmp_path, *arguments, "--seed", "42", "--json").stdout)
    assert (printed["status"], printed["stops"]) == ("STOPS", 2)
    assert all(set(one) == KEYS for one in printed["findings"])
    assert {one["severity"] for one in printed["findings"]} == {"stops", "odd", "fine"}
    assert {one["seed"] for one in printed["findings"] if one["area"].startswith("upstream")} == {42}


def test_the_configured_root_is_looked_at_without_being_named(broken: Broken, tmp_path: Path) -> None:
    lose_outlets(broken)
    told = {"SEG3B_UPSTREAM": str(broken.copy.path), "SEG3B_POLICIES": str(broken.settings.policies)}
    assert "E3B_S0_INPUT_OPEN_FAILED" in seg3b(tmp_path, **told).stdout


def test_another_seed_is_refused_as_a_run_refuses_it(broken: Broken, tmp_path: Path) -> None:
    done = seg3b(tmp_path, "--upstream", str(broken.copy.path), "--seed", "7")
    assert done.exit_code == 2
    assert "E3B_S0_IDENTITY_MISMATCH" in done.stdout


def test_a_folder_without_a_root_is_one_line(tmp_path: Path, unchanged: Callable[[], None]) -> None:
    (tmp_path / "empty").mkdir()
    unchanged()
    done = seg3b(tmp_path, "--upstream", str(tmp_path / "empty"))
    assert done.exit_code == 2
    assert done.stdout.splitlines()[-1].startswith("1 thing stops a run")


def test_a_home_by_url_leaves_no_mirror(tmp_path: Path, unchanged: Callable[[], None]) -> None:
    pytest.importorskip("obstore")
    unchanged()
    done = seg3b(tmp_path, SEG3B_HOME="memory://doctor/home")
    assert done.exit_code == 0, done.output
    assert "memory://doctor/home: can be read" in done.stdout


@pytest.mark.parametrize(
    "arguments", [("--seed", "42"), ("--upstream", "/nowhere"), ("--home", "ftp://x/y"), ("--seed", "x")]
)
def test_what_cannot_be_meant_is_a_usage_error(tmp_path: Path, arguments: tuple[str, ...]) -> None:
    assert seg3b(tmp_path, *arguments).exit_code == 2


@pytest.mark.parametrize("junk", [b"", b"\xff\xfe", b"{", b"[]", b"null", b'{"seed": 1e999}', b"[" * 5000])
def test_a_receipt_of_junk_is_a_finding(tmp_path: Path, junk: bytes) -> None:
    root = tmp_path / "root"
    root.mkdir()
    (root / "run_receipt.json").write_bytes(junk)
    done = seg3b(tmp_path, "--upstream", str(root))
    assert done.exit_code == 2, done.output
    assert "E3B_S0_INPUT_SCHEMA_MISMATCH" in done.stdout
    assert "Traceback" not in done.output


def test_a_root_of_empty_files_is_findings_and_no_traceback(broken: Broken, tmp_path: Path) -> None:
    for place in ("world_countries", "tz_world", "transaction_schema_merchant_ids", "settlement_gazetteer"):
        where = broken.copy.dataset(place)
        for file in [where] if where.is_file() else list(where.glob("*.parquet")):
            file.unlink()
            file.write_bytes(b"PAR1" + b"\0" * 64 + b"PAR1")
    shutil.rmtree(broken.copy.bundle("1B"))
    done = seg3b(tmp_path, "--upstream", str(broken.copy.path), "--json")
    assert done.exit_code == 2, done.output
    assert "Traceback" not in done.output
    stopping = {one["place"] for one in orjson.loads(done.stdout)["findings"] if one["severity"] == "stops"}
    assert len(stopping) >= 5


def test_what_a_terminal_would_obey_is_shown_as_text() -> None:
    one = Finding("home", Severity.odd, "HELD", "\x1b[2Jhome", "a\nb\u202ec", "do\x07")
    shown = list(examination.lines(Examination((one,), 0.1)))
    assert len(shown) == 3
    assert all(line.isprintable() for line in shown)
    assert r"\x1b[2Jhome" in shown[1]


def test_a_short_install_is_told_what_it_lacks(tmp_path: Path) -> None:
    """As where a run is only read: the packages that only runs need are not there."""
    program = (
        "import sys\n"
        f"for name in {LACKING!r}: sys.modules[name] = None\n"
        "from seg3b_assets.cli import app\napp(['doctor', '--json'])"
    )
    settings = {"SEG3B_HOME": str(tmp_path / "home"), "SEG3B_CACHE": str(tmp_path / "cache")}
    done = subprocess.run(
        [sys.executable, "-c", program],
        env={**os.environ, **settings},
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 2, done.stderr
    assert done.stderr == ""
    found = orjson.loads(done.stdout)["findings"]
    assert "INTERNAL" not in {one["code"] for one in found}
    assert {"shapely", "scipy"} <= {one["place"] for one in found if one["severity"] == "stops"}


def test_help_has_an_example() -> None:
    assert "seg3b doctor --upstream" in CliRunner().invoke(app, ["doctor", "--help"]).stdout
