"""A few faults of every kind on every test run; the whole library is ``make faults``."""

from __future__ import annotations

from pathlib import Path

import pytest

from seg3b_assets.settings import REPOSITORY
from seg3b_assets_tests.faults.exporting import examine
from seg3b_assets_tests.faults.library import library
from seg3b_assets_tests.faults.page import fault_page
from seg3b_assets_tests.faults.specimen import Specimen
from seg3b_assets_tests.faults.trial import try_fault

# One per way of planting and per part of the audit; the others run in `make faults`.
REPRESENTATIVES = (
    "sealed_inputs_3B: a key given twice",
    "a settlement at another's place",
    "an edge moved 30 degrees",
    "a weight of minus zero",
    "an event and its trace row dropped, totals put right",
    "a uniform table, with its checksums redone",
    "a test disabled",
    "a path out of the bundle in the index",
    "a link to the world outside",
)


def test_an_untouched_tree_raises_no_alarm(specimen: Specimen) -> None:
    report = examine(specimen.tree, specimen.policies)
    assert [result.check_id for result in report.failed] == []
    assert {result.check_id for result in report.skipped} == {
        "S0.sealed_at_hand",
        "S0.upstream_gates",
        "S0.upstream_inputs",
        "tree.tile_excerpt_sealed",
    }


@pytest.mark.parametrize("name", REPRESENTATIVES)
def test_a_fault_is_claimed_by_the_check_that_names_its_law(
    name: str, specimen: Specimen, tmp_path: Path
) -> None:
    outcome = try_fault(specimen, library()[name], tmp_path)
    assert outcome.caught, outcome.fired
    assert outcome.wrong == ()
    assert outcome.exemplified


def test_the_page_of_faults_is_the_librarys() -> None:
    page = (REPOSITORY / "docs" / "faults.md").read_text(encoding="utf-8")
    assert page == fault_page(), "docs/faults.md is out of date: make faults"


def test_the_library_is_large_enough_to_mean_something() -> None:
    assert len(library()) >= 120
