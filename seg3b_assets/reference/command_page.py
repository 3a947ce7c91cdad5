"""The page of commands: every command with its arguments, options and defaults, as typer documents itself."""

from __future__ import annotations

from typing import Final

import typer
import typer.main
from typer.cli import get_docs_for_click

from seg3b_assets.cli import app
from seg3b_assets.reference.markdown import page

_INTRO: Final = (
    "`seg3b COMMAND --help` says the same. Exit codes: 0 pass, 1 a realism gate failed, 2 usage,\n"
    "3 structural error."
)


def command_page() -> str:
    """The page's text."""
    command = typer.main.get_command(app)
    documented = get_docs_for_click(obj=command, ctx=typer.Context(command), name="seg3b")
    return page("Commands", _INTRO, documented.strip())
