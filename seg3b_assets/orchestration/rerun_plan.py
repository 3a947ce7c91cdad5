"""Where staleness shows on the lineage graph: an asset without partitions, below every policy.

The graph of a partitioned asset stays green while its partitions are stale. This asset turns *unsynced* there as
soon as an edited policy was observed. Materialized, it shows the plan of every seed with the causes; its check says
whether anything must rerun, so that looking does not make a stale segment look fresh.
"""

from collections.abc import Iterator, Mapping
from typing import Any

import dagster as dg
from dagster._core.definitions.data_version import DATA_VERSION_TAG

from seg3b_assets.laws.hashing import sha256_json
from seg3b_assets.orchestration.datasets import OWNERS
from seg3b_assets.orchestration.lineage import POLICIES, certification_policy
from seg3b_assets.orchestration.record import of_policies, policy_versions, record_results, source_changes
from seg3b_assets.orchestration.reporting import latest_tags, provenance_tags
from seg3b_assets.orchestration.resources import Installation
from seg3b_assets.orchestration.run_log import explained_failures
from seg3b_assets.pipeline import SeedPlan, default_segment, plan
from seg3b_assets.pipeline.plan import Cause
from seg3b_assets.report.markdown import grid_markdown
from seg3b_assets.report.tables import plain_grid
from seg3b_assets.settings import Settings

RERUN_PLAN = "rerun_plan_3B"
NOTHING_STALE = "nothing_to_rerun"
CODE_VERSION = "1"
SHOWN = 12


@dg.asset(
    name=RERUN_PLAN,
    deps=list(POLICIES),
    description="What a run would have to do for each certification seed, and why; unsynced when a policy was "
    "edited since.",
    code_version=CODE_VERSION,
    group_name="certification",
    owners=OWNERS,
    kinds={"json"},
    check_specs=[
        dg.AssetCheckSpec(
            NOTHING_STALE, asset=RERUN_PLAN, description="Every state of every certification seed is fresh."
        )
    ],
)
def rerun_plan_3B(  # noqa: N802 - a dataset's name
    context: dg.AssetExecutionContext, installation: Installation
) -> Iterator[dg.AssetObservation | dg.MaterializeResult[None] | dg.AssetCheckResult]:
    """Plan every seed; nothing is run."""
    settings = installation.settings()
    with explained_failures():
        policies, plans = policy_versions(settings), _plans(settings)
    yield from source_changes(context.instance, of_policies(policies))
    facts, tags = _facts(plans), _tags(context.instance, plans, policies)
    yield dg.MaterializeResult(metadata=facts, data_version=dg.DataVersion(tags[DATA_VERSION_TAG]), tags=tags)
    yield _check(plans)


def record_plan(instance: dg.DagsterInstance, settings: Settings) -> None:
    """The same for a run that is not of the asset, after it changed what is in force.

    Raises:
        Seg3BError: what planning raises.
    """
    policies, plans = policy_versions(settings), _plans(settings)
    for change in source_changes(instance, of_policies(policies)):
        instance.report_runless_asset_event(change)
    tags = _tags(instance, plans, policies)
    instance.report_runless_asset_event(
        dg.AssetMaterialization(RERUN_PLAN, metadata=_facts(plans), tags=tags)
    )
    record_results(instance, [_check(plans)])


def _plans(settings: Settings) -> list[SeedPlan]:
    segment = default_segment()
    return [plan(settings, seed, segment) for seed in certification_policy().seeds]


def _facts(plans: list[SeedPlan]) -> dict[str, dg.MetadataValue[Any]]:
    return {
        "plan": dg.MetadataValue.md(_states(plans)),
        "causes": dg.MetadataValue.md(_causes(plans)),
        "as json": dg.MetadataValue.json({str(one.seed): one.as_json() for one in plans}),
    }


def _tags(instance: dg.DagsterInstance, plans: list[SeedPlan], policies: Mapping[str, str]) -> dict[str, str]:
    version = sha256_json({str(one.seed): one.as_json() for one in plans})
    parents = {name: (one, latest_tags(instance, name, None)[0]) for name, one in policies.items()}
    return provenance_tags(version, CODE_VERSION, parents)


def _check(plans: list[SeedPlan]) -> dg.AssetCheckResult:
    stale, states = sum(len(one.stale) for one in plans), sum(len(one.states) for one in plans)
    told = f"{stale} of {states} states must rerun: launch materialize_stale."
    return dg.AssetCheckResult(
        asset_key=RERUN_PLAN,
        check_name=NOTHING_STALE,
        passed=not stale,
        severity=dg.AssetCheckSeverity.WARN,
        description=told if stale else "Nothing must rerun.",
        metadata={"causes": dg.MetadataValue.md(_causes(plans))},
    )


def _states(plans: list[SeedPlan]) -> str:
    names = list(plans[0].states)
    return grid_markdown(
        plain_grid(
            ("seed", *names),
            [(str(one.seed), *(state.status for state in one.states.values())) for one in plans],
        )
    )


def _causes(plans: list[SeedPlan]) -> str:
    """Each cause once, with the states and seeds it concerns."""
    concerned: dict[Cause, dict[str, list[str]]] = {}
    for one in plans:
        for name, state in one.states.items():
            for cause in state.causes:
                concerned.setdefault(cause, {}).setdefault(name, []).append(str(one.seed))
    rows = [
        (cause.kind, cause.id, _short(cause.was), _short(cause.now), _where(of))
        for cause, of in concerned.items()
    ]
    return (
        grid_markdown(plain_grid(("kind", "what", "was", "now", "states (seeds)"), rows)) if rows else "None."
    )


def _where(states: Mapping[str, list[str]]) -> str:
    return "; ".join(f"{name} ({', '.join(seeds)})" for name, seeds in states.items())


def _short(version: str | None) -> str:
    return "–" if version is None else version[:SHOWN]
