"""seg3b diff: a certified lineage against one that was only run, by metric, gate, digest, policy key and time."""

from __future__ import annotations

import re
from typing import Any

from seg3b_assets.realism.policy_reading import load_policies
from seg3b_assets_tests.certification.conftest import SEEDS, Certified, edit
from seg3b_assets_tests.end_to_end.installation import Installation

SEED = SEEDS[0]


def test_what_changed_between_what_was_certified_and_what_is_in_force(
    installation: Installation, certified: Certified
) -> None:
    certified_id = certified.run.certification_id
    before = load_policies(installation.policies).edge_topology.budget.sigma
    edit(installation.policies, "edge_topology", {"budget.sigma": before / 2})
    ran = installation.run(seed=SEED).passed()
    found = installation.seg3b("diff", certified_id[:12], "heads", "--seed", str(SEED), "--json").passed()
    one: dict[str, Any] = found["seeds"][str(SEED)]

    assert one["policies"] == [
        {"policy": "edge_topology", "key": "budget.sigma", "was": before, "now": before / 2}
    ]
    assert one["flags"]["now"] == ran["flag"] != one["flags"]["was"]
    assert one["measured_by"] == {"was": f"certification {certified_id}", "now": "contract run"}
    assert one["verdicts"] == {"was": "PASS_BPLUS", "now": None}
    assert {change["dataset"] for change in one["datasets"]} >= {"edge_catalogue_3B", "passed_flag_3B"}
    assert {change["state"] for change in one["timings"]} == {"S0", "S1", "S2", "S3", "S4", "S5"}

    measured = certified.run.metrics[SEED].metrics.values
    metrics = {change["metric"]: change for change in one["metrics"] if change["population"] == "all"}
    spread = metrics["edges_per_merchant_cv"]
    assert spread["was"] == measured["edges_per_merchant_cv"] > spread["now"]
    gates = {change["gate"]: change for change in one["gates"] if change["population"] == "all"}
    assert gates["3B-V01"]["now"]["observed"] == spread["now"]
    assert gates["3B-V01"]["was"]["pass"] is gates["3B-V01"]["now"]["pass"] is True
    assert gates["3B-S01"]["now"] is None  # only a certification holds the stretch bounds
    assert "3B-V10" not in gates  # nothing about the rules changed

    shown = installation.seg3b("diff", certified_id[:12], "--seed", str(SEED)).stdout
    assert re.search(rf"edge_topology\s+budget\.sigma\s+{before}\s+{before / 2}\s", shown)
    assert re.search(r"edges_per_merchant_cv\s+all\s+[\d.]+\s+[\d.]+\s+−[\d.]+ %", shown)
    assert "states with other results: S0, S2" in shown


def test_the_same_on_both_sides_says_so(installation: Installation, certified: Certified) -> None:
    found = installation.seg3b("diff", "heads", certified.run.certification_id[:12], "--json").passed()
    for one in found["seeds"].values():
        assert one["metrics"] == one["gates"] == one["datasets"] == one["policies"] == []
    assert "the same lineage" in installation.seg3b("diff", "heads", "heads").stdout


def test_names_that_stand_for_nothing_are_usage_errors(installation: Installation) -> None:
    for arguments in (("last_good",), ("nonsense",), ("heads", "0" * 12), ("heads", "heads", "--seed", "9")):
        assert installation.seg3b("diff", *arguments).exit_code == 2
