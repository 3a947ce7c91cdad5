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
_KEPT = ("SEG3B_RECORD", "SEG3B_TEST_CACHE", "SEG3B_SCREENSHOTS")
for _name in [name for name in os.environ if name.startswith(("SEG3B_", "DAGSTER_")) and name not in _KEPT]:
    del os.environ[_name]

read_once()

# What takes longest begins first and is never what the others wait for at the end; a name that is gone does no harm.
_LONGEST = (
    "certification/test_certifying",
    "audit/test_verifying",
    "audit/test_shared_faults",
    "end_to_end/test_determinism",
    "orchestration/test_rerun_matrix",
    "end_to_end/test_upstream_roots",
    "orchestration/test_staleness",
    "audit/test_odd_cells",
    "faults/test_fuzz",
    "audit/test_amplification",
    "end_to_end/test_real_roots",
    "end_to_end/test_bad_tables",
    "certification/test_command",
    "orchestration/test_recorded_checks",
    "end_to_end/test_bad_tile_surfaces",
    "end_to_end/test_older_home",
    "end_to_end/test_export",
    "end_to_end/test_command_line",
    "test_doors",
    "test_makefile",
    "end_to_end/test_policy_variants",
    "states/s5_bundle/test_bundle",
    "orchestration/test_first_use",
    "certification/test_baseline",
    "orchestration/test_checks_of_part_of_a_seed",
    "orchestration/test_without_dagster",
    "audit/test_forged_whole",
    "faults/test_written_by_hand",
)
_RANK = {f"seg3b_assets_tests/{name}.py": rank for rank, name in enumerate(_LONGEST)}


def pytest_configure(config: pytest.Config) -> None:
    """Have xdist keep our order, where it would begin with the files of most tests."""
    if hasattr(config.option, "loadscopereorder"):
        config.option.loadscopereorder = False


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Whole files, the longest first; the others as they were found."""
    items.sort(key=lambda item: _RANK.get(item.nodeid.partition("::")[0], len(_RANK)))


# Playwright runs an event loop as long as it is open, and beside one nothing else can: so no longer than a module.
@pytest.fixture(scope="module")
def browser() -> Iterator[Browser]:
    """Chromium, for tests marked ``e2e``."""
    with open_browser() as chromium:
        yield chromium
