"""``seg3b sample``: edges drawn through the published blob, as a router would draw them."""

# ruff: noqa: PLC0415 - heavy imports happen inside the command, so that --help and usage errors are quick
# ruff: noqa: PLR0913 - a command's parameters are its options

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from seg3b_assets.cli.options import AsJson, Debug, Home, parse_seed, settings_from, shortened, uint64
from seg3b_assets.cli.reporting import console, print_json, reported
from seg3b_assets.cli.strangers import apart, flag_from
from seg3b_assets.wording import number

if TYPE_CHECKING:
    import polars as pl

    from seg3b_assets.consume import PublishedRun
    from seg3b_assets.settings import Settings

SHOWN_MERCHANTS = 20
_MOST_EVENTS = 10_000_000
_LAST_EVENT = 2**64 - 1 - _MOST_EVENTS  # an event's number is a u64
_WIDTH = 150


def _merchant(given: str | int) -> int:
    text = str(given)
    if not (number := uint64(text)):
        raise typer.BadParameter(f"{shortened(text)!r} is not a merchant id from 1 to 2^64-1")
    return number


def sample(
    merchant: Annotated[
        int | None,
        typer.Argument(
            parser=_merchant, metavar="[MERCHANT]", help="A virtual merchant's id; without one, lists them."
        ),
    ] = None,
    count: Annotated[int, typer.Option("-n", min=0, max=_MOST_EVENTS, help="Events to draw.")] = 10,
    first_event: Annotated[
        int,
        typer.Option(
            "--from-event",
            min=0,
            max=_LAST_EVENT,
            help="Number of the first event; a pick is a function of it.",
        ),
    ] = 0,
    seed: Annotated[int, typer.Option(parser=parse_seed, metavar="UINT64", help="Seed in force.")] = 42,
    tree: Annotated[
        Path | None,
        typer.Option(help="An exported run instead of what is in force.", exists=True, file_okay=False),
    ] = None,
    expect: Annotated[
        str | None,
        typer.Option(
            metavar="FLAG", help="The flag the run must have, from elsewhere: its 64 digits, or its line."
        ),
    ] = None,
    home: Home = None,
    as_json: AsJson = False,
    debug: Debug = False,
) -> None:
    """Draw a merchant's edges through the published alias blob, event by event.

    The same merchant and event number always give the same edge. A run without a valid flag is refused.
    With --json: {seed, run_id, flag, merchant_id, merchant_id_text, events[{event, edge_id, edge_weight, ip_country,
    ip_latitude, ip_longitude, tzid_operational, tzid_settlement}]}, or {seed, run_id, flag, merchants[…]};
    merchant_id is exact, and merchant_id_text the same for readers whose integers end at 2^53.
    """
    with reported(as_json, debug):
        flag = flag_from(expect)
        if tree is not None:
            apart(tree)
        from seg3b_assets.consume import Router, open_run, virtual_merchants

        run = open_run(tree, expect=flag) if tree else _current(settings_from(home=home), seed, flag)
        if merchant is None:
            _show(run, "merchants", virtual_merchants(run), as_json)
        else:
            drawn = Router.of(run).sample(merchant, count, first_event).drop("merchant_id")
            _show(run, "events", drawn, as_json, merchant_id=merchant)


def _current(settings: Settings, seed: int, flag: str | None) -> PublishedRun:
    from seg3b_assets.consume import run_over
    from seg3b_assets.contracts import contract
    from seg3b_assets.laws.errors import fail
    from seg3b_assets.store import Store

    store = Store(settings.home, contract)
    found = [store.snapshot(state, key) for state, key in store.heads(seed).items()]
    snapshots = [snapshot for snapshot in found if snapshot is not None]
    if not snapshots:
        raise fail(
            "seed_in_force",
            str(settings.home),
            f"Run it first: seg3b run --seed {seed}; or name an exported run with --tree.",
            seed=seed,
        )
    paths = {name: snapshot.path(name) for snapshot in snapshots for name in snapshot.outputs}
    return run_over(paths, expect=flag)


def _show(run: PublishedRun, name: str, frame: pl.DataFrame, as_json: bool, **facts: int) -> None:
    import polars as pl

    who = {"seed": run.identity.seed, "run_id": run.identity.run_id, "flag": run.flag, **facts}
    if as_json:
        # JSON's readers hold integers to 2^53, ids go to 2^64: the same as text beside each.
        texts = {f"{key}_text": str(value) for key, value in facts.items()}
        ids = [column for column in frame.columns if column == "merchant_id"]
        told = frame.with_columns(pl.col(one).cast(pl.String).alias(f"{one}_text") for one in ids)
        print_json({**who, **texts, name: told.to_dicts()})
        return
    from seg3b_assets.screen import Table

    shown = frame if name == "events" else frame.head(SHOWN_MERCHANTS)
    table = Table()
    for column in shown.columns:
        table.add_column(column, no_wrap=True)
    for row in shown.iter_rows():
        table.add_row(*(f"{value:.6f}" if isinstance(value, float) else str(value) for value in row))
    terminal = console(_WIDTH)
    terminal.print("  ".join(f"{key} {value}" for key, value in who.items() if key != "flag"))
    terminal.print(f"flag {run.flag}")
    terminal.print(table)
    if shown.height < frame.height:
        terminal.print(f"… {number(frame.height - shown.height)} more; --json prints them all")
