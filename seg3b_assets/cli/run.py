"""``seg3b run``: seeds from S0 to S5."""

# ruff: noqa: PLC0415 - heavy imports happen inside the command, so that --help and usage errors are quick
# ruff: noqa: PLR0913 - a command's parameters are its options

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING, Annotated, Any

import typer

from seg3b_assets.cli.options import (
    AsJson,
    Debug,
    Home,
    Merchants,
    NoDigestCache,
    Policies,
    Resolution,
    Seeds,
    Upstream,
    Verbose,
    Workers,
    settings_from,
)
from seg3b_assets.cli.reporting import (
    console,
    exit_code,
    log_to_stderr,
    print_json,
    reported,
    show_error,
)
from seg3b_assets.laws.errors import Seg3BError

if TYPE_CHECKING:
    from seg3b_assets.pipeline import RunRecord


def run(
    context: typer.Context,
    seed: Seeds,
    home: Home = None,
    policies: Policies = None,
    upstream: Upstream = None,
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
    peak_rss_mb, reused}}, counts, flag, bundle_dir}; with several: {seeds: {seed: that, or {error}}}.
    """
    log_to_stderr(verbose)
    with reported(as_json, debug):
        settings = settings_from(
            home=home,
            policies=policies,
            upstream=upstream,
            resolution_deg=world_resolution,
            merchants=world_merchants,
            workers=workers,
            digest_cache=not no_digest_cache,
            promote=promote,
        )
        from seg3b_assets.pipeline import SeedRun
        from seg3b_assets.progress import progress_for_terminal
        from seg3b_assets.store.promotion import after_run, move_refs

        progress = progress_for_terminal()

        def run_one(one: int) -> RunRecord:
            record = SeedRun(settings, one, context.obj, progress).run(recompute=recompute)
            move_refs(settings.home, after_run({one: record.lineage_id}, record.heads_moved))
            return record

        _each_seed(seed, run_one, as_json, debug)


def _each_seed(seeds: Sequence[int], run_one: Callable[[int], RunRecord], as_json: bool, debug: bool) -> None:
    """Run the seeds one after another; with several, a failing one does not stop the others."""
    from seg3b_assets.pipeline.presentation import show_run

    wanted = list(dict.fromkeys(seeds))
    if len(wanted) == 1:
        record = run_one(wanted[0])
        print_json(record.as_json()) if as_json else show_run(record, console())
        return
    printed: dict[str, Any] = {}
    worst = 0
    for one in wanted:
        try:
            record = run_one(one)
        except Seg3BError as error:
            if debug:
                raise
            printed[str(one)] = {"error": error.record()}
            worst = max(worst, exit_code(error))
            show_error(error, f"seed {one}: ")
            continue
        printed[str(one)] = record.as_json()
        if not as_json:
            show_run(record, console())
    if as_json:
        print_json({"seeds": printed})
    if worst:
        raise typer.Exit(worst)
