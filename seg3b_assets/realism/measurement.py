"""What a metric is and what measuring it yields. Definitions live in ``registry``, arithmetic elsewhere."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any, Final, Literal

from seg3b_assets.laws.snapping import SCALAR_UNITS, snap_scalar
from seg3b_assets.realism.population import Population

ALL_MERCHANTS: Final = "all_merchants"
ALL_VIRTUAL: Final = "all_virtual"
ALL_EDGES: Final = "all_edges"
ROUTING_PROBE: Final = "routing_probe"

# Scopes of a contract row: one value over the whole population, or over one virtual class of it.
GLOBAL: Final = "GLOBAL"
PER_CLASS: Final = "PER_CLASS"

Direction = Literal["higher", "lower", "band", "true", "none"]


@dataclass(frozen=True)
class Measurement:
    """A metric's value over a population.

    Attributes:
        value: None where the population is empty; 1.0 or 0.0 for a yes/no metric.
        n: size of the population.
        detail: what explains the value, JSON-serialisable.
    """

    value: float | None
    n: int
    detail: Mapping[str, Any] = field(default_factory=dict)


NOT_APPLICABLE: Final = Measurement(None, 0)

Compute = Callable[[Population], Measurement]


@dataclass(frozen=True)
class Metric:
    """One entry of the registry.

    Attributes:
        name: as in the gates and the contract.
        definition: one sentence that pins the number down.
        unit: of the value.
        direction: which way is better; ``band`` when both ends are bad, ``none`` when nothing is held to it.
        state, lane: who produces what it reads, and in which stretch of that state to look first.
        fields: published columns it reads, as dataset.column.
        compute: None for the metric that judges the contract itself.
        family: test type of its contract rows, which it has where a hard gate holds it; "" for the metric that
            judges the contract itself.
        join_keys: columns its datasets are joined on.
        artefacts: datasets it reads as bytes, which have no columns.
        population: the rows it is over, in the contract's words.
        ceiling: the largest value it can take.
        grid: the value is a multiple of 1/grid, half to even.
        by_class: whether it means anything within one virtual class.
        purpose, blind_to: why it is looked at, and what a gate on it cannot see; "" of the probe's, which none holds.
        lower_name, upper_name: what the layer's contract calls a lower and an upper bound of it; "" where it
            has no name for one.
    """

    name: str
    definition: str
    unit: str
    direction: Direction
    state: str
    lane: str
    fields: tuple[str, ...]
    compute: Compute | None
    family: str = ""
    join_keys: tuple[str, ...] = ()
    artefacts: tuple[str, ...] = ()
    population: str = ALL_VIRTUAL
    ceiling: float = math.inf
    grid: int = SCALAR_UNITS
    by_class: bool = True
    purpose: str = ""
    blind_to: str = ""
    lower_name: str = ""
    upper_name: str = ""

    @property
    def datasets(self) -> tuple[str, ...]:
        """Dataset ids read, ascending."""
        return tuple(sorted({field.split(".")[0] for field in self.fields} | set(self.artefacts)))

    def measure(self, population: Population) -> Measurement:
        """The snapped value over a population."""
        if self.compute is None:
            return NOT_APPLICABLE
        raw = self.compute(population)
        if raw.value is None:
            return raw
        return Measurement(snap_scalar(raw.value, self.grid), raw.n, raw.detail)
