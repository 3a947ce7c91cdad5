"""``python -m seg3b_assets.bench``: one seed, or what people wait for, or what Dagster adds."""

# ruff: noqa: PLR0913 - a command's parameters are its options

from __future__ import annotations

import importlib
from pathlib import Path
from typing import Annotated

import typer

from seg3b_assets.bench.command_line import measure_commands, measure_seed
from seg3b_assets.doors import through_door

# By name, because this module knows nothing of dagster.
OVERHEAD = "seg3b_assets.bench.dagster_overhead"


def main(
    seed: Annotated[int, typer.Option(min=0, max=2**64 - 1, help="Seed to run.")] = 42,
    surface: Annotated[
        float, typer.Option(min=0, help="Tile side of a larger surface, degrees; 0: none.")
    ] = 0.05,
    merchants: Annotated[int, typer.Option(min=0, help="Merchants of the scaling run; 0: none.")] = 100_000,
    folder: Annotated[Path, typer.Option(help="Where fresh homes are made, and removed.")] = Path(".bench"),
    as_json: Annotated[bool, typer.Option("--json", help="Print one JSON object, no tables.")] = False,
    commands: Annotated[
        bool, typer.Option("--commands", help="Measure instead plan, run --stale and verify over four seeds.")
    ] = False,
    dagster: Annotated[
        bool, typer.Option("--dagster", help="Measure instead what Dagster adds to the seed's time.")
    ] = False,
    pairs: Annotated[
        int, typer.Option(min=1, help="With --commands or --dagster: how often each takes its turn.")
    ] = 3,
) -> None:
    """Measure one seed, whole and per state, and hold it against the project's targets."""
    if dagster:
        importlib.import_module(OVERHEAD).measure_dagster(seed, pairs, folder, as_json)
    elif commands:
        measure_commands(pairs, folder, as_json)
    else:
        measure_seed(seed, surface, merchants, folder, as_json)


if __name__ == "__main__":
    through_door(lambda: typer.run(main))
