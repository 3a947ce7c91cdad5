"""The installation the assets work on: its settings, runs of the segment under them, and what they published.

Settings come from the environment (``SEG3B_HOME``, ``SEG3B_POLICIES``, ``SEG3B_UPSTREAM`` …), the same for
Dagster and for the command line, so that both work on the same store.
"""

import dagster as dg

from seg3b_assets.laws.errors import Seg3BError
from seg3b_assets.orchestration.log_progress import LogProgress
from seg3b_assets.orchestration.published_seed import (
    PublishedSeed,
    published_by,
    snapshots_in_force,
    snapshots_of,
)
from seg3b_assets.orchestration.running import RunningSeed, StepContext
from seg3b_assets.pipeline import RunRecord, SeedRun, default_segment
from seg3b_assets.pipeline.segment import SealedSeed, seal_seed
from seg3b_assets.progress import SILENT
from seg3b_assets.settings import Settings
from seg3b_assets.store import Published, Snapshot, Store


class Installation(dg.ConfigurableResource):  # type: ignore[type-arg]
    """Where the segment reads and writes, as the environment says when a step runs."""

    def settings(self) -> Settings:
        """The settings in force."""
        return Settings.from_environment()

    def running(self, context: StepContext) -> RunningSeed:
        """What the step's run has done so far."""
        return RunningSeed.of(context, default_segment())

    def seed_run(self, context: StepContext) -> SeedRun:
        """A run of the step's partition that reports progress to the step's log."""
        segment, progress = self.running(context).segment, LogProgress(context.log)
        return SeedRun(self.settings(), int(context.partition_key), segment, progress)

    def sealed(self, context: StepContext) -> SealedSeed:
        """The step's partition, sealed: its upstream gates verified and every input's digest taken.

        Builds the embedded world of the seed when it is configured and not there yet.

        Raises:
            Seg3BError: what loading the policies and sealing raise.
        """
        segment, settings, seed = self.running(context).segment, self.settings(), int(context.partition_key)
        root = segment.upstream_root(settings, seed, LogProgress(context.log))
        return seal_seed(segment, settings, root)

    def published(self, context: StepContext) -> Published:
        """The step's partition as published: by this very run, or else what is in force."""
        return published_by(self._snapshots(context), default_segment())

    def published_seed(self, context: StepContext) -> PublishedSeed:
        """The same, with the policies and inputs it is judged by.

        Raises:
            Seg3BError: what loading the policies and sealing raise; INPUT_OPEN_FAILED when less than S1 is
                published of the seed.
        """
        snapshots = self._snapshots(context)
        if len(snapshots) < 2:
            raise Seg3BError(
                state="S1",
                name="INPUT_OPEN_FAILED",
                validator="seed_published",
                place=f"seed {context.partition_key}",
                remedy="Materialize it first, at least virtual_settlement_3B: nothing is there to be checked.",
            )
        return PublishedSeed.of(self.sealed(context), snapshots, default_segment())

    def published_of(self, record: RunRecord) -> PublishedSeed:
        """The lineage of a finished run, with the policies and inputs it is judged by. Raises as ``published_seed``."""
        settings, segment = self.settings(), default_segment()
        root = segment.upstream_root(settings, record.identity.seed, SILENT)
        return PublishedSeed.of(seal_seed(segment, settings, root), snapshots_of(record), segment)

    def _snapshots(self, context: StepContext) -> tuple[Snapshot, ...]:
        record, segment = self.running(context).record, default_segment()
        if record is not None:
            return snapshots_of(record)
        return snapshots_in_force(
            Store(self.settings().home, segment.contracts), segment, int(context.partition_key)
        )
