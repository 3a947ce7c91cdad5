"""Every check the audit makes: its id, the law behind it, the S5 error it raises and the likely cause.

Checks of a dataset as such (readable, closed schema, identity, keys, order) are derived from the contracts,
so that a dataset cannot be added without them; the others are listed here by hand. What a check computes
is in the module of its state.
"""

from __future__ import annotations

from functools import cache
from typing import Final

from seg3b_assets.audit.findings import CheckSpec
from seg3b_assets.contracts import all_contracts

# S5's code version: whoever changes what is checked raises both.
AUDIT_VERSION: Final = "2.7.0"
AUDITED_STATES: Final = ("S0", "S1", "S2", "S3", "S4")
RNG_INVALID: Final = "RNG_LOG_MISSING_OR_INVALID"
RNG_ACCOUNTING: Final = "RNG_ACCOUNTING_MISMATCH"
DIGEST: Final = "DIGEST_COMPONENT_MISMATCH"

_LOG_NAMES: Final = {
    "rng_event_edge_tile_assign_3B": "S2.tile_assign",
    "rng_event_edge_jitter_3B": "S2.jitter",
    "rng_trace_log_3B": "S2.trace",
    "rng_audit_log_3B": "S2.rng_audit",
}

# check_id, law, likely cause
_LISTED: Final = (
    ("S0.run_id", "§0 identity", "sealed_inputs_3B was altered, or is of another run"),
    ("S0.sealed_digests", "§2 seal", "an input changed after sealing, or its seal was forged"),
    ("S0.sealed_set", "§2 seal", "an input the segment reads was left out of the seal"),
    ("S0.sealed_paths", "§2 seal", "a seal names another file, schema, owner or role than the input's"),
    ("S0.receipt_gates", "§2 gates", "the receipt does not speak of the sealed gates"),
    ("S0.receipt_policies", "§2 receipt", "the receipt's policy set is not the sealed one"),
    ("S0.receipt_digests", "§2 receipt", "a digest in the receipt is not the sealed one"),
    ("S0.borders", "§2 maps", "a polygon is none: of another type, crossing itself, out of range"),
    ("S0.input_findings", "§2 maps", "what countries are without, or what is odd about the maps, was edited"),
    ("S0.receipt_notes", "§2 maps", "the receipt's notes are not what the inputs give cause to note"),
    ("S1.merchant_set", "§3 classification", "a merchant was dropped, added or repeated"),
    ("S1.rule_lineage", "§3 classification", "a row names a rule the policy does not have"),
    ("S1.decision", "§3 classification", "the rules decide otherwise: the row or the policy was edited"),
    ("S1.classification_digest", "§3 classification", "the row or its digest was edited afterwards"),
    ("S1.lineage_set", "§3 classification", "a merchant's lineage is missing, or somebody else's"),
    ("S1.lineage", "§3 classification", "rule, reason, rank, propensity or draw is not what the policy gives"),
    ("S1.notes", "§3 classification", "a note stands where S1 writes none"),
    ("S1.settlement_set", "§3 settlement", "a virtual merchant without its one settlement"),
    ("S1.settlement_site_id", "§3 settlement", "the id is not the merchant's"),
    ("S1.settlement_coordinate", "§3 settlement", "the anchor is no place of its country, nor ingested"),
    ("S1.settlement_place", "§3 settlement", "the anchor is not the place the draw gives"),
    ("S1.settlement_coord_digest", "§3 settlement", "the anchor or its digest was edited"),
    ("S1.settlement_source", "§3 settlement", "source or evidence is not the sealed one"),
    ("S1.settlement_evidence", "§3 settlement", "an anchor drawn, or off its zone, where policy refuses that"),
    ("S1.settlement_country", "§3 settlement", "the anchor was moved out of its legal country"),
    ("S1.settlement_lineage_set", "§3 settlement", "a settlement without its country, or a country of none"),
    ("S1.settlement_lineage", "§3 settlement", "the country is not that the anchor was drawn for, or lies in"),
    ("S1.settlement_zone", "§3 settlement", "the zone is not what polygons and overrides give"),
    ("S1.tz_policy_digest", "§3 settlement", "the zone policies are not those of the row"),
    ("S1.run_report", "§8 run report", "the report names other inputs or outputs than the state had"),
    ("S2.merchant_set", "§4 catalogue", "a virtual merchant without edges, or edges of another"),
    ("S2.edge_sequence", "§4 catalogue", "an edge was dropped, added or renumbered"),
    ("S2.edge_country", "§4 catalogue", "an edge changed its country, or countries are out of order"),
    ("S2.edge_id", "§4 catalogue", "the id is not the edge's"),
    ("S2.rng_event_id", "§4 catalogue", "the event id is not the edge's"),
    ("S2.cdn_policy_version", "§4 catalogue", "the row was made by another policy"),
    ("S2.edge_mass", "§4 weights", "a weight is no multiple of 1e-12, or a merchant's do not sum to 1"),
    ("S2.sampling_rank", "§4 catalogue", "ranks do not follow the weights"),
    ("S2.edge_digest", "§4 catalogue", "the row or its digest was edited afterwards"),
    ("S2.tile_surface", "§4 tiles", "the sealed surface cannot be the one S2 read"),
    ("S2.edge_tile", "§4 tiles", "the tile is not the one the draw falls into"),
    ("S2.edge_in_tile", "§4 placement", "the edge was moved out of its tile"),
    ("S2.edge_in_country", "§4 placement", "the edge was moved out of its country"),
    ("S2.edge_point", "§4 placement", "the edge is not where its accepted attempt put it"),
    ("S2.edge_zone", "§4 zone", "zone or tz_source is not what replaying the rule gives"),
    ("S2.index_merchants", "§4 index", "a merchant's row is missing or its count is wrong"),
    ("S2.index_digests", "§4 index", "a merchant's digest is not that of its edges"),
    ("S2.index_country_mix", "§4 index", "the mix is not that of the merchant's weights"),
    ("S2.index_global", "§4 index", "the GLOBAL row does not describe the part files"),
    ("S2.notes", "§4 index", "a note stands where S2 writes none"),
    ("S2.part_files", "§4 catalogue", "a part file was added, renamed or cut elsewhere"),
    ("S2.profile_set", "§4 profile", "a merchant's profile is missing or not one"),
    ("S2.profile_class", "§4 who the merchant is", "class or size is not what the data say"),
    ("S2.profile_draws", "§4 budget", "edge_scale or alpha is not the addressed draw"),
    ("S2.profile_budget", "§4 budget", "the merchant has not the edges its draw gives"),
    ("S2.profile_guards", "§4 country shares", "a flag is not what the guards did to the drawn shares"),
    ("S2.country_centroids", "§4 country shares", "a country is not where its tiles are"),
    ("S2.country_counts", "§4 country shares", "edges fall over other countries than shares and guards give"),
    ("S2.edge_weight", "§4 weights", "the weight is not that of the draw, though weights still sum to 1"),
    ("S2.profile_metrics", "§4 profile", "a metric is not that of the merchant's edges"),
    ("S2.summary", "§4 summary", "a total in s2_summary_3B was edited"),
    ("S2.precheck", "§4 tile surface", "the precheck lists other countries than the edges need"),
    ("S2.run_report", "§8 run report", "the report names other inputs or outputs than the state had"),
    ("S3.alias_rows", "§5 index", "an index row is missing or disagrees with the catalogue"),
    ("S3.notes", "§5 index", "a note stands where S3 writes none"),
    ("S3.alias_bounds", "§5 blob", "slices do not fill the blob, or are not aligned"),
    ("S3.alias_header", "§5 blob", "a slice's header was edited"),
    ("S3.alias_padding", "§5 blob", "pad bytes are not zero"),
    ("S3.alias_checksum", "§5 index", "a slice or its checksum was edited"),
    ("S3.alias_range", "§5 table", "an alias points outside its table, or a probability is 0"),
    ("S3.alias_distribution", "§5 decode", "the table decodes to other weights than the catalogue's"),
    ("S3.alias_table", "§5 table", "the table decodes right but is not built in the law's order"),
    ("S3.blob_digest", "§5 index", "the blob or its digest was edited"),
    ("S3.universe_components", "§5 universe hash", "a component digest is not that of the bytes"),
    ("S3.universe_hash", "§5 universe hash", "the hash is not that of its components"),
    ("S3.gamma_log_empty", "§5 gamma log", "something was written where nothing is drawn"),
    ("S3.run_report", "§8 run report", "the report names other inputs or outputs than the state had"),
    ("S4.routing_bindings", "§6 routing policy", "a binding is not what policies and datasets give"),
    ("S4.field_bindings", "§6 routing bindings", "an event field is filled by another column or rule"),
    ("S4.universe_binding", "§6 routing policy", "the policy routes over another edge universe"),
    ("S4.cdn_key_digest", "§6 cdn_key_digest", "the digest is not that of the country weights"),
    ("S4.test_id", "§6 contract", "an id is not that of its row"),
    ("S4.families", "§6 contract", "a family is missing, or the contract has too few rows"),
    ("S4.severity", "§6 contract", "a severity is not what the mode asks for"),
    ("S4.enabled", "§6 contract", "a row is switched on or off against the policy"),
    ("S4.thresholds", "§6 contract", "a published bound is not the policy's gate"),
    ("S4.terms", "§6 contract", "a metric is held otherwise than by the policy's gate or the probe's rates"),
    ("S4.terms_set", "§6 contract", "a row has no terms, or terms have no row"),
    ("S4.gate_rows", "§6 contract", "a gate of the policy has no row"),
    ("S4.rows", "§6 contract", "a row asks something else than its metric is, or a metric has no row"),
    ("S4.anchors", "§6 contract", "a row names a dataset or column that does not exist"),
    ("S4.results", "§6 the contract runs", "a result is not what measuring the published snapshot gives"),
    ("S4.run_summary", "§6 summary", "a total in s4_run_summary_3B was edited"),
    ("S4.run_report", "§8 run report", "the report names other inputs or outputs than the state had"),
    ("S5.examination", "§7 audit", "what lies there is nothing a state writes: it broke the auditor"),
    ("S5.published_digests", "§7 evidence", "bytes changed after the state that wrote them published them"),
)  # fmt: skip
# The S5 error of a listed check, where it is not its state's CONTRACT_VIOLATION.
_CODES: Final = {
    "S0.run_id": "IDENTITY_MISMATCH",
    "S0.borders": "INPUT_SCHEMA_MISMATCH",
    "S0.input_findings": "INPUT_SCHEMA_MISMATCH",
    "S0.receipt_notes": "INPUT_SCHEMA_MISMATCH",
    "S0.sealed_digests": "SEALED_INPUT_DIGEST_MISMATCH",
    "S0.sealed_set": "REQUIRED_INPUT_NOT_SEALED",
    "S0.receipt_gates": "GATE_MISSING_OR_INVALID",
    "S0.receipt_policies": "IDENTITY_MISMATCH",
    "S0.receipt_digests": "IDENTITY_MISMATCH",
    "S3.blob_digest": DIGEST,
    "S3.universe_components": DIGEST,
    "S3.universe_hash": DIGEST,
    "S4.universe_binding": DIGEST,
    "S4.cdn_key_digest": DIGEST,
    "S5.examination": "BUNDLE_CONTENT_MISMATCH",
    "S5.published_digests": DIGEST,
}

_OF_LOG: Final = (
    ("schema", RNG_INVALID, "a line is no event of the log: wrong type, unknown, repeated or missing key"),
    ("canonical", RNG_INVALID, "a line holds the right values in other bytes"),
    ("identity", RNG_INVALID, "a line belongs to another run, world or module"),
    ("counter", RNG_INVALID, "a counter is not the draw's address, or after is not before + 1"),
    ("sequence", RNG_ACCOUNTING, "a line was dropped, added or repeated"),
    ("order", RNG_INVALID, "lines were reordered; counters must rise within a merchant"),
    ("accounting", RNG_ACCOUNTING, "events, draws or blocks are not what the edges ask for"),
)
_OF_JITTER: Final = (
    ("philox", RNG_INVALID, "a uniform is not Philox at its counter"),
    ("candidate", RNG_INVALID, "a candidate is not where the uniforms point inside the tile"),
    ("accepted", RNG_INVALID, "an attempt is accepted or rejected against the country's polygon"),
    ("zone", RNG_INVALID, "tz_resolution is not what replaying the rule gives"),
    ("tile", RNG_INVALID, "the line names another tile or country than the edge's"),
)
_OF_TILE_ASSIGN: Final = (
    ("tile", RNG_INVALID, "the tile is not the one Philox's draw falls into"),
    ("budget", RNG_ACCOUNTING, "edge_budget is not the merchant's edges in that country"),
)
_OF_TRACE: Final = (("totals", RNG_ACCOUNTING, "a running total is not the sum of the events so far"),)


@cache
def check_specs() -> tuple[CheckSpec, ...]:
    """Every check, in check_id order."""
    specs = [
        CheckSpec(check_id, law, _CODES.get(check_id, f"{check_id[:2]}_CONTRACT_VIOLATION"), cause)
        for check_id, law, cause in _LISTED
    ]
    specs += _log_specs()
    for dataset in audited_datasets():
        specs += _dataset_specs(dataset)
    return tuple(sorted(specs, key=lambda spec: spec.check_id))


@cache
def audited_datasets() -> tuple[str, ...]:
    """Ids of the datasets S0 to S4 publish."""
    return tuple(
        dataset_id
        for dataset_id, declared in all_contracts().items()
        if declared.producer in AUDITED_STATES and declared.status == "active"
    )


def dataset_check(dataset_id: str, aspect: str) -> str:
    """Id of a dataset's own check: aspect is contract, identity, unique or order."""
    return f"{all_contracts()[dataset_id].producer}.{dataset_id}.{aspect}"


def log_check(dataset_id: str, aspect: str) -> str:
    """Id of an evidence log's check: ``S2.jitter.philox``."""
    return f"{_LOG_NAMES[dataset_id]}.{aspect}"


def log_aspects(dataset_id: str) -> tuple[str, ...]:
    """Aspects of a log that have a check."""
    return tuple(aspect for aspect, _, _ in _aspects(dataset_id))


def _aspects(dataset_id: str) -> tuple[tuple[str, str, str], ...]:
    return {
        "rng_event_edge_tile_assign_3B": _OF_LOG + _OF_TILE_ASSIGN,
        "rng_event_edge_jitter_3B": _OF_LOG + _OF_JITTER,
        "rng_trace_log_3B": _OF_LOG + _OF_TRACE,
        "rng_audit_log_3B": (*_OF_LOG[:3], *_OF_LOG[4:5]),
    }[dataset_id]


def _log_specs() -> list[CheckSpec]:
    return [
        CheckSpec(log_check(dataset_id, aspect), "§1 evidence", code, cause)
        for dataset_id in _LOG_NAMES
        for aspect, code, cause in _aspects(dataset_id)
    ]


def _dataset_specs(dataset_id: str) -> list[CheckSpec]:
    declared = all_contracts()[dataset_id]
    state, law = declared.producer, f"§{declared.schema.get('x-law', '0')}"
    code = "INPUT_SCHEMA_MISMATCH" if state == "S0" else f"{state}_CONTRACT_VIOLATION"
    if dataset_id in _LOG_NAMES:
        code = RNG_INVALID
    aspects = [
        ("contract", code, "the file is missing, unreadable, or has values its contract forbids"),
        ("identity", "IDENTITY_MISMATCH", "rows or path of another seed, world or run"),
    ]
    if declared.is_table and declared.format != "jsonl":
        aspects += [
            ("unique", code, "a key occurs twice"),
            ("order", code, "rows are not in the contract's order"),
        ]
    return [
        CheckSpec(f"{state}.{dataset_id}.{aspect}", law, code_, cause) for aspect, code_, cause in aspects
    ]
