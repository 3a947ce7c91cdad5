"""How long work tells a person how far it is.

States, the world builder and the command line report through one small protocol. Nothing is shown unless
a person is watching: ``SILENT`` drops everything, ``TerminalProgress`` draws a bar once a task has taken
longer than two seconds. Progress never reaches an output, a log budget or a decision.
"""

from __future__ import annotations

import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING, ContextManager, Protocol  # noqa: UP035

if TYPE_CHECKING:
    from rich.progress import Progress as RichProgress
    from rich.progress import TaskID

    from seg3b_assets.screen import Screen

SHOWN_AFTER_S = 2.0


class Step(Protocol):
    """Called with how many units were done since the last call."""

    def __call__(self, count: int = 1) -> None: ...


class Progress(Protocol):
    """Something that can be told about a task: ``with progress.task("tiles", 249) as step: step(1)``."""

    def task(self, label: str, total: int | None = None) -> ContextManager[Step]:
        """Open a task of ``total`` units (unknown if None)."""
        ...


class _Silent:
    @contextmanager
    def task(self, label: str, total: int | None = None) -> Iterator[Step]:
        yield _ignore


def _ignore(count: int = 1) -> None:
    return None


SILENT: Progress = _Silent()


class TerminalProgress:
    """A rich bar for tasks of more than two seconds; get one from ``progress_for_terminal``."""

    def __init__(self, console: Screen) -> None:
        self._console = console
        self._bar: RichProgress | None = None

    @contextmanager
    def task(self, label: str, total: int | None = None) -> Iterator[Step]:
        """One line of the bar; nested tasks share the display."""
        owner = self._bar is None
        task = _Task(self, label, total)
        try:
            yield task.step
        finally:
            task.finish()
            if owner and self._bar is not None:
                self._bar.stop()
                self._bar = None

    def _display(self) -> RichProgress:
        if self._bar is None:
            from rich import progress as rich_progress  # noqa: PLC0415 - only a watched terminal needs it

            columns = (
                rich_progress.TextColumn("{task.description}"),
                rich_progress.BarColumn(),
                rich_progress.MofNCompleteColumn(),
                rich_progress.TimeElapsedColumn(),
            )
            self._bar = rich_progress.Progress(*columns, console=self._console, transient=True)
            self._bar.start()
        return self._bar


class _Task:
    def __init__(self, progress: TerminalProgress, label: str, total: int | None) -> None:
        self._progress = progress
        self._label = label
        self._total = total
        self._done = 0
        self._since = time.monotonic()
        self._line: tuple[RichProgress, TaskID] | None = None

    def step(self, count: int = 1) -> None:
        self._done += count
        if self._line is None and time.monotonic() - self._since > SHOWN_AFTER_S:
            bar = self._progress._display()
            self._line = (bar, bar.add_task(self._label, total=self._total))
        if self._line is not None:
            self._line[0].update(self._line[1], completed=self._done)

    def finish(self) -> None:
        if self._line is not None:
            self._line[0].remove_task(self._line[1])


def progress_for_terminal() -> Progress:
    """A bar on standard error when a person watches it, ``SILENT`` otherwise (pipes, CI, Dagster)."""
    if not sys.stderr.isatty():
        return SILENT
    from seg3b_assets.screen import Screen  # noqa: PLC0415 - only a watched terminal needs it

    return TerminalProgress(Screen(stderr=True, soft_wrap=False))
