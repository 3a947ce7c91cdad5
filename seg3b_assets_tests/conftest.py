from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING

import pytest

from seg3b_assets_tests.browser import open_browser

if TYPE_CHECKING:
    from playwright.sync_api import Browser


@pytest.fixture(scope="session")
def browser() -> Iterator[Browser]:
    """Chromium, for tests marked ``e2e``."""
    with open_browser() as chromium:
        yield chromium
