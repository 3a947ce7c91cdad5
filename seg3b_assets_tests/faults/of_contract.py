"""Faults of S4's outputs: routing policy, validation contract, its results and the run summary."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator
from typing import Any

import orjson
import polars as pl

from seg3b_assets.laws.hashing import canonical_json, sha256_json
from seg3b_assets_tests.faults import edits
from seg3b_assets_tests.faults.edited_tree import CONTRACT, ROUTING, RUN_SUMMARY, Tree
from seg3b_assets_tests.faults.fault import Fault, edited

RESULTS = "virtual_validation_results_3B"


def contract_faults() -> Iterator[Fault]:
    """Routing policy, contract, results, summary."""
    yield from _routing()
    yield from _contract()
    yield from _results()
    yield from _summary()


def _routing() -> Iterator[Fault]:
    bindings, own = "S4.routing_bindings", f"S4.{ROUTING}.contract"

    def said(name: str, check: str, *also: str, **fields: Any) -> Fault:
        return edited(
            ROUTING, name, check, lambda tree: tree.document(ROUTING, lambda value: value | fields), also
        )

    def inside(name: str, check: str, key: str, *also: str, **fields: Any) -> Fault:
        return edited(
            ROUTING,
            name,
            check,
            lambda tree: tree.document(ROUTING, lambda value: value[key].update(fields)),
            also,
        )

    yield inside("a router's latitude field", bindings, "geo_field_bindings", ip_latitude_field="lon_deg")
    yield inside(
        "both clocks one", bindings, "dual_timezone_semantics", tzid_settlement_field="tzid_operational"
    )
    yield inside(
        "another cutoff", bindings, "dual_timezone_semantics", own, settlement_cutoff_rule="UTC_MIDNIGHT"
    )
    yield inside(
        "a blob elsewhere",
        bindings,
        "artefact_paths",
        edge_alias_blob="data/layer1/3B/edge_alias_blob/latest.bin",
    )
    yield inside(
        "a blob out of the tree", own, "artefact_paths", bindings, edge_alias_blob="../../../etc/passwd"
    )
    yield inside(
        "another stream for picks",
        own,
        "virtual_edge_rng_binding",
        bindings,
        substream_label="cdn_edge_pick_v2",
    )
    yield said("another universe", "S4.universe_binding", "S4.run_summary", edge_universe_hash="0" * 64)
    yield said("a routing digest", "S4.cdn_key_digest", cdn_key_digest="0" * 64)
    yield said("a routing policy's version", bindings, routing_policy_version="9.9.9")
    yield said("another manifest key", own, bindings, alias_blob_manifest_key="mlr.3B.s3.alias_blob")
    yield said(
        "a routing policy of another world", f"S4.{ROUTING}.identity", bindings, manifest_fingerprint="0" * 64
    )
    yield said("a route around the blob", own, bindings, overrides=[{"merchant_id": 1, "edge_id": "0" * 16}])
    yield said("a note in the routing policy", bindings, own, notes="temporary")


def _rows(alter: edits.Change) -> Callable[[Tree], None]:
    return lambda tree: tree.table(CONTRACT, alter)


def _contract() -> Iterator[Fault]:
    measured = ("S4.results", "S4.run_summary")

    def change(name: str, check: str, alter: edits.Change, *also: str) -> Fault:
        return edited(CONTRACT, name, check, _rows(alter), (*measured, *also))

    own = f"S4.{CONTRACT}.contract"
    yield change("a test disabled", "S4.enabled", edits.set_cell(3, enabled=False))
    yield change("every test disabled", "S4.enabled", lambda frame: frame.with_columns(enabled=pl.lit(False)))
    yield change("a severity", "S4.severity", edits.set_cell(3, severity="INFO"))
    yield change("a threshold loosened", "S4.thresholds", _gate_loosened)
    yield change("an operator turned", "S4.thresholds", _operator_turned)
    yield change("a probe's false-alarm rate", "S4.thresholds", _rate_raised)
    yield change("a probe's power", "S4.thresholds", _power_lowered)
    yield change("a threshold written as an integer", "S4.thresholds", _bound_made_integer)
    yield change("a threshold of minus zero", "S4.thresholds", _bound_below_zero)
    yield change("a probe under a gate's name", "S4.thresholds", _probe_under_a_gate)
    yield change("thresholds that are no JSON", "S4.thresholds", edits.set_cell(3, thresholds="{"), own)
    yield change(
        "a metric",
        "S4.test_id",
        edits.set_cell(3, metric="nothing"),
        "S4.gate_rows",
        "S4.families",
        "S4.thresholds",
        "S4.rows",
    )
    yield change(
        "a test id",
        "S4.test_id",
        edits.set_cell(3, test_id="ALIAS_FIDELITY:GLOBAL:000000000000"),
        f"S4.{CONTRACT}.order",
    )
    yield change(
        "a gate's row dropped",
        "S4.gate_rows",
        lambda frame: frame.filter(pl.col("metric") != "top1_share_p50"),
        "S4.families",
        "S4.rows",
    )
    yield change(
        "a family dropped",
        "S4.families",
        lambda frame: frame.filter(pl.col("test_type") != "ROUTING_RECEIPT"),
        "S4.rows",
    )
    yield change("a class's slice dropped", "S4.families", _slice_dropped, "S4.rows")
    yield change(
        "a dataset that does not exist", "S4.anchors", _anchored("datasets", "edge_catalogue_3C"), "S4.rows"
    )
    yield change(
        "a column that does not exist",
        "S4.anchors",
        _anchored("fields", "edge_catalogue_3B.weight"),
        "S4.rows",
    )
    yield change("a key that joins nothing", "S4.anchors", _anchored("join_keys", "tzid"), "S4.rows")
    yield change("a gate's profile", "S4.thresholds", edits.set_cell(3, profile="another_gate"), "S4.rows")
    yield change("a description", "S4.rows", edits.set_cell(3, description="Nothing to see."))
    yield change(
        "a row's population, its id redone",
        "S4.rows",
        _population_changed,
        f"S4.{CONTRACT}.order",
        "S4.families",
    )
    yield change("a probe dropped with its slices", "S4.rows", _probe_dropped, "S4.families", "S4.gate_rows")


def _thresholds_changed(pick: str, alter: Callable[[dict[str, Any]], None]) -> edits.Change:
    def change(frame: pl.DataFrame) -> pl.DataFrame:
        row = int(frame["thresholds"].str.contains(pick).arg_true()[0])
        value = orjson.loads(frame["thresholds"][row])
        alter(value)
        return edits.set_cell(row, thresholds=canonical_json(value).decode())(frame)

    return change


_gate_loosened = _thresholds_changed('"operator":">=","value"', lambda value: value.update(value=0.0))
_operator_turned = _thresholds_changed('"operator":">=","value"', lambda value: value.update(operator="<="))
_rate_raised = _thresholds_changed("false_alarm_rate", lambda value: value.update(false_alarm_rate=0.5))
_power_lowered = _thresholds_changed('"power":0', lambda value: value.update(power=value["power"] / 2))


def _bound_written(bound: str, otherwise: str) -> edits.Change:
    def change(frame: pl.DataFrame) -> pl.DataFrame:
        pattern = f'"value":{bound}}}$'
        row = int(frame["thresholds"].str.contains(pattern).arg_true()[0])
        text = re.sub(pattern, f'"value":{otherwise}}}', frame["thresholds"][row])
        return edits.set_cell(row, thresholds=text)(frame)

    return change


_bound_made_integer = _bound_written(r"([1-9][0-9]*)\.0", r"\1")
_bound_below_zero = _bound_written(r"0\.0", "-0.0")


def _probe_under_a_gate(frame: pl.DataFrame) -> pl.DataFrame:
    row = int(frame["thresholds"].str.contains("false_alarm_rate").arg_true()[0])
    return edits.set_cell(row, profile="3B-V01")(frame)


def _slice_dropped(frame: pl.DataFrame) -> pl.DataFrame:
    row = int((frame["scope"] != "GLOBAL").arg_true()[0])
    return edits.drop_row(row)(frame)


def _anchored(key: str, anchor: str) -> edits.Change:
    def change(frame: pl.DataFrame) -> pl.DataFrame:
        inputs = orjson.loads(frame["inputs"][3])
        inputs[key] = [*inputs[key], anchor]
        return edits.set_cell(3, inputs=canonical_json(inputs).decode())(frame)

    return change


def _population_changed(frame: pl.DataFrame) -> pl.DataFrame:
    row = int((frame["target_population"] == "all_merchants").arg_true()[0])
    parts = {name: frame[name][row] for name in ("metric", "scope", "target_population", "test_type")}
    parts["target_population"] = "virtual_merchants"
    test_id = f"{parts['test_type']}:{parts['scope']}:{sha256_json(parts)[:12]}"
    return edits.set_cell(row, target_population="virtual_merchants", test_id=test_id)(frame).sort("test_id")


def _probe_dropped(frame: pl.DataFrame) -> pl.DataFrame:
    """A metric with all its slices, of a family that keeps others."""
    families = frame.group_by("test_type").agg(pl.col("metric").unique().sort()).sort("test_type")
    metric = next(metrics[-1] for metrics in families["metric"].to_list() if len(metrics) > 1)
    return frame.filter(pl.col("metric") != metric)


def _results() -> Iterator[Fault]:
    def change(name: str, alter: edits.Change, *also: str) -> Fault:
        return edited(RESULTS, name, "S4.results", lambda tree: tree.table(RESULTS, alter), also)

    own, order = f"S4.{RESULTS}.contract", f"S4.{RESULTS}.order"
    yield change("a result turned to pass", _turned_to_pass, own)
    yield change("a measured value off by one ulp", edits.next_float("measured", 3))
    yield change("a measured value", edits.set_cell(3, measured=0.123))
    yield change("a measured zero turned to minus zero", _zero_below_zero)
    yield change("the number measured", edits.add_to("n", 3, 1))
    yield change("a threshold in the results", edits.set_cell(3, threshold='{"value":0.0}'), own)
    yield change("a result dropped", edits.drop_row(3))
    yield change("two results exchanged", edits.cells_exchanged("measured", 3, 4))
    yield change("a result's detail", edits.set_cell(3, detail="{}"), own)
    yield change("a result of another test", edits.set_cell(3, test_id="X:Y:000000000000"), own, order)


def _turned_to_pass(frame: pl.DataFrame) -> pl.DataFrame:
    """In this small world some row has nothing to measure."""
    row = int((frame["status"] != "PASS").arg_true()[0])
    return edits.set_cell(row, status="PASS")(frame)


def _zero_below_zero(frame: pl.DataFrame) -> pl.DataFrame:
    row = int((frame["measured"] == 0.0).arg_true()[0])
    return edits.set_cell(row, measured=-0.0)(frame)


def _summary() -> Iterator[Fault]:
    totals = "S4.run_summary"

    def said(name: str, check: str, *also: str, **fields: Any) -> Fault:
        return edited(
            RUN_SUMMARY,
            name,
            check,
            lambda tree: tree.document(RUN_SUMMARY, lambda value: value | fields),
            also,
        )

    yield said("the number of edges", totals, edges_total=1)
    yield said("the number of merchants", totals, virtual_merchants=1)
    yield said("the mode", totals, realism_enforcement_mode="enforce")
    yield said("the contract's digest", totals, validation_contract_sha256="0" * 64)
    yield said("the routing policy's digest", totals, routing_policy_sha256="0" * 64)
    yield said("the hour of the summary", totals, generated_utc="2031-01-01T00:00:00.000000Z")
    yield said("a summary's run", f"S4.{RUN_SUMMARY}.identity", run_id="0" * 32)
    yield said("the rows enabled", totals, contract_rows_enabled=1)
    yield said("a summary that failed", f"S4.{RUN_SUMMARY}.contract", totals, status="FAIL")
