"""What a command line run tells the Dagster instance of ``DAGSTER_HOME``.

``seg3b`` loads this module by name, and only where that variable is set: without it, no command imports
dagster.
"""

from __future__ import annotations

import os
from collections.abc import Iterable
from pathlib import Path
from typing import TYPE_CHECKING

import dagster as dg

from seg3b_assets.locks import exclusive
from seg3b_assets.orchestration.in_force import report_in_force
from seg3b_assets.orchestration.quick_history import OPENING
from seg3b_assets.orchestration.recorded_checks import record_checks, told_run
from seg3b_assets.settings import Settings

if TYPE_CHECKING:
    from seg3b_assets.certification import CertificationRun


def _instance() -> dg.DagsterInstance:
    """The instance of ``DAGSTER_HOME``, opened by one process at a time, whichever storage makes its databases."""
    home = Path(os.environ["DAGSTER_HOME"])
    if (home / "dagster.yaml").exists():
        return dg.DagsterInstance.get()  # ours names a storage that has the lock
    with exclusive(home / OPENING):
        return dg.DagsterInstance.get()


def report(
    settings: Settings,
    seeds: Iterable[int],
    certification: CertificationRun | None = None,
    page: Path | None = None,
) -> None:
    """Record what is in force for these seeds, a certification with its page, and the checks of what was news.

    Raises:
        Seg3BError: what reading the home and sealing raise.
    """
    with _instance() as instance:
        news = report_in_force(instance, settings, seeds)
        if certification is not None and page is not None:
            # Only a command that has certified has loaded what certifying needs.
            from seg3b_assets.orchestration.certification_record import record_certification  # noqa: PLC0415

            record_certification(instance, certification, page)
        if news:
            run = told_run(instance, news)
            for partition, seed in news.items():
                record_checks(instance, partition, seed, run)
