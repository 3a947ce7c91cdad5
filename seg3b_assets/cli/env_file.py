"""The ``.env`` of the working folder, as ``seg3b init`` writes it: settings that the environment does not give."""

from __future__ import annotations

import os
import shlex
from pathlib import Path
from typing import Final

import typer

FILE: Final = ".env"
_OURS: Final = ("SEG3B_", "DAGSTER_HOME")


def read_env_file() -> None:
    """Take ``SEG3B_*`` and ``DAGSTER_HOME`` from the file, where there is one; other lines are not ours.

    Raises:
        typer.BadParameter: naming the line that no shell could read.
    """
    file = Path(FILE)
    if not file.is_file():
        return
    try:
        lines = file.read_text(encoding="utf-8").splitlines()
    except (OSError, ValueError) as error:
        raise typer.BadParameter(f"{file.absolute()} cannot be read as UTF-8 text: {error}") from error
    for number, line in enumerate(lines, 1):
        name, equals, text = line.strip().removeprefix("export ").partition("=")
        if equals and name.startswith(_OURS) and name not in os.environ:
            os.environ[name] = _value(text, f"{file.absolute()}, line {number}")


def _value(text: str, place: str) -> str:
    try:
        words = shlex.split(text, comments=True)
    except ValueError as error:
        raise typer.BadParameter(f"{place}: {error}") from error
    if len(words) > 1:
        raise typer.BadParameter(f"{place}: put the value in single quotes")
    return words[0] if words else ""
