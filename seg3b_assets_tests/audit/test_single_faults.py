"""A fault in one dataset is found by the check that names its law, with a count and an example."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import orjson
import polars as pl
import pytest

from seg3b_assets.audit import AuditReport, AuditTree, audit
from seg3b_assets.audit.checks import check_specs
from seg3b_assets.laws.hashing import canonical_json
from seg3b_assets_tests.audit.tampering import Tampering, drop_row, flip_byte, set_cell, swap_rows

CATALOGUE = "edge_catalogue_3B"
INDEX = "edge_catalogue_index_3B"
PROFILE = "edge_merchant_profile_3B"
CLASSIFICATION = "virtual_classification_3B"
SETTLEMENT = "virtual_settlement_3B"
JITTER = "rng_event_edge_jitter_3B"
TILE_ASSIGN = "rng_event_edge_tile_assign_3B"
TRACE = "rng_trace_log_3B"
BLOB = "edge_alias_blob_3B"
ALIAS_INDEX = "edge_alias_index_3B"
UNIVERSE = "edge_universe_hash_3B"
ROUTING = "virtual_routing_policy_3B"
CONTRACT = "virtual_validation_contract_3B"

Fault = Callable[[Tampering], AuditTree]


def cell(dataset: str, row: int, **values: Any) -> Fault:
    return lambda spoil: spoil.table(dataset, set_cell(row, **values))


def moved(name: str, by: float) -> Fault:
    def change(frame: pl.DataFrame) -> pl.DataFrame:
        return set_cell(11, **{name: float(np.clip(frame[name][11] + by, -89.0, 89.0))})(frame)

    return lambda spoil: spoil.table(CATALOGUE, change)


def next_float(dataset: str, column: str, row: int) -> Fault:
    def change(frame: pl.DataFrame) -> pl.DataFrame:
        return set_cell(row, **{column: float(np.nextafter(frame[column][row], np.inf))})(frame)

    return lambda spoil: spoil.table(dataset, change)


def copied(dataset: str, column: str, source: int, target: int) -> Fault:
    return lambda spoil: spoil.table(
        dataset, lambda frame: set_cell(target, **{column: frame[column][source]})(frame)
    )


def shifted_weights(frame: pl.DataFrame) -> pl.DataFrame:
    """A merchant's two heaviest edges trade some mass: the sum stays."""
    first = frame["merchant_id"] == frame["merchant_id"][0]
    for rank, change in ((0, 10**6), (1, -(10**6))):
        row = int((first & (frame["sampling_rank"] == rank)).arg_true()[0])
        mass = round(frame["edge_weight"][row] * 10**12)
        frame = set_cell(row, edge_weight=(mass + change) / 10**12)(frame)
    return frame


def dropped_line(lines: list[bytes]) -> None:
    del lines[40]


def doubled_line(lines: list[bytes]) -> None:
    lines.insert(40, lines[40])


def swapped_lines(lines: list[bytes]) -> None:
    lines[40], lines[41] = lines[41], lines[40]


def repeated_key(lines: list[bytes]) -> None:
    lines[40] = lines[40][:-1] + b',"attempt":1}'


def unknown_key(lines: list[bytes]) -> None:
    lines[40] = canonical_json(orjson.loads(lines[40]) | {"zone": 1})


def spaced_line(lines: list[bytes]) -> None:
    lines[40] = lines[40].replace(b'":', b'": ', 1)


def forged_accept(spoil: Tampering) -> AuditTree:
    rejected = next(
        line
        for line, text in enumerate(spoil.tree.datasets[JITTER].read_bytes().splitlines())
        if b'"accepted":false' in text
    )
    return spoil.event(JITTER, rejected, accepted=True, tz_resolution="POLYGON")


def event_and_trace_dropped(spoil: Tampering) -> AuditTree:
    """An event, its trace row, and all later totals put right: consistent, and still a gap."""
    edges = spoil.tree.datasets[TILE_ASSIGN].read_bytes().count(b"\n")

    def forget(lines: list[bytes]) -> None:
        del lines[edges + 40]
        for at in range(edges + 40, len(lines)):
            row = orjson.loads(lines[at])
            totals = {"draws_total": row["draws_total"] - 2, "blocks_total": row["blocks_total"] - 1}
            lines[at] = canonical_json({**row, **totals, "events_total": row["events_total"] - 1})

    return spoil.then(spoil.lines(JITTER, dropped_line)).lines(TRACE, forget)


def document(dataset: str, **fields: Any) -> Fault:
    return lambda spoil: spoil.document(dataset, lambda value: {**value, **fields})


def raised(dataset: str, key: str) -> Fault:
    return lambda spoil: spoil.document(dataset, lambda value: {**value, key: value[key] + 1})


def lines(dataset: str, change: Callable[[list[bytes]], None]) -> Fault:
    return lambda spoil: spoil.lines(dataset, change)


def data(dataset: str, change: Callable[[bytes], bytes]) -> Fault:
    return lambda spoil: spoil.data(dataset, change)


def forged_seal(spoil: Tampering) -> AuditTree:
    def change(rows: list[dict[str, Any]]) -> None:
        rows[0]["sha256_hex"] = "0" * 64

    return spoil.document("sealed_inputs_3B", change)


FAULTS: dict[str, tuple[Fault, str]] = {
    "a seal forged": (forged_seal, "S0.sealed_digests"),
    "a seal forged, seen by run_id": (forged_seal, "S0.run_id"),
    "a receipt of another seed": (document("s0_gate_receipt_3B", seed=43), "S0.s0_gate_receipt_3B.identity"),
    "a merchant dropped": (lambda spoil: spoil.table(CLASSIFICATION, drop_row(5)), "S1.merchant_set"),
    "a rule that does not exist": (cell(CLASSIFICATION, 5, rule_id="NO_SUCH_RULE"), "S1.rule_lineage"),
    "a rule's version": (cell(CLASSIFICATION, 5, rule_version="9.9.9"), "S1.rule_lineage"),
    "a decision turned": (
        cell(CLASSIFICATION, 5, is_virtual=True, virtual_mode="VIRTUAL_ONLY"),
        "S1.decision",
    ),
    "a row digest zeroed": (
        cell(CLASSIFICATION, 5, classification_digest="0" * 64),
        "S1.classification_digest",
    ),
    "another seed in a row": (cell(CLASSIFICATION, 5, seed=43), f"S1.{CLASSIFICATION}.identity"),
    "a settlement dropped": (lambda spoil: spoil.table(SETTLEMENT, drop_row(2)), "S1.settlement_set"),
    "a settlement moved": (cell(SETTLEMENT, 2, lat_deg=0.5, lon_deg=0.5), "S1.settlement_coordinate"),
    "a settlement's id": (cell(SETTLEMENT, 2, settlement_site_id="0" * 16), "S1.settlement_site_id"),
    "a settlement's digest": (
        cell(SETTLEMENT, 2, settlement_coord_digest="0" * 64),
        "S1.settlement_coord_digest",
    ),
    "a settlement's zone": (cell(SETTLEMENT, 2, tzid_settlement="Antarctica/Vostok"), "S1.settlement_zone"),
    "an unreal zone": (cell(SETTLEMENT, 2, tzid_settlement="Moon/Tycho"), f"S1.{SETTLEMENT}.contract"),
    "zone policies of another run": (cell(SETTLEMENT, 2, tz_policy_digest="0" * 64), "S1.tz_policy_digest"),
    "an edge moved 30 degrees": (moved("lat_deg", -30.0), "S2.edge_in_country"),
    "an edge moved by a metre": (moved("lat_deg", 1e-5), "S2.edge_point"),
    "an edge off by one ulp": (next_float(CATALOGUE, "lon_deg", 11), "S2.edge_point"),
    "an edge in a wrong zone": (cell(CATALOGUE, 11, tzid_operational="Antarctica/Vostok"), "S2.edge_zone"),
    "a zone's source": (cell(CATALOGUE, 11, tz_source="OVERRIDE"), "S2.edge_zone"),
    "an edge in another tile": (cell(CATALOGUE, 11, hrsl_tile_id="1"), "S2.edge_tile"),
    "an edge in another country": (cell(CATALOGUE, 11, country_iso="AQ"), "S2.edge_country"),
    "an edge digest zeroed": (cell(CATALOGUE, 11, edge_digest="0" * 64), "S2.edge_digest"),
    "an edge id repeated": (copied(CATALOGUE, "edge_id", 10, 11), "S2.edge_id"),
    "an edge id repeated, as a key": (copied(CATALOGUE, "edge_id", 10, 11), f"S2.{CATALOGUE}.unique"),
    "an event id": (cell(CATALOGUE, 11, rng_event_id="0" * 64), "S2.rng_event_id"),
    "an edge dropped": (lambda spoil: spoil.table(CATALOGUE, drop_row(11)), "S2.edge_sequence"),
    "an edge renumbered": (copied(CATALOGUE, "edge_seq_index", 10, 11), "S2.edge_sequence"),
    "edges swapped": (lambda spoil: spoil.table(CATALOGUE, swap_rows(10, 11)), f"S2.{CATALOGUE}.order"),
    "a weight off by one ulp": (next_float(CATALOGUE, "edge_weight", 11), "S2.edge_mass"),
    "a weight raised": (cell(CATALOGUE, 11, edge_weight=0.25), "S2.edge_mass"),
    "a weight not a number": (cell(CATALOGUE, 11, edge_weight=float("nan")), f"S2.{CATALOGUE}.contract"),
    "weights traded": (lambda spoil: spoil.table(CATALOGUE, shifted_weights), "S3.alias_distribution"),
    "a rank": (copied(CATALOGUE, "sampling_rank", 10, 11), "S2.sampling_rank"),
    "a policy version": (cell(CATALOGUE, 11, cdn_policy_version="9.9.9"), "S2.cdn_policy_version"),
    "an extra column": (
        lambda spoil: spoil.table(CATALOGUE, lambda frame: frame.with_columns(extra=1)),
        f"S2.{CATALOGUE}.contract",
    ),
    "an index row dropped": (lambda spoil: spoil.table(INDEX, drop_row(3)), "S2.index_merchants"),
    "an index count": (cell(INDEX, 3, edge_count_total=7), "S2.index_merchants"),
    "an index digest": (cell(INDEX, 3, edge_digest="0" * 64), "S2.index_digests"),
    "an index mix": (cell(INDEX, 3, country_mix_summary='{"US":1.0}'), "S2.index_country_mix"),
    "the global digest": (
        lambda spoil: spoil.table(
            INDEX, lambda frame: set_cell(frame.height - 1, edge_catalogue_digest_global="0" * 64)(frame)
        ),
        "S2.index_global",
    ),
    "a profile's class": (
        lambda spoil: spoil.table(
            PROFILE,
            lambda frame: set_cell(
                3,
                virtual_class="HYBRID_FOOTPRINT"
                if frame["virtual_class"][3] != "HYBRID_FOOTPRINT"
                else "OFFSHORE_HUB",
            )(frame),
        ),
        "S2.profile_class",
    ),
    "a profile's alpha": (next_float(PROFILE, "alpha", 3), "S2.profile_draws"),
    "a profile's budget": (cell(PROFILE, 3, edge_budget=1), "S2.profile_budget"),
    "a profile's metric": (next_float(PROFILE, "merchant_hhi", 3), "S2.profile_metrics"),
    "a profile's guard": (
        lambda spoil: spoil.table(
            PROFILE, lambda frame: set_cell(3, guard_tempering=not frame["guard_tempering"][3])(frame)
        ),
        "S2.summary",
    ),
    "a total": (raised("s2_summary_3B", "edges_total"), "S2.summary"),
    "a country of the precheck": (
        document("tile_surface_partition_precheck_3B", required=["US"]),
        "S2.precheck",
    ),
    "a jitter line dropped": (lines(JITTER, dropped_line), "S2.jitter.sequence"),
    "a jitter line repeated": (lines(JITTER, doubled_line), "S2.jitter.sequence"),
    "jitter lines swapped": (lines(JITTER, swapped_lines), "S2.jitter.order"),
    "an event and its trace row dropped": (event_and_trace_dropped, "S2.jitter.sequence"),
    "a uniform forged": (lambda spoil: spoil.event(JITTER, 40, u_lon=0.5), "S2.jitter.philox"),
    "a candidate forged": (
        lambda spoil: spoil.event(JITTER, 40, candidate_lat_deg=1.0),
        "S2.jitter.candidate",
    ),
    "an attempt accepted": (forged_accept, "S2.jitter.accepted"),
    "a zone's rule": (lambda spoil: spoil.event(JITTER, 0, tz_resolution="NUDGE"), "S2.jitter.zone"),
    "a counter": (lambda spoil: spoil.event(JITTER, 40, rng_counter_before_lo=1), "S2.jitter.counter"),
    "a counter after": (lambda spoil: spoil.event(JITTER, 40, rng_counter_after_lo=1), "S2.jitter.counter"),
    "a line of another run": (lambda spoil: spoil.event(JITTER, 40, run_id="0" * 32), "S2.jitter.identity"),
    "a line's tile": (lambda spoil: spoil.event(JITTER, 40, tile_id="1"), "S2.jitter.tile"),
    "a line's merchant": (lambda spoil: spoil.event(JITTER, 40, merchant_id=1), "S2.jitter.sequence"),
    "draws as a number": (lambda spoil: spoil.event(JITTER, 40, draws=2), "S2.jitter.schema"),
    "an unknown key": (lines(JITTER, unknown_key), "S2.jitter.schema"),
    "a repeated key": (lines(JITTER, repeated_key), "S2.jitter.schema"),
    "a space": (lines(JITTER, spaced_line), "S2.jitter.canonical"),
    "no last newline": (data(JITTER, lambda text: text[:-1]), "S2.jitter.schema"),
    "an empty log": (data(JITTER, lambda text: b""), "S2.jitter.accounting"),
    "bytes behind the log": (data(JITTER, lambda text: text + b"\0" * 9), "S2.jitter.schema"),
    "a tile draw's tile": (lambda spoil: spoil.event(TILE_ASSIGN, 40, tile_id="1"), "S2.tile_assign.tile"),
    "a tile draw's budget": (
        lambda spoil: spoil.event(TILE_ASSIGN, 40, edge_budget=9999),
        "S2.tile_assign.budget",
    ),
    "a tile draw dropped": (lines(TILE_ASSIGN, dropped_line), "S2.tile_assign.sequence"),
    "a trace total": (lambda spoil: spoil.event(TRACE, 40, events_total=9), "S2.trace.totals"),
    "a trace row dropped": (lines(TRACE, dropped_line), "S2.trace.sequence"),
    "another generator": (
        lambda spoil: spoil.event("rng_audit_log_3B", 0, algorithm="pcg64"),
        "S2.rng_audit.schema",
    ),
    "two audit rows": (
        data("rng_audit_log_3B", lambda text: text + text),
        "S2.rng_audit.sequence",
    ),
    "a blob byte": (data(BLOB, flip_byte(20)), "S3.alias_checksum"),
    "a blob byte, by digest": (data(BLOB, flip_byte(20)), "S3.blob_digest"),
    "a high blob byte": (data(BLOB, flip_byte(19)), "S3.alias_distribution"),
    "a blob header": (data(BLOB, flip_byte(4)), "S3.alias_header"),
    "an alias out of range": (data(BLOB, lambda blob: blob[:20] + b"\xff" * 4 + blob[24:]), "S3.alias_range"),
    "bytes behind the blob": (data(BLOB, lambda blob: blob + b"\0" * 8), "S3.alias_bounds"),
    "a blob cut short": (data(BLOB, lambda blob: blob[:-8]), "S3.alias_bounds"),
    "an alias offset": (cell(ALIAS_INDEX, 3, blob_offset_bytes=8), "S3.alias_bounds"),
    "an alias checksum": (cell(ALIAS_INDEX, 3, merchant_alias_checksum="0" * 64), "S3.alias_checksum"),
    "an alias row dropped": (lambda spoil: spoil.table(ALIAS_INDEX, drop_row(3)), "S3.alias_rows"),
    "a component digest": (document(UNIVERSE, cdn_weights_digest="0" * 64), "S3.universe_components"),
    "the universe hash": (document(UNIVERSE, universe_hash="0" * 64), "S3.universe_hash"),
    "something in the gamma log": (data("gamma_draw_log_3B", lambda text: b"{}\n"), "S3.gamma_log_empty"),
    "a routing field": (
        document(
            ROUTING,
            geo_field_bindings=dict.fromkeys(
                ("ip_country_field", "ip_latitude_field", "ip_longitude_field"), "country_iso"
            ),
        ),
        "S4.routing_bindings",
    ),
    "another universe": (document(ROUTING, edge_universe_hash="0" * 64), "S4.universe_binding"),
    "a routing digest": (document(ROUTING, cdn_key_digest="0" * 64), "S4.cdn_key_digest"),
    "a test disabled": (cell(CONTRACT, 3, enabled=False), "S4.enabled"),
    "a severity": (cell(CONTRACT, 3, severity="INFO"), "S4.severity"),
    "a threshold": (
        cell(CONTRACT, 3, thresholds='{"operator":">=","value":0.0}'),
        "S4.thresholds",
    ),
    "a metric": (cell(CONTRACT, 3, metric="nothing"), "S4.test_id"),
    "a test dropped": (
        lambda spoil: spoil.table(CONTRACT, lambda frame: frame.filter(pl.col("metric") != "top1_share_p50")),
        "S4.gate_rows",
    ),
    "a summary's total": (raised("s4_run_summary_3B", "edges_total"), "S4.run_summary"),
}


@pytest.mark.parametrize("name", FAULTS)
def test_a_single_fault_is_found_by_the_check_that_names_its_law(
    name: str, tree: AuditTree, tmp_path: Path
) -> None:
    fault, check_id = FAULTS[name]
    report = audit(fault(Tampering(tree, tmp_path)))
    failed = {result.check_id: result for result in report.failed}
    assert check_id in failed, f"{name}: only {sorted(failed)} failed"
    assert failed[check_id].affected_count >= 1
    assert failed[check_id].example
    canonical_json(dict(failed[check_id].example or {}))


def test_an_untouched_tree_passes_every_check(clean_report: AuditReport) -> None:
    assert [result.check_id for result in clean_report.failed] == []
    assert [result.check_id for result in clean_report.skipped] == []
    assert {result.check_id for result in clean_report.checks} == {spec.check_id for spec in check_specs()}


def test_the_report_does_not_depend_on_the_number_of_threads(
    tree: AuditTree, clean_report: AuditReport
) -> None:
    assert audit(tree, workers=1) == clean_report


def test_a_published_digest_that_no_longer_holds_is_reported(tree: AuditTree) -> None:
    forged = replace(tree, published={**tree.published, CATALOGUE: "0" * 64})
    assert [result.check_id for result in audit(forged).failed] == ["S5.published_digests"]


def test_what_the_tree_lacks_is_skipped_and_said_so(tree: AuditTree) -> None:
    bare = replace(
        tree,
        datasets={CATALOGUE: tree.datasets[CATALOGUE], INDEX: tree.datasets[INDEX]},
        inputs={},
        published={},
    )
    report = audit(bare)
    assert report.failed == ()
    assert all(result.detail["reason"] for result in report.skipped)
    assert {"S2.edge_id", "S2.edge_mass", "S2.index_digests"} <= {
        result.check_id for result in report.checks if result.status == "PASS"
    }
