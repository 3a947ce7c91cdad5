"""One published run of the coarse world per session, audited from its snapshots."""

from __future__ import annotations

import os
import shutil
from pathlib import Path

import orjson
import pytest

from seg3b_assets.audit import AuditReport, AuditTree, audit
from seg3b_assets.certification.targets import runs_named
from seg3b_assets.contracts import contract
from seg3b_assets.inputs.published import Published
from seg3b_assets.pipeline.exporting import export, sealed_root
from seg3b_assets.pipeline.seed_run import SeedRun
from seg3b_assets.pipeline.segment import default_segment, seal_seed, upstream_root
from seg3b_assets.progress import SILENT
from seg3b_assets.settings import Settings
from seg3b_assets.states.context import Lanes, StateContext
from seg3b_assets.states.s5_bundle import audit_tree
from seg3b_assets.store import Runs, Staging, Store
from seg3b_assets.world import WorldRecipe
from seg3b_assets_tests.made_once import made_once
from seg3b_assets_tests.policies.small import small_networks

COARSE = WorldRecipe(resolution_deg=1.0, merchants=300)
SEED = 42


@pytest.fixture(scope="session")
def settings(tmp_path_factory: pytest.TempPathFactory) -> Settings:
    """Of one home for all of pytest's workers: what one has run, the others reuse."""
    return made_once(tmp_path_factory, "audited", _settings)


def _settings(folder: Path) -> Settings:
    cache = Path(os.environ.get("SEG3B_TEST_CACHE", "~/.cache/seg3b-tests")).expanduser()
    # A copy: an edit of the shipped policies in the middle of a session is not a fault to be found.
    policies = Path(shutil.copytree(Settings.from_environment().policies, folder / "policies"))
    # A handful of merchants is no population: this world is sound, not realistic, and S5 is to seal it.
    validation = policies / "virtual_validation.yaml"
    validation.write_text(validation.read_text().replace("mode: enforce", "mode: observe"))
    small_networks(policies)
    return Settings.from_environment(
        home=folder / "home", policies=policies, cache=cache, recipe=COARSE, workers=2
    )


@pytest.fixture(scope="session")
def published(settings: Settings) -> Published:
    """S0 to S4 of the run, as S5 sees them."""
    run = SeedRun(settings, SEED)
    record = run.run(until="S4")
    snapshots = [run.store.snapshot(state, key) for state, key in record.keys.items()]
    return Published("S5", [found for found in snapshots if found], default_segment().contracts)


@pytest.fixture(scope="session")
def context(
    settings: Settings, published: Published, tmp_path_factory: pytest.TempPathFactory
) -> StateContext:
    """What the pipeline would hand to S5."""
    segment = default_segment()
    sealed = seal_seed(segment, settings, upstream_root(settings, SEED, SILENT))
    out = Staging(tmp_path_factory.mktemp("staged"), "S5", sealed.identity, segment.contracts)
    return StateContext(
        sealed.identity, sealed.policies, sealed.inputs, published, out, Lanes("S5"), SILENT, settings.workers
    )


@pytest.fixture(scope="session")
def tree(context: StateContext) -> AuditTree:
    return audit_tree(context)


@pytest.fixture(scope="session")
def clean_report(tree: AuditTree) -> AuditReport:
    return audit(tree)


@pytest.fixture(scope="session")
def exported(settings: Settings, tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("exported") / "tree"
    lineage = SeedRun(settings, SEED).run().lineage_id
    runs = runs_named(Store(settings.home, contract), lineage)
    [written] = export(settings, runs, str(folder), SILENT)
    return Path(written.place)


@pytest.fixture(scope="session")
def upstream(settings: Settings, exported: Path) -> Path:
    lineage = orjson.loads((exported / "run_receipt.json").read_bytes())["lineage_id"]
    run = Runs(settings.home).read(lineage)
    assert run is not None
    return sealed_root(settings, run, SILENT)
