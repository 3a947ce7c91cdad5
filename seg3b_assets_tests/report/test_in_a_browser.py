"""The report opened in a real browser: it renders in light and dark, asks for nothing, is accessible, prints."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from seg3b_assets.report.page import report_page
from seg3b_assets.report.sections import sections
from seg3b_assets_tests.browser import watched_page
from seg3b_assets_tests.realism.worlds import SOUND
from seg3b_assets_tests.report.material import FLAT, hostile, material

if TYPE_CHECKING:
    from playwright.sync_api import Browser

pytestmark = pytest.mark.e2e
THEMES = {"light": "rgb(255, 255, 255)", "dark": "rgb(15, 20, 25)"}


@pytest.fixture(scope="module")
def file(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A failing certification's report, with text that would be markup."""
    given = hostile(material((SOUND, FLAT)))
    path = tmp_path_factory.mktemp("report") / "report.html"
    path.write_text(report_page(given, sections(given)), encoding="utf-8")
    return path


@pytest.mark.parametrize("theme", THEMES)
def test_it_renders_asks_for_nothing_and_is_accessible(
    browser: Browser, file: Path, theme: str, tmp_path: Path
) -> None:
    from axe_playwright_python.sync_playwright import Axe  # noqa: PLC0415 - only `make e2e` installs it

    with watched_page(browser, 1120, 900, color_scheme=theme, offline=True) as sight:
        sight.page.goto(file.as_uri())
        assert (
            sight.page.evaluate("getComputedStyle(document.documentElement).backgroundColor") == THEMES[theme]
        )
        assert sight.page.locator("svg.plot").count() == 19
        for box in sight.page.locator("svg.plot").all():
            drawn = box.bounding_box()
            assert drawn is not None and drawn["width"] > 250 and drawn["height"] > 40
        wide = "document.documentElement.scrollWidth <= document.documentElement.clientWidth"
        assert sight.page.evaluate(wide)
        sight.shoot(f"report-{theme}", tmp_path, full_page=True)
        found = Axe().run(sight.page).response["violations"]
        serious = [rule for rule in found if rule["impact"] in ("serious", "critical")]
        assert serious == [], [(rule["id"], rule["nodes"][0]["html"][:200]) for rule in serious]
        assert (sight.errors, sight.asked) == ([], [file.as_uri()])


def test_the_button_switches_the_theme(browser: Browser, file: Path) -> None:
    with watched_page(browser, 1120, 900, color_scheme="light") as sight:
        sight.page.goto(file.as_uri())
        for theme in ("dark", "light"):
            sight.page.locator("#theme").click()
            background = "getComputedStyle(document.documentElement).backgroundColor"
            assert sight.page.evaluate(background) == THEMES[theme]


def test_it_is_read_without_scripts_and_on_a_small_screen(browser: Browser, file: Path) -> None:
    with watched_page(browser, 400, 800, java_script_enabled=False) as sight:
        sight.page.goto(file.as_uri())
        assert sight.page.locator("#theme").is_hidden()
        assert sight.page.locator("main > section").count() == 13
        box = sight.page.locator("main").bounding_box()
        assert box is not None and box["width"] <= 400


def test_it_prints_in_light_with_what_is_folded(browser: Browser, file: Path, tmp_path: Path) -> None:
    with watched_page(browser, 1120, 900, color_scheme="dark") as sight:
        sight.page.goto(file.as_uri())
        printed = sight.page.pdf(path=tmp_path / "report.pdf")
        assert printed.startswith(b"%PDF-")
        sight.page.emulate_media(media="print")
        surface = "getComputedStyle(document.documentElement).backgroundColor"
        assert sight.page.evaluate(surface) == THEMES["light"]
        assert sight.page.locator("#theme").is_hidden()
        assert sight.page.locator("details.kept[open]").count() > 0
