"""``seg3b plan``: what is stale, and why."""

# ruff: noqa: PLC0415 - heavy imports happen inside the command, so that --help and usage errors are quick
# ruff: noqa: PLR0913 - a command's parameters are its options

from __future__ import annotations

from typing import Annotated

import typer

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
    parse_seed,
    settings_from,
)
from seg3b_assets.cli.overlays import overlay_told
from seg3b_assets.cli.reporting import (
    console,
    print_json,
    reported,
)


def plan(
    context: typer.Context,
    seed: Annotated[
        list[int] | None,
        typer.Option("--seed", parser=parse_seed, metavar="UINT64", help="Seed to plan; may be repeated."),
    ] = None,
    every: Annotated[bool, typer.Option("--all", help="The certification seeds, as without --seed.")] = False,
    home: Home = None,
    policies: Policies = None,
    upstream: Upstream = None,
    gazetteer: Gazetteer = None,
    world_resolution: Resolution = None,
    world_merchants: Merchants = None,
    no_digest_cache: NoDigestCache = False,
    as_json: AsJson = False,
    debug: Debug = False,
) -> None:
    """Say what is FRESH, STALE or MISSING, and why. The home is not changed.

    With --json: {seeds: {seed: {states: {S0..S5: {status, causes: [{kind, id, was, now}]}}}}};
    under an overlay also overlay{folder, base, changes[{policy, key, was, now}]}.
    """
    with reported(as_json, debug):
        settings = settings_from(
            home=home,
            policies=policies,
            upstream=upstream,
            gazetteer=gazetteer,
            resolution_deg=world_resolution,
            merchants=world_merchants,
            digest_cache=not no_digest_cache,
        )
        from seg3b_assets.pipeline import default_segment
        from seg3b_assets.pipeline import plan as plan_seed
        from seg3b_assets.pipeline.presentation import show_plan
        from seg3b_assets.progress import progress_for_terminal

        segment = context.obj or default_segment()
        overlay = overlay_told(settings.policies, as_json)
        policies_now = segment.load_policies(settings.policies)
        seeds = seed or []
        if every or not seeds:
            seeds = [*seeds, *policies_now.certification.seeds]
        progress = progress_for_terminal()
        wanted = dict.fromkeys(seeds)
        plans = [plan_seed(settings, one, segment, progress, policies_now) for one in wanted]
        if as_json:
            print_json({"seeds": {str(planned.seed): planned.as_json() for planned in plans}, **overlay})
            return
        for planned in plans:
            show_plan(planned, console())
