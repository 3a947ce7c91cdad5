"""The command line: exit codes, JSON shapes, messages that say where and what to do."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import orjson
import pytest
from typer.testing import CliRunner, Result

from seg3b_assets.cli import app
from seg3b_assets.laws.errors import BlockedError, Seg3BError
from seg3b_assets.pipeline import Segment
from seg3b_assets.settings import Settings
from seg3b_assets.states.context import StateContext
from seg3b_assets_tests.pipeline.toy_segment import run_s4, toy_segment, toy_settings


@pytest.fixture
def settings(tmp_path: Path) -> Settings:
    return toy_settings(tmp_path, (42, 7, 1))


def seg3b(settings: Settings, *arguments: str, segment: Segment | None = None) -> Result:
    environment = {
        "SEG3B_HOME": str(settings.home),
        "SEG3B_POLICIES": str(settings.policies),
        "SEG3B_UPSTREAM": str(settings.upstream),
        "SEG3B_CACHE": str(settings.cache),
    }
    return CliRunner(env=environment).invoke(app, list(arguments), obj=segment or toy_segment())


def fail_with(name: str):
    def fail(context: StateContext) -> None:
        kind = BlockedError if name == "REALISM_GATE_BLOCKED" else Seg3BError
        raise kind("S4", name, "toy_rule", "there", "Do this.", {"expected": 1})

    return toy_segment(S4=fail)


def test_run_prints_one_json_object(settings: Settings) -> None:
    done = seg3b(settings, "run", "--seed", "42", "--json")
    assert done.exit_code == 0
    printed = orjson.loads(done.stdout)
    assert (printed["seed"], printed["states"]["S5"]["reused"]) == (42, False)
    assert Path(printed["bundle_dir"]).is_dir()
    again = orjson.loads(seg3b(settings, "run", "--seed", "42", "--json").stdout)
    assert {state["reused"] for state in again["states"].values()} == {True}
    assert again["flag"] == printed["flag"]


def test_run_tells_a_person_what_was_done_and_where_it_is(settings: Settings) -> None:
    printed = seg3b(settings, "run", "--seed", "42").stdout
    assert "computed" in printed
    assert "300 edges" in printed
    assert str(settings.home) in printed
    assert "reused" in seg3b(settings, "run", "--seed", "42").stdout


def test_several_seeds_are_keyed_by_seed_and_one_failure_does_not_stop_the_others(settings: Settings) -> None:
    def fail_once(context: StateContext) -> None:
        if context.identity.seed == 1:
            raise Seg3BError("S4", "FIELD_BINDING_INVALID", "toy_rule", "there", "Do this.")
        run_s4(context)

    several = ("run", "--seed", "42", "--seed", "1", "--seed", "7", "--json")
    done = seg3b(settings, *several, segment=toy_segment(S4=fail_once))
    printed = orjson.loads(done.stdout)["seeds"]
    assert done.exit_code == 3
    assert list(printed) == ["42", "1", "7"]
    assert printed["7"]["seed"] == 7
    assert printed["1"]["error"]["code"] == "E3B_S4_FIELD_BINDING_INVALID"


@pytest.mark.parametrize("seed", ["-1", "x", "1.5", str(2**64), "", "٤٢", "9" * 5000, "0x10", "1e3", "1_000"])
def test_a_seed_that_is_no_uint64_is_a_usage_error(settings: Settings, seed: str) -> None:
    done = seg3b(settings, "run", f"--seed={seed}")
    assert done.exit_code == 2
    assert "2^64-1" in done.stderr


@pytest.mark.parametrize(
    "arguments",
    [
        ("run",),
        ("run", "--seed", "42", "--policies", "/nowhere"),
        ("run", "--seed", "42", "--upstream", "/nowhere"),
        ("run", "--seed", "42", "--workers", "0"),
        ("run", "--seed", "42", "--world-resolution", "0.07"),
        ("nonsense",),
    ],
)
def test_what_cannot_be_meant_is_a_usage_error(settings: Settings, arguments: tuple[str, ...]) -> None:
    assert seg3b(settings, *arguments).exit_code == 2


@pytest.mark.parametrize(
    ("name", "code"),
    [("REALISM_GATE_BLOCKED", 1), ("FIELD_BINDING_INVALID", 3)],
    ids=["realism", "structure"],
)
def test_a_failure_says_code_place_and_remedy_without_traceback(
    settings: Settings, name: str, code: int
) -> None:
    done = seg3b(settings, "run", "--seed", "42", "--json", segment=fail_with(name))
    assert done.exit_code == code
    assert orjson.loads(done.stdout)["error"] == {
        "code": f"E3B_S4_{name}",
        "state": "S4",
        "validator": "toy_rule",
        "place": "there",
        "remedy": "Do this.",
        "detail": {"expected": 1},
    }
    for said in (f"E3B_S4_{name}", "there", "Do this."):
        assert said in done.stderr
    assert "Traceback" not in done.stderr


def test_a_defect_is_reported_without_traceback_unless_debugging(settings: Settings) -> None:
    def defect(context: StateContext) -> None:
        raise ZeroDivisionError("by zero")

    broken = toy_segment(S3=defect)
    done = seg3b(settings, "run", "--seed", "42", "--json", segment=broken)
    assert (done.exit_code, orjson.loads(done.stdout)["error"]["code"]) == (3, "INTERNAL")
    assert "--debug" in done.stderr
    shown = seg3b(settings, "run", "--seed", "42", "--debug", segment=broken)
    assert shown.exit_code == 3
    assert "Traceback" in shown.stderr
    assert "ZeroDivisionError: by zero" in shown.stderr


def test_an_interrupt_is_neither_pass_nor_fail(settings: Settings) -> None:
    def interrupt(context: StateContext) -> None:
        raise KeyboardInterrupt

    done = seg3b(settings, "run", "--seed", "42", segment=toy_segment(S3=interrupt))
    assert done.exit_code == 130
    assert list((settings.home / "staging").iterdir()) == []


def test_plan_says_why_as_json_and_as_text(settings: Settings) -> None:
    seg3b(settings, "run", "--seed", "42")
    (settings.policies / "topology.yaml").write_text("topology: 2\n")
    states = orjson.loads(seg3b(settings, "plan", "--seed", "42", "--json").stdout)["seeds"]["42"]["states"]
    assert list(states) == ["S0", "S1", "S2", "S3", "S4", "S5"]
    assert states["S0"]["status"] == "STALE"
    (cause,) = states["S0"]["causes"]
    assert (cause["kind"], cause["id"]) == ("policy", "topology")
    assert set(cause) == {"kind", "id", "was", "now"}
    assert "STALE    policy topology" in seg3b(settings, "plan", "--seed", "42").stdout


def test_other_policies_do_not_move_the_heads(settings: Settings, tmp_path: Path) -> None:
    seg3b(settings, "run", "--seed", "42")
    other = tmp_path / "candidate"
    other.mkdir()
    for policy in settings.policies.iterdir():
        (other / policy.name).write_text(policy.read_text() + "# candidate\n")
    heads = settings.home / "heads" / "seed=42.json"
    before = heads.read_bytes()
    assert "heads   unchanged" in seg3b(settings, "run", "--seed", "42", "--policies", str(other)).stdout
    assert heads.read_bytes() == before
    seg3b(settings, "run", "--seed", "42", "--policies", str(other), "--promote")
    assert heads.read_bytes() != before


def test_help_imports_nothing_heavy() -> None:
    probe = (
        "import sys, seg3b_assets.cli; sys.exit(any(m in sys.modules for m in ('polars','scipy','dagster')))"
    )
    assert subprocess.run([sys.executable, "-c", probe], check=False).returncode == 0
