"""The command line, a file per command; assembled here. Whatever a command does, it ends through the door.

Exit codes: 0 pass, 1 realism fail, 2 usage, 3 structural error. No domain arithmetic here, and no dagster.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from functools import partial
from typing import Annotated, Any

import typer
from typer.core import TyperGroup

from seg3b_assets.cli.certify import certify
from seg3b_assets.cli.diff import diff
from seg3b_assets.cli.doctor import doctor
from seg3b_assets.cli.env_file import read_env_file
from seg3b_assets.cli.export import export
from seg3b_assets.cli.gazetteer import gazetteer_app
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
from seg3b_assets.doors import through_door
from seg3b_assets.laws.clipping import LINE, clipped_text
from seg3b_assets.laws.visible_text import visible
from seg3b_assets.terminal import say

# The base of everything that typer tells as a usage error; it has no public name.
_USAGE: Any = typer.BadParameter.__mro__[2]


class Seg3bGroup(TyperGroup):
    """The commands together; see ``seg3b_assets.doors`` for how they end."""

    def main(
        self,
        args: Sequence[str] | None = None,
        prog_name: str | None = None,
        complete_var: str | None = None,
        standalone_mode: bool = True,
        windows_expand_args: bool = True,
        **extra: Any,
    ) -> Any:
        """As typer's; in standalone mode it does not return."""
        run = partial(
            super().main, args, prog_name, complete_var, standalone_mode, windows_expand_args, **extra
        )
        return through_door(run, None if args is None else [*args]) if standalone_mode else run()

    def make_context(self, *arguments: Any, **options: Any) -> Any:
        with _visible_usage():
            return super().make_context(*arguments, **options)

    def invoke(self, ctx: Any) -> Any:
        with _visible_usage():
            return super().invoke(ctx)


@contextmanager
def _visible_usage() -> Iterator[None]:
    """What a usage error repeats of an argument, a file or a setting is shown as everything else is."""
    try:
        yield
    except Exception as error:
        if not isinstance(error, _USAGE):
            raise
        message = visible(clipped_text(error.format_message(), LINE))
        error.format_message = lambda: message
        raise


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
