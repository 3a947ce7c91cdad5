"""The reference pages say what schemas, models and registries say now."""

import pytest

from seg3b_assets.contracts import all_contracts
from seg3b_assets.policies import POLICY_MODELS
from seg3b_assets.reference import PAGES
from seg3b_assets.reference.markdown import table
from seg3b_assets.settings import REPOSITORY


@pytest.mark.parametrize("name", PAGES)
def test_the_page_on_disk_is_what_would_be_generated(name: str) -> None:
    written = (REPOSITORY / "docs" / "reference" / name).read_text(encoding="utf-8")
    assert written == PAGES[name](), "run `make docs`"


def test_every_dataset_and_policy_has_its_section() -> None:
    contracts, policies = PAGES["contracts.md"](), PAGES["policies.md"]()
    assert all(f"### {dataset_id}\n" in contracts for dataset_id in all_contracts())
    assert all(f"## {policy_id}\n" in policies for policy_id in POLICY_MODELS)


def test_a_cell_cannot_break_its_table() -> None:
    assert table(("a", "b"), [("x|y", "two\nlines")]).splitlines()[2] == "| x\\|y | two lines |"
