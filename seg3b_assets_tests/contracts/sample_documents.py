"""One valid value of every document, to break one thing at a time."""

from __future__ import annotations

from typing import Any

from seg3b_assets_tests.contracts.sample_certification import CERTIFICATION
from seg3b_assets_tests.contracts.sample_rows import H32, H64, TEST_ID, UTC

_WORLD = {"manifest_fingerprint": H64, "parameter_hash": H64, "seed": 42, "run_id": H32}
_TOTALS = {"events": 5, "draws": 10, "blocks": 5}
_LANE = {"status": "PASS", "lane_digest": H64, "lane_bytes": 10}
_STREAM = {
    **{f"{name}_total": 5 for name in ("events", "draws", "blocks")},
    **{f"expected_{name}": 5 for name in ("events", "draws", "blocks")},
    "status": "PASS",
}
_WARNINGS = [
    {
        "kind": "COORDINATE_OUTSIDE_ZONE",
        "severity": "WARNING",
        "source": "virtual_settlement_coords",
        "row": 1,
        "merchant_id": "18446744073709551615",
        "lat_deg": -77.05,
        "lon_deg": -12.05,
        "tzid_settlement": "America/Lima",
    }
]
_JOINED = [
    {
        "source": "virtual_settlement_coords",
        "rows": 2,
        "used": 1,
        "idle": 0,
        "unmatched": 1,
        "examples": ["7"],
    }
]
_LOG = {"lines": 5, "expected_lines": 5, **_LANE}
_BOUND = """
    cdn_country_weights mcc_channel_rules virtual_validation_policy virtual_routing_fields route_rng_policy
    edge_catalogue_index edge_alias_blob edge_alias_index virtual_routing_policy virtual_validation_contract
"""
_SURFACE = {"present": ["NO"], "missing": [], "unresolved": []}
_GATE = {
    "bundle_id": "validation_bundle_1A",
    "flag_path": "data/_passed.flag",
    "sha256_hex": H64,
    "status": "PASS",
}
_SEALED = {
    "path": "edge_topology.yaml",
    "schema_ref": "policies/edge_topology",
    "sha256_hex": H64,
    "role": "edge_budget",
    "owner_segment": "3B",
}
_DIGESTS = """
    virtual_rules settlement_coord cdn_weights virtual_validation tzdata_archive tz_index
"""
_FILES_1A = [{"artifact_id": "a", "kind": "table", "path": "a.json", "mime": None, "notes": None}]
MEMBER_FILES = [
    "_passed.flag",
    "index.json",
    "s0_gate_receipt_3B.json",
    "s4_run_summary_3B.json",
    "s5_audit_3B.json",
    "s5_digest_summary_3B.json",
    "s5_manifest_3B.json",
    "s5_realism_results_3B.json",
    "s5_rng_summary_3B.json",
    "s5_structural_summary_3B.json",
    "sealed_inputs_3B.json",
]

DOCUMENTS: dict[str, Any] = {
    "export_receipt": {
        **_WORLD,
        "created_utc": UTC,
        "sealed_inputs_digest": H64,
        "lineage_id": H64,
        "states": {"S0": {"key": H64, "digest": H64, "code_version": "1.0.0"}},
        "files": [{"path": "data/a.json", "size_bytes": 2, "sha256_hex": H64}],
    },
    "input_findings_3B": {
        "seed": 42,
        "manifest_fingerprint": H64,
        "parameter_hash": H64,
        "countries_without": {"polygon": ["XK"], "tiles": [], "zones": ["XK"]},
        "left_prior": ["XK"],
        "findings": [
            {"kind": "COUNTRIES_OVERLAP", "dataset": "world_countries", "subject": "CN", "others": ["TW"]}
        ],
    },
    "run_receipt": {
        "run_id": H32,
        "seed": 42,
        "parameter_hash": H64,
        "manifest_fingerprint": H64,
        "created_utc": UTC,
    },
    "validation_index_1A": _FILES_1A,
    "validation_index_1B": _FILES_1A,
    "validation_index_2A": {"files": [{"path": "a/b.json", "sha256_hex": H64}]},
    "validation_index_3A": {
        "manifest_fingerprint": H64,
        "parameter_hash": H64,
        "s6_receipt_digest": H64,
        "members": [
            {
                "logical_id": "m",
                "path": "m.json",
                "schema_ref": "3A#/m",
                "sha256_hex": H64,
                "role": "evidence",
            }
        ],
    },
    "sealed_inputs_3B": [
        {
            **_SEALED,
            "manifest_fingerprint": H64,
            "artefact_kind": "policy",
            "logical_id": logical_id,
        }
        for logical_id in ("edge_topology", "tz_nudge")
    ],
    "tz_timetable_cache": {
        "manifest_fingerprint": H64,
        "tzdb_release_tag": "2025a",
        "tzdb_archive_sha256": H64,
        "tz_index_digest": H64,
        "rle_cache_bytes": 1,
        "created_utc": UTC,
    },
    "s0_gate_receipt_3B": {
        "version": "2.0.0",
        "manifest_fingerprint": H64,
        "parameter_hash": H64,
        "seed": 42,
        "verified_at_utc": UTC,
        "upstream_gates": {f"segment_{segment}": _GATE for segment in ("1A", "1B", "2A", "3A")},
        "sealed_policy_set": [{**_SEALED, "logical_id": "edge_topology"}],
        "digests": {f"{name}_digest": H64 for name in _DIGESTS.split()},
        "notes": "zones newer than 2A's tz database 2025a: America/Coyhaique",
    },
    "s2_summary_3B": {
        "manifest_fingerprint": H64,
        "seed": 42,
        "run_id": H32,
        "virtual_merchants": 1,
        "settlements_ingested": 0,
        "settlements_drawn": 1,
        "edges_total": 5,
        "tile_ids_on_raster": True,
        "edges_by_country": {"NO": 5},
        "attempt_histogram": {"1": 4, "64": 1},
        "tz_source_counts": {"POLYGON": 5, "NUDGE": 0, "OVERRIDE": 0},
        "guard_counts": {"sparse_tail": 1, "min_support": 0, "country_cap": 0, "tempering": 0},
        "streams": {"edge_jitter": _TOTALS, "edge_tile_assign": _TOTALS},
    },
    "tile_surface_partition_precheck_3B": {
        "seed": 42,
        "manifest_fingerprint": H64,
        "parameter_hash": H64,
        "required": ["NO"],
        "surfaces": {"tile_weights": _SURFACE, "tile_index": _SURFACE, "tile_bounds": _SURFACE},
        "status": "PASS",
    },
    "edge_alias_blob_3B": [
        {"edge_count": 1, "probability_bits": 32, "reserved_0": 0, "reserved_1": 0, "pairs": [[2**32 - 1, 0]]}
    ],
    "edge_universe_hash_3B": {
        "manifest_fingerprint": H64,
        "parameter_hash": H64,
        "cdn_weights_digest": H64,
        "edge_alias_index_digest": H64,
        "edge_catalogue_index_digest": H64,
        "virtual_rules_digest": H64,
        "universe_hash": H64,
    },
    "virtual_routing_policy_3B": {
        "manifest_fingerprint": H64,
        "parameter_hash": H64,
        "edge_universe_hash": H64,
        "routing_policy_id": "route_rng_policy_v1",
        "routing_policy_version": "1.0.0",
        "virtual_validation_policy_id": "virtual_validation_policy",
        "virtual_validation_policy_version": "1.0.0",
        "cdn_key_digest": H64,
        "alias_layout_version": "2B.alias.blob.v1",
        "alias_blob_manifest_key": "mlr.3B.s3.edge_alias_blob",
        "alias_index_manifest_key": "mlr.3B.s3.edge_alias_index",
        "edge_universe_hash_manifest_key": "mlr.3B.validation.edge_universe_hash",
        "dual_timezone_semantics": {
            "tzid_settlement_field": "event.tzid_settlement",
            "tzid_operational_field": "event.tzid_operational",
            "settlement_cutoff_rule": "settlement_local_midnight",
        },
        "geo_field_bindings": {
            "ip_country_field": "event.ip_country",
            "ip_latitude_field": "event.ip_latitude",
            "ip_longitude_field": "event.ip_longitude",
        },
        "artefact_paths": {
            "edge_catalogue_index": "data/layer1/3B/edge_catalogue_index/seed={seed}/i.parquet",
            "edge_alias_blob": "data/layer1/3B/edge_alias_blob/b.bin",
            "edge_alias_index": "data/layer1/3B/edge_alias_index/i.parquet",
        },
        "virtual_edge_rng_binding": {
            "module": "2B.virtual_edge",
            "substream_label": "cdn_edge_pick",
            "event_schema": "schemas.layer1.yaml#/$defs/rng_envelope",
        },
        "notes": "What fills these fields: virtual_routing_bindings_3B",
    },
    "virtual_routing_bindings_3B": {
        "manifest_fingerprint": H64,
        "parameter_hash": H64,
        "policy_id": "virtual_routing_fields",
        "policy_version": "2.0.0",
        "policy_sha256": H64,
        "bindings": [
            {
                "event_field": f"event.{name}",
                "bound_as": f"{name}_field",
                "dataset": "virtual_settlement_3B",
                "column": "tzid_settlement",
                "schema_anchor": "schemas.3B.yaml#/plan/virtual_settlement_3B/tzid_settlement",
                "join_keys": ["merchant_id"],
                "rule": "AS_PUBLISHED",
            }
            for name in (
                "ip_country",
                "ip_latitude",
                "ip_longitude",
                "settlement_day",
                "tzid_operational",
                "tzid_settlement",
            )
        ],
    },
    "s4_run_summary_3B": {
        "manifest_fingerprint": H64,
        "parameter_hash": H64,
        "status": "PASS",
        "cdn_key_digest": H64,
        "routing_policy_version": "1.0.0",
        "virtual_validation_digest": H64,
    },
    "s5_structural_summary_3B": {
        "manifest_fingerprint": H64,
        "parameter_hash": H64,
        "status": "PASS",
        "checks": [{"check_id": "S1.sets", "status": "PASS", "affected_count": 0}],
        "counts": {
            "virtual_merchants": 1,
            "edge_merchants": 1,
            "edge_total": 5,
            "alias_merchants": 1,
            "validation_tests": 12,
        },
    },
    "s5_rng_summary_3B": {
        "manifest_fingerprint": H64,
        "parameter_hash": H64,
        "status": "PASS",
        "streams": [
            {"module": "3B.S1", "substream_label": "settlement_pick", **_STREAM, "notes": "no event log"},
            {"module": "3B.S2", "substream_label": "edge_jitter", **_STREAM},
        ],
    },
    "s5_digest_summary_3B": {
        "manifest_fingerprint": H64,
        "parameter_hash": H64,
        "digests": {"edge_universe_hash": H64, **{f"{name}_digest": H64 for name in _BOUND.split()}},
    },
    "s5_audit_3B": {
        **_WORLD,
        "audit_version": "2.0.0",
        "status": "PASS",
        "checks": [
            {
                "check_id": "S1.sets",
                "law": "§3",
                "status": "PASS",
                "affected_count": 0,
                "detail": None,
                "example": None,
            }
        ],
        "counts": {"edges": 5},
        "digests": [
            {
                "digest_id": "edge_universe_hash_3B:universe_hash",
                "published": H64,
                "recomputed": H64,
                "status": "PASS",
            }
        ],
        "logs": {
            "rng_audit_log": _LOG,
            "rng_event_edge_jitter": {**_LOG, "accepted": 5, "expected_accepted": 5},
            "rng_event_edge_tile_assign": _LOG,
            "rng_trace_log": _LOG,
        },
        "contract": {
            "realism_enforcement_mode": "observe",
            "rows_total": 12,
            "rows_enabled": 12,
            "rows_by_test_type": {"ALIAS_FIDELITY": 12},
            "rows_by_severity": {"BLOCKING": 0, "WARNING": 12, "INFO": 0},
        },
    },
    **{
        f"s{number}_run_report_3B": {
            **_WORLD,
            "layer": "layer1",
            "segment": "3B",
            "state": f"S{number}",
            "status": "PASS",
            "sealed_inputs_digest": H64,
            "policies": {"edge_topology": H64},
            "outputs": [
                {
                    "logical_id": "edge_catalogue_3B",
                    "path": "data/layer1/3B/edge_catalogue/seed=42/",
                    "sha256_hex": H64,
                    "size_bytes": 10,
                    "rows": 5,
                }
            ],
        }
        | ({"joined": _JOINED, "warnings": _WARNINGS} if number == 1 else {})
        for number in range(1, 6)
    },
    "s5_realism_results_3B": {
        **_WORLD,
        "realism_enforcement_mode": "enforce",
        "status": "PASS",
        "contract_rows": 12,
        "blocking_rows": 4,
        "results": [
            {
                "test_id": TEST_ID,
                "metric": "top1_share_p50",
                "severity": "BLOCKING",
                "status": "PASS",
                "measured": 0.1,
                "operator": "range",
                "threshold": [0.03, 0.2],
                "n": 310,
                "detail": None,
            }
        ],
    },
    "s5_manifest_3B": {
        "manifest_fingerprint": H64,
        "parameter_hash": H64,
        "status": "PASS",
        "evidence": [{"logical_id": "edge_catalogue_3B", "sha256_hex": H64}],
        "digests": {
            "edge_catalogue_digest_global": H64,
            "edge_alias_blob_digest": H64,
            "virtual_routing_policy_digest": H64,
        },
    },
    "validation_bundle_index_3B": {
        "manifest_fingerprint": H64,
        "parameter_hash": H64,
        "s5_manifest_digest": H64,
        "members": [
            {
                "logical_id": "s5_manifest_3B",
                "path": "s5_manifest_3B.json",
                "schema_ref": "contracts/s5_manifest_3B.schema.json",
                "sha256_hex": H64,
                "role": "evidence",
                "size_bytes": 10,
            }
        ],
    },
    "validation_bundle_3B": MEMBER_FILES,
    "passed_flag_3B": f"sha256_hex = {H64}\n",
    **CERTIFICATION,
}
