"""A person's way through the UI: graph, run, failed check, certification, with the baseline pack.

The baseline observes and is flat, so it comes to its end and fails its gates: there is something to look at.
"""

from __future__ import annotations

import shutil
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from seg3b_assets.settings import REPOSITORY
from seg3b_assets_tests.browser import Sight, watched_page
from seg3b_assets_tests.orchestration.coarse_runs import COARSE
from seg3b_assets_tests.ui.workshop import (
    PATIENCE_S,
    launch_asset,
    launch_partition,
    select_in_graph,
    served_ui,
    shows,
    watch_run,
)
from seg3b_assets_tests.waiting import until

if TYPE_CHECKING:
    from playwright.sync_api import Browser

pytestmark = pytest.mark.e2e


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("ui")


@pytest.fixture(scope="module")
def address(folder: Path) -> Iterator[str]:
    policies = shutil.copytree(REPOSITORY / "policies" / "baseline", folder / "policies")
    with served_ui(folder, COARSE | {"SEG3B_POLICIES": str(policies)}) as url:
        yield url


@pytest.fixture(scope="module")
def sight(browser: Browser) -> Iterator[Sight]:
    with watched_page(browser) as page:
        page.page.set_default_timeout(PATIENCE_S * 1000)
        yield page


@pytest.fixture(scope="module")
def materialized(sight: Sight, address: str, folder: Path) -> str:
    """Status of a run of edge_catalogue_3B and all made from it, launched in the graph and watched."""
    select_in_graph(sight.page, address, 'key:"edge_catalogue_3B"+1')
    for group in ("S2_edges", "S3_alias", "S4_contract", "S5_bundle"):
        sight.page.get_by_text(group).first.wait_for()
    sight.shoot("graph", folder)
    launch_partition(sight.page, "42")
    return watch_run(sight.page)


def test_the_graph_materializes_the_edges_and_all_made_from_them(
    materialized: str, sight: Sight, folder: Path
) -> None:
    assert materialized == "Success"
    page = sight.page
    sight.shoot("run", folder)
    page.get_by_text("Succeeded (6)").click()
    for step in ("S2_edges", "S3_alias", "S4_contract", "S5_bundle"):
        # A step that took no time has a bar in the chart too short for its name; here each is listed.
        page.get_by_text(step, exact=True).filter(visible=True).first.wait_for()


@pytest.mark.usefixtures("materialized")
def test_an_asset_says_what_its_columns_are_made_from_and_leads_to_its_law(
    sight: Sight, address: str, folder: Path
) -> None:
    page = sight.page
    page.goto(f"{address}/assets/edge_catalogue_3B")
    page.get_by_text("Made from").first.wait_for()
    page.get_by_title("law 4").wait_for()
    page.get_by_text("Latest check results").wait_for()
    sight.shoot("asset", folder)


@pytest.mark.usefixtures("materialized")
def test_a_failed_gate_leads_in_two_clicks_to_the_merchants_that_cause_it(
    sight: Sight, address: str, folder: Path
) -> None:
    page = sight.page
    page.goto(f"{address}/assets/edge_catalogue_3B?view=checks")
    page.get_by_text("gate_3B_V03").first.click()
    page.get_by_text("Look first at").wait_for()
    page.get_by_text("Failed").first.wait_for()
    assert "missed by" in page.get_by_text("Look first at").inner_text()
    sight.shoot("failed-check", folder)
    page.locator("tr", has_text="behind it").get_by_text("Show Markdown").click()
    page.get_by_text("merchant_id").first.wait_for()
    sight.shoot("merchants-behind-it", folder)


@pytest.mark.usefixtures("materialized")
def test_the_certification_shows_verdict_matrix_and_plots_and_leads_to_its_report(
    sight: Sight, address: str, folder: Path
) -> None:
    page = sight.page
    launch_asset(page, address, "certification_3B")
    assert watch_run(page) == "Success"
    page.goto(f"{address}/assets/certification_3B")
    page.get_by_text("FAIL_REALISM").first.wait_for()
    page.locator("tr", has_text="gate matrix").get_by_text("Show Markdown").wait_for()
    page.get_by_text("Evaluated").or_(page.get_by_text("Latest check results")).first.wait_for()
    sight.shoot("certification", folder)
    page.locator("tr", has_text="plot: ").first.get_by_text("Show Markdown").click()
    drawn = page.locator("img[src^='data:image/svg+xml']")
    drawn.wait_for()
    assert drawn.evaluate("image => image.naturalWidth") > 100
    sight.shoot("certification-plot", folder)
    [report] = folder.glob("home/reports/*/report.html")
    page.goto(report.as_uri())
    assert "FAIL_REALISM" in page.inner_text("header")
    sight.shoot("report", folder)


@pytest.mark.usefixtures("materialized")
def test_an_edited_policy_shows_soon_after_as_the_cause_that_makes_a_seed_unsynced(
    sight: Sight, address: str, folder: Path
) -> None:
    page = sight.page
    path, before = folder / "policies" / "edge_topology.yaml", "tile_population_exponent: 0\n"
    edited = path.read_text().replace(before, "tile_population_exponent: 0.5\n")
    assert edited != path.read_text()
    path.write_text(edited)
    seed = f"{address}/assets/edge_catalogue_3B?view=partitions&partition=42"
    until(lambda: shows(page, seed, "Unsynced (1)"), PATIENCE_S, "stale partition")
    page.get_by_text("Unsynced (1)").hover()
    page.get_by_text("1 upstream data version change").wait_for()
    cause = page.locator("div", has_text="has a new data version").last
    assert "edge_topology" in cause.inner_text()
    sight.shoot("stale", folder)


@pytest.mark.usefixtures("materialized")
def test_the_ui_is_served_whole_from_this_machine(sight: Sight) -> None:
    assert sight.external() == []
