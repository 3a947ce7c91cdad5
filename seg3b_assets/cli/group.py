"""``seg3b`` itself: whatever a command does, it ends through the door."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from functools import partial
from typing import Any

import typer
from typer.core import TyperGroup

from seg3b_assets.doors import through_door
from seg3b_assets.laws.clipping import LINE, clipped_text
from seg3b_assets.laws.visible_text import visible

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
