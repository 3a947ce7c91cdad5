"""Faults of S4's outputs: routing policy, validation contract, its results and the run summary."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any

import numpy as np
import polars as pl

from seg3b_assets_tests.faults import edits
from seg3b_assets_tests.faults.edited_tree import CONTRACT, ROUTING, RUN_SUMMARY, Tree
from seg3b_assets_tests.faults.fault import Fault, edited

RESULTS = "virtual_validation_results_3B"
TERMS = "virtual_validation_terms_3B"
BINDINGS = "virtual_routing_bindings_3B"


def contract_faults() -> Iterator[Fault]:
    """Routing policy, contract, results, summary."""
    yield from _routing()
    yield from _bindings()
    yield from _contract()
    yield from _terms()
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

    yield inside(
        "a router's latitude field", bindings, "geo_field_bindings", ip_latitude_field="event.ip_longitude"
    )
    yield inside(
        "both clocks one", bindings, "dual_timezone_semantics", tzid_settlement_field="event.tzid_operational"
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
    yield said("an override nobody wrote", bindings, overrides=[{"merchant_id": 7, "mode": "hybrid"}])
    yield said("another universe", "S4.universe_binding", "S4.run_summary", edge_universe_hash="0" * 64)
    yield said("a routing digest", "S4.cdn_key_digest", cdn_key_digest="0" * 64)
    yield said("a routing policy's version", bindings, routing_policy_version="9.9.9")
    yield said("another manifest key", own, bindings, alias_blob_manifest_key="mlr.3B.s3.alias_blob")
    yield said(
        "a routing policy of another world", f"S4.{ROUTING}.identity", bindings, manifest_fingerprint="0" * 64
    )
    yield said("a route around the blob", own, bindings, overrides=[{"merchant_id": 1, "edge_id": "0" * 16}])
    yield inside(
        "a column for an event field", own, "geo_field_bindings", bindings, ip_country_field="country_iso"
    )
    yield inside(
        "another shape of a pick", bindings, "virtual_edge_rng_binding", event_schema="schemas.layer1.yaml#/x"
    )
    yield said("a policy's own id", own, bindings, routing_policy_id="route_rng")
    yield said("a note in the routing policy", bindings, own, notes="temporary")


def _bindings() -> Iterator[Fault]:
    def said(name: str, check: str, *also: str, **fields: Any) -> Fault:
        return edited(
            BINDINGS, name, check, lambda tree: tree.document(BINDINGS, lambda value: value | fields), also
        )

    def row(name: str, field: str, *also: str, check: str = "S4.field_bindings", **fields: Any) -> Fault:
        def change(value: dict[str, Any]) -> None:
            bound = {one["bound_as"]: one for one in value["bindings"]}
            bound[f"{field}_field"].update(fields)

        return edited(BINDINGS, name, check, lambda tree: tree.document(BINDINGS, change), also)

    own, filled = f"S4.{BINDINGS}.contract", "S4.field_bindings"
    yield row("a latitude from the longitude", "ip_latitude", column="lon_deg")
    yield row("a country from the settlement", "ip_country", dataset="virtual_settlement_3B")
    yield row(
        "an anchor beside its column",
        "ip_country",
        schema_anchor="schemas.3B.yaml#/plan/edge_catalogue_3B/edge_id",
    )
    yield row("an event field under another name", "ip_longitude", own, event_field="event.longitude")
    yield row("a day taken from a column", "settlement_day", rule="AS_PUBLISHED")
    yield row(
        "a day cut in the edge's zone",
        "settlement_day",
        dataset="edge_catalogue_3B",
        column="tzid_operational",
    )
    yield row("a join without the edge", "ip_country", join_keys=["merchant_id"])
    yield row("a rule that nobody knows", "settlement_day", filled, check=own, rule="UTC_MIDNIGHT")
    yield said("bindings of another policy's bytes", filled, policy_sha256="0" * 64)
    yield said("bindings of another version", filled, policy_version="9.9.9")
    yield said("no bindings", own, filled, bindings=[])
    yield said("bindings of another world", f"S4.{BINDINGS}.identity", filled, manifest_fingerprint="0" * 64)


def _rows(alter: edits.Change) -> Callable[[Tree], None]:
    return lambda tree: tree.table(CONTRACT, alter)


def _contract() -> Iterator[Fault]:
    yield from _switches_and_bounds()
    yield from _questions()


def _changed(name: str, check: str, alter: edits.Change, *also: str) -> Fault:
    return edited(CONTRACT, name, check, _rows(alter), ("S4.results", "S4.run_summary", *also))


def _switches_and_bounds() -> Iterator[Fault]:
    change, own = _changed, f"S4.{CONTRACT}.contract"
    yield change("a test disabled", "S4.enabled", edits.set_cell(3, enabled=False))
    yield change("every test disabled", "S4.enabled", lambda frame: frame.with_columns(enabled=pl.lit(False)))
    yield change("a severity", "S4.severity", edits.set_cell(3, severity="INFO"))
    yield change("a published bound loosened", "S4.thresholds", _bound("edge_count_cv_min", 0.0))
    yield change("a published bound left out", "S4.thresholds", _bound("edge_count_cv_min", None))
    yield change("a published bound off by one ulp", "S4.thresholds", _bound_raised)
    yield change("a published bound of minus zero", "S4.thresholds", _bound("top1_share_p50_min", -0.0))
    yield change("a bound under another name", "S4.thresholds", _bound_renamed)
    yield change(
        "a bound that no metric has", "S4.thresholds", edits.set_members(3, "thresholds", max_abs_error=1.0)
    )
    yield change(
        "a bound that is negative",
        own,
        edits.set_members(3, "thresholds", max_abs_error=-1.0),
        "S4.thresholds",
    )
    yield change("a profile", "S4.thresholds", edits.set_cell(3, profile="lenient"), "S4.rows")
    yield change(
        "a gate's row dropped",
        "S4.gate_rows",
        lambda frame: frame.filter(pl.col("thresholds").struct.field("top1_share_p50_min").is_null()),
        "S4.families",
        "S4.rows",
        "S4.terms_set",
    )
    yield change(
        "a family dropped",
        "S4.families",
        lambda frame: frame.filter(pl.col("test_type") != "ROUTING_RECEIPT"),
        "S4.rows",
        "S4.terms_set",
    )
    yield change("a class's slice dropped", "S4.families", _slice_dropped, "S4.rows", "S4.terms_set")


def _questions() -> Iterator[Fault]:
    change, own = _changed, f"S4.{CONTRACT}.contract"
    rows, test_id = "S4.rows", "S4.test_id"
    beside = ("S4.families", "S4.gate_rows", rows)
    yield change(
        "a test id",
        "S4.terms_set",
        edits.set_cell(3, test_id="ALIAS_FIDELITY:GLOBAL:000000000000"),
        f"S4.{CONTRACT}.order",
        "S4.families",
        "S4.gate_rows",
        rows,
    )
    yield change("a scope of the layer's", test_id, edits.set_cell(3, scope="PER_MERCHANT"), *beside)
    yield change(
        "a scope that nobody knows",
        own,
        edits.set_cell(3, scope="virtual_class"),
        *beside,
        test_id,
    )
    yield change("a class of another row", test_id, _class_changed, rows)
    yield change("a test of merchants by name", test_id, _population(merchant_ids=[7]), rows)
    yield change("a test of everybody", test_id, _opened_to_everybody, rows)
    yield change("a population's note", test_id, _population(notes="the good ones"), rows)
    yield change("a merchant of id 0", own, _population(merchant_ids=[0]), rows, test_id)
    yield change(
        "a dataset that does not exist",
        "S4.anchors",
        _listed("datasets", "edge_catalogue_3C", "measured"),
        rows,
    )
    yield change("a dataset in another role", rows, _dataset_as_bytes)
    yield change("a dataset twice", rows, _listed("datasets", "edge_catalogue_3B", "measured"))
    yield change(
        "an anchor that names nothing",
        "S4.anchors",
        _listed("fields", "schemas.3B.yaml#/plan/edge_catalogue_3B/weight", "edge_catalogue_3B.weight"),
        rows,
    )
    yield change("an anchor of another column", rows, _anchor_moved)
    yield change("a key that joins nothing", "S4.anchors", _keyed("tzid"), rows)
    yield change("a null among the keys", rows, _keyed(None), "S4.anchors")
    yield change("a test that reads nothing", own, _inputs(datasets=[]), rows, "S4.anchors")
    yield change("a description", rows, edits.set_cell(3, description="Nothing to see."))


def _bound(name: str, value: float | None) -> edits.Change:
    """Another published bound in the first row that has one of that name."""
    return lambda frame: edits.set_members(_bounded(frame, name), "thresholds", **{name: value})(frame)


def _bounded(frame: pl.DataFrame, name: str) -> int:
    return int(frame["thresholds"].struct.field(name).is_not_null().arg_true()[0])


def _bound_raised(frame: pl.DataFrame) -> pl.DataFrame:
    name = "settlement_overlap_p75_min"
    row = _bounded(frame, name)
    raised = float(np.nextafter(frame["thresholds"][row][name], 1.0))
    return edits.set_members(row, "thresholds", **{name: raised})(frame)


def _bound_renamed(frame: pl.DataFrame) -> pl.DataFrame:
    row = _bounded(frame, "settlement_overlap_median_min")
    value = frame["thresholds"][row]["settlement_overlap_median_min"]
    renamed = {"settlement_overlap_median_min": None, "settlement_overlap_p75_min": value}
    return edits.set_members(row, "thresholds", **renamed)(frame)


def _slice_dropped(frame: pl.DataFrame) -> pl.DataFrame:
    row = int((frame["scope"] != "GLOBAL").arg_true()[0])
    return edits.drop_row(row)(frame)


def _opened_to_everybody(frame: pl.DataFrame) -> pl.DataFrame:
    row = int(frame["target_population"].struct.field("virtual_only").arg_true()[0])
    return edits.set_members(row, "target_population", virtual_only=False)(frame)


def _class_changed(frame: pl.DataFrame) -> pl.DataFrame:
    row = int((frame["scope"] != "GLOBAL").arg_true()[0])
    found = frame["target_population"][row]["classes"][0]
    other = "OFFSHORE_HUB" if found != "OFFSHORE_HUB" else "HYBRID_FOOTPRINT"
    return edits.set_members(row, "target_population", classes=[other])(frame)


def _population(**members: Any) -> edits.Change:
    return edits.set_members(3, "target_population", **members)


def _inputs(**members: Any) -> edits.Change:
    return edits.set_members(3, "inputs", **members)


def _listed(key: str, name: str, role: str) -> edits.Change:
    """One dataset or field more in a row."""
    named = "logical_id" if key == "datasets" else "schema_anchor"
    return lambda frame: _inputs(**{key: [*frame["inputs"][3][key], {named: name, "role": role}]})(frame)


def _keyed(key: str | None) -> edits.Change:
    return lambda frame: _inputs(join_keys=[*frame["inputs"][3]["join_keys"], key])(frame)


def _dataset_as_bytes(frame: pl.DataFrame) -> pl.DataFrame:
    first, *others = frame["inputs"][3]["datasets"]
    role = "bytes" if first["role"] != "bytes" else "measured"
    return _inputs(datasets=[first | {"role": role}, *others])(frame)


def _anchor_moved(frame: pl.DataFrame) -> pl.DataFrame:
    first, *others = frame["inputs"][3]["fields"]
    moved = first | {"schema_anchor": "schemas.3B.yaml#/plan/edge_catalogue_3B/sampling_rank"}
    return _inputs(fields=[moved, *others])(frame)


def _terms() -> Iterator[Fault]:
    measured = ("S4.results", "S4.run_summary")

    def change(name: str, alter: edits.Change, *also: str, check: str = "S4.terms") -> Fault:
        return edited(TERMS, name, check, lambda tree: tree.table(TERMS, alter), (*measured, *also))

    own = f"S4.{TERMS}.contract"
    yield change("a threshold loosened", _where("value", ">=", 0.0))
    yield change("a threshold of minus zero", _zero_bound_below_zero)
    yield change("an operator turned", _operator_turned)
    yield change("a range widened", _range_widened)
    yield change("a range without an end", _range_opened, own)
    yield change("a probe's false-alarm rate", _probe(false_alarm_rate=5e-7))
    yield change("a probe's rate beyond the law", _probe(false_alarm_rate=0.5), own)
    yield change("a probe's power", _probe(power=0.5))
    yield change("a probe's effect", _probe(effect=0.5))
    yield change("a probe under a gate's name", _probe(gate_id="3B-V01"))
    yield change("another gate's name", _where("gate_id", ">=", "3B-V99"))
    yield change("a gate with a false-alarm rate", _where("false_alarm_rate", ">=", 1e-7))
    yield change(
        "a metric",
        edits.set_cell(3, metric="nothing"),
        "S4.gate_rows",
        "S4.families",
        "S4.thresholds",
        "S4.terms",
        "S4.rows",
        check="S4.test_id",
    )
    yield change(
        "two metrics exchanged",
        _metrics_exchanged,
        "S4.terms",
        "S4.thresholds",
        "S4.rows",
        check="S4.test_id",
    )
    yield change(
        "a row's terms dropped",
        edits.drop_row(3),
        "S4.families",
        "S4.gate_rows",
        "S4.rows",
        check="S4.terms_set",
    )
    yield change("terms of no row", _terms_of_nobody, f"S4.{TERMS}.order", check="S4.terms_set")


def _gated(frame: pl.DataFrame, operator: str) -> int:
    """A row whose bound is a gate's, held by that operator."""
    return int((frame["gate_id"].is_not_null() & (frame["operator"] == operator)).arg_true()[0])


def _where(column: str, operator: str, value: Any) -> edits.Change:
    return lambda frame: edits.set_cell(_gated(frame, operator), **{column: value})(frame)


def _operator_turned(frame: pl.DataFrame) -> pl.DataFrame:
    return edits.set_cell(_gated(frame, ">="), operator="<=")(frame)


def _zero_bound_below_zero(frame: pl.DataFrame) -> pl.DataFrame:
    row = int((frame["value"] == 0.0).arg_true()[0])
    return edits.set_cell(row, value=-0.0)(frame)


def _range_widened(frame: pl.DataFrame) -> pl.DataFrame:
    return edits.set_cell(_gated(frame, "range"), high=1.0)(frame)


def _range_opened(frame: pl.DataFrame) -> pl.DataFrame:
    return edits.set_cell(_gated(frame, "range"), high=None)(frame)


def _probe(**values: Any) -> edits.Change:
    """Other words about the first probe that is a p-value."""

    def change(frame: pl.DataFrame) -> pl.DataFrame:
        row = int((frame["gate_id"].is_null() & (frame["operator"] == ">=")).arg_true()[0])
        return edits.set_cell(row, **values)(frame)

    return change


def _metrics_exchanged(frame: pl.DataFrame) -> pl.DataFrame:
    first, second = (
        int((frame["metric"] == name).arg_true()[0])
        for name in ("edges_per_merchant_cv", "median_pairwise_js")
    )
    return edits.cells_exchanged("metric", first, second)(frame)


def _terms_of_nobody(frame: pl.DataFrame) -> pl.DataFrame:
    last = frame[-1:].with_columns(test_id=pl.lit("SETTLEMENT_CUTOFF:GLOBAL:ffffffffffff"))
    return pl.concat([frame, last]).sort("test_id")


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

    yield said("the key's digest", totals, cdn_key_digest="0" * 64)
    yield said("the version of the routing policy", totals, routing_policy_version="9.9.9")
    yield said("the validation policy's digest", totals, virtual_validation_digest="0" * 64)
    yield said("a summary of another world", f"S4.{RUN_SUMMARY}.identity", parameter_hash="0" * 64)
    yield said("a summary that failed", f"S4.{RUN_SUMMARY}.contract", totals, status="FAIL")
