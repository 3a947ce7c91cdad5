"""Commands that put lineages in force report them to the Dagster instance, where ``DAGSTER_HOME`` names one."""

from __future__ import annotations

import importlib
import os
from collections.abc import Iterable
from contextlib import suppress
from pathlib import Path
from typing import TYPE_CHECKING, Final

from seg3b_assets.terminal import complain

if TYPE_CHECKING:
    from seg3b_assets.certification import CertificationRun
    from seg3b_assets.report.written import Report
    from seg3b_assets.settings import Settings

# By name, so that neither the house nor a command without DAGSTER_HOME knows of dagster.
REPORTER: Final = "seg3b_assets.orchestration.record"
FAULTS: Final = "seg3b_assets.orchestration.quick_history"


def report_to_dagster(
    settings: Settings,
    seeds: Iterable[int],
    certification: CertificationRun | None = None,
    page: Report | None = None,
) -> None:
    """Report what is in force for these seeds, if there is a Dagster home and it watches over this one.

    A report that fails changes nothing of what was published: it is said on standard error. What is in force is told
    by the next run of the seed, here or in Dagster; checks, which come last, by Dagster's job for them.
    """
    if not os.environ.get("DAGSTER_HOME") or not settings.moves_heads:
        return
    if settings.home != settings.from_environment().home:
        return
    try:
        importlib.import_module(REPORTER).report(settings, seeds, certification, page)
    except Exception as error:
        why = f"Dagster was not told everything ({type(error).__name__}: {error})."
        remedy = "The next run of the seed tells what is in force; the job realism_checks evaluates checks."
        complain(f"{why} {_mend() or remedy}")


def _mend() -> str:
    """What is wrong with the databases of the Dagster home, and what to do; nothing where they are sound."""
    with suppress(Exception):
        found = importlib.import_module(FAULTS).history_faults(Path(os.environ["DAGSTER_HOME"]))
        return " ".join(f"{fault.file}: {fault.found}. {fault.remedy}." for fault in found)
    return ""
