"""Progress of long work as lines in a Dagster run's log, for a person who watches the run."""

from __future__ import annotations

import time
from collections.abc import Iterator
from contextlib import contextmanager
from logging import Logger, LoggerAdapter
from typing import Any

from seg3b_assets.progress import Step

Logged = Logger | LoggerAdapter[Any]
SAID_EVERY_S = 5.0


class LogProgress:
    """A ``Progress`` that says how far a task is every five seconds, and nothing of shorter tasks.

    Args:
        log: the run's logger.
    """

    def __init__(self, log: Logged) -> None:
        self._log = log

    @contextmanager
    def task(self, label: str, total: int | None = None) -> Iterator[Step]:
        """Open a task of ``total`` units (unknown if None)."""
        done, said = 0, time.monotonic()

        def step(count: int = 1) -> None:
            nonlocal done, said
            done += count
            if time.monotonic() - said >= SAID_EVERY_S:
                said = time.monotonic()
                self._log.info(f"{label}: {done}" if total is None else f"{label}: {done} of {total}")

        yield step
