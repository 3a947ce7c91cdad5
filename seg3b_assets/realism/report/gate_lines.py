"""The bounds a plot draws beside what was measured, read from the gates of the metrics documents."""

from __future__ import annotations

from typing import Any

from seg3b_assets.realism.report.material import Record, ReportMaterial

LEVELS: dict[str, str] = {"hard_gates": "B", "stretch_gates": "B+"}


def conditions(gate: Record) -> list[Record]:
    """Every condition of a gate's record."""
    found: list[Record] = list(gate.get("conditions", (gate,)))
    return found


def standing(condition: Record) -> float | None:
    """How far inside its bound as the policy measures margins, or how far outside as a share of the bound, negative.

    A miss has one more way to be told than a margin: against the room to 1, a gate that is missed by all of
    its bound would look nearly met.
    """
    if condition["pass"] is False and condition["miss_pct"] is not None and condition["margin"] is not None:
        return -float(condition["miss_pct"]) / 100.0
    return None if condition["margin"] is None else float(condition["margin"])


def bounds_of(material: ReportMaterial, metric: str) -> list[tuple[str, float]]:
    """(B or B+, value) of every finite end of the bounds on a metric; equal ends are told once."""
    document = next(iter(material.metrics.values()))
    found: dict[float, str] = {}
    for level, name in LEVELS.items():
        for gate in document[level].values():
            for condition in conditions(gate):
                if condition["metric"] == metric and condition["operator"] != "bool_true":
                    for end in _ends(condition["threshold"]):
                        found[end] = f"{found[end]}, {name}" if end in found else name
    return [(name, value) for value, name in found.items()]


def _ends(threshold: Any) -> list[float]:
    return [float(end) for end in threshold] if isinstance(threshold, list) else [float(threshold)]
