"""Which refs runs and certifications move, and what a person may pin."""

from __future__ import annotations

import shutil
from pathlib import Path
from typing import Any

import pytest

from seg3b_assets.store import Refs
from seg3b_assets_tests.certification.conftest import SEEDS, Certified, edit
from seg3b_assets_tests.end_to_end.installation import Installation, Outcome

pytestmark = pytest.mark.e2e

ASKED = ",".join(str(seed) for seed in SEEDS)


def refs(installation: Installation) -> dict[str, Any]:
    return installation.seg3b("refs", "--json").passed()


def lineages(shown: dict[str, Any], name: str) -> dict[int, str]:
    return {int(seed): one["lineage_id"] for seed, one in shown[name].items()}


def certify(installation: Installation, *arguments: str) -> Outcome:
    return installation.seg3b("certify", "--json", "--seeds", ASKED, *arguments)


def test_a_passing_certification_moves_candidate_certification_and_last_good(
    installation: Installation, certified: Certified
) -> None:
    assert certify(installation).json["verdict"] == "PASS_BPLUS"
    shown = refs(installation)
    expected = {seed: one.lineage_id for seed, one in certified.run.lineages.items()}
    for name in ("heads", "candidate", "certification", "last_good"):
        assert lineages(shown, name) == expected
    assert shown["baseline"] == {}
    assert {one["verdict"] for one in shown["last_good"].values()} == {"PASS_BPLUS"}
    assert {one["whole"] for one in shown["last_good"].values()} == {True}


def test_a_failing_certification_moves_only_candidate_and_cannot_be_pinned_as_good(
    installation: Installation,
) -> None:
    shutil.rmtree(installation.home / "certifications")
    edit(installation.policies, "certification", {"prevalence_band": [0.9, 0.95]})
    assert certify(installation).exit_code == 1
    shown = refs(installation)
    assert shown["certification"] == shown["last_good"] == {}
    assert lineages(shown, "candidate") == lineages(shown, "heads")
    refused = installation.seg3b("refs", "set", "last_good")
    assert (refused.exit_code, "did not pass" in " ".join(refused.stderr.split())) == (2, True)


def test_other_policies_move_no_ref_and_baseline_finds_them(
    installation: Installation, certified: Certified
) -> None:
    baseline = installation.policies / "baseline"
    shutil.rmtree(baseline)
    shutil.copytree(certified.settings.policies, baseline, ignore=shutil.ignore_patterns("baseline"))
    edit(baseline, "edge_topology", {"version": "9.9.9"})
    refused = installation.seg3b("refs", "set", "baseline")
    assert refused.exit_code == 2

    seed = str(SEEDS[0])
    done = installation.seg3b("certify", "--json", "--seeds", seed, "--policies", str(baseline))
    assert done.exit_code in (0, 1)
    assert {name for name, one in refs(installation).items() if one} == {"heads"}
    pinned = installation.seg3b("refs", "set", "baseline", "--json").passed()
    assert list(pinned["lineages"]) == [seed]
    assert pinned["lineages"][seed] != certified.run.lineages[SEEDS[0]].lineage_id
    assert lineages(refs(installation), "baseline") == {SEEDS[0]: pinned["lineages"][seed]}


def test_pinning_by_id_by_ref_and_by_seed(installation: Installation, certified: Certified) -> None:
    first, second = (certified.run.lineages[seed].lineage_id for seed in SEEDS)
    assert installation.seg3b("refs", "set", "candidate", first[:10]).exit_code == 0
    assert Refs(installation.home).read("candidate") == {SEEDS[0]: first}
    whole = certified.run.certification_id[:12]
    assert installation.seg3b("refs", "set", "last_good", whole, "--seed", str(SEEDS[1])).exit_code == 0
    assert Refs(installation.home).read("last_good") == {SEEDS[1]: second}
    assert installation.seg3b("refs", "set", "candidate", "last_good").exit_code == 0
    assert Refs(installation.home).read("candidate") == {SEEDS[0]: first, SEEDS[1]: second}


def test_what_cannot_be_pinned_says_why(installation: Installation, certified: Certified) -> None:
    def told(*arguments: str) -> str:
        refused = installation.seg3b("refs", "set", *arguments)
        assert refused.exit_code == 2
        return " ".join(refused.stderr.replace("│", " ").split())

    assert "is the start neither of a name" in told("candidate", "nonsense")
    assert "no run, lineage or certification" in told("candidate", "0" * 12)
    assert "the ref last_good is not set" in told("candidate", "last_good")
    assert "has no seed 9" in told("candidate", "heads", "--seed", "9")
    key = certified.run.lineages[SEEDS[0]].record.keys["S3"]
    shutil.rmtree(installation.home / "snapshots" / "S3" / key)
    assert "are gone" in told("candidate")
    assert refs(installation)["candidate"] == {}


def test_a_run_moves_candidate_unless_it_is_of_other_policies(
    installation: Installation, tmp_path: Path
) -> None:
    seed = SEEDS[0]
    ran = installation.run(seed=seed).passed()
    assert Refs(installation.home).read("candidate") == {seed: ran["lineage_id"]}
    others = Path(shutil.copytree(installation.policies, tmp_path / "others"))
    edit(others, "edge_topology", {"version": "9.9.9"})
    other = installation.run("--policies", str(others), seed=seed).passed()
    assert other["lineage_id"] != ran["lineage_id"]
    assert Refs(installation.home).read("candidate") == {seed: ran["lineage_id"]}
    assert installation.run("--policies", str(others), "--promote", seed=seed).passed()
    assert Refs(installation.home).read("candidate") == {seed: other["lineage_id"]}


def test_heads_that_are_no_single_run_say_so(installation: Installation) -> None:
    seed = SEEDS[0]
    heads = installation.store.heads(seed)
    installation.store.move_heads(seed, {"S5": heads["S4"]})
    assert refs(installation)["heads"][str(seed)]["run_id"] is None
    assert "of several runs" in installation.seg3b("refs").stdout
