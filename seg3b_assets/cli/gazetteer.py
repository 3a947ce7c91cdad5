"""``seg3b gazetteer``: places to settle merchants at, for an upstream that has none."""

# ruff: noqa: PLC0415 - heavy imports happen inside the command, so that --help and usage errors are quick

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from seg3b_assets.cli.options import AsJson, Debug, Upstream, settings_from
from seg3b_assets.cli.reporting import print_json, reported
from seg3b_assets.terminal import say
from seg3b_assets.wording import number

gazetteer_app = typer.Typer(help="Places to settle merchants at.", no_args_is_help=True)

Source = Annotated[
    Path | None,
    typer.Option(
        "--from",
        help="SQLite database of a geocoder, or a CSV with a header; the packaged places if none.",
        exists=True,
        dir_okay=False,
    ),
]
Columns = Annotated[
    list[str],
    typer.Option("--columns", metavar="OURS=THEIRS", help="Which of its columns is which; may be repeated."),
]


@gazetteer_app.command("build")
def build(  # noqa: PLR0913 - its options
    folder: Annotated[Path, typer.Argument(help="Folder to write settlement_gazetteer.parquet into.")],
    source: Source = None,
    table: Annotated[str | None, typer.Option(help="Table of the database; its only one if none.")] = None,
    columns: Columns = [],  # noqa: B006 - typer reads it, nothing changes it
    upstream: Upstream = None,
    as_json: AsJson = False,
    debug: Debug = False,
) -> None:
    """Make a settlement gazetteer from a geocoder's database, a CSV, or the packaged places.

    Kept are places with people that lie in their country and in one of its zones, by the borders of --upstream (of
    the embedded world if none). --gazetteer FOLDER, or SEG3B_GAZETTEER, gives it to roots that have none; or put it
    into the root's reference/spatial/settlement_gazetteer/VERSION/. With --json: {gazetteer, places, countries,
    left_out}.
    """
    with reported(as_json, debug):
        from seg3b_assets.pipeline.borders import borders_of
        from seg3b_assets.progress import progress_for_terminal
        from seg3b_assets.world.places import SourceError, gazetteer_of, read_places, write_gazetteer

        settings = settings_from(upstream=upstream)
        try:
            places = read_places(source, table, _mapping(columns))
        except SourceError as error:
            raise typer.BadParameter(str(error), param_hint="--from") from error
        polygons, zones = borders_of(settings, progress_for_terminal())
        gazetteer = gazetteer_of(places, polygons, zones)
        path = write_gazetteer(gazetteer, folder)
        countries = gazetteer["country_iso"].n_unique()
        left_out = places.height - gazetteer.height
        if as_json:
            facts = {"places": gazetteer.height, "countries": countries, "left_out": left_out}
            print_json({"gazetteer": str(path), **facts})
            return
        say(
            f"{number(gazetteer.height)} places in {number(countries)} countries, {number(left_out)} left out",
            f"  {path}",
        )


def _mapping(columns: list[str]) -> dict[str, str]:
    pairs = [one.partition("=") for one in columns]
    if wrong := [name for name, equals, theirs in pairs if not (name and equals and theirs)]:
        raise typer.BadParameter(f"{wrong[0]!r} is not OURS=THEIRS", param_hint="--columns")
    return {name: theirs for name, _, theirs in pairs}
