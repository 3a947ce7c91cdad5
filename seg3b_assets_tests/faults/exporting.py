"""From a home to a contract tree, and from a tree to what the audit says of it."""

from __future__ import annotations

from pathlib import Path

from seg3b_assets.audit import AuditReport
from seg3b_assets.audit.verification import verify
from seg3b_assets.certification.targets import runs_named
from seg3b_assets.contracts import contract
from seg3b_assets.pipeline.exporting import export
from seg3b_assets.progress import SILENT
from seg3b_assets.settings import Settings
from seg3b_assets.store import Store

SEED = 42


def export_heads(settings: Settings, folder: Path, seed: int = SEED) -> Path:
    """The lineage in force, as ``seg3b export`` writes it."""
    runs = runs_named(Store(settings.home, contract), "heads", (seed,))
    export(settings, runs, str(folder), SILENT)
    return folder


def examine(root: Path, policies: Path, upstream: Path | None = None) -> AuditReport:
    """What ``seg3b verify`` finds. The specimen's tree carries all it needs but the sites and the surface."""
    return verify(root, policies, upstream, workers=1).report
