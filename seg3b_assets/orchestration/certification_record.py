"""A certification that no step of the asset made, in Dagster's record: its materialization and its checks."""

from __future__ import annotations

from pathlib import Path

import dagster as dg

from seg3b_assets.certification import CertificationRun
from seg3b_assets.orchestration.certification import certification_facts, certification_results
from seg3b_assets.orchestration.certification_provenance import certification_tags, told_by_certification
from seg3b_assets.orchestration.lineage import CERTIFICATION
from seg3b_assets.orchestration.recorded_checks import record_results
from seg3b_assets.orchestration.reporting import latest_tags


def record_certification(instance: dg.DagsterInstance, run: CertificationRun, report: Path) -> bool:
    """Record the lineages a certification put in force, and the certification where Dagster's latest is another.

    Args:
        report: its page.

    Returns:
        Whether the certification was news to Dagster.
    """
    for event in told_by_certification(instance, run):
        instance.report_runless_asset_event(event)
    tags = certification_tags(instance, run)
    known = latest_tags(instance, CERTIFICATION, None)[1]
    if all(known.get(name) == value for name, value in tags.items()):
        return False
    instance.report_runless_asset_event(
        dg.AssetMaterialization(CERTIFICATION, metadata=certification_facts(run, report), tags=tags)
    )
    record_results(instance, certification_results(run))
    return True
