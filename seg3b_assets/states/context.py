"""What a state is and what it is given: the shape every state of the segment shares.

A state is a pure function of (identity, sealed inputs, what earlier states published, policies) to
outputs. It declares what it reads and writes in a ``StateSpec``; the pipeline derives its key from that
and hands it a ``StateContext``. A state reads nothing else and writes only through ``context.out``
(house rule 2). Wall times are measured here and go to the run record, never into an output.
"""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import TYPE_CHECKING

from seg3b_assets.laws.visible_text import story

if TYPE_CHECKING:
    from seg3b_assets.inputs.published import Published
    from seg3b_assets.inputs.sealed import SealedInputs
    from seg3b_assets.laws.identity import RunIdentity
    from seg3b_assets.policies import PolicySet
    from seg3b_assets.progress import Progress
    from seg3b_assets.store.staging import Staging

LOG = story("run")
PROGRESS_LINES_PER_STATE = 16


@dataclass(frozen=True)
class StateSpec:
    """What the pipeline must know of a state before it runs it.

    Attributes:
        name: ``S0`` … ``S5``.
        code_version: semantic version of the state's logic; changing it makes the state stale.
        reads: logical ids of sealed inputs and dataset ids of earlier states. An id that this world does not
            have (an optional input) is left out of the key.
        writes: dataset ids, the principal output first.
        objective: one sentence for the log: what the state is for.
    """

    name: str
    code_version: str
    reads: tuple[str, ...]
    writes: tuple[str, ...]
    objective: str = ""


class Lanes:
    """Wall seconds per named stretch of a state; ``with lanes("tile_assign"): …``.

    A lane entered several times adds up. The first entry of each lane logs one progress line, up to the
    budget of ``PROGRESS_LINES_PER_STATE``. Safe to use from several threads.
    """

    def __init__(self, state: str) -> None:
        self._state = state
        self._lock = threading.Lock()
        self._seconds: dict[str, float] = {}

    @contextmanager
    def __call__(self, name: str) -> Iterator[None]:
        with self._lock:
            new = name not in self._seconds
            self._seconds.setdefault(name, 0.0)
            announced = new and len(self._seconds) <= PROGRESS_LINES_PER_STATE
        if announced:
            LOG.info("%s progress: %s", self._state, name)
        started = time.perf_counter()
        try:
            yield
        finally:
            elapsed = time.perf_counter() - started
            with self._lock:
                self._seconds[name] += elapsed

    @property
    def seconds(self) -> dict[str, float]:
        """Wall seconds by lane, in order of first entry."""
        with self._lock:
            return dict(self._seconds)


@dataclass(frozen=True)
class StateContext:
    """Everything a state may touch while it runs.

    Attributes:
        identity: seed, upstream identity, sealed-inputs digest, run_id.
        policies: the loaded policies S0 sealed.
        inputs: sealed upstream data.
        published: what earlier states of this lineage published.
        out: where this state's outputs are staged.
        lanes: wall-time lanes.
        progress: for a person watching.
        workers: processes or threads the state may use; never changes a byte.
    """

    identity: RunIdentity
    policies: PolicySet
    inputs: SealedInputs
    published: Published
    out: Staging
    lanes: Lanes
    progress: Progress
    workers: int


RunState = Callable[[StateContext], None]
