"""The browser the tests look through: it draws, and it tells what a page asked for and complained of."""

from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from seg3b_assets_tests.browser import watched_page

if TYPE_CHECKING:
    from playwright.sync_api import Browser

pytestmark = pytest.mark.e2e


def test_a_watched_page_tells_its_errors_and_requests(browser: "Browser", tmp_path: Path) -> None:
    script = "console.error('said'); fetch('http://example.invalid/x'); throw Error('thrown')"
    html = f"<h1>Seen</h1><script>{script}</script>"
    (tmp_path / "page.html").write_text(html)
    with watched_page(browser, 400, 300) as sight:
        sight.page.goto((tmp_path / "page.html").as_uri())
        assert sight.page.inner_text("h1") == "Seen"
        sight.page.wait_for_timeout(100)
        assert sight.shoot("seen", tmp_path).read_bytes().startswith(b"\x89PNG")
    assert sight.external() == ["http://example.invalid/x"]
    assert "said" in sight.errors
    assert "thrown" in sight.errors
