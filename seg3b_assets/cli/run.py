"""``seg3b run``: seeds from S0 to S5."""

# ruff: noqa: PLC0415 - heavy imports happen inside the command, so that --help and usage errors are quick
# ruff: noqa: PLR0913 - a command's parameters are its options

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from enum import StrEnum
from typing import TYPE_CHECKING, Annotated, Any

import typer

from seg3b_assets.cli.dagster_record import report_to_dagster
from seg3b_assets.cli.options import (
    AsJson,
    Debug,
    Gazetteer,
    Home,
    Merchants,
    NoDigestCache,
    Policies,
    Resolution,
    Upstream,
    Verbose,
    Workers,
    parse_seed,
    settings_from,
)
from seg3b_assets.cli.overlays import overlay_told
from seg3b_assets.cli.reporting import (
    console,
    exit_code,
    print_json,
    reported,
    show_error,
)
from seg3b_assets.laws.errors import Seg3BError
from seg3b_assets.terminal import log_to_stderr

if TYPE_CHECKING:
    from seg3b_assets.pipeline import RunRecord, Segment
    from seg3b_assets.progress import Progress
    from seg3b_assets.settings import Settings


class _Lane(StrEnum):
    candidate = "candidate"
    witness = "witness"
    shadow = "shadow"
    certification = "certification"


def run(
    context: typer.Context,
    seed: Annotated[
        list[int] | None,
        typer.Option(
            "--seed", parser=parse_seed, metavar="UINT64", help="Partition to work on; may be repeated."
        ),
    ] = None,
    stale: Annotated[
        bool, typer.Option("--stale", help="Only what a plan calls stale; without --seed, all policy seeds.")
    ] = False,
    lane: Annotated[
        _Lane | None, typer.Option(help="The seeds of a lane of the certification policy, pruned as it says.")
    ] = None,
    home: Home = None,
    policies: Policies = None,
    upstream: Upstream = None,
    gazetteer: Gazetteer = None,
    world_resolution: Resolution = None,
    world_merchants: Merchants = None,
    workers: Workers = None,
    recompute: Annotated[
        bool, typer.Option("--recompute", help="Compute every state again and compare the bytes.")
    ] = False,
    promote: Annotated[
        bool, typer.Option("--promote", help="Put the result in force also for other policies or upstream.")
    ] = False,
    no_digest_cache: NoDigestCache = False,
    as_json: AsJson = False,
    verbose: Verbose = False,
    debug: Debug = False,
) -> None:
    """Bring seeds up to date from S0 to S5: reuse what is published, compute what is not.

    With --json and one seed: {seed, run_id, lineage_id, total_wall_s, states{S0..S5: {key, digest, wall_s,
    peak_rss_mb, reused}}, counts, joined[…], input_notes[…], flag, bundle_dir}; with several, --stale or
    --lane: {seeds: {seed: that, or {error}}}. --stale adds stale[state] and executed[state], and is {seed, stale,
    executed} of a fresh seed. Under an overlay also overlay{folder, base, changes[{policy, key, was, now}]}.
    """
    log_to_stderr(verbose)
    _require_meant(seed, stale, lane, recompute)
    with reported(as_json, debug):
        settings = settings_from(
            home=home,
            policies=policies,
            upstream=upstream,
            gazetteer=gazetteer,
            resolution_deg=world_resolution,
            merchants=world_merchants,
            workers=workers,
            digest_cache=not no_digest_cache,
            promote=promote,
        )
        from seg3b_assets.pipeline import default_segment
        from seg3b_assets.progress import progress_for_terminal

        segment = context.obj or default_segment()
        overlay = overlay_told(settings.policies, as_json)
        work = _Work(settings, segment, progress_for_terminal(), stale, recompute)
        seeds = list(dict.fromkeys(work.seeds(seed, lane)))
        if len(seeds) == 1 and not stale and not lane:
            done = work.bring_up(seeds[0])
            print_json({**done.as_json(), **overlay}) if as_json else done.show()
            return
        _each_seed(seeds, work.bring_up, as_json, debug, overlay)


def _require_meant(seed: list[int] | None, stale: bool, lane: _Lane | None, recompute: bool) -> None:
    if seed and lane:
        raise typer.BadParameter("a lane has its own seeds; leave one of the two out", param_hint="--lane")
    if stale and recompute:
        raise typer.BadParameter(
            "--recompute computes what is fresh too; leave one out", param_hint="--stale"
        )
    if not seed and not lane and not stale:
        raise typer.BadParameter("name a seed, a --lane, or --stale for all", param_hint="--seed")


@dataclass(frozen=True)
class _Done:
    """What became of one seed: its run, and what a plan had called stale where it was asked."""

    seed: int
    record: RunRecord | None
    stale: tuple[str, ...] | None

    def as_json(self) -> dict[str, Any]:
        printed: dict[str, Any] = self.record.as_json() if self.record else {"seed": self.seed}
        if self.stale is None:
            return printed
        executed = list(self.record.executed) if self.record else []
        return {**printed, "stale": list(self.stale), "executed": executed}

    def show(self) -> None:
        from seg3b_assets.pipeline.presentation import show_run

        screen = console()
        if self.record is None:
            screen.print(f"seed {self.seed}  fresh: nothing to run")
            return
        if self.stale is not None:
            screen.print(f"seed {self.seed}  stale: {', '.join(self.stale)}")
        show_run(self.record, screen)


@dataclass(frozen=True)
class _Work:
    """How each seed of one call is brought up to date."""

    settings: Settings
    segment: Segment
    progress: Progress
    only_stale: bool
    recompute: bool

    def seeds(self, asked: Sequence[int] | None, lane: _Lane | None) -> Sequence[int]:
        """The seeds asked for, the lane's (pruning first where it says so), or all of the policy."""
        if lane:
            from seg3b_assets.certification.retention import open_lane

            return open_lane(self.settings, lane.value, self.segment)[0].seeds
        if asked:
            return asked
        return self.segment.load_policies(self.settings.policies).certification.seeds

    def bring_up(self, seed: int) -> _Done:
        from seg3b_assets.certification.pinned import after_run
        from seg3b_assets.pipeline import plan
        from seg3b_assets.pipeline.seed_run import SeedRun
        from seg3b_assets.store.refs import move_refs

        stale = None
        if self.only_stale:
            stale = plan(self.settings, seed, self.segment, self.progress).stale
            if not stale:
                return _Done(seed, None, stale)
        run = SeedRun(self.settings, seed, self.segment, self.progress)
        with run.store.in_use(f"a run of seed {seed}"):
            record = run.run(recompute=self.recompute)
            move_refs(self.settings.home, after_run({seed: record.lineage_id}, record.heads_moved))
        report_to_dagster(self.settings, [seed])
        return _Done(seed, record, stale)


def _each_seed(
    seeds: Sequence[int],
    bring_up: Callable[[int], _Done],
    as_json: bool,
    debug: bool,
    overlay: Mapping[str, Any],
) -> None:
    """Run the seeds one after another; a failing one does not stop the others."""
    printed: dict[str, Any] = {}
    worst = 0
    for one in seeds:
        try:
            done = bring_up(one)
        except Seg3BError as error:
            if debug:
                raise
            printed[str(one)] = {"error": error.record()}
            worst = max(worst, exit_code(error))
            show_error(error, f"seed {one}: ")
            continue
        printed[str(one)] = done.as_json()
        if not as_json:
            done.show()
    if as_json:
        print_json({"seeds": printed, **overlay})
    if worst:
        raise typer.Exit(worst)
