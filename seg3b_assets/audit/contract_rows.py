"""S4's validation contract and its terms re-audited (law section 6), row by row.

A contract row has what the layer publishes, the terms under the same test_id the rest: ids, severities, switches,
bounds, anchors of the one, operator, bound, gate and rates of the other. A row that keeps its bound and its severity
may still ask another question: of whom, from which columns.
"""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Mapping, Sequence
from typing import Any, Final

import polars as pl

from seg3b_assets.audit.checks import check
from seg3b_assets.audit.tree import AuditContext
from seg3b_assets.contracts import all_contracts
from seg3b_assets.contracts.artefact_registry import by_own_id, own_id, published_id
from seg3b_assets.contracts.published import column_anchor, resolve_anchor
from seg3b_assets.laws.hashing import sha256_json
from seg3b_assets.policies import VIRTUAL_CLASSES, VirtualValidation
from seg3b_assets.realism.measurement import ALL_EDGES, ALL_MERCHANTS, ROUTING_PROBE, Metric
from seg3b_assets.realism.registry import METRICS

_GLOBAL: Final = "GLOBAL"
_NOTES: Final = {
    ALL_EDGES: "every edge of these merchants",
    ROUTING_PROBE: "picks of the routing probe for these merchants",
}
_CLASS_FIELDS: Final = ("edge_merchant_profile_3B.merchant_id", "edge_merchant_profile_3B.virtual_class")
_CLASS_KEY: Final = "merchant_id"

Row = Mapping[str, Any]


CONTRACT: Final = "virtual_validation_contract_3B"
TERMS: Final = "virtual_validation_terms_3B"
REALISM_FAMILIES: Final = (
    "EDGE_HETEROGENEITY",
    "SETTLEMENT_COHERENCE",
    "CLASSIFICATION_EXPLAINABILITY",
    "ALIAS_FIDELITY",
)
TRAFFIC_FAMILIES: Final = ("IP_COUNTRY_MIX", "SETTLEMENT_CUTOFF", "EDGE_USAGE_VS_WEIGHT", "ROUTING_RECEIPT")
MINIMUM_ROWS: Final = 12
HIGHEST_FALSE_ALARM_RATE: Final = 1e-6
_P_VALUE: Final = "_p_value"
_ROW_CHECKS: Final = (
    "S4.test_id",
    "S4.families",
    "S4.severity",
    "S4.enabled",
    "S4.thresholds",
    "S4.anchors",
    "S4.terms",
)


@check("S4.rows", "§6 contract", "a row asks something else than its metric is, or a metric has no row")
def audit_questions(context: AuditContext, rows: Sequence[Row]) -> None:
    """Every metric of a hard gate or the probe has its rows, and every row asks what its metric is."""
    gated = {gate.metric for gate in context.tree.policies.virtual_validation.hard_gates.values()}
    contracted = {
        name: one
        for name, one in METRICS.items()
        if one.compute is not None and (name in gated or one.population == ROUTING_PROBE)
    }
    asked = {row["metric"] for row in rows if row["scope"] == _GLOBAL}
    absent = sorted(contracted.keys() - asked)
    if absent:
        context.findings.fail("S4.rows", len(absent), {"metrics_without_a_row": absent[:3]})
    for row in rows:
        metric = contracted.get(row["metric"])
        if metric is None:
            continue  # its id, its gate and its family are other checks' findings
        found = {**present(dict(row)), **present(row["inputs"])}
        for key, value in _expected(metric, row).items():
            context.findings.equal("S4.rows", found.get(key), value, test_id=row["test_id"], key=key)
    context.findings.ok("S4.rows")


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


def audit_contract(context: AuditContext) -> pl.DataFrame | None:
    """Every row of the contract and its terms; the contract, for the run summary."""
    table, terms = context.table(CONTRACT), context.table(TERMS)
    if table is None:
        return None
    context.findings.counts["contract_rows"] = table.height
    if terms is None:
        context.findings.skip("the contract's terms are not at hand", *_ROW_CHECKS, "S4.terms_set")
        return table
    _one_set(context, table, terms)
    policy = context.tree.policies.virtual_validation
    rows = table.join(terms.drop("manifest_fingerprint"), on="test_id", maintain_order="left").to_dicts()
    context.findings.ok(*_ROW_CHECKS)
    rows = _known(context, rows)
    for row in rows:
        _row(context, row, policy)
    audit_questions(context, rows)
    _families(context, rows, policy)
    _gate_rows(context, rows, policy)
    return table


@check("S4.terms_set", "§6 contract", "a row has no terms, or terms have no row")
def _one_set(context: AuditContext, table: pl.DataFrame, terms: pl.DataFrame) -> None:
    """Each row has its terms, and terms are of a row."""
    without = table.join(terms, on="test_id", how="anti")["test_id"]
    alone = terms.join(table, on="test_id", how="anti")["test_id"]
    if len(without) + len(alone):
        example = {"rows_without_terms": without[:2].to_list(), "terms_without_row": alone[:2].to_list()}
        context.findings.fail("S4.terms_set", len(without) + len(alone), example)
    context.findings.ok("S4.terms_set")


def _known(context: AuditContext, rows: list[dict[str, Any]]) -> list[dict[str, Any]]:
    """The rows that are of a family; those without terms, told before, are left out, too."""
    families = frozenset((*REALISM_FAMILIES, *TRAFFIC_FAMILIES))
    strange = [row for row in rows if row["test_type"] not in families]
    if strange:
        example = {"test_id": strange[0]["test_id"], "test_type": strange[0]["test_type"]}
        context.findings.fail("S4.families", len(strange), example)
    return [row for row in rows if row["test_type"] in families and row["metric"] is not None]


@check("S4.test_id", "§6 contract", "an id is not that of its row")
@check("S4.severity", "§6 contract", "a severity is not what the mode asks for")
@check("S4.enabled", "§6 contract", "a row is switched on or off against the policy")
def _row(context: AuditContext, row: Row, policy: VirtualValidation) -> None:
    name = {"test_id": row["test_id"], "metric": row["metric"]}
    parts = {key: row[key] for key in ("metric", "scope", "test_type")}
    digest = sha256_json(parts | {"target_population": present(row["target_population"])})
    expected_id = f"{row['test_type']}:{row['scope']}:{digest[:12]}"
    context.findings.equal("S4.test_id", row["test_id"], expected_id, **name)
    family = policy.families[row["test_type"]]
    severity = getattr(family, "severity", None) or (
        "BLOCKING" if policy.realism_enforcement_mode == "enforce" else "WARNING"
    )
    context.findings.equal("S4.severity", row["severity"], severity, **name)
    context.findings.equal("S4.enabled", row["enabled"], family.enabled, **name)
    _anchors(context, row, name)
    _bounds(context, row, policy, name)


@check("S4.anchors", "§6 contract", "a row names a dataset or column that does not exist")
def _anchors(context: AuditContext, row: Row, name: dict[str, Any]) -> None:
    """Datasets and columns a row names are declared somewhere; a key joins columns of two datasets."""
    inputs = present(row["inputs"])
    named = [own_id((one or {}).get("logical_id", "")) for one in inputs.get("datasets", [])]
    lost = [dataset for dataset in named if dataset not in all_contracts()]
    fields = [field or {} for field in inputs.get("fields", [])]
    for field in fields:
        try:
            resolve_anchor(field.get("schema_anchor", ""))
        except ValueError as error:
            lost.append(str(error))
        if field.get("role", "").partition(".")[0] not in named:
            lost.append(field.get("role", ""))
    holders = Counter(field.get("role", "").partition(".")[2] for field in fields)
    lost += [key for key in inputs.get("join_keys", []) if holders[key] < 2]
    if lost or not fields:
        context.findings.fail("S4.anchors", max(len(lost), 1), {**name, "unresolved": lost[:5]})


@check("S4.thresholds", "§6 contract", "a published bound is not the policy's gate")
@check("S4.terms", "§6 contract", "a metric is held otherwise than by the policy's gate or the probe's rates")
def _bounds(context: AuditContext, row: Row, policy: VirtualValidation, name: dict[str, Any]) -> None:
    """The terms are the policy's; the contract has the bounds that are published under a name."""
    terms = _expected_terms(row["metric"], policy)
    for key, value in terms.items():
        context.findings.equal("S4.terms", row[key], value, key=key, **name)
    context.findings.equal("S4.thresholds", present(row["thresholds"]), _named(row["metric"], terms), **name)
    context.findings.equal("S4.thresholds", row["profile"], None, key="profile", **name)


def _expected_terms(metric: str, policy: VirtualValidation) -> dict[str, Any]:
    """A gate's row carries the gate's bound; a probe's its false-alarm rate, its power and what that finds."""
    keys = ("operator", "value", "low", "high", "false_alarm_rate", "power", "effect", "gate_id")
    expected: dict[str, Any] = dict.fromkeys(keys)
    gates = {gate.metric: (gate_id, gate) for gate_id, gate in policy.hard_gates.items()}
    if metric in gates:
        gate_id, gate = gates[metric]
        expected |= {"operator": gate.operator, "gate_id": gate_id}
        if isinstance(gate.threshold, tuple):
            low, high = gate.threshold
            return expected | {"low": float(low), "high": float(high)}
        return expected | {"value": float(gate.threshold)}
    probe = policy.probe
    if metric.endswith(_P_VALUE):
        rate = min(probe.false_alarm_rate, HIGHEST_FALSE_ALARM_RATE)
        stated = {"false_alarm_rate": rate, "power": probe.minimum_power, "effect": probe.detectable_shift}
        return expected | {"operator": ">=", "value": rate, **stated}
    # An identity holds for every pick of a right router: one pick that breaks it shows.
    stated = {"false_alarm_rate": 0.0, "power": 1.0, "effect": 1.0 / probe.picks_per_merchant}
    return expected | {"operator": "<=", "value": 0.0, **stated}


def _named(metric: str, terms: Mapping[str, Any]) -> dict[str, Any]:
    """The bounds under their published names; a count's lower bound is the next whole number."""
    known = METRICS.get(metric)
    if known is None:
        return {}
    lower = terms["low"] if terms["value"] is None else terms["value"] if terms["operator"] == ">=" else None
    upper = terms["high"] if terms["value"] is None else terms["value"] if terms["operator"] == "<=" else None
    found: dict[str, Any] = {}
    if known.lower_name and lower is not None:
        found[known.lower_name] = math.ceil(lower) if known.lower_name.endswith("_id_count_min") else lower
    if known.upper_name and upper is not None:
        found[known.upper_name] = upper
    return found


@check("S4.families", "§6 contract", "a family is missing, or the contract has too few rows")
def _families(context: AuditContext, rows: list[dict[str, Any]], policy: VirtualValidation) -> None:
    """Every family has a row, the contract at least twelve, and a metric sliced by class all classes."""
    counted = Counter(row["test_type"] for row in rows)
    absent = [family for family in (*REALISM_FAMILIES, *TRAFFIC_FAMILIES) if not counted[family]]
    if absent or len(rows) < MINIMUM_ROWS:
        example = {"missing_families": absent, "rows": len(rows), "at_least": MINIMUM_ROWS}
        context.findings.fail("S4.families", max(len(absent), 1), example)
    slices = Counter(row["metric"] for row in rows if row["scope"] != "GLOBAL")
    for row in rows:
        known = METRICS.get(row["metric"])
        slices_mean_something = known is None or (known.by_class and known.population != ALL_MERCHANTS)
        sliced = policy.families[row["test_type"]].by_class and slices_mean_something
        if row["scope"] == "GLOBAL":
            wanted = len(VIRTUAL_CLASSES) if sliced else 0
            context.findings.equal("S4.families", slices[row["metric"]], wanted, metric=row["metric"])


@check("S4.gate_rows", "§6 contract", "a gate of the policy has no row")
def _gate_rows(context: AuditContext, rows: list[dict[str, Any]], policy: VirtualValidation) -> None:
    """Each hard gate on a measured number has its one row over everybody.

    ``realism_block_active_enforced`` speaks of the contract itself and has none.
    """
    globally = Counter(row["metric"] for row in rows if row["scope"] == "GLOBAL")
    for gate_id, gate in policy.hard_gates.items():
        wanted = 0 if gate.operator == "bool_true" else 1
        context.findings.equal(
            "S4.gate_rows", globally[gate.metric], wanted, gate=gate_id, metric=gate.metric
        )
