"""The command line over the real segment: the JSON people script against, seeds, exit codes, help."""

from __future__ import annotations

import re
import subprocess
import sys
from dataclasses import replace
from pathlib import Path
from typing import Any

import orjson
import polars as pl
import pytest

from seg3b_assets_tests.end_to_end.installation import STATES, Installation, Outcome

HEX64 = re.compile(r"[a-f0-9]{64}")
USAGE = 2


def seg3b(*arguments: str) -> Outcome:
    """The installed command, in a process of its own."""
    command = [str(Path(sys.executable).with_name("seg3b")), *arguments]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    return Outcome(done.returncode, done.stdout, done.stderr)


def assert_run_shape(record: dict[str, Any], installation: Installation, reused: bool) -> None:
    assert list(record) == [
        "seed",
        "run_id",
        "lineage_id",
        "total_wall_s",
        "states",
        "counts",
        "joined",
        "input_notes",
        "flag",
        "bundle_dir",
    ]
    assert record["seed"] == 42
    assert re.fullmatch(r"[a-f0-9]{32}", record["run_id"])
    assert HEX64.fullmatch(record["lineage_id"])
    assert record["total_wall_s"] > 0
    assert tuple(record["states"]) == STATES
    for state in record["states"].values():
        assert list(state) == ["key", "digest", "wall_s", "peak_rss_mb", "reused"]
        assert HEX64.fullmatch(state["key"])
        assert HEX64.fullmatch(state["digest"])
        assert state["wall_s"] >= 0
        assert state["peak_rss_mb"] > 10
        assert state["reused"] is reused
    assert list(record["counts"]) == ["merchants", "virtual", "settlements_drawn", "edges", "rng_events"]
    assert all(type(count) is int for count in record["counts"].values())
    assert HEX64.fullmatch(record["flag"])
    bundle = Path(record["bundle_dir"])
    assert bundle.is_absolute()
    assert bundle == installation.path("validation_bundle_3B")
    assert (bundle / "_passed.flag").read_text() == f"sha256_hex = {record['flag']}\n"
    assert (bundle / "_passed.flag").stat().st_size == 78


def test_json_of_a_fresh_run_and_of_a_reused_one(empty: Installation, finished: Installation) -> None:
    fresh = empty.run_elsewhere()
    assert fresh.stdout.count("\n") == 1
    assert_run_shape(fresh.passed(), empty, reused=False)
    again = empty.run_elsewhere()
    assert_run_shape(again.passed(), empty, reused=True)
    assert (fresh.stderr, again.stderr) == ("", "")
    stable = ("seed", "run_id", "lineage_id", "counts", "flag", "bundle_dir")
    assert {name: fresh.passed()[name] for name in stable} == {name: again.passed()[name] for name in stable}
    assert fresh.passed()["flag"] == finished.run().passed()["flag"]


def test_the_largest_seed_works(empty: Installation) -> None:
    seed = 18446744073709551615
    record = empty.run(seed=seed).passed()
    assert (record["seed"], record["counts"]["merchants"]) == (seed, 300)
    assert f"/seed={seed}/" in str(empty.path("edge_catalogue_3B", seed))
    edges = pl.read_parquet(sorted(empty.path("edge_catalogue_3B", seed).iterdir()))
    assert edges["seed"].unique().to_list() == [seed]
    assert b'"seed":18446744073709551615,' in empty.path("rng_audit_log_3B", seed).read_bytes()


@pytest.mark.parametrize("seed", ["-1", str(2**64), "forty-two", "1.5", " ", "0x2a"])
def test_a_seed_that_is_no_uint64_is_a_usage_error_and_touches_nothing(
    empty: Installation, seed: str
) -> None:
    outcome = empty.seg3b("run", f"--seed={seed}", "--json")
    assert outcome.exit_code == USAGE
    assert "2^64-1" in outcome.stderr
    assert not empty.home.exists()


def test_help_lists_the_commands_and_the_options() -> None:
    top, run = seg3b("--help"), seg3b("run", "--help")
    assert (top.exit_code, run.exit_code) == (0, 0)
    for command in ("run", "plan", "world"):
        assert re.search(rf"\b{command}\b", top.stdout)
    for option in ("--seed", "--home", "--policies", "--upstream", "--json", "--recompute", "--promote"):
        assert option in run.stdout


def test_an_error_is_one_json_object_on_stdout_and_words_on_stderr(
    installation: Installation, edited_policies: Path
) -> None:
    (edited_policies / "tz_nudge.yaml").write_text("policy_id: tz_nudge\n")
    outcome = replace(installation, policies=edited_policies).run_elsewhere()
    assert outcome.exit_code == 3
    assert list(orjson.loads(outcome.stdout)) == ["error"]
    assert list(outcome.error) == ["code", "state", "validator", "place", "remedy", "detail"]
    assert outcome.error["code"] == "E3B_S0_POLICY_SCHEMA_INVALID"
    assert outcome.stderr.startswith("E3B_S0_POLICY_SCHEMA_INVALID")
    assert "Traceback" not in outcome.stderr
    assert installation.seg3b("run", "--seed", "42", "--policies", "/nowhere").exit_code == USAGE


def test_a_plan_over_the_finished_home_is_fresh_and_names_an_edited_policy(
    installation: Installation, edited_policies: Path
) -> None:
    planned = installation.seg3b("plan", "--seed", "42", "--json").passed()["seeds"]["42"]["states"]
    assert {state["status"] for state in planned.values()} == {"FRESH"}
    path = edited_policies / "settlement.yaml"
    path.write_bytes(path.read_bytes() + b"# a thought\n")
    edited = replace(installation, policies=edited_policies)
    stale = edited.seg3b("plan", "--seed", "42", "--json").passed()["seeds"]["42"]["states"]
    assert tuple(stale) == STATES
    assert {state["status"] for state in stale.values()} == {"STALE"}
    assert [(cause["kind"], cause["id"]) for cause in stale["S0"]["causes"]] == [("policy", "settlement")]
