"""What a report is made from. Everything is handed in; nothing here opens a file or asks a clock."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

from seg3b_assets.certification.documents import LEVELS, SeedDocument, Summary, Threshold
from seg3b_assets.certification.reference_documents import ReferenceTier
from seg3b_assets.certification.references import Reference
from seg3b_assets.laws.input_notes import InputNote
from seg3b_assets.policies.certification import Lanes
from seg3b_assets.realism.figure_data import PlotFrames


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
        references: baseline first.
        digests: SHA-256 by file of the certification.
        input_notes: what S0 had to say of each seed's inputs; a seed whose documents are not kept is not in it.
        trace: the failure trace; None where no gate fails.
        reference: the tier above B+; None in a certification from before it was measured.
    """

    certification_id: str
    summary: Summary
    metrics: Mapping[int, SeedDocument]
    plots: Mapping[int, PlotFrames]
    costs: Mapping[int, SeedCost]
    scoring_s: float | None
    lanes: Lanes
    references: Sequence[Reference]
    digests: Mapping[str, str]
    trace: str | None = None
    reference: ReferenceTier | None = None
    input_notes: Mapping[int, Sequence[InputNote]] = field(default_factory=dict)

    @property
    def seeds(self) -> tuple[int, ...]:
        return tuple(self.metrics)

    @property
    def verdict(self) -> str:
        return self.summary.overall.overall_verdict

    @property
    def grade_a(self) -> bool:
        return self.summary.overall.grade_a

    def values(self, metric: str) -> dict[int, float | None]:
        """A metric by seed; a yes/no metric as 1 or 0."""
        return {seed: document.value(metric) for seed, document in self.metrics.items()}

    def bounds(self, metric: str) -> list[tuple[str, float]]:
        """(B or B+, value) of every finite end of the bounds on a metric; equal ends are told once."""
        document = next(iter(self.metrics.values()))
        found: dict[float, str] = {}
        for level, name in LEVELS.items():
            for gate in document.gates(level).values():
                for condition in gate.parts:
                    if condition.metric == metric and condition.operator != "bool_true":
                        for end in _ends(condition.threshold):
                            found[end] = f"{found[end]}, {name}" if end in found else name
        return [(name, value) for value, name in found.items()]


def _ends(threshold: Threshold) -> tuple[float, ...]:
    return threshold if isinstance(threshold, tuple) else (float(threshold),)
