"""What a certification came to: the documents as kept, and the errors of seeds that could not be judged."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from seg3b_assets.certification.lineages import SeedLineage
from seg3b_assets.laws.errors import Seg3BError
from seg3b_assets.realism import CROSS_SEED_SUMMARY, FAIL_REALISM, FAILURE_TRACE


class SeedsFailedError(Exception):
    """Seeds that could not be certified for a reason other than realism.

    Attributes:
        errors: by seed, in the order asked for.
    """

    def __init__(self, errors: Mapping[int, Seg3BError]) -> None:
        super().__init__("; ".join(f"seed {seed}: {error}" for seed, error in errors.items()))
        self.errors = dict(errors)


@dataclass(frozen=True)
class CertificationRun:
    """One certification as kept.

    Attributes:
        certification_id: hex64.
        folder: absolute path of its artefacts.
        lineages: by seed, in the order asked for.
        summary: the cross-seed summary.
        metrics: the metrics document of each seed, in the order asked for.
        reused: whether it was kept already and nothing was scored.
        wall_s: wall seconds, running the seeds included.
        scoring_s: wall seconds of scoring; None where nothing was scored.
    """

    certification_id: str
    folder: Path
    lineages: Mapping[int, SeedLineage]
    summary: Mapping[str, Any]
    metrics: Mapping[int, Mapping[str, Any]]
    reused: bool
    wall_s: float
    scoring_s: float | None = None

    @property
    def verdict(self) -> str:
        """PASS_BPLUS, PASS_B or FAIL_REALISM."""
        return str(self.summary["overall"]["overall_verdict"])

    @property
    def grade_a(self) -> bool:
        return bool(self.summary["overall"]["grade_a"])

    @property
    def passed(self) -> bool:
        return self.verdict != FAIL_REALISM

    @property
    def complete(self) -> dict[int, str]:
        """Lineage id by seed, of the seeds that reached S5."""
        return {seed: one.lineage_id for seed, one in self.lineages.items() if one.blocked is None}

    @property
    def summary_path(self) -> Path:
        return self.folder / CROSS_SEED_SUMMARY

    @property
    def trace_path(self) -> Path | None:
        """The failure trace; None when no gate fails."""
        return self.folder / FAILURE_TRACE if self.summary["ranked_failures"] else None

    @property
    def margins(self) -> dict[str, dict[str, float]]:
        """By seed, the margin of every gate that has one; of a gate with two bounds, the tighter one's."""
        return {
            str(seed): {
                gate: record["margin"]
                for gate, record in {**document["hard_gates"], **document["stretch_gates"]}.items()
                if record["margin"] is not None
            }
            for seed, document in self.metrics.items()
        }

    def as_json(self) -> dict[str, Any]:
        """The object ``seg3b certify --json`` prints."""
        return {
            "verdict": self.verdict,
            "grade_a": self.grade_a,
            "seeds": {str(seed): document["verdict"] for seed, document in self.metrics.items()},
            "cross_seed": self.summary["cross_seed_checks"],
            "confidence": self.summary["confidence"],
            "margins": self.margins,
            "summary_path": str(self.summary_path),
            "wall_s": round(self.wall_s, 3),
        }
