"""``--policies`` with an overlay: what it changes is told, what it makes is sealed, kept, exported and verified."""

from __future__ import annotations

from pathlib import Path

import pytest

from seg3b_assets.doctor.installation import policies as examined
from seg3b_assets.orchestration.record import policy_versions
from seg3b_assets.policies.keyed import same
from seg3b_assets.policies.strict_yaml import parse_document
from seg3b_assets.realism.policy_reading import load_policies
from seg3b_assets.settings import Settings
from seg3b_assets_tests.end_to_end.installation import Installation

CHANGES = [
    {"policy": "edge_topology", "key": "budget.sigma", "was": 0.45, "now": 0.2},
    {"policy": "virtual_validation", "key": "min_class_size", "was": 30, "now": 31},
]


@pytest.fixture
def overlay(finished: Installation, tmp_path: Path) -> Path:
    folder = tmp_path / "what-if"
    folder.mkdir()
    (folder / "overlay.yaml").write_text(f"base: {finished.policies}\n")
    (folder / "edge_topology.yaml").write_text("budget: {sigma: 0.2}\n")
    (folder / "virtual_validation.yaml").write_text("min_class_size: 31\n")
    return folder


def test_a_run_under_an_overlay_says_what_it_changes_and_moves_no_head(
    installation: Installation, overlay: Path, tmp_path: Path
) -> None:
    heads = installation.heads()
    planned = installation.seg3b("plan", "--seed", "42", "--policies", str(overlay), "--json").passed()
    assert [*planned["overlay"]] == ["folder", "base", "changes"]
    assert same(planned["overlay"]["changes"], CHANGES)
    causes = planned["seeds"]["42"]["states"]["S0"]["causes"]
    assert {cause["id"] for cause in causes} == {"edge_topology", "virtual_validation"}

    done = installation.run("--policies", str(overlay)).passed()
    assert same(done["overlay"]["changes"], CHANGES)
    assert installation.heads() == heads
    again = installation.run("--policies", str(overlay)).passed()
    assert all(state["reused"] for state in again["states"].values())
    assert "overlay" not in installation.run().passed()

    tree = tmp_path / "tree"
    [exported] = installation.seg3b("export", done["lineage_id"], str(tree), "--json").passed()["exports"]
    tree = Path(exported["path"])
    carried = (tree / "inputs/policies/edge_topology.yaml").read_bytes()
    assert parse_document(carried).value["budget"]["sigma"] == 0.2
    assert b"# sigma: spread between merchants" in carried
    assert carried == load_policies(overlay).files["edge_topology"].content
    assert installation.seg3b("verify", str(tree)).exit_code == 0
    assert installation.seg3b("verify", str(tree), "--policies", str(overlay)).exit_code == 0


def test_a_person_reads_what_an_overlay_changes(installation: Installation, overlay: Path) -> None:
    told = installation.seg3b("plan", "--seed", "42", "--policies", str(overlay)).stdout
    told = " ".join(told.split())
    assert f"{overlay}, over {installation.policies}; keys that differ: 2" in told
    assert "edge_topology: budget.sigma 0.45 -> 0.2" in told
    assert "virtual_validation: min_class_size 30 -> 31" in told


@pytest.mark.parametrize("command", ["plan --seed 42", "run --seed 42", "certify --seeds 42"])
def test_a_mistake_in_an_overlay_stops_every_command_before_its_work(
    installation: Installation, overlay: Path, command: str
) -> None:
    (overlay / "edge_topology.yaml").write_text("budget: {sigmma: 0.2}\n")
    refused = installation.seg3b(*command.split(), "--policies", str(overlay), "--json")
    assert refused.exit_code == 3
    assert refused.error["code"] == "E3B_S0_POLICY_SCHEMA_INVALID"
    assert refused.error["place"] == "edge_topology.yaml:budget.sigmma"


def test_an_overlay_may_be_the_configured_policies(
    installation: Installation, overlay: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("SEG3B_POLICIES", str(overlay))
    settings = Settings.from_environment(home=installation.home)
    assert settings.configured
    loaded = load_policies(overlay)
    assert policy_versions(settings) == {name: file.sha256 for name, file in loaded.files.items()}
    policies, [finding] = examined(overlay)
    assert policies is not None and "keys that differ: 2" in finding.found
    (overlay / "overlay.yaml").write_text("base: nowhere\n")
    assert set(policy_versions(settings).values()) == {"absent"}
