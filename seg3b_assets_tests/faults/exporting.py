"""From a home to a contract tree, and from a tree to what the audit says of it."""

from __future__ import annotations

from pathlib import Path

from seg3b_assets.audit import AuditReport
from seg3b_assets.audit.verification import verify
from seg3b_assets.pipeline.exporting import export
from seg3b_assets.progress import SILENT
from seg3b_assets.settings import Settings

SEED = 42


def export_heads(settings: Settings, folder: Path, seed: int = SEED) -> Path:
    """The lineage in force, as ``seg3b export`` writes it."""
    export(settings, "heads", (seed,), str(folder), SILENT)
    return folder


def examine(root: Path, policies: Path, upstream: Path | None = None) -> AuditReport:
    """What ``seg3b verify`` finds. The specimen's tree carries all it needs but the sites and the surface."""
    return verify(root, policies, upstream, workers=1).report
