"""Sensors: sources observed seconds after an edit, refs moved after a run.

Both run by default and change nothing of what is published. ``keep_up_to_date``, which runs what is stale, is
``automation``'s and is stopped until a person starts it.
"""

from collections.abc import Iterator, Mapping

import dagster as dg
import orjson

from seg3b_assets.certification.pinned import after_run
from seg3b_assets.laws.errors import Seg3BError
from seg3b_assets.laws.identity import HEX64
from seg3b_assets.laws.visible_text import visible
from seg3b_assets.orchestration.lineage import SEEDS
from seg3b_assets.orchestration.record import (
    Versions,
    of_policies,
    policy_versions,
    sealed_now,
    source_changes,
    upstream_versions,
)
from seg3b_assets.orchestration.reporting import FLAG, LINEAGE
from seg3b_assets.orchestration.resources import Installation
from seg3b_assets.orchestration.run_log import lineages_of
from seg3b_assets.pipeline import default_segment
from seg3b_assets.settings import Settings
from seg3b_assets.store.refs import Moves, move_refs
from seg3b_assets.world import world_root

OBSERVED_EVERY_S = 5


@dg.sensor(
    description="Digests of policies and upstream, seconds after they changed; what is stale then shows.",
    minimum_interval_seconds=OBSERVED_EVERY_S,
    default_status=dg.DefaultSensorStatus.RUNNING,
)
def watch_sources(context: dg.SensorEvaluationContext, installation: Installation) -> dg.SensorResult:
    """Observe every policy and upstream artefact whose version is not Dagster's latest."""
    settings = installation.settings()
    events = list(source_changes(context.instance, of_policies(policy_versions(settings))))
    upstream, unsealed = _upstream(settings)
    before: Mapping[str, str] = orjson.loads(context.cursor or b"{}")
    now = {f"{name}@{seed}": version for (name, seed), version in upstream.items()}
    changed = {
        key: version for key, version in upstream.items() if before.get(f"{key[0]}@{key[1]}") != version
    }
    events += source_changes(context.instance, changed)
    return dg.SensorResult(
        asset_events=events,
        skip_reason=None if events else dg.SkipReason(unsealed or "Nothing changed."),
        cursor=orjson.dumps({**before, **now}).decode(),
    )


def _upstream(settings: Settings) -> tuple[Versions, str | None]:
    """Upstream's versions by seed, and why those of a seed are not known; a world not built yet is not built."""
    versions: Versions = {}
    unsealed = None
    for partition in SEEDS.get_partition_keys():
        if not _has_root(settings, int(partition)):
            continue
        try:
            found = upstream_versions(sealed_now(settings, default_segment(), int(partition)))
        except Seg3BError as error:
            unsealed = visible(
                f"Upstream of seed {partition} is not looked at: {error.code} at {error.place}."
            )
            continue
        versions |= {(name, partition): version for name, version in found.items()}
    return versions, unsealed


def _has_root(settings: Settings, seed: int) -> bool:
    return settings.upstream is not None or world_root(seed, settings.recipe, settings.cache).is_dir()


@dg.run_status_sensor(
    run_status=dg.DagsterRunStatus.SUCCESS,
    description="Moves the ref candidate after a run that published a whole lineage, as a run from the command line "
    "does. A certification moves its refs itself.",
    default_status=dg.DefaultSensorStatus.RUNNING,
    minimum_interval_seconds=OBSERVED_EVERY_S,
)
def move_refs_after_runs(
    context: dg.RunStatusSensorContext, installation: Installation
) -> Iterator[dg.SkipReason]:
    """Move what the run's own materializations name."""
    settings = installation.settings()
    moved = move_refs(settings.home, _moves(context.instance, context.dagster_run))
    told = f"Moved {', '.join(moved)}." if moved else "No ref moves."
    context.log.info(told)
    yield dg.SkipReason(told)


def _moves(instance: dg.DagsterInstance, run: dg.DagsterRun) -> Moves:
    """What a run moves, by the lineages of it that reached S5."""
    lineages = lineages_of(run.tags)
    for record in instance.get_records_for_run(
        run.run_id, of_type=dg.DagsterEventType.ASSET_MATERIALIZATION
    ).records:
        made = record.event_log_entry.asset_materialization
        if made is None:
            continue
        name = made.asset_key.to_user_string()
        facts = {key: value.value for key, value in made.metadata.items()}
        if name == FLAG and made.partition and HEX64.fullmatch(str(facts.get(LINEAGE, ""))):
            lineages[int(made.partition)] = str(facts[LINEAGE])
    return after_run(lineages, current=True)
