"""One seed's score: metrics, gates, class slices, interval and verdict; all that certification needs.

A score is small, so that four seeds can be certified without holding four seeds' outputs.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from seg3b_assets.laws.identity import RunIdentity
from seg3b_assets.laws.randomness import REALISM_SAMPLE, Stream
from seg3b_assets.policies import Certification, PolicySet
from seg3b_assets.realism.confidence import (
    BootstrapInterval,
    CouplingMedians,
    bootstrap_median,
    coupling_uplift,
)
from seg3b_assets.realism.figure_data import PlotFrames, plot_frames
from seg3b_assets.realism.gates import GateResult, all_pass, hard_gates, seed_verdict, stretch_gates
from seg3b_assets.realism.metrics import SeedMetrics, measure_population
from seg3b_assets.realism.outputs import SeedOutputs
from seg3b_assets.realism.population import population_of, published_tables
from seg3b_assets.realism.reference_tier.scoring import ReferenceScore

F64 = NDArray[np.float64]


@dataclass(frozen=True)
class SeedScore:
    """What one seed came to.

    Attributes:
        hard, stretch: gates by id.
        class_gates: hard gates within each virtual class large enough to be judged by itself.
        top1_shares: float64 (merchants,), for the comparison between seeds.
        overlap_interval: bootstrap interval of the overlap median.
        uplift: record of ``coupling_uplift``.
        contract_rows: rows of the validation contract; 0 when there is none.
        settlements: how many were ``ingested`` and how many ``drawn``.
        plots: the small frames a report draws.
        reference: the tier above B+; None where it was not measured.
    """

    identity: RunIdentity
    metrics: SeedMetrics
    hard: Mapping[str, GateResult]
    stretch: Mapping[str, GateResult]
    class_gates: Mapping[str, Mapping[str, GateResult]]
    top1_shares: F64
    overlap_interval: BootstrapInterval
    uplift: Mapping[str, Any]
    contract_rows: int
    settlements: Mapping[str, int]
    plots: PlotFrames
    reference: ReferenceScore | None = None

    @property
    def seed(self) -> int:
        return self.identity.seed

    @property
    def hard_pass(self) -> bool:
        return all_pass(self.hard)

    @property
    def stretch_pass(self) -> bool:
        return all_pass(self.stretch)

    @property
    def verdict(self) -> str:
        """PASS_BPLUS, PASS_B or FAIL_REALISM."""
        return seed_verdict(self.hard_pass, self.stretch_pass)


def score_seed(
    outputs: SeedOutputs, policies: PolicySet, uncoupled: CouplingMedians | None = None, workers: int = 2
) -> SeedScore:
    """Measure a seed and hold it against both policies.

    Args:
        uncoupled: the two medians of the same merchants with λ = 0; without them the uplift is not shown.
        workers: threads; never changes a figure.
    """
    policy, certification = policies.virtual_validation, policies.certification
    tables = published_tables(outputs)
    population = population_of(outputs, tables, policy.pair_sample, workers)
    metrics = measure_population(population, outputs)
    return SeedScore(
        identity=outputs.identity,
        metrics=metrics,
        hard=hard_gates(metrics.overall, policy),
        stretch=stretch_gates(metrics.overall, certification, policy),
        class_gates={
            name: hard_gates(metrics.by_class[name], policy)
            for name, size in metrics.class_sizes.items()
            if size >= policy.min_class_size
        },
        top1_shares=population.merchants.top1_share,
        overlap_interval=bootstrap_median(
            population.merchants.overlap,
            certification.confidence,
            Stream.of(outputs.identity, REALISM_SAMPLE),
            workers,
        ),
        uplift=_uplift(metrics, uncoupled, certification),
        contract_rows=0 if outputs.contract is None else outputs.contract.height,
        settlements={
            "ingested": outputs.settlement.height - outputs.settlements_drawn,
            "drawn": outputs.settlements_drawn,
        },
        plots=plot_frames(outputs, population, tables),
    )


def _uplift(
    metrics: SeedMetrics, uncoupled: CouplingMedians | None, certification: Certification
) -> dict[str, Any]:
    overlap = metrics.value("settlement_overlap_median")
    distance = metrics.value("settlement_distance_median_km")
    coupled = None if overlap is None or distance is None else CouplingMedians(overlap, distance)
    return coupling_uplift(coupled, uncoupled, certification.confidence)
