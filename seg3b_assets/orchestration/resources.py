"""The installation the assets work on: its settings, and runs of the segment under them.

Settings come from the environment (``SEG3B_HOME``, ``SEG3B_POLICIES``, ``SEG3B_UPSTREAM`` …), the same for
Dagster and for the command line, so that both work on the same store.
"""

import dagster as dg

from seg3b_assets.orchestration.log_progress import LogProgress
from seg3b_assets.pipeline import SeedRun, default_segment
from seg3b_assets.pipeline.segment import SealedSeed, seal_seed
from seg3b_assets.settings import Settings


class Installation(dg.ConfigurableResource):  # type: ignore[type-arg]
    """Where the segment reads and writes, as the environment says when a step runs."""

    def settings(self) -> Settings:
        """The settings in force."""
        return Settings.from_environment()

    def seed_run(self, context: dg.AssetExecutionContext) -> SeedRun:
        """A run of the step's partition that reports progress to the step's log."""
        return SeedRun(self.settings(), int(context.partition_key), progress=LogProgress(context.log))

    def sealed(self, context: dg.AssetExecutionContext) -> SealedSeed:
        """The step's partition, sealed: its upstream gates verified and every input's digest taken.

        Builds the embedded world of the seed when it is configured and not there yet.

        Raises:
            Seg3BError: what loading the policies and sealing raise.
        """
        segment, settings, seed = default_segment(), self.settings(), int(context.partition_key)
        root = segment.upstream_root(settings, seed, LogProgress(context.log))
        return seal_seed(segment, settings, root)
