"""The page of metrics and gates: what is measured, from which columns, and against which shipped bound."""

from __future__ import annotations

from typing import Any, Final

from seg3b_assets.realism.registry import SEED_METRICS
from seg3b_assets.reference.markdown import code, page, table
from seg3b_assets.reference.policy_page import shipped_values

_INTRO: Final = (
    "Every metric of one seed, from the registry that checks, contract, certification and report all read, and\n"
    "the gates the shipped policies hold them to. Why the bounds stand where they stand, and what would game them,\n"
    "is in [realism](../realism.md)."
)


def metric_page() -> str:
    """The page's text."""
    metrics = table(
        ("metric", "definition", "unit", "better", "state", "by class", "columns"),
        (
            (
                code(metric.name),
                metric.definition,
                metric.unit,
                metric.direction,
                metric.state,
                "yes" if metric.by_class else "",
                ", ".join(map(code, metric.fields)),
            )
            for metric in SEED_METRICS
        ),
    )
    reasons = table(
        ("metric", "gates", "why it is looked at", "what a gate on it cannot see"),
        (
            (code(metric.name), ", ".join(_gates_of(metric.name)), metric.purpose, metric.blind_to)
            for metric in SEED_METRICS
        ),
    )
    return page(
        "Metrics and gates",
        _INTRO,
        "## Hard gates (B)\n",
        _gates(shipped_values("virtual_validation")["hard_gates"]),
        "## Stretch gates (B+)\n",
        _gates(shipped_values("certification")["stretch_gates"]),
        "## Why, and what it cannot see\n",
        reasons,
        "## Metrics\n",
        metrics,
    )


def _gates_of(metric: str) -> list[str]:
    """Ids of the shipped gates that hold a metric, each once."""
    hard = shipped_values("virtual_validation")["hard_gates"]
    stretch = shipped_values("certification")["stretch_gates"]
    named = [gate for gate, rule in hard.items() if rule["metric"] == metric]
    return list(
        dict.fromkeys((*named, *(gate for gate, rule in stretch.items() if metric in rule["metrics"])))
    )


def _gates(gates: dict[str, dict[str, Any]]) -> str:
    return table(
        ("gate", "metric", "bound"),
        (
            (
                gate,
                ", ".join(map(code, declared.get("metrics") or [declared["metric"]])),
                bound(declared["operator"], declared["threshold"]),
            )
            for gate, declared in gates.items()
        ),
    )


def bound(operator: str, threshold: Any) -> str:
    """A gate's bound in words."""
    if operator == "range":
        return f"{threshold[0]:g} to {threshold[1]:g}"
    if operator == "bool_true":
        return "true"
    return f"{ {'>=': '≥', '<=': '≤'}[operator] } {threshold:g}"
