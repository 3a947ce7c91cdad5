"""Notes of a receipt that has something to say, told truly: no fault."""

from __future__ import annotations

from pathlib import Path

import orjson

from seg3b_assets_tests.faults.exporting import examine
from seg3b_assets_tests.faults.forgery import Forgery
from seg3b_assets_tests.faults.of_seal import noteworthy
from seg3b_assets_tests.faults.specimen import Specimen


def test_true_notes_of_policies_and_zones_verify(specimen: Specimen, tmp_path: Path) -> None:
    tree = Forgery(world=noteworthy).export(specimen, tmp_path)
    receipt = orjson.loads(next(tree.rglob("s0_gate_receipt_3B.json")).read_bytes())
    assert "tz_nudge of the root says epsilon_deg 0.001" in receipt["notes"]
    assert "zones newer than 2A's tz database 2021a: " in receipt["notes"]
    report = examine(tree, specimen.policies)
    assert [one.spec.check_id for one in report.failed] == []
    [notes] = [one for one in report.checks if one.spec.check_id == "S0.receipt_notes"]
    assert notes.status == "PASS"
