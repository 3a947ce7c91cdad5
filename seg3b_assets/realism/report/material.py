"""What a report is made from. Everything is handed in; nothing here opens a file or asks a clock."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from seg3b_assets.laws.input_notes import InputNote
from seg3b_assets.policies.certification import Lanes
from seg3b_assets.realism.plots import PlotFrames
from seg3b_assets.realism.registry import METRICS

Record = Mapping[str, Any]
MetricValues = Mapping[str, float | bool | None]


@dataclass(frozen=True)
class StateCost:
    """What computing one state's snapshot cost, whichever run did.

    Attributes:
        wall_s: seconds; None where nobody recorded it.
        peak_rss_mb: MB, or None.
        lanes: seconds by lane.
    """

    wall_s: float | None
    peak_rss_mb: float | None
    lanes: Mapping[str, float] = field(default_factory=dict)


@dataclass(frozen=True)
class SeedCost:
    """What computing one seed cost, by state."""

    states: Mapping[str, StateCost]

    @property
    def wall_s(self) -> float | None:
        """Seconds over all states; None where one is not known."""
        known = [state.wall_s for state in self.states.values() if state.wall_s is not None]
        return sum(known) if known and len(known) == len(self.states) else None

    @property
    def peak_rss_mb(self) -> float | None:
        """The largest peak of any state."""
        return max((s.peak_rss_mb for s in self.states.values() if s.peak_rss_mb is not None), default=None)


@dataclass(frozen=True)
class PolicyChange:
    """One key whose value differs.

    Attributes:
        key: dotted path within the policy.
        theirs, ours: as text; None where the side does not have the key.
    """

    policy_id: str
    key: str
    theirs: str | None
    ours: str | None


@dataclass(frozen=True)
class Yardstick:
    """Something the certification is held against.

    Attributes:
        name: ``baseline`` or ``last_good``.
        title: for people.
        source: one sentence on where the figures come from, or why there are none.
        metrics: values by seed; empty where there are none.
        verdicts: by seed, where known.
        policy_changes: None where the other side's policies are not kept.
    """

    name: str
    title: str
    source: str
    metrics: Mapping[int, MetricValues] = field(default_factory=dict)
    verdicts: Mapping[int, str] = field(default_factory=dict)
    policy_changes: Sequence[PolicyChange] | None = None


@dataclass(frozen=True)
class ReportMaterial:
    """Everything a report says.

    Attributes:
        certification_id: hex64.
        summary: the cross-seed summary document.
        metrics: the metrics document of each seed, in the order seeds are told.
        plots: frames by seed.
        costs: by seed; a seed that is not in it was computed elsewhere.
        scoring_s: seconds the scoring took when it was done; None where nobody recorded it.
        lanes: budgets of the certification policy.
        yardsticks: baseline first.
        digests: SHA-256 by file of the certification.
        input_notes: what S0 had to say of each seed's inputs; a seed whose documents are not kept is not in it.
        trace: the failure trace; None where no gate fails.
    """

    certification_id: str
    summary: Record
    metrics: Mapping[int, Record]
    plots: Mapping[int, PlotFrames]
    costs: Mapping[int, SeedCost]
    scoring_s: float | None
    lanes: Lanes
    yardsticks: Sequence[Yardstick]
    digests: Mapping[str, str]
    trace: str | None = None
    input_notes: Mapping[int, Sequence[InputNote]] = field(default_factory=dict)

    @property
    def seeds(self) -> tuple[int, ...]:
        return tuple(self.metrics)

    @property
    def verdict(self) -> str:
        return str(self.summary["overall"]["overall_verdict"])

    @property
    def grade_a(self) -> bool:
        return bool(self.summary["overall"]["grade_a"])

    def values(self, metric: str) -> dict[int, float | None]:
        """A metric by seed; a yes/no metric as 1 or 0."""
        return {
            seed: None if (value := document["metrics"].get(metric)) is None else float(value)
            for seed, document in self.metrics.items()
        }


def metric_values(document: Record) -> MetricValues:
    """The registry's metrics of a metrics document."""
    measured = document["metrics"]
    return {name: measured[name] for name in METRICS if name in measured}
