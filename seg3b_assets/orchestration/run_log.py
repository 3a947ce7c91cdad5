"""What a run shows a person while it works: errors with their remedy, progress, a lane's time against its budget.

The segment is deterministic, so trying again without a change fails again: failures allow no retry.
"""

from __future__ import annotations

import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from logging import Logger, LoggerAdapter
from typing import Any, Final

import dagster as dg
import orjson

from seg3b_assets.laws.errors import Seg3BError
from seg3b_assets.laws.visible_text import json_text, visible
from seg3b_assets.orchestration.lineage import certification_policy
from seg3b_assets.policies.certification import Lane
from seg3b_assets.progress import Step
from seg3b_assets.wording import number, seconds


@contextmanager
def explained_failures() -> Iterator[None]:
    """Turn a ``Seg3BError`` of the block into a ``dagster.Failure`` that holds its record."""
    try:
        yield
    except Seg3BError as error:
        raise failure_of(error) from error


def failure_of(error: Seg3BError) -> dg.Failure:
    """The failure a person reads: what is wrong and what to do first, the facts below."""
    record = error.record()
    return dg.Failure(
        description=visible(f"{error.code} at {record['place']}. {record['remedy']}"),
        metadata={
            "code": dg.MetadataValue.text(error.code),
            "place": dg.MetadataValue.text(visible(record["place"])),
            "remedy": dg.MetadataValue.text(visible(record["remedy"])),
            "validator": dg.MetadataValue.text(error.validator),
            "detail": json_metadata(record["detail"]),
        },
        allow_retries=False,
    )


def json_metadata(value: Any) -> dg.JsonMetadataValue:
    """A value as JSON that Dagster can store and print, whatever texts are in it."""
    return dg.MetadataValue.json(orjson.loads(json_text(value, default=str)))


Logged = Logger | LoggerAdapter[Any]
SAID_EVERY_S = 5.0


class LogProgress:
    """A ``Progress`` that says how far a task is every five seconds, and nothing of shorter tasks.

    Args:
        log: the run's logger.
    """

    def __init__(self, log: Logged) -> None:
        self._log = log

    @contextmanager
    def task(self, label: str, total: int | None = None) -> Iterator[Step]:
        """Open a task of ``total`` units (unknown if None)."""
        done, said = 0, time.monotonic()

        def step(count: int = 1) -> None:
            nonlocal done, said
            done += count
            if time.monotonic() - said >= SAID_EVERY_S:
                said = time.monotonic()
                self._log.info(f"{label}: {done}" if total is None else f"{label}: {done} of {total}")

        yield step


LANE_TAG: Final = "seg3b/lane"
BUDGET_TAG: Final = "seg3b/budget_minutes"
WALL_TAG: Final = "seg3b/wall_s"
OVER_TAG: Final = "seg3b/over_budget"
LINEAGES_TAG: Final = "seg3b/lineages"
SECONDS: Final = 60.0


def lane(name: str) -> Lane:
    """A lane as the policy has it now.

    Raises:
        Seg3BError: POLICY_SCHEMA_INVALID.
    """
    found: Lane = getattr(certification_policy().lanes, name)
    return found


def lane_tags(name: str) -> dict[str, str]:
    """Tags of every run of a lane's job."""
    return {LANE_TAG: name, BUDGET_TAG: f"{lane(name).budget_minutes:g}"}


def budget_facts(
    context: dg.OpExecutionContext | dg.AssetExecutionContext, name: str, wall_s: float
) -> dict[str, Any]:
    """Hold a lane's wall time against its budget: tags on the run, a warning when it is over, figures to show.

    Args:
        wall_s: wall seconds of the lane's work.
    """
    budget = lane(name).budget_minutes
    over = wall_s > budget * SECONDS
    tags = {WALL_TAG: f"{wall_s:.1f}", OVER_TAG: str(over).lower()}
    context.instance.add_run_tags(context.run.run_id, lane_tags(name) | tags)
    if over:
        context.log.warning(f"Lane {name} took {seconds(wall_s)}; its budget is {number(budget)} min.")
    return {"lane": name, "budget_minutes": budget, "lane_wall_s": round(wall_s, 3), "over budget": over}


def lineages_tag(lineages: Mapping[int, str]) -> dict[str, str]:
    """The tag that says which lineages a run brought up to date.

    Args:
        lineages: lineage id by seed.
    """
    return {LINEAGES_TAG: orjson.dumps({str(seed): one for seed, one in lineages.items()}).decode()}


def lineages_of(tags: Mapping[str, str]) -> dict[int, str]:
    """The same read back; empty where the run has no such tag."""
    found: dict[str, str] = orjson.loads(tags.get(LINEAGES_TAG, "{}"))
    return {int(seed): one for seed, one in found.items()}
