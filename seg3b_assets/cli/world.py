"""``seg3b world``: the embedded upstream world."""

# ruff: noqa: PLC0415 - heavy imports happen inside the command, so that --help and usage errors are quick

from __future__ import annotations

import typer

from seg3b_assets.cli.options import (
    AsJson,
    Debug,
    Merchants,
    Resolution,
    Seeds,
    settings_from,
)
from seg3b_assets.cli.reporting import print_json, reported
from seg3b_assets.terminal import say
from seg3b_assets.wording import number

world_app = typer.Typer(help="The embedded upstream world.", no_args_is_help=True)


@world_app.command("build")
def build_world(
    seed: Seeds = [42],  # noqa: B006 - typer reads it, nothing changes it
    resolution: Resolution = None,
    merchants: Merchants = None,
    as_json: AsJson = False,
    debug: Debug = False,
) -> None:
    """Build the embedded world of a seed in the cache; what is there already is kept.

    With --json: {worlds: {seed: {root, merchants, countries, tiles, …}}}.
    """
    with reported(as_json, debug):
        settings = settings_from(resolution_deg=resolution, merchants=merchants)
        from seg3b_assets.progress import progress_for_terminal
        from seg3b_assets.world import describe_world, ensure_world

        progress = progress_for_terminal()
        roots = {one: ensure_world(one, settings.recipe, settings.cache, progress) for one in seed}
        worlds = {str(one): {"root": str(root), **describe_world(root)} for one, root in roots.items()}
        if as_json:
            print_json({"worlds": worlds})
            return
        for one, world in worlds.items():
            counts = ", ".join(
                f"{number(world[name])} {name}"
                for name in ("merchants", "outlets", "countries", "places", "tiles")
            )
            say(f"seed {one}: {counts}", f"  {world['root']}")
