"""Figures held against the project's targets, and the command line as a bench runs it."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any

import typer

from seg3b_assets.screen import Table
from seg3b_assets.wording import number


@dataclass(frozen=True)
class Target:
    """A figure and the most it should be."""

    name: str
    measured: float
    at_most: float
    unit: str

    @property
    def met(self) -> bool:
        return self.measured <= self.at_most

    def as_json(self) -> dict[str, Any]:
        figures = {"measured": round(self.measured, 3), "at_most": self.at_most, "unit": self.unit}
        return {"name": self.name, **figures, "met": self.met}


def goals(targets: Iterable[Target]) -> Table:
    """The targets as a person reads them; a missed one is shown, and no error."""
    table = Table("target", "measured", "at most", "")
    for target in targets:
        limits = (f"{number(one)} {target.unit}" for one in (target.measured, target.at_most))
        table.add_row(target.name, *limits, "met" if target.met else "MISSED")
    return table


def seg3b(*arguments: str) -> bytes:
    """What a command prints; raises typer.Exit with its exit code, when it failed."""
    command = [sys.executable, "-m", "seg3b_assets.cli", *arguments]
    done = subprocess.run(command, stdout=subprocess.PIPE, check=False)
    if done.returncode:
        raise typer.Exit(done.returncode)
    return done.stdout
