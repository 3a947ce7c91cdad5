"""``seg3b certify``: the JSON, the exit codes, and what a person reads."""

from __future__ import annotations

import shutil
from dataclasses import replace
from io import StringIO
from pathlib import Path

import orjson
import pytest
from rich.console import Console

from seg3b_assets.certification import CertificationRun
from seg3b_assets.policies.strict_yaml import parse_document
from seg3b_assets.report.terminal import WIDTH, show_certification
from seg3b_assets.settings import Settings
from seg3b_assets.wording import margin, number
from seg3b_assets_tests.certification.conftest import Certified, edit
from seg3b_assets_tests.end_to_end.installation import Installation

USAGE, STRUCTURAL = 2, 3


def test_the_json_has_its_keys_and_a_pass_is_exit_code_0(
    installation: Installation, certified: Certified
) -> None:
    done = installation.seg3b("certify", "--seeds", "31415, 42", "--json")
    assert (done.exit_code, done.stderr, done.stdout.count("\n")) == (0, "", 1)
    printed = done.json
    assert list(printed) == [
        "verdict",
        "grade_a",
        "scope",
        "seeds_required",
        "seeds",
        "cross_seed",
        "confidence",
        "margins",
        "reference",
        "summary_path",
        "wall_s",
        "report_path",
    ]
    assert (printed["verdict"], type(printed["grade_a"])) == ("PASS_BPLUS", bool)
    assert list(printed["seeds"].items()) == [("31415", "PASS_BPLUS"), ("42", "PASS_BPLUS")]
    assert printed["cross_seed"].keys() == {"3B-X01", "3B-X02", "3B-X03"}
    assert printed["margins"].keys() == {"31415", "42"}
    assert printed["reference"].keys() == {"grade_a_plus", "pass", "seeds", "pooled", "across"}
    assert printed["reference"]["seeds"].keys() == {"31415", "42"}
    assert printed["wall_s"] > 0
    summary = Path(printed["summary_path"])
    assert summary.is_relative_to(installation.home)
    assert summary.read_bytes() == certified.run.summary_path.read_bytes()
    assert orjson.loads(summary.read_bytes())["confidence"] == printed["confidence"]


def test_a_person_reads_every_gate_of_every_seed_and_the_verdict(
    installation: Installation, certified: Certified
) -> None:
    done = installation.seg3b("certify", "--seeds", "42,31415")
    lines = done.stdout.splitlines()
    for gate in (*(f"V{at:02d}" for at in range(1, 13)), "D01", "D02", "D03"):
        assert [line for line in lines if line.startswith(f"{gate} ")]
    for gate in (f"S{at:02d}" for at in range(1, 13)):
        assert [line for line in lines if line.startswith(f"{gate} ")]
    gate = certified.run.metrics[42].hard_gates["3B-V07"]
    [row] = [line for line in lines if line.startswith("V07 ")]
    assert f"{number(gate.observed)} {margin(gate.margin)}" in row
    for gate in (f"R{at:02d}" for at in range(1, 13)):
        assert [line for line in lines if line.startswith(gate)]
    for line in ("X01", "RX1", "RX2", "RX3", "bootstrap", "seeds alike", "coupling", "classes", "contract"):
        assert [found for found in lines if found.startswith(line)]
    assert any(line.startswith("verdict") and "PASS_BPLUS" in line for line in lines)
    assert f"summary    {installation.home}" in done.stdout
    assert "kept already" in lines[-2]
    assert lines[-1].startswith(f"report     {installation.home}")
    assert max(len(line) for line in lines if str(installation.home) not in line) <= WIDTH


def test_a_realism_failure_is_exit_code_1_and_says_what_failed(installation: Installation) -> None:
    edit(installation.policies, "certification", {"prevalence_band": [0.9, 1.0]})
    done = installation.seg3b("certify", "--seeds", "42,31415")
    assert done.exit_code == 1
    assert "verdict    FAIL_REALISM, not grade A" in done.stdout
    lines = [line for line in done.stdout.splitlines() if line.startswith("X02")]
    assert len(lines) > 1 and all("\u2717" in line for line in lines)
    [trace] = [line.split()[1] for line in done.stdout.splitlines() if line.startswith("failures")]
    assert "## 1. 3B-X02 (hard), seed 42" in Path(trace).read_text()


@pytest.mark.parametrize("seeds", ["", "x", "42,-1", "42,,7", str(2**64), "1.5"])
def test_seeds_that_are_no_uint64_are_a_usage_error(installation: Installation, seeds: str) -> None:
    shutil.rmtree(installation.home)
    done = installation.seg3b("certify", "--seeds", seeds, "--json")
    assert done.exit_code == USAGE
    assert "2^64-1" in done.stderr
    assert not installation.home.exists()


def test_a_structural_failure_is_exit_code_3_by_seed(
    installation: Installation, again: Settings, tmp_path: Path
) -> None:
    (tmp_path / "roots").mkdir()
    done = replace(installation, upstream=tmp_path / "roots").seg3b(
        "certify", "--seeds", "42,31415", "--json"
    )
    assert done.exit_code == STRUCTURAL
    assert list(done.json) == ["error", "seeds"]
    assert done.json["error"] == done.json["seeds"]["42"]["error"]
    assert list(done.json["seeds"]) == ["42", "31415"]
    assert "seed 31415: E3B_S0_" in done.stderr
    assert "Traceback" not in done.stderr


def test_policies_that_cannot_be_read_are_one_error_not_one_per_seed(installation: Installation) -> None:
    (installation.policies / "certification.yaml").write_text("policy_id: certification\n")
    done = installation.seg3b("certify", "--json")
    assert done.exit_code == STRUCTURAL
    assert list(done.json) == ["error"]
    assert done.error["code"] == "E3B_S0_POLICY_SCHEMA_INVALID"


def test_the_policys_seeds_are_the_default(installation: Installation) -> None:
    edit(installation.policies, "certification", {"seeds": [31415], "lanes.certification.seeds": [31415]})
    done = installation.seg3b("certify", "--json")
    assert list(done.json["seeds"]) == ["31415"]
    assert (done.json["confidence"]["ks_top1_share"]["pass"], done.json["grade_a"]) == (False, False)


def test_a_world_without_virtual_merchants_fails_and_is_shown(installation: Installation) -> None:
    rules = parse_document((installation.policies / "mcc_channel_rules.yaml").read_bytes()).value["rules"]
    physical = {f"rules[{number}].decision": "physical" for number in range(len(rules))}
    edit(installation.policies, "mcc_channel_rules", physical)
    done = installation.seg3b("certify", "--seeds", "42")
    assert done.exit_code == 1, done.stderr
    assert "n/a" in done.stdout
    assert "verdict    FAIL_REALISM" in done.stdout


def shown(run: CertificationRun) -> str:
    console = Console(file=StringIO(), width=WIDTH, soft_wrap=True, highlight=False, markup=False)
    show_certification(run, console)
    assert isinstance(console.file, StringIO)
    return console.file.getvalue()


def test_many_seeds_and_seeds_of_twenty_digits_fit_the_page(certified: Certified) -> None:
    document = certified.run.metrics[42]
    for seeds in (range(12), (2**64 - 1, 2**64 - 2, 7)):
        printed = shown(replace(certified.run, metrics=dict.fromkeys(seeds, document)))
        assert all(f"seed {seed}" in printed for seed in seeds)
        matrix = printed.partition("verdict    PASS")[0]
        assert max(map(len, matrix.splitlines())) <= WIDTH
        assert "\u2026" not in matrix


def test_a_seed_without_a_bundle_is_named(certified: Certified) -> None:
    document = certified.run.metrics[42]
    provenance = document.provenance.model_copy(update={"blocked": "E3B_S4_X: [somewhere]"})
    blocked = document.model_copy(update={"provenance": provenance})
    printed = shown(replace(certified.run, metrics={42: blocked}))
    [line] = [line for line in printed.splitlines() if line.startswith("seed 42")]
    assert line.endswith("E3B_S4_X: [somewhere]")
