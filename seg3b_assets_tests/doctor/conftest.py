"""A small coarse world to break, and settings over it."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest

from seg3b_assets.doctor import Finding, Severity
from seg3b_assets.doctor.installation import policies
from seg3b_assets.doctor.upstream import upstream
from seg3b_assets.laws.errors import Seg3BError
from seg3b_assets.pipeline.seed_run import SeedRun
from seg3b_assets.progress import SILENT
from seg3b_assets.settings import Settings
from seg3b_assets.world import ensure_world
from seg3b_assets_tests.end_to_end.upstream_copies import UpstreamCopy
from seg3b_assets_tests.faults.specimen import RECIPE, SEED, small_policies, world_cache


@dataclass(frozen=True)
class Broken:
    """A copy of a world that a test may break, and what doctor and run say of it."""

    copy: UpstreamCopy
    settings: Settings

    def doctor(self) -> list[Finding]:
        loaded, _ = policies(self.settings.policies)
        return list(upstream(self.settings, self.copy.path, (SEED,), loaded, SILENT))

    def stopping(self) -> dict[str, list[Finding]]:
        """What stops a run, by code."""
        found: dict[str, list[Finding]] = {}
        for one in self.doctor():
            if one.severity is Severity.stops:
                found.setdefault(one.code, []).append(one)
        return found

    def run_ends_with(self) -> str | None:
        """The code that S0 to S2 of a run end with; None where they pass."""
        try:
            SeedRun(self.settings, SEED).run(until="S2")
        except Seg3BError as error:
            return error.code
        return None


@pytest.fixture(scope="session")
def world() -> Path:
    """The root of a world of 300 merchants. Read it; break a copy."""
    return ensure_world(SEED, RECIPE, world_cache())


@pytest.fixture
def broken(world: Path, tmp_path: Path) -> Broken:
    copy = UpstreamCopy.of(world, tmp_path / "upstream")
    settings = Settings.from_environment(
        home=tmp_path / "home",
        policies=small_policies(tmp_path / "policies"),
        cache=tmp_path / "cache",
        upstream=copy.path,
        shared=(world_cache(),),
        workers=1,
    )
    return Broken(copy, settings)


@pytest.fixture
def unchanged(tmp_path: Path) -> Iterator[Callable[[], None]]:
    """Called, notes what lies below the test's folder; after the test nothing may have been made or changed."""
    before: list[dict[str, tuple[int, int]]] = []
    yield lambda: before.append(listing(tmp_path))
    assert before
    assert listing(tmp_path) == before[0]


def listing(folder: Path) -> dict[str, tuple[int, int]]:
    """Size and time of change of everything below a folder."""
    found = {}
    for path in sorted(folder.rglob("*")):
        status = path.lstat()
        found[str(path)] = (status.st_size, status.st_mtime_ns)
    return found
