"""Runs started in the code location's server, and known to be lost when that server no longer has them.

Dagster's default launcher cannot tell: a run whose server was killed would count as started for ever. Here the
run monitor asks the server which runs it holds; a run it does not hold has no worker, is failed, and, where
retries are on, is run again on what it had published.

Run again means from its first step, which costs nothing for what was published. Dagster's own way, from the step that
failed, is refused where its daemon hears of the failure before the run counts as failed, and is then never tried again.
"""

from __future__ import annotations

from typing import Any

from dagster import DagsterInstance, DagsterRun
from dagster._core.errors import DagsterUserCodeUnreachableError
from dagster._core.execution.plan.resume_retry import ReexecutionStrategy
from dagster._core.launcher import DefaultRunLauncher
from dagster._core.launcher.base import CheckRunHealthResult, LaunchRunContext, WorkerStatus
from dagster._core.storage.tags import RETRY_STRATEGY_TAG
from dagster._grpc.types import GetCurrentRunsResult
from dagster._serdes import deserialize_value


class WatchedRunLauncher(DefaultRunLauncher):
    """Dagster's default launcher, with an answer to whether a run still has a worker."""

    def launch_run(self, context: LaunchRunContext) -> None:
        """Start the run, and have it run again from its first step should it be lost."""
        strategy = {RETRY_STRATEGY_TAG: ReexecutionStrategy.ALL_STEPS.value}
        self._instance.add_run_tags(context.dagster_run.run_id, strategy)
        super().launch_run(context)

    @property
    def supports_check_run_worker_health(self) -> bool:
        return True

    def check_run_worker_health(self, run: DagsterRun) -> CheckRunHealthResult:
        """RUNNING while the server holds the run; a server that cannot be reached has lost nothing yet."""
        client = self._get_grpc_client_for_termination(run.run_id)  # type: ignore[no-untyped-call]
        if client is None:
            return CheckRunHealthResult(WorkerStatus.RUNNING)
        try:
            held = deserialize_value(client.get_current_runs(), GetCurrentRunsResult).current_runs
        except DagsterUserCodeUnreachableError as error:
            return CheckRunHealthResult(WorkerStatus.RUNNING, str(error), transient=True)
        if run.run_id in held or self._has_ended(run):
            return CheckRunHealthResult(WorkerStatus.RUNNING)
        return CheckRunHealthResult(
            WorkerStatus.NOT_FOUND, f"the code location was restarted and no longer has run {run.run_id}"
        )

    def _has_ended(self, run: DagsterRun) -> bool:
        """Whether the run ended by itself between two questions."""
        instance: DagsterInstance = self._instance
        now: Any = instance.get_run_by_id(run.run_id)
        return now is None or now.is_finished
