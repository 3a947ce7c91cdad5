"""What is costly to make and only read, made once for all of pytest's workers."""

from __future__ import annotations

import os
import pickle
from collections.abc import Callable
from pathlib import Path
from typing import TypeVar

import pytest

from seg3b_assets.locks import exclusive

T = TypeVar("T")


def made_once(factory: pytest.TempPathFactory, name: str, make: Callable[[Path], T]) -> T:
    """What ``make`` makes in the folder it is given; another worker that asks waits and is told the same.

    Args:
        make: gives what can be pickled: settings, paths, values.
    """
    here = factory.getbasetemp()
    folder = (here.parent if "PYTEST_XDIST_WORKER" in os.environ else here) / name
    folder.mkdir(exist_ok=True)
    kept = folder / "made.pickle"
    with exclusive(folder / "lock"):
        if not kept.exists():
            kept.write_bytes(pickle.dumps(make(folder)))
    found: T = pickle.loads(kept.read_bytes())
    return found
