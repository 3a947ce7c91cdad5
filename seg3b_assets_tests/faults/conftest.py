"""One specimen per session."""

from __future__ import annotations

import resource
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from seg3b_assets_tests.faults.specimen import Specimen
from seg3b_assets_tests.faults.trial import make_specimen
from seg3b_assets_tests.made_once import made_once


@pytest.fixture(scope="session")
def specimen(tmp_path_factory: pytest.TempPathFactory) -> Specimen:
    """A small exported run, one for all of pytest's workers. Copy it; never change it."""
    return made_once(tmp_path_factory, "specimen", make_specimen)


@pytest.fixture
def bounded() -> Iterator[Callable[[], None]]:
    """Bound this process's memory to two gigabytes more than it holds, from the call to the end of the test."""
    before = resource.getrlimit(resource.RLIMIT_AS)

    def bound() -> None:
        with Path("/proc/self/statm").open() as handle:
            held = int(handle.read().split()[0]) * resource.getpagesize()
        resource.setrlimit(resource.RLIMIT_AS, (held + 2 * 1024**3, before[1]))

    yield bound
    resource.setrlimit(resource.RLIMIT_AS, before)
