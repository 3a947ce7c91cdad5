"""Coordinates and overrides that people wrote, used as the policies say and told truly: no fault."""

from __future__ import annotations

from pathlib import Path

import orjson
import pytest

from seg3b_assets_tests.faults.exporting import examine
from seg3b_assets_tests.faults.forgery import Forgery
from seg3b_assets_tests.faults.of_joined import refusing, with_coordinates, with_overrides
from seg3b_assets_tests.faults.specimen import Specimen

HONEST = {
    "all told": (Forgery(world=with_coordinates, policies=with_overrides), 3),
    "every anchor ingested": (Forgery(world=with_coordinates, policies=refusing), 1),
}


@pytest.mark.parametrize("run", HONEST)
def test_what_people_wrote_verifies(specimen: Specimen, tmp_path: Path, run: str) -> None:
    forgery, sources = HONEST[run]
    tree = forgery.export(specimen, tmp_path)
    report = orjson.loads(next(tree.glob("reports/layer1/3B/state=S1/**/run_report.json")).read_bytes())
    assert len(report["joined"]) == sources
    found = examine(tree, specimen.policies)
    assert [one.check_id for one in found.failed] == []
    told = {one.check_id: one.status for one in found.checks}
    assert told["S1.run_report"] == told["S1.settlement_evidence"] == "PASS"
