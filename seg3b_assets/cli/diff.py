"""``seg3b diff``: two sets of lineages side by side."""

# ruff: noqa: PLC0415 - heavy imports happen inside the command, so that --help and usage errors are quick

from __future__ import annotations

from typing import Annotated

import typer

from seg3b_assets.cli.options import AsJson, Debug, Home, parse_seed, settings_from
from seg3b_assets.cli.reporting import console, print_json, reported

_NAMED = "heads, a ref, a run, a lineage or a certification: its name or id, or the start of it."


def diff(
    was: Annotated[str, typer.Argument(help=_NAMED)],
    now: Annotated[str, typer.Argument(help=_NAMED)] = "heads",
    seed: Annotated[
        list[int] | None,
        typer.Option("--seed", parser=parse_seed, metavar="UINT64", help="Only this seed; may be repeated."),
    ] = None,
    home: Home = None,
    as_json: AsJson = False,
    debug: Debug = False,
) -> None:
    """Compare metrics, gates, digests, policies by key, and the cost of each state.

    With --json: {was, now, seeds{seed: {lineages, flags, measured_by, verdicts, metrics[…], gates[…], states[…],
    datasets[…], policies[{policy, key, was, now}], timings[{state, was_s, now_s}]}}, only_was, only_now}.
    """
    with reported(as_json, debug):
        settings = settings_from(home=home)
        from seg3b_assets.certification.comparison import compare
        from seg3b_assets.certification.targets import UnknownTargetError, resolve_target
        from seg3b_assets.contracts import contract
        from seg3b_assets.report.terminal import COMPARISON_WIDTH, show_comparison
        from seg3b_assets.store import Store

        store, seeds = Store(settings.home, contract), tuple(seed or ())
        try:
            sides = [resolve_target(store, name).of_seeds(seeds) for name in (was, now)]
            found = compare(store, contract, *sides)
        except UnknownTargetError as error:
            raise typer.BadParameter(str(error)) from error
        print_json(found.as_json()) if as_json else show_comparison(found, console(COMPARISON_WIDTH))
