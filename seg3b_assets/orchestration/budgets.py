"""Lanes of the certification policy as Dagster shows them: tags and figures of a run, a warning over budget."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Final

import dagster as dg
import orjson

from seg3b_assets.orchestration.gate_definitions import certification_policy
from seg3b_assets.policies.certification import Lane

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
        context.log.warning(f"Lane {name} took {wall_s / SECONDS:.1f} min; its budget is {budget:g} min.")
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
