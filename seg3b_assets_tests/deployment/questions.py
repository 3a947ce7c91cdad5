"""What the tests ask Dagster over GraphQL, and tell it to do."""

from __future__ import annotations

from typing import Any, Final

from seg3b_assets_tests.deployment.fleet import Fleet

LOCATION: Final = "seg3b_assets"
REPOSITORY_NAME: Final = "__repository__"
REPOSITORY: Final = {"repositoryName": REPOSITORY_NAME, "repositoryLocationName": LOCATION}

UNFINISHED: Final = ["QUEUED", "NOT_STARTED", "STARTING", "STARTED", "CANCELING"]

_RUNS = """
query Runs($filter: RunsFilter) { runsOrError(filter: $filter) { ... on Runs { results {
  runId status rootRunId parentRunId tags { key value } } } } }
"""
_BACKFILL = """
mutation Backfill($params: LaunchBackfillParams!) { launchPartitionBackfill(backfillParams: $params) {
  __typename ... on LaunchBackfillSuccess { backfillId } ... on PythonError { message } } }
"""
_BACKFILL_STATUS = """
query Status($id: String!) { partitionBackfillOrError(backfillId: $id) {
  ... on PartitionBackfill { status numPartitions } } }
"""
_LAUNCH = """
mutation Launch($params: ExecutionParams!) { launchRun(executionParams: $params) {
  __typename ... on LaunchRunSuccess { run { runId } } ... on PythonError { message } } }
"""
_TERMINATE = """
mutation Terminate($ids: [String!]!) { terminateRuns(runIds: $ids, terminatePolicy: SAFE_TERMINATE) { __typename } }
"""
_DAEMONS = "{ instance { daemonHealth { allDaemonStatuses { daemonType required healthy } } } }"
_START_SCHEDULE = """
mutation Start($selector: ScheduleSelector!) { startSchedule(scheduleSelector: $selector) {
  __typename ... on ScheduleStateResult { scheduleState { id } } ... on PythonError { message } } }
"""
_STOP_SCHEDULE = "mutation Stop($id: String!) { stopRunningSchedule(id: $id) { __typename } }"
_START_SENSOR = """
mutation Start($selector: SensorSelector!) { startSensor(sensorSelector: $selector) {
  __typename ... on Sensor { sensorState { id } } ... on PythonError { message } } }
"""
_TICKS = """
query Ticks($selector: InstigationSelector!) { instigationStateOrError(instigationSelector: $selector) {
  ... on InstigationState { id ticks(limit: 10) { status runIds skipReason error { message } } } } }
"""
_DEFINITIONS = """
query Instigators($selector: RepositorySelector!) { repositoryOrError(repositorySelector: $selector) {
  __typename ... on Repository { schedules { name } sensors { name sensorType } } ... on PythonError { message } } }
"""


def runs(fleet: Fleet, **of: Any) -> list[dict[str, Any]]:
    """Runs, newest first; ``of`` is a RunsFilter."""
    found: list[dict[str, Any]] = fleet.ask(_RUNS, filter=of)["runsOrError"]["results"]
    return found


def partition(run: dict[str, Any]) -> str | None:
    return {tag["key"]: tag["value"] for tag in run["tags"]}.get("dagster/partition")


def launch_backfill(fleet: Fleet, assets: list[str], seeds: list[str]) -> str:
    params = {"assetSelection": [{"path": [name]} for name in assets], "partitionNames": seeds}
    answer = fleet.ask(_BACKFILL, params=params)["launchPartitionBackfill"]
    assert answer["__typename"] == "LaunchBackfillSuccess", answer
    return str(answer["backfillId"])


def backfill_status(fleet: Fleet, backfill_id: str) -> str:
    return str(fleet.ask(_BACKFILL_STATUS, id=backfill_id)["partitionBackfillOrError"]["status"])


def launch_run(fleet: Fleet, job: str, seed: str, config: dict[str, Any]) -> str:
    params = {
        "selector": {**REPOSITORY, "jobName": job},
        "runConfigData": config,
        "executionMetadata": {"tags": [{"key": "dagster/partition", "value": seed}]},
    }
    answer = fleet.ask(_LAUNCH, params=params)["launchRun"]
    assert answer["__typename"] == "LaunchRunSuccess", answer
    return str(answer["run"]["runId"])


def cancel_runs(fleet: Fleet, run_ids: list[str]) -> None:
    """Take queued runs off the queue and stop those that run."""
    fleet.ask(_TERMINATE, ids=run_ids)


def daemons_are_healthy(fleet: Fleet) -> bool:
    statuses = fleet.ask(_DAEMONS)["instance"]["daemonHealth"]["allDaemonStatuses"]
    return bool(statuses) and all(one["healthy"] for one in statuses if one["required"])


def instigators(fleet: Fleet) -> dict[str, Any]:
    """Names of the schedules and sensors; empty while the location loads."""
    found = fleet.ask(_DEFINITIONS, selector=REPOSITORY)["repositoryOrError"]
    return dict(found) if found["__typename"] == "Repository" else {}


def start_schedule(fleet: Fleet, name: str) -> str:
    answer = fleet.ask(_START_SCHEDULE, selector={**REPOSITORY, "scheduleName": name})["startSchedule"]
    assert answer["__typename"] == "ScheduleStateResult", answer
    return str(answer["scheduleState"]["id"])


def stop_schedule(fleet: Fleet, state_id: str) -> None:
    fleet.ask(_STOP_SCHEDULE, id=state_id)


def start_sensor(fleet: Fleet, name: str) -> None:
    answer = fleet.ask(_START_SENSOR, selector={**REPOSITORY, "sensorName": name})["startSensor"]
    assert answer["__typename"] == "Sensor", answer


def ticks(fleet: Fleet, name: str) -> list[dict[str, Any]]:
    """Ticks of a schedule or sensor, newest first."""
    selector = {**REPOSITORY, "name": name}
    found = fleet.ask(_TICKS, selector=selector)["instigationStateOrError"]
    return list(found.get("ticks", []))
