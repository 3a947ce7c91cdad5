from __future__ import annotations

import os
from collections.abc import Iterator
from typing import TYPE_CHECKING

import hypothesis
import pytest

from seg3b_assets_tests.browser import open_browser
from seg3b_assets_tests.maps_once import read_once

if TYPE_CHECKING:
    from playwright.sync_api import Browser

# A busy machine is no failure.
hypothesis.settings.register_profile("unhurried", deadline=None)
hypothesis.settings.load_profile("unhurried")

# As many workers as processors run already; a pool of threads in each would only get in the others' way. What tests
# how results depend on threads says itself how many.
if "PYTEST_XDIST_WORKER" in os.environ:
    os.environ.setdefault("POLARS_MAX_THREADS", "1")

# Tests say themselves where they read and write; what configures this person's installation is none of theirs.
_KEPT = ("SEG3B_TEST_CACHE", "SEG3B_SCREENSHOTS")
for _name in [name for name in os.environ if name.startswith(("SEG3B_", "DAGSTER_")) and name not in _KEPT]:
    del os.environ[_name]

read_once()


# Playwright runs an event loop as long as it is open, and beside one nothing else can: so no longer than a module.
@pytest.fixture(scope="module")
def browser() -> Iterator[Browser]:
    """Chromium, for tests marked ``e2e``."""
    with open_browser() as chromium:
        yield chromium
