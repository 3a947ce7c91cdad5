"""What a measure of the reference tier is: one number for all merchants, or one for each of several groups."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass

from seg3b_assets.realism.measurement import Measurement
from seg3b_assets.realism.reference_tier.world import EVERYBODY, ReferenceWorld

Scoped = Mapping[str, Measurement]


@dataclass(frozen=True)
class ReferenceMetric:
    """One number of the tier.

    Attributes:
        name, definition, unit: as in the registry of metrics.
        state, lane: who produces what it reads, and where in it to look first.
    """

    name: str
    definition: str
    unit: str
    state: str
    lane: str


@dataclass(frozen=True)
class MetricGroup:
    """Metrics that are computed together.

    Attributes:
        compute: the seed's arrays to a measurement by scope for each of ``metrics``, in their order; the scope of one
            over everybody is ``all``.
    """

    compute: Callable[[ReferenceWorld], tuple[Scoped, ...]]
    metrics: tuple[ReferenceMetric, ...]


def over_all(value: float | None, n: int, **detail: object) -> Scoped:
    """One measurement over everybody."""
    return {EVERYBODY: Measurement(value, n, detail)}


def not_judged(n: int, reason: str) -> Scoped:
    """No value, and why."""
    return {EVERYBODY: Measurement(None, n, {"reason": reason})}


def too_few(world: ReferenceWorld) -> Scoped:
    """No value, because the seed has too few merchants."""
    return not_judged(
        len(world), f"{len(world)} virtual merchants, {world.terms.least.merchants} are asked for"
    )
