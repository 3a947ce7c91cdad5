"""Computing a finished home again, over what it has published, while counting the calls this takes."""

from __future__ import annotations

import gc
import sys
import threading
from collections.abc import Callable
from dataclasses import dataclass
from types import FrameType
from typing import Any, TypeVar

from seg3b_assets_tests.end_to_end.installation import Condition, Installation

T = TypeVar("T")


@dataclass(frozen=True)
class Recomputation:
    """One run with --recompute: what it printed, the home before and after, and its Python and C calls."""

    installation: Installation
    before: Condition
    after: Condition
    record: dict[str, Any]
    calls: int


@dataclass(frozen=True)
class Recomputed:
    """The two finished homes, each computed again."""

    small: Recomputation
    coarse: Recomputation


def recompute(installation: Installation) -> Recomputation:
    """Run with --recompute; the installation's home is expected to be a copy."""
    before = installation.condition()
    outcome, calls = counted(lambda: installation.run("--recompute"))
    return Recomputation(installation, before, installation.condition(), outcome.passed(), calls)


def counted(work: Callable[[], T]) -> tuple[T, int]:
    """What the work gives, and how many Python and C calls it takes."""
    calls = 0

    def count(frame: FrameType, event: str, argument: object) -> None:
        nonlocal calls
        if event in ("call", "c_call"):
            calls += 1

    # Python 3.11.2 may end in a collection that comes while threads with a profiler walk through generators.
    gc.disable()
    threading.setprofile(count)  # threads started from now on
    sys.setprofile(count)
    try:
        done = work()
    finally:
        sys.setprofile(None)
        threading.setprofile(None)
        gc.enable()
    return done, calls
