"""``seg3b rollback``: put the last good lineages in force again."""

# ruff: noqa: PLC0415 - heavy imports happen inside the command, so that --help and usage errors are quick

from __future__ import annotations

from typing import Annotated

import typer

from seg3b_assets.cli.dagster_record import report_to_dagster
from seg3b_assets.cli.options import AsJson, Debug, Home, parse_seed, settings_from
from seg3b_assets.cli.reporting import console, print_json, reported


def rollback(
    seed: Annotated[
        list[int] | None,
        typer.Option(
            "--seed",
            parser=parse_seed,
            metavar="UINT64",
            help="Seed to put back; may be repeated.",
            show_default="all of last_good",
        ),
    ] = None,
    dry_run: Annotated[bool, typer.Option("--dry-run", help="Check and tell; move nothing.")] = False,
    home: Home = None,
    as_json: AsJson = False,
    debug: Debug = False,
) -> None:
    """Move the heads to last_good, after reading every byte of it again.

    Policies are not touched; 'seg3b plan' says what then differs from them. With --json: {dry_run, seeds{seed:
    {lineage_id, moved[state], was{state: key}, now{state: key}}}}.
    """
    with reported(as_json, debug):
        settings = settings_from(home=home)
        from seg3b_assets.contracts import contract
        from seg3b_assets.store import Store
        from seg3b_assets.store.refs import rollback as roll_back

        found = roll_back(Store(settings.home, contract), seed or (), dry_run)
        if not dry_run:
            report_to_dagster(settings, found)
        if as_json:
            print_json(
                {"dry_run": dry_run, "seeds": {str(one): told.as_json() for one, told in found.items()}}
            )
            return
        screen = console()
        for one, told in found.items():
            verb = "would move" if dry_run else "moved"
            moved = f"{verb} {', '.join(told.moved)}" if told.moved else "there already"
            screen.print(f"seed {one}  last_good {told.lineage_id[:12]}  {moved}")
        screen.print("'seg3b plan' says what differs from the configured policies")
