"""Run reports (law section 8) re-audited: what each says its state was bound to and published.

Outputs are described from the tree: paths from the contracts, digests and sizes from the bytes, rows from what was
counted.
"""

from __future__ import annotations

from contextlib import suppress
from pathlib import Path
from typing import Any, Final

import orjson
import polars as pl

from seg3b_assets.audit.checks import check, tree_check
from seg3b_assets.audit.maps import Maps
from seg3b_assets.audit.tree import AuditContext, part_files, read_bounded
from seg3b_assets.contracts import all_contracts, contract
from seg3b_assets.contracts.artefact_registry import published_id
from seg3b_assets.foreign.reading import UnreadableTableError
from seg3b_assets.foreign.tables import count_rows
from seg3b_assets.laws.joined_keys import (
    ACCEPTED,
    COORDINATES,
    DENIED,
    joined,
    joined_overrides,
    outside_zones,
)
from seg3b_assets.policies import merchant_overrides

STATES: Final = ("S1", "S2", "S3", "S4")
BUNDLE: Final = "validation_bundle_3B"
FLAG: Final = "passed_flag_3B"
FLAG_NAME: Final = "_passed.flag"


def report_id(state: str) -> str:
    """Dataset id of a state's run report."""
    return f"{state.lower()}_run_report_3B"


@check("S1.run_report", "§8 run report", "the report names other inputs or outputs than the state had")
@check("S2.run_report", "§8 run report", "the report names other inputs or outputs than the state had")
@check("S3.run_report", "§8 run report", "the report names other inputs or outputs than the state had")
@check("S4.run_report", "§8 run report", "the report names other inputs or outputs than the state had")
def audit_run_reports(context: AuditContext) -> None:
    """The reports of S1 to S4, after the digests of everything they name are known."""
    for state in STATES:
        outputs = [
            name
            for name, declared in all_contracts().items()
            if declared.producer == state and declared.status == "active" and name != report_id(state)
        ]
        _report(context, state, outputs)


def audit_joined(
    context: AuditContext, classification: pl.DataFrame | None, merchants: pl.DataFrame | None
) -> None:
    """What S1's report says was used of the coordinates file and of the override lists.

    Args:
        classification: ``virtual_classification_3B``. merchants: the upstream table.
    """
    report = context.document(report_id("S1"))
    if report is None or classification is None or merchants is None:
        return  # what is missing is told where it is looked for
    ids, expected = merchants["merchant_id"], []
    overrides = context.tree.policies.mcc_channel_rules.overrides
    for source, listed in ((ACCEPTED, overrides.accept), (DENIED, overrides.deny)):
        if listed.merchants:
            expected.append(joined(source, pl.Series(listed.merchants, dtype=pl.UInt64), ids, ids))
    coordinates = context.input_table(COORDINATES, ["merchant_id"])
    virtual = classification.filter(pl.col("is_virtual"))["merchant_id"]
    if coordinates is not None:
        expected.append(joined(COORDINATES, coordinates["merchant_id"], virtual, ids))
    for source, written in merchant_overrides(context.tree.policies):
        counted = joined_overrides(source, written, context.tree.identity.created_utc, (virtual, ids))
        expected += [] if counted is None else [counted]
    context.findings.equal("S1.run_report", report.get("joined"), expected, key="joined")


def audit_warnings(context: AuditContext, classification: pl.DataFrame | None, maps: Maps | None) -> None:
    """The coordinates that S1's report says lie outside their zones, and are used all the same."""
    report = context.document(report_id("S1"))
    if report is None or classification is None or maps is None:
        return  # what is missing is told where it is looked for
    rows = context.input_table(COORDINATES, ["merchant_id", "lat_deg", "lon_deg", "tzid_settlement"])
    rule = context.tree.policies.settlement.coordinate_outside_zone
    expected: list[dict[str, Any]] = []
    if rows is not None:
        virtual = classification.filter(pl.col("is_virtual"))["merchant_id"]
        expected = outside_zones(rows, virtual, maps.zone_rows, rule.tolerance_deg)
    context.findings.equal("S1.run_report", report.get("warnings"), expected, key="warnings")


@tree_check("S5.run_report", "§8 run report", "S5's run report was edited, or is of another run")
def audit_last_run_report(context: AuditContext) -> None:
    """S5's own report, beside the bundle it names."""
    _report(context, "S5", [BUNDLE, FLAG])


def _report(context: AuditContext, state: str, outputs: list[str]) -> None:
    check_id, report = f"{state}.run_report", context.document(report_id(state))
    if report is None:
        context.findings.skip("not in the tree, or unreadable", check_id)
        return
    expected: dict[str, Any] = {
        "state": state,
        "sealed_inputs_digest": context.tree.identity.sealed_inputs_digest,
    }
    policies = _policies(context)
    if policies is not None:
        expected["policies"] = policies
    for key, value in expected.items():
        context.findings.equal(check_id, report[key], value, key=key)
    found = {row["logical_id"]: row for row in report["outputs"]}
    named = {published_id(name): name for name in outputs}
    context.findings.equal(check_id, sorted(found), sorted(named), what="outputs")
    for logical_id, dataset in named.items():
        if logical_id in found and dataset in context.tree.datasets:
            told = _described(context, dataset)
            context.findings.equal(
                check_id, {key: found[logical_id][key] for key in told}, told, dataset=dataset
            )
    context.findings.ok(check_id)


def _policies(context: AuditContext) -> dict[str, str] | None:
    """Digest by the layer's name of the segment's policies, as sealed."""
    path = context.tree.datasets.get("sealed_inputs_3B")
    try:
        rows = [] if path is None else orjson.loads(read_bounded(path))
        return {
            row["logical_id"]: row["sha256_hex"] for row in rows if row["artefact_kind"] == "policy"
        } or None
    except (OSError, ValueError, TypeError, KeyError):
        return None  # the seal's own contract tells


def _described(context: AuditContext, dataset: str) -> dict[str, Any]:
    """An output as it lies on disk; what could not be hashed is left out."""
    declared, path = contract(dataset), context.tree.datasets[dataset]
    files = _files(dataset, path)
    told: dict[str, Any] = {
        "path": declared.relative_path(context.tree.identity),
        "size_bytes": sum(file.stat().st_size for file in files),
    }
    if dataset in context.findings.digests:
        told["sha256_hex"] = context.findings.digests[dataset]
    if not declared.is_table:
        told["rows"] = None
    elif declared.format == "jsonl":
        told |= {"rows": context.findings.logs[dataset].lines} if dataset in context.findings.logs else {}
    else:
        with suppress(UnreadableTableError):  # the table's own contract tells
            told["rows"] = sum(map(count_rows, files))
    return told


def _files(dataset: str, path: Path) -> list[Path]:
    """Files that are the dataset's: of the bundle's folder all but the flag, which is a dataset of its own."""
    if dataset == BUNDLE:
        return sorted(file for file in path.iterdir() if file.is_file() and file.name != FLAG_NAME)
    return part_files(path)
