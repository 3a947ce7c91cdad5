"""How a command ends: its exit code, its message, its JSON.

A failure prints its code, the place and the remedy on standard error, and the same as JSON on standard output
with ``--json``.
"""

# ruff: noqa: PLC0415 - rich is imported when something is shown

from __future__ import annotations

import logging
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

import orjson
import typer

from seg3b_assets.doors import (
    EXIT_INTERRUPTED,
    EXIT_REALISM,
    EXIT_STRUCTURAL,
    is_broken_pipe,
    tell,
    told,
)
from seg3b_assets.laws.errors import Seg3BError

if TYPE_CHECKING:
    from rich.console import Console


@contextmanager
def reported(as_json: bool, debug: bool) -> Iterator[None]:
    """Turn failures of a command into its exit code and its message."""
    try:
        yield
    except Seg3BError as error:
        if debug:
            raise
        if as_json:
            print_json({"error": error.record()})
        show_error(error)
        raise typer.Exit(exit_code(error)) from error
    except (typer.Exit, typer.Abort, typer.BadParameter):
        raise
    except Exception as error:
        if debug or is_broken_pipe(error):
            raise
        record, code = told(error)
        if as_json:
            print_json({"error": record})
        tell(record)
        raise typer.Exit(code) from error
    except KeyboardInterrupt as interrupt:
        typer.echo("interrupted; published states are kept", err=True)
        raise typer.Exit(EXIT_INTERRUPTED) from interrupt


def exit_code(error: Seg3BError) -> int:
    return EXIT_REALISM if error.name == "REALISM_GATE_BLOCKED" else EXIT_STRUCTURAL


def show_error(error: Seg3BError, prefix: str = "") -> None:
    typer.echo(f"{prefix}{error.code} ({error.validator})", err=True)
    typer.echo(f"  where:  {error.place}", err=True)
    typer.echo(f"  remedy: {error.remedy}", err=True)
    if error.detail:
        typer.echo(f"  detail: {orjson.dumps(error.detail, default=str).decode()}", err=True)


def print_json(value: Any) -> None:
    typer.echo(orjson.dumps(value).decode())


def log_to_stderr(verbose: bool) -> None:
    level = logging.INFO if verbose else logging.WARNING
    logging.basicConfig(level=level, format="%(message)s", stream=sys.stderr)


def console(least_width: int = 0) -> Console:
    from rich.console import Console

    console = Console(soft_wrap=True, highlight=False, markup=False)
    console.width = max(console.width, least_width)
    return console
