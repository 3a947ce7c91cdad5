"""S4 re-audited (law section 6): what the routing policy binds, what the contract's rows must say.

The routing policy is compiled again from policies and digests. Contract rows are judged one by one: ids,
severities, switches, thresholds, anchors; which metrics a family has is S4's to choose.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping
from typing import Any, Final

import orjson
import polars as pl

from seg3b_assets.audit.findings import same
from seg3b_assets.audit.questions import audit_questions
from seg3b_assets.audit.tree import Desk
from seg3b_assets.contracts import all_contracts, contract
from seg3b_assets.laws.hashing import file_digest, sha256_hex, sha256_json
from seg3b_assets.policies import VIRTUAL_CLASSES, PolicySet, VirtualValidation

CONTRACT: Final = "virtual_validation_contract_3B"
ROUTING: Final = "virtual_routing_policy_3B"
REALISM_FAMILIES: Final = (
    "EDGE_HETEROGENEITY",
    "SETTLEMENT_COHERENCE",
    "CLASSIFICATION_EXPLAINABILITY",
    "ALIAS_FIDELITY",
)
TRAFFIC_FAMILIES: Final = ("IP_COUNTRY_MIX", "SETTLEMENT_CUTOFF", "EDGE_USAGE_VS_WEIGHT", "ROUTING_RECEIPT")
MINIMUM_ROWS: Final = 12
HIGHEST_FALSE_ALARM_RATE: Final = 1e-6
_ID_PARTS: Final = ("metric", "scope", "target_population", "test_type")
_ARTEFACTS: Final = {
    "edge_catalogue_index": "edge_catalogue_index_3B",
    "edge_alias_blob": "edge_alias_blob_3B",
    "edge_alias_index": "edge_alias_index_3B",
}
_MANIFEST_KEYS: Final = {
    "alias_blob_manifest_key": "mlr.3B.s3.edge_alias_blob",
    "alias_index_manifest_key": "mlr.3B.s3.edge_alias_index",
    "edge_universe_hash_manifest_key": "mlr.3B.validation.edge_universe_hash",
}
_ROW_CHECKS: Final = ("S4.test_id", "S4.families", "S4.severity", "S4.enabled", "S4.thresholds", "S4.anchors")

Row = Mapping[str, Any]


def audit_routing(desk: Desk, universe_hash: str | None) -> None:
    """The routing policy against policies and the universe hash.

    Args:
        universe_hash: as S3 published it; None where it is not at hand.
    """
    document = desk.document(ROUTING)
    if document is None:
        return
    expected = _bindings(desk)
    free = {"edge_universe_hash", "cdn_key_digest"}
    for key in sorted(set(expected) | set(document) - free):
        desk.findings.equal("S4.routing_bindings", document.get(key), expected.get(key), key=key)
    digest = cdn_key_digest(desk.tree.policies)
    desk.findings.compare_digest("virtual_routing_policy.cdn_key_digest", document["cdn_key_digest"], digest)
    desk.findings.equal("S4.cdn_key_digest", document["cdn_key_digest"], digest)
    if universe_hash is None:
        desk.findings.skip("the universe hash is not at hand", "S4.universe_binding")
        return
    bound = document["edge_universe_hash"]
    desk.findings.compare_digest("virtual_routing_policy.edge_universe_hash", bound, universe_hash)
    desk.findings.equal("S4.universe_binding", bound, universe_hash)


def _bindings(desk: Desk) -> dict[str, Any]:
    """What the policies alone say the routing policy is."""
    policies, identity = desk.tree.policies, desk.tree.identity
    fields, rng, validation = policies.virtual_routing_fields, policies.route_rng, policies.virtual_validation

    def column(key: str) -> str:
        return str(getattr(fields, key)).partition(".")[2]

    return {
        "manifest_fingerprint": identity.manifest_fingerprint,
        "parameter_hash": identity.parameter_hash,
        "routing_policy_id": fields.policy_id,
        "routing_policy_version": fields.version,
        "virtual_validation_policy_id": validation.policy_id,
        "virtual_validation_policy_version": validation.version,
        "alias_layout_version": policies.alias_layout.layout_version,
        **_MANIFEST_KEYS,
        "dual_timezone_semantics": {
            "tzid_settlement_field": column("tzid_settlement_field"),
            "tzid_operational_field": column("tzid_operational_field"),
            "settlement_cutoff_rule": fields.settlement_cutoff_rule,
        },
        "geo_field_bindings": {
            key: column(key) for key in ("ip_country_field", "ip_latitude_field", "ip_longitude_field")
        },
        "artefact_paths": {
            key: contract(dataset).relative_path(identity) for key, dataset in _ARTEFACTS.items()
        },
        "virtual_edge_rng_binding": {
            "module": rng.module,
            "substream_label": rng.substream_label,
            "event_schema": rng.event_schema,
        },
    }


def cdn_key_digest(policies: PolicySet) -> str:
    """SHA-256 over LF-terminated lines: policy id and version, the median budget, each country's weight."""
    weights = policies.cdn_country_weights
    text = f"policy_id={weights.policy_id}\npolicy_version={weights.version}\n"
    text += "edge_scale=%d\n" % policies.edge_topology.budget.median  # noqa: UP031 - the law's own format
    for row in sorted(weights.countries, key=lambda country: country.country_iso):
        text += "country=%s|weight=%.12f\n" % (row.country_iso, row.weight)  # noqa: UP031
    return sha256_hex(text.encode())


def audit_contract(desk: Desk) -> pl.DataFrame | None:
    """Every row of ``virtual_validation_contract_3B``; the table, for the run summary."""
    table = desk.table(CONTRACT)
    if table is None:
        return None
    policy = desk.tree.policies.virtual_validation
    rows = table.to_dicts()
    desk.findings.counts["contract_rows"] = len(rows)
    desk.findings.ok(*_ROW_CHECKS)
    for row in rows:
        _row(desk, row, policy)
    audit_questions(desk, rows)
    _families(desk, rows, policy)
    _gate_rows(desk, rows, policy)
    return table


def _row(desk: Desk, row: Row, policy: VirtualValidation) -> None:
    name = {"test_id": row["test_id"], "metric": row["metric"]}
    digest = sha256_json({part: row[part] for part in _ID_PARTS})
    expected_id = f"{row['test_type']}:{row['scope']}:{digest[:12]}"
    desk.findings.equal("S4.test_id", row["test_id"], expected_id, **name)
    family = policy.families[row["test_type"]]
    severity = getattr(family, "severity", None) or (
        "BLOCKING" if policy.realism_enforcement_mode == "enforce" else "WARNING"
    )
    desk.findings.equal("S4.severity", row["severity"], severity, **name)
    desk.findings.equal("S4.enabled", row["enabled"], family.enabled, **name)
    _anchors(desk, row, name)
    _thresholds(desk, row, policy, name)


def _anchors(desk: Desk, row: Row, name: dict[str, Any]) -> None:
    """Datasets and columns a row names are in the dictionary; a key joins columns of two datasets."""
    inputs, known = _object(row["inputs"]), all_contracts()
    lost = [dataset for dataset in inputs.get("datasets", []) if dataset not in known]
    for anchor in inputs.get("fields", []):
        dataset, _, column = str(anchor).partition(".")
        declared = known.get(dataset)
        if declared is None or not declared.is_table or column not in declared.schema["properties"]:
            lost.append(anchor)
        elif dataset not in inputs.get("datasets", []):
            lost.append(dataset)
    holders = Counter(str(anchor).partition(".")[2] for anchor in inputs.get("fields", []))
    lost += [key for key in inputs.get("join_keys", []) if holders[key] < 2]
    if lost or not inputs.get("fields"):
        desk.findings.fail("S4.anchors", max(len(lost), 1), {**name, "unresolved": lost[:5]})


def _thresholds(desk: Desk, row: Row, policy: VirtualValidation, name: dict[str, Any]) -> None:
    """A gate's row carries the gate's bound; a probe's row its false-alarm rate and its power."""
    found = _object(row["thresholds"])
    gates = {gate.metric: (gate_id, gate) for gate_id, gate in policy.hard_gates.items()}
    if row["metric"] in gates:
        gate_id, gate = gates[row["metric"]]
        limits = gate.threshold if isinstance(gate.threshold, tuple) else (gate.threshold,)
        names = ("low", "high") if len(limits) == 2 else ("value",)
        bound = dict(zip(names, map(float, limits), strict=True))
        expected: dict[str, Any] = {"operator": gate.operator, **bound}
        desk.findings.equal("S4.thresholds", found, expected, **name)
        desk.findings.equal("S4.thresholds", row["profile"], gate_id, **name)
        return
    desk.findings.equal("S4.thresholds", row["profile"], None, **name)
    rate = found.get("false_alarm_rate")
    fits = (
        isinstance(rate, float)
        and any(same(rate, allowed) for allowed in (0.0, policy.probe.false_alarm_rate))
        and rate <= HIGHEST_FALSE_ALARM_RATE
        and same(found.get("value"), rate)
        and found.get("operator") == (">=" if rate else "<=")
        and found.get("power", 0) >= policy.probe.minimum_power
    )
    if not fits:
        desk.findings.fail("S4.thresholds", 1, {**name, "found": found})


def _object(text: str) -> dict[str, Any]:
    """A nested column's object; empty when it is none, which its contract reports."""
    try:
        value = orjson.loads(text)
    except orjson.JSONDecodeError:
        return {}
    return value if isinstance(value, dict) else {}


def _families(desk: Desk, rows: list[dict[str, Any]], policy: VirtualValidation) -> None:
    """Every family has a row, the contract at least twelve, and a metric sliced by class all classes."""
    counted = Counter(row["test_type"] for row in rows)
    absent = [family for family in (*REALISM_FAMILIES, *TRAFFIC_FAMILIES) if not counted[family]]
    if absent or len(rows) < MINIMUM_ROWS:
        example = {"missing_families": absent, "rows": len(rows), "at_least": MINIMUM_ROWS}
        desk.findings.fail("S4.families", max(len(absent), 1), example)
    slices = Counter(row["metric"] for row in rows if row["scope"] != "GLOBAL")
    for row in rows:
        sliced = policy.families[row["test_type"]].by_class and row["target_population"] != "all_merchants"
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


def audit_run_summary(
    desk: Desk, table: pl.DataFrame | None, index: pl.DataFrame | None, universe_hash: str | None
) -> None:
    """Every total of ``s4_run_summary_3B``."""
    summary = desk.document("s4_run_summary_3B")
    if summary is None or table is None or index is None:
        return
    policies, identity, datasets = desk.tree.policies, desk.tree.identity, desk.tree.datasets
    severities = Counter(table["severity"].to_list())
    edges = index.filter(pl.col("scope") == "MERCHANT")["edge_count_total"].sum()
    expected = {
        "generated_utc": identity.created_utc,
        "realism_enforcement_mode": policies.virtual_validation.realism_enforcement_mode,
        "cdn_key_digest": cdn_key_digest(policies),
        "virtual_merchants": index.filter(pl.col("scope") == "MERCHANT").height,
        "edges_total": int(edges),
        "contract_rows_total": table.height,
        "contract_rows_enabled": int(table["enabled"].sum()),
        "contract_rows_by_test_type": dict(Counter(table["test_type"].to_list())),
        "contract_rows_by_severity": {name: severities[name] for name in ("BLOCKING", "WARNING", "INFO")},
    }
    if universe_hash is not None:
        expected["edge_universe_hash"] = universe_hash
    for key, dataset in (("routing_policy_sha256", ROUTING), ("validation_contract_sha256", CONTRACT)):
        if dataset in datasets and datasets[dataset].is_file():
            expected[key] = file_digest(datasets[dataset])
            desk.findings.compare_digest(f"s4_run_summary.{key}", str(summary[key]), str(expected[key]))
    for key, value in expected.items():
        desk.findings.equal("S4.run_summary", summary.get(key), value, key=key)
