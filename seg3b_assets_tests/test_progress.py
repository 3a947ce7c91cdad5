"""Progress: silent by default, a bar only for what takes long, gone when it is done."""

from __future__ import annotations

import io

import pytest
from rich.console import Console

from seg3b_assets import progress
from seg3b_assets.progress import SILENT, TerminalProgress, progress_for_terminal


def shown(reporting) -> str:
    stream = io.StringIO()
    reporting(TerminalProgress(Console(file=stream, force_terminal=True, width=80)))
    return stream.getvalue()


def two_tasks(bar: TerminalProgress) -> None:
    with bar.task("world: tiles", 3) as outer:
        with bar.task("inner") as inner:
            inner()
        outer(2)
        outer()


def test_silent_takes_any_report() -> None:
    with SILENT.task("anything", 3) as step:
        step()
        step(2)


def test_a_short_task_shows_nothing() -> None:
    assert shown(two_tasks) == ""


def test_a_long_task_shows_a_bar_with_its_label(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(progress, "SHOWN_AFTER_S", -1.0)
    assert "world: tiles" in shown(two_tasks)


def test_without_a_terminal_it_is_silent() -> None:
    assert progress_for_terminal() is SILENT
