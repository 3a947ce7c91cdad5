"""How a command ends: its exit code, its message, its JSON.

A failure prints its code, the place and the remedy on standard error, and the same as JSON on standard output
with ``--json``.
"""

# ruff: noqa: PLC0415 - rich is imported when something is shown

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

import typer

from seg3b_assets.doors import (
    EXIT_INTERRUPTED,
    EXIT_REALISM,
    EXIT_STRUCTURAL,
    is_broken_pipe,
    tell,
    told,
)
from seg3b_assets.laws.errors import BlockedError, Seg3BError
from seg3b_assets.terminal import complain, complain_json, say_json

if TYPE_CHECKING:
    from seg3b_assets.screen import Screen


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
    except (typer.Exit, typer.Abort, typer.BadParameter, SystemExit, GeneratorExit):
        raise
    except KeyboardInterrupt as interrupt:
        complain("interrupted; published states are kept")
        raise typer.Exit(EXIT_INTERRUPTED) from interrupt
    except BaseException as error:  # a parser that panics raises no Exception
        if debug or is_broken_pipe(error):
            raise
        record, code = told(error)
        if as_json:
            print_json({"error": record})
        tell(record)
        raise typer.Exit(code) from error


def exit_code(error: Seg3BError) -> int:
    return EXIT_REALISM if isinstance(error, BlockedError) else EXIT_STRUCTURAL


def show_error(error: Seg3BError, prefix: str = "") -> None:
    told = error.record()
    complain(f"{prefix}{error.code} ({error.validator})")
    complain(f"  where:  {told['place']}")
    complain(f"  remedy: {told['remedy']}")
    if error.detail:
        complain_json("  detail: ", told["detail"])


def print_json(value: Any) -> None:
    say_json(value)


def console(least_width: int = 0) -> Screen:
    from seg3b_assets.screen import Screen

    return Screen(least_width)
