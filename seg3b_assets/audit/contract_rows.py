"""S4's validation contract and its terms re-audited (law section 6), row by row against policy and registry.

A contract row has what the layer publishes, the terms under the same test_id the rest: ids, severities,
switches, bounds, anchors of the one, operator, bound, gate and rates of the other. What a row asks is
``questions``' matter.
"""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Mapping
from typing import Any, Final

import polars as pl

from seg3b_assets.audit.questions import audit_questions, present
from seg3b_assets.audit.tree import Desk
from seg3b_assets.contracts import all_contracts
from seg3b_assets.contracts.artefact_registry import own_id
from seg3b_assets.contracts.published import resolve_anchor
from seg3b_assets.laws.hashing import sha256_json
from seg3b_assets.policies import VIRTUAL_CLASSES, VirtualValidation
from seg3b_assets.realism.measurement import ALL_MERCHANTS
from seg3b_assets.realism.registry import METRICS

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

Row = Mapping[str, Any]


def audit_contract(desk: Desk) -> pl.DataFrame | None:
    """Every row of the contract and its terms; the contract, for the run summary."""
    table, terms = desk.table(CONTRACT), desk.table(TERMS)
    if table is None:
        return None
    desk.findings.counts["contract_rows"] = table.height
    if terms is None:
        desk.findings.skip("the contract's terms are not at hand", *_ROW_CHECKS, "S4.terms_set")
        return table
    _one_set(desk, table, terms)
    policy = desk.tree.policies.virtual_validation
    rows = table.join(terms.drop("manifest_fingerprint"), on="test_id", maintain_order="left").to_dicts()
    desk.findings.ok(*_ROW_CHECKS)
    rows = _known(desk, rows)
    for row in rows:
        _row(desk, row, policy)
    audit_questions(desk, rows)
    _families(desk, rows, policy)
    _gate_rows(desk, rows, policy)
    return table


def _one_set(desk: Desk, table: pl.DataFrame, terms: pl.DataFrame) -> None:
    """Each row has its terms, and terms are of a row."""
    without = table.join(terms, on="test_id", how="anti")["test_id"]
    alone = terms.join(table, on="test_id", how="anti")["test_id"]
    if len(without) + len(alone):
        example = {"rows_without_terms": without[:2].to_list(), "terms_without_row": alone[:2].to_list()}
        desk.findings.fail("S4.terms_set", len(without) + len(alone), example)
    desk.findings.ok("S4.terms_set")


def _known(desk: Desk, rows: list[dict[str, Any]]) -> list[dict[str, Any]]:
    """The rows that are of a family; those without terms, told before, are left out, too."""
    families = frozenset((*REALISM_FAMILIES, *TRAFFIC_FAMILIES))
    strange = [row for row in rows if row["test_type"] not in families]
    if strange:
        example = {"test_id": strange[0]["test_id"], "test_type": strange[0]["test_type"]}
        desk.findings.fail("S4.families", len(strange), example)
    return [row for row in rows if row["test_type"] in families and row["metric"] is not None]


def _row(desk: Desk, row: Row, policy: VirtualValidation) -> None:
    name = {"test_id": row["test_id"], "metric": row["metric"]}
    parts = {key: row[key] for key in ("metric", "scope", "test_type")}
    digest = sha256_json(parts | {"target_population": present(row["target_population"])})
    expected_id = f"{row['test_type']}:{row['scope']}:{digest[:12]}"
    desk.findings.equal("S4.test_id", row["test_id"], expected_id, **name)
    family = policy.families[row["test_type"]]
    severity = getattr(family, "severity", None) or (
        "BLOCKING" if policy.realism_enforcement_mode == "enforce" else "WARNING"
    )
    desk.findings.equal("S4.severity", row["severity"], severity, **name)
    desk.findings.equal("S4.enabled", row["enabled"], family.enabled, **name)
    _anchors(desk, row, name)
    _bounds(desk, row, policy, name)


def _anchors(desk: Desk, row: Row, name: dict[str, Any]) -> None:
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
        desk.findings.fail("S4.anchors", max(len(lost), 1), {**name, "unresolved": lost[:5]})


def _bounds(desk: Desk, row: Row, policy: VirtualValidation, name: dict[str, Any]) -> None:
    """The terms are the policy's; the contract has the bounds that are published under a name."""
    terms = _expected_terms(row["metric"], policy)
    for key, value in terms.items():
        desk.findings.equal("S4.terms", row[key], value, key=key, **name)
    desk.findings.equal("S4.thresholds", present(row["thresholds"]), _named(row["metric"], terms), **name)
    desk.findings.equal("S4.thresholds", row["profile"], None, key="profile", **name)


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


def _families(desk: Desk, rows: list[dict[str, Any]], policy: VirtualValidation) -> None:
    """Every family has a row, the contract at least twelve, and a metric sliced by class all classes."""
    counted = Counter(row["test_type"] for row in rows)
    absent = [family for family in (*REALISM_FAMILIES, *TRAFFIC_FAMILIES) if not counted[family]]
    if absent or len(rows) < MINIMUM_ROWS:
        example = {"missing_families": absent, "rows": len(rows), "at_least": MINIMUM_ROWS}
        desk.findings.fail("S4.families", max(len(absent), 1), example)
    slices = Counter(row["metric"] for row in rows if row["scope"] != "GLOBAL")
    for row in rows:
        known = METRICS.get(row["metric"])
        slices_mean_something = known is None or (known.by_class and known.population != ALL_MERCHANTS)
        sliced = policy.families[row["test_type"]].by_class and slices_mean_something
        if row["scope"] == "GLOBAL":
            wanted = len(VIRTUAL_CLASSES) if sliced else 0
            desk.findings.equal("S4.families", slices[row["metric"]], wanted, metric=row["metric"])


def _gate_rows(desk: Desk, rows: list[dict[str, Any]], policy: VirtualValidation) -> None:
    """Each hard gate on a measured number has its one row over everybody.

    ``realism_block_active_enforced`` speaks of the contract itself and has none.
    """
    globally = Counter(row["metric"] for row in rows if row["scope"] == "GLOBAL")
    for gate_id, gate in policy.hard_gates.items():
        wanted = 0 if gate.operator == "bool_true" else 1
        desk.findings.equal("S4.gate_rows", globally[gate.metric], wanted, gate=gate_id, metric=gate.metric)
