"""What the contract's rows ask (law section 6), against the registry of metrics: of whom, from which columns.

A row that keeps its bound and its severity may still ask another question.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, Final

import orjson

from seg3b_assets.audit.tree import Desk
from seg3b_assets.realism.measurement import Metric
from seg3b_assets.realism.registry import METRICS

CHECK: Final = "S4.rows"
_GLOBAL: Final = "GLOBAL"
_CLASS_FIELDS: Final = ("edge_merchant_profile_3B.merchant_id", "edge_merchant_profile_3B.virtual_class")
_CLASS_KEY: Final = "merchant_id"

Row = Mapping[str, Any]


def audit_questions(desk: Desk, rows: Sequence[Row]) -> None:
    """Every metric of the registry has its rows, and every row asks what its metric is."""
    contracted = {name: one for name, one in METRICS.items() if one.family and one.compute is not None}
    asked = {row["metric"] for row in rows if row["scope"] == _GLOBAL}
    absent = sorted(contracted.keys() - asked)
    if absent:
        desk.findings.fail(CHECK, len(absent), {"metrics_without_a_row": absent[:3]})
    for row in rows:
        metric = contracted.get(row["metric"])
        if metric is None:
            continue  # its id, its gate and its family are other checks' findings
        inputs = _object(row["inputs"])
        for key, value in _expected(metric, row).items():
            found = inputs.get(key) if key in ("datasets", "fields", "join_keys") else row[key]
            desk.findings.equal(CHECK, found, value, test_id=row["test_id"], key=key)
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
        "target_population": row["target_population"] if sliced else metric.population,
        "datasets": sorted(datasets),
        "fields": list(fields),
        "join_keys": list(keys),
    }


def _object(text: str) -> dict[str, Any]:
    """The nested column's object; empty when it is none, which its contract reports."""
    try:
        value = orjson.loads(text)
    except orjson.JSONDecodeError:
        return {}
    return value if isinstance(value, dict) else {}
