"""``seg3b refs``: the lineages kept by name, and pinning one."""

# ruff: noqa: PLC0415 - heavy imports happen inside the command, so that --help and usage errors are quick

from __future__ import annotations

from enum import StrEnum
from typing import TYPE_CHECKING, Annotated

import typer

from seg3b_assets.cli.options import AsJson, Debug, Home, parse_seed, settings_from
from seg3b_assets.cli.reporting import console, print_json, reported
from seg3b_assets.terminal import say

if TYPE_CHECKING:
    from collections.abc import Mapping

    from seg3b_assets.certification.pinned import Pinned
    from seg3b_assets.screen import Screen

refs_app = typer.Typer()

_WIDTH = 110
OfSeeds = Annotated[
    list[int] | None,
    typer.Option("--seed", parser=parse_seed, metavar="UINT64", help="Only this seed; may be repeated."),
]


class _Name(StrEnum):
    baseline = "baseline"
    candidate = "candidate"
    last_good = "last_good"
    certification = "certification"


@refs_app.callback(invoke_without_command=True)
def refs(context: typer.Context, home: Home = None, as_json: AsJson = False, debug: Debug = False) -> None:
    """Show what is kept by name: baseline, candidate, last_good, certification, and the heads.

    With --json: {heads|baseline|candidate|last_good|certification: {seed: {lineage_id, run_id, flag,
    finished_utc, whole, verdict}}}; an absent ref is empty.
    """
    if context.invoked_subcommand is not None:
        if as_json or debug or _given(context, "home"):
            raise typer.BadParameter(f"options of '{context.invoked_subcommand}' come after its name")
        return
    with reported(as_json, debug):
        settings = settings_from(home=home)
        from seg3b_assets.certification.pinned import pinned
        from seg3b_assets.contracts import contract
        from seg3b_assets.store import Store

        found = pinned(Store(settings.home, contract))
        if as_json:
            print_json(
                {
                    name: {str(seed): one.as_json() for seed, one in by_seed.items()}
                    for name, by_seed in found.items()
                }
            )
            return
        _show(found, console(_WIDTH))


@refs_app.command("set")
def set_ref(
    name: _Name,
    target: Annotated[
        str | None,
        typer.Argument(
            help="heads, a ref, a run, a lineage or a certification: its name or id, or the start of it.",
            show_default="heads; for baseline, the newest certification of policies/baseline",
        ),
    ] = None,
    seed: OfSeeds = None,
    home: Home = None,
    as_json: AsJson = False,
    debug: Debug = False,
) -> None:
    """Point a ref at lineages by hand.

    baseline takes certified lineages, certification and last_good such as passed, candidate any. With --json:
    {ref, target, lineages{seed: lineage_id}}.
    """
    with reported(as_json, debug):
        settings = settings_from(home=home)
        from seg3b_assets.certification.pinned import pin
        from seg3b_assets.certification.targets import UnknownTargetError
        from seg3b_assets.contracts import contract
        from seg3b_assets.store import Store

        store = Store(settings.home, contract)
        try:
            target_set = pin(store, name.value, target, tuple(seed or ()), settings.policies)
        except UnknownTargetError as error:
            raise typer.BadParameter(str(error)) from error
        if as_json:
            lineages = {str(one): lineage_id for one, lineage_id in target_set.lineages.items()}
            print_json({"ref": name.value, "target": target_set.label, "lineages": lineages})
            return
        for one, lineage_id in target_set.lineages.items():
            say(f"{name.value}  seed {one}  {lineage_id}")


def _given(context: typer.Context, option: str) -> bool:
    """Whether an option stands on the command line; its environment variable does not count."""
    source = context.get_parameter_source(option)
    return source is not None and source.name == "COMMANDLINE"


def _show(found: Mapping[str, Mapping[int, Pinned]], screen: Screen) -> None:
    from seg3b_assets.screen import Table

    table = Table("ref", "seed", "lineage", "flag", "verdict", "finished", "outputs")
    for name, by_seed in found.items():
        if not by_seed:
            table.add_row(name, "-", "not set", "", "", "", "")
        for seed, one in by_seed.items():
            run = one.run
            told = (run.flag[:12], run.finished_utc[:19] + "Z") if run else ("?", "?")
            outputs = "whole" if one.whole else "GONE" if run or name != "heads" else "of several runs"
            table.add_row(
                *(name, str(seed), one.lineage_id[:12], told[0], one.verdict or "-", told[1], outputs)
            )
    screen.print(table)
