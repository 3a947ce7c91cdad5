"""What the contract's rows ask (law section 6), against the registry of metrics: of whom, from which columns.

A row that keeps its bound and its severity may still ask another question.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, Final

from seg3b_assets.audit.tree import Desk
from seg3b_assets.contracts.artefact_registry import by_own_id, published_id
from seg3b_assets.contracts.published import column_anchor
from seg3b_assets.realism.measurement import ALL_EDGES, ALL_MERCHANTS, ROUTING_PROBE, Metric
from seg3b_assets.realism.registry import METRICS

CHECK: Final = "S4.rows"
_GLOBAL: Final = "GLOBAL"
_NOTES: Final = {
    ALL_EDGES: "every edge of these merchants",
    ROUTING_PROBE: "picks of the routing probe for these merchants",
}
_CLASS_FIELDS: Final = ("edge_merchant_profile_3B.merchant_id", "edge_merchant_profile_3B.virtual_class")
_CLASS_KEY: Final = "merchant_id"

Row = Mapping[str, Any]


def audit_questions(desk: Desk, rows: Sequence[Row]) -> None:
    """Every metric of a hard gate or the probe has its rows, and every row asks what its metric is."""
    gated = {gate.metric for gate in desk.tree.policies.virtual_validation.hard_gates.values()}
    contracted = {
        name: one
        for name, one in METRICS.items()
        if one.compute is not None and (name in gated or one.population == ROUTING_PROBE)
    }
    asked = {row["metric"] for row in rows if row["scope"] == _GLOBAL}
    absent = sorted(contracted.keys() - asked)
    if absent:
        desk.findings.fail(CHECK, len(absent), {"metrics_without_a_row": absent[:3]})
    for row in rows:
        metric = contracted.get(row["metric"])
        if metric is None:
            continue  # its id, its gate and its family are other checks' findings
        found = {**present(dict(row)), **present(row["inputs"])}
        for key, value in _expected(metric, row).items():
            desk.findings.equal(CHECK, found.get(key), value, test_id=row["test_id"], key=key)
    desk.findings.ok(CHECK)


def _expected(metric: Metric, row: Row) -> dict[str, Any]:
    sliced = row["scope"] != _GLOBAL
    fields = (*metric.fields, *(_CLASS_FIELDS if sliced else ()))
    keys = metric.join_keys
    if sliced and _CLASS_KEY not in keys:
        keys = (_CLASS_KEY, *keys)
    datasets = {field.partition(".")[0] for field in fields} | set(metric.artefacts)
    return {
        "test_type": metric.family,
        "description": metric.definition,
        "target_population": _population(metric, row),
        "datasets": [
            {"logical_id": published_id(dataset), "role": _role(metric, dataset)}
            for dataset in sorted(datasets)
        ],
        "fields": [{"schema_anchor": _anchor(field), "role": field} for field in fields],
        "join_keys": list(keys),
    }


def _population(metric: Metric, row: Row) -> dict[str, Any]:
    """Everybody the metric is over, or one class; which one is the row's to say, and the families' to count."""
    found = present(row["target_population"])
    expected: dict[str, Any] = {"virtual_only": metric.population != ALL_MERCHANTS}
    if row["scope"] != _GLOBAL:
        expected["classes"] = found.get("classes", [])[:1]
    if metric.population in _NOTES:
        expected["notes"] = _NOTES[metric.population]
    return expected


def _role(metric: Metric, dataset: str) -> str:
    if dataset in metric.artefacts:
        return "bytes"
    measured = any(field.startswith(f"{dataset}.") for field in metric.fields)
    return "measured" if measured else "population"


def _anchor(field: str) -> str:
    dataset, _, column = field.partition(".")
    return column_anchor(by_own_id()[dataset].schema_ref, column)


def present(value: Any) -> Any:
    """A value without the null members of its structs, which count as absent. Lists are as they stand: S4 puts
    no null into one."""
    if isinstance(value, dict):
        return {key: present(inner) for key, inner in value.items() if inner is not None}
    if isinstance(value, list):
        return [present(inner) for inner in value]
    return value
