"""The command line, a file per command; assembled here.

Exit codes: 0 pass, 1 realism fail, 2 usage, 3 structural error. No domain arithmetic here, and no dagster.
"""

from __future__ import annotations

from typing import Annotated

import typer

from seg3b_assets.cli.certify import certify
from seg3b_assets.cli.diff import diff
from seg3b_assets.cli.doctor import doctor
from seg3b_assets.cli.env_file import read_env_file
from seg3b_assets.cli.export import export
from seg3b_assets.cli.gazetteer import gazetteer_app
from seg3b_assets.cli.group import Seg3bGroup
from seg3b_assets.cli.init import init
from seg3b_assets.cli.plan import plan
from seg3b_assets.cli.prune import prune
from seg3b_assets.cli.refs import refs_app
from seg3b_assets.cli.report import report
from seg3b_assets.cli.rollback import rollback
from seg3b_assets.cli.run import run
from seg3b_assets.cli.sample import sample
from seg3b_assets.cli.verify import verify
from seg3b_assets.cli.world import world_app
from seg3b_assets.terminal import say

app = typer.Typer(
    name="seg3b",
    cls=Seg3bGroup,
    help="Segment 3B: virtual merchants, their settlement anchors, edges and alias tables, with evidence.",
    no_args_is_help=True,
    add_completion=False,
    pretty_exceptions_enable=False,
)


def _show_version(wanted: bool) -> None:
    if wanted:
        from seg3b_assets import __version__  # noqa: PLC0415 - reads the package's metadata

        say(f"seg3b-assets {__version__}")
        raise typer.Exit


@app.callback()
def seg3b(
    version: Annotated[
        bool, typer.Option("--version", callback=_show_version, is_eager=True, help="Say it, and leave.")
    ] = False,
) -> None:
    read_env_file()


for command in (run, certify, report, plan, export, verify, sample, diff, rollback, prune, init, doctor):
    app.command()(command)
app.add_typer(refs_app, name="refs")
app.add_typer(world_app, name="world")
app.add_typer(gazetteer_app, name="gazetteer")
