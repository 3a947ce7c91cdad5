"""``seg3b certify``: several seeds to one verdict."""

# ruff: noqa: PLC0415 - heavy imports happen inside the command, so that --help and usage errors are quick
# ruff: noqa: PLR0913 - a command's parameters are its options

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Annotated

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
    seed_list,
    settings_from,
)
from seg3b_assets.cli.overlays import overlay_told
from seg3b_assets.cli.reporting import (
    console,
    print_json,
    reported,
    show_error,
)
from seg3b_assets.doors import EXIT_REALISM, EXIT_STRUCTURAL
from seg3b_assets.laws.errors import Seg3BError
from seg3b_assets.terminal import log_to_stderr, say

if TYPE_CHECKING:
    from seg3b_assets.settings import Settings


def certify(
    context: typer.Context,
    seeds: Annotated[
        str | None,
        typer.Option(metavar="UINT64,…", help="Seeds to certify together.", show_default="the policy's"),
    ] = None,
    home: Home = None,
    policies: Policies = None,
    upstream: Upstream = None,
    gazetteer: Gazetteer = None,
    world_resolution: Resolution = None,
    world_merchants: Merchants = None,
    workers: Workers = None,
    recompute: Annotated[
        bool, typer.Option("--recompute", help="Score again even what is kept, and compare the bytes.")
    ] = False,
    require_policy_seeds: Annotated[
        bool,
        typer.Option(
            "--require-policy-seeds", help="Refuse other seeds than those the certification policy asks for."
        ),
    ] = False,
    no_digest_cache: NoDigestCache = False,
    as_json: AsJson = False,
    verbose: Verbose = False,
    debug: Debug = False,
) -> None:
    """Bring seeds up to date, hold them against the gates, judge them together, and keep the evidence.

    The certification is of the policy's seeds over the policies and upstream in force; any other is kept and reported
    by its id, and moves no ref.

    Exit codes: 0 PASS_B or PASS_BPLUS, 1 FAIL_REALISM, 2 other seeds than required, 3 a seed failed for another
    reason. With --json: {verdict, grade_a, scope, seeds_required, seeds{seed: verdict}, cross_seed, confidence,
    margins{seed: {gate: margin}}, reference{grade_a_plus, pass, seeds, pooled, across}, summary_path, wall_s,
    report_path}, under an overlay also
    overlay{folder, base, changes[{policy, key, was, now}]}; or {error, seeds{seed: {error}}}.
    """
    log_to_stderr(verbose)
    wanted = seed_list(seeds)
    if len(set(wanted)) != len(wanted):
        raise typer.BadParameter("a seed is given twice", param_hint="--seeds")
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
        )
        from seg3b_assets.certification import SeedsFailedError
        from seg3b_assets.certification import certify as certify_seeds
        from seg3b_assets.certification.retention import open_lane
        from seg3b_assets.progress import progress_for_terminal
        from seg3b_assets.report.terminal import WIDTH, show_certification
        from seg3b_assets.report.written import report_of

        if require_policy_seeds:
            _require_policy_seeds(settings, wanted)
        overlay = overlay_told(settings.policies, as_json)
        open_lane(settings, "certification", context.obj)
        try:
            run = certify_seeds(settings, wanted, context.obj, progress_for_terminal(), recompute)
        except SeedsFailedError as failed:
            _report_seeds(failed.errors, as_json, debug)
            raise typer.Exit(EXIT_STRUCTURAL) from failed
        written = report_of(settings, run)
        report_to_dagster(settings, run.complete, run, written)
        if as_json:
            print_json({**run.as_json(), "report_path": str(written.html), **overlay})
        else:
            show_certification(run, console(WIDTH))
            say(f"report     {written.html}")
        if not run.passed:
            raise typer.Exit(EXIT_REALISM)


def _require_policy_seeds(settings: Settings, wanted: Sequence[int]) -> None:
    from seg3b_assets.realism.policy_reading import load_policies

    required = load_policies(settings.policies).certification.seeds
    if wanted and set(wanted) != set(required):
        asked = ", ".join(str(seed) for seed in required)
        raise typer.BadParameter(f"the certification policy asks for {asked}", param_hint="--seeds")


def _report_seeds(errors: Mapping[int, Seg3BError], as_json: bool, debug: bool) -> None:
    """Several seeds' failures: the first as the error, and all by seed."""
    first = next(iter(errors.values()))
    if debug:
        raise first
    if as_json:
        seeds = {str(seed): {"error": error.record()} for seed, error in errors.items()}
        print_json({"error": first.record(), "seeds": seeds})
    for seed, error in errors.items():
        show_error(error, f"seed {seed}: ")
