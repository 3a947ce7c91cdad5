"""``seg3b`` itself: whatever a command does, it ends through the door."""

from __future__ import annotations

from collections.abc import Sequence
from functools import partial
from typing import Any

from typer.core import TyperGroup

from seg3b_assets.doors import through_door


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
