"""What an asset's page leads on to: owner, law, code, and the columns its columns are made from."""

import re
from pathlib import Path

import dagster as dg
import pytest

from seg3b_assets.contracts import all_contracts, contract
from seg3b_assets.definitions import defs
from seg3b_assets.orchestration.datasets import COLUMNS, LAWS, column_lineage
from seg3b_assets.orchestration.lineage import parents, state_assets
from seg3b_assets.settings import REPOSITORY
from seg3b_assets_tests.orchestration.watch import datasets

GRAPH = defs.resolve_asset_graph()
ALL = sorted(key.to_user_string() for key in GRAPH.get_all_asset_keys())


def metadata(name: str):  # type: ignore[no-untyped-def]
    return GRAPH.get(dg.AssetKey(name)).metadata


@pytest.mark.parametrize("name", ALL)
def test_every_asset_has_one_sentence_an_owner_a_kind_and_a_group(name: str) -> None:
    node = GRAPH.get(dg.AssetKey(name))
    assert node.description
    assert node.description[0].isupper()
    assert node.description.endswith(".")
    assert "\n" not in node.description
    assert node.owners
    assert node.kinds
    assert node.group_name not in {None, "default"}


@pytest.mark.parametrize("name", sorted(datasets()))
def test_an_asset_leads_to_its_code_its_contract_and_its_law(name: str) -> None:
    references = metadata(name)["dagster/code_references"].code_references
    assert [Path(each.file_path).is_file() for each in references] == [True] * len(references)
    assert {"contract"} < {each.label for each in references}
    for each in references:
        if each.label.startswith("law"):
            line = LAWS.read_text().splitlines()[each.line_number - 1]
            assert line.startswith(f"## {each.label.removeprefix('law ')}. ")
    number = re.match(r"\d", contract(name).schema.get("x-law") or "")
    if number:
        assert metadata(name)["law"].value.startswith(f"## {number[0]}. ")


def test_every_law_a_contract_names_is_written_down() -> None:
    named = {
        number
        for declared in all_contracts().values()
        for number in re.findall(r"(?:^|, )(\d+)", declared.schema.get("x-law") or "")
    }
    assert named <= set(re.findall(r"^## (\d+)\. ", LAWS.read_text(), flags=re.MULTILINE))


@pytest.mark.parametrize("name", sorted(COLUMNS))
def test_column_lineage_names_columns_that_are_there_of_assets_it_depends_on(name: str) -> None:
    siblings = {each for state in state_assets() if name in state.datasets for each in state.datasets}
    own = {row[0] for row in contract(name).describe_columns()}
    lineage = column_lineage(name)["dagster/column_lineage"].deps_by_column
    assert set(lineage) <= own
    for parent in (parent for found in lineage.values() for parent in found):
        dataset = parent.asset_key.to_user_string()
        assert dataset in {*parents()[name], *siblings}
        assert parent.column_name in {row[0] for row in contract(dataset).describe_columns()}


def test_the_image_has_the_laws_that_the_pages_show() -> None:
    copied = (REPOSITORY / "Dockerfile").read_text()
    assert "COPY docs/laws.md docs/laws.md\n" in copied
    assert "docs" not in (REPOSITORY / ".dockerignore").read_text()
