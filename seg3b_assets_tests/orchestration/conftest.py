import os
from collections.abc import Iterator
from pathlib import Path

import pytest

os.environ.setdefault("DAGSTER_DISABLE_TELEMETRY", "1")

import dagster as dg

from seg3b_assets.definitions import defs
from seg3b_assets.orchestration.resources import Installation
from seg3b_assets_tests.orchestration.imagined_runs import ImaginedSegment
from seg3b_assets_tests.orchestration.watch import STATES_WITHOUT_CHECKS, Watch


@pytest.fixture
def instance() -> Iterator[dg.DagsterInstance]:
    with dg.DagsterInstance.ephemeral() as ephemeral:
        yield ephemeral


@pytest.fixture
def segment(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> ImaginedSegment:
    """A segment without a world, in place of the real one."""
    imagined = ImaginedSegment(tmp_path)

    def seed_run(self: Installation, context: dg.AssetExecutionContext) -> object:
        return imagined.seed_run(int(context.partition_key))

    monkeypatch.setattr(Installation, "seed_run", seed_run)
    return imagined


@pytest.fixture
def watch(instance: dg.DagsterInstance) -> Watch:
    """What the states' steps do, checks apart."""
    return Watch(STATES_WITHOUT_CHECKS, instance)


@pytest.fixture
def installed(instance: dg.DagsterInstance) -> Watch:
    """Everything the code location defines."""
    return Watch(defs, instance)
