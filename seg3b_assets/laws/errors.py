"""The exception of the segment, the closed list of its codes (law section 8), and the catalogue of its rules.

A failure carries data, not prose: which code, in which state, found by which validator, with what
detail, and what a person should do about it. The command line, the Dagster surfaces and the tests all
read the same record.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any, Final

from seg3b_assets.laws.clipping import clipped, clipped_text
from seg3b_assets.laws.visible_text import json_text, visible

ANY_STATE = frozenset(
    {
        "IDENTITY_MISMATCH",
        "GATE_MISSING_OR_INVALID",
        "UPSTREAM_GATE_BLOCKED",
        "UPSTREAM_HASH_MISMATCH",
        "UPSTREAM_INDEX_INVALID",
        "REQUIRED_INPUT_NOT_SEALED",
        "INPUT_OPEN_FAILED",
        "INPUT_SCHEMA_MISMATCH",
        "SEALED_INPUT_DIGEST_MISMATCH",
        "POLICY_SCHEMA_INVALID",
        "OUTPUT_WRITE_FAILED",
        "OUTPUT_INCONSISTENT_REWRITE",
        "NONDETERMINISTIC_OUTPUT",
    }
)

OF_STATE: dict[str, frozenset[str]] = {
    "S0": frozenset(),
    "S1": frozenset(
        {
            "CLASS_POLICY_INVALID",
            "MERCHANT_REF_INVALID",
            "SETTLEMENT_COORD_MISSING",
            "SETTLEMENT_COORD_INVALID",
            "TZ_RESOLUTION_FAILED",
            "TZID_INVALID",
        }
    ),
    "S2": frozenset(
        {
            "BUDGET_COUNTRY_WEIGHTS_INVALID",
            "BUDGET_TOTAL_INVALID",
            "TILE_SURFACE_INVALID",
            "TZ_ASSET_INVALID",
            "JITTER_RESAMPLE_EXHAUSTED",
            "TZ_RESOLUTION_FAILED",
            "EDGE_OUTSIDE_COUNTRY",
            "RNG_ENVELOPE_INVALID",
            "EDGE_CATALOGUE_SCHEMA_VIOLATION",
            "EDGE_INDEX_INCONSISTENT_WITH_CATALOGUE",
        }
    ),
    "S3": frozenset(
        {
            "ALIAS_LAYOUT_POLICY_INVALID",
            "WEIGHT_VECTOR_INVALID",
            "QUANTISATION_FAILED",
            "ALIAS_CONSTRUCTION_FAILED",
            "ALIAS_INDEX_INCONSISTENT_WITH_BLOB",
            "UNIVERSE_HASH_MISMATCH",
        }
    ),
    "S4": frozenset(
        {
            "VALIDATION_POLICY_INVALID",
            "FIELD_BINDING_INVALID",
            "TEST_BINDING_INVALID",
            "TEST_THRESHOLD_INVALID",
            "REALISM_GATE_BLOCKED",
        }
    ),
    "S5": frozenset(
        {
            "S1_CONTRACT_VIOLATION",
            "S2_CONTRACT_VIOLATION",
            "S3_CONTRACT_VIOLATION",
            "S4_CONTRACT_VIOLATION",
            "DIGEST_COMPONENT_MISMATCH",
            "RNG_LOG_MISSING_OR_INVALID",
            "RNG_ACCOUNTING_MISMATCH",
            "BUNDLE_CONTENT_MISMATCH",
            "FLAG_DIGEST_MISMATCH",
        }
    ),
}

ANY: Final = "any"
# By state and code, the rules (``Seg3BError.validator``) whose breach it is. ``ANY``: in whichever state it is found.
# Rules that are data (of a contract, a tile surface, a policy's keys, an audit check) are with that data.
_CATALOGUE: Final[dict[tuple[str, str], tuple[str, ...]]] = {
    (ANY, "IDENTITY_MISMATCH"): ("path_column",),
    (ANY, "INPUT_OPEN_FAILED"): (
        "csv_readable",
        "input_readable",
        "parquet_readable",
        "published_readable",
        "snapshot_there",
    ),
    (ANY, "INPUT_SCHEMA_MISMATCH"): (
        "fit_polygons",
        "published_contract",
        "written_by_this_release",
    ),
    (ANY, "NONDETERMINISTIC_OUTPUT"): ("rerun_digest",),
    (ANY, "OUTPUT_WRITE_FAILED"): (
        "declared_outputs",
        "place_writable",
        "snapshot_published",
    ),
    (ANY, "REQUIRED_INPUT_NOT_SEALED"): (
        "published_dataset",
        "sealed_input",
    ),
    (ANY, "SEALED_INPUT_DIGEST_MISMATCH"): (
        "sealed_digest",
        "snapshot_intact",
    ),
    ("S0", "GATE_MISSING_OR_INVALID"): (
        "flag_grammar",
        "flag_present",
        "index_present",
    ),
    ("S0", "IDENTITY_MISMATCH"): (
        "dataset_identity",
        "gate_identity",
        "index_identity",
        "one_version",
        "receipt_seed",
        "release_identity",
        "upstream_of_run",
    ),
    ("S0", "INPUT_OPEN_FAILED"): (
        "bundle_member",
        "dataset_present",
        "gazetteer_present",
        "heads_readable",
        "link_within_reach",
        "origin_readable",
        "place_of_its_own",
        "policy_kept",
        "policy_readable",
        "receipt_present",
        "receipt_readable",
        "ref_lineage_recorded",
        "ref_readable",
        "release_readable",
        "remote_library",
        "run_record_readable",
    ),
    ("S0", "INPUT_SCHEMA_MISMATCH"): (
        "homes_covered",
        "layer_policy_readable",
        "receipt_json",
        "receipt_schema",
        "release_json",
        "release_schema",
    ),
    ("S0", "OUTPUT_WRITE_FAILED"): (
        "lock_free",
        "remote_contention",
    ),
    ("S0", "POLICY_SCHEMA_INVALID"): (
        "policy_folder",
        "prior_covered",
        "seats_covered",
    ),
    ("S0", "SEALED_INPUT_DIGEST_MISMATCH"): ("inputs_unchanged",),
    ("S0", "UPSTREAM_HASH_MISMATCH"): (
        "certified_dataset",
        "flag_digest",
        "member_sha256_hex",
        "member_size_bytes",
    ),
    ("S0", "UPSTREAM_INDEX_INVALID"): (
        "index_entry",
        "index_json",
        "index_link",
        "index_listing",
        "index_schema",
        "index_unique",
    ),
    ("S1", "INPUT_OPEN_FAILED"): ("seed_published",),
    ("S1", "SETTLEMENT_COORD_INVALID"): ("coordinate_in_its_zone",),
    ("S1", "SETTLEMENT_COORD_MISSING"): (
        "coordinate_ingested",
        "gazetteer_covers_country",
    ),
    ("S1", "TZID_INVALID"): ("zone_in_tz_database",),
    ("S2", "BUDGET_COUNTRY_WEIGHTS_INVALID"): (
        "country_has_polygon",
        "guards_feasible",
        "kernel_mass_positive",
    ),
    ("S2", "BUDGET_TOTAL_INVALID"): ("edge_budget_positive",),
    ("S2", "JITTER_RESAMPLE_EXHAUSTED"): ("jitter_attempts",),
    ("S2", "TZ_ASSET_INVALID"): ("zone_in_tz_database",),
    ("S3", "QUANTISATION_FAILED"): ("masses_non_negative",),
    ("S3", "WEIGHT_VECTOR_INVALID"): ("weights_are_a_distribution",),
    ("S4", "FIELD_BINDING_INVALID"): (
        "field_resolves",
        "receipt_field_resolves",
    ),
    ("S4", "INPUT_SCHEMA_MISMATCH"): (
        "alias_index_merchants",
        "alias_slice_parses",
        "one_set_of_virtual_merchants",
    ),
    ("S4", "REALISM_GATE_BLOCKED"): ("blocking_row_holds",),
    ("S4", "TEST_BINDING_INVALID"): (
        "anchor_resolves",
        "metric_of_the_registry",
        "population_measurable",
    ),
    ("S4", "TEST_THRESHOLD_INVALID"): (
        "threshold_in_domain",
        "threshold_readable",
    ),
    ("S4", "VALIDATION_POLICY_INVALID"): ("contract_rows",),
    ("S5", "BUNDLE_CONTENT_MISMATCH"): (
        "bundle_readable",
        "manifest_readable",
    ),
    ("S5", "DIGEST_COMPONENT_MISMATCH"): (
        "published_digest",
        "sealed_dataset",
    ),
    ("S5", "FLAG_DIGEST_MISMATCH"): (
        "expected_flag",
        "flag_names_bundle",
    ),
    ("S5", "GATE_MISSING_OR_INVALID"): ("passed_flag",),
    ("S5", "IDENTITY_MISMATCH"): (
        "manifest_identity",
        "one_run_per_tree",
        "receipt_names_its_folder",
    ),
    ("S5", "INPUT_OPEN_FAILED"): (
        "certification_whole",
        "last_good_set",
        "last_good_whole",
        "one_certification",
        "reader_memory",
        "run_readable",
        "seed_in_force",
    ),
    ("S5", "INPUT_SCHEMA_MISMATCH"): (
        "merchant_is_routed_virtually",
        "merchant_is_virtual",
        "stated_flag",
    ),
    ("S5", "NONDETERMINISTIC_OUTPUT"): ("certification_digest",),
    ("S5", "OUTPUT_WRITE_FAILED"): (
        "export_target_free",
        "export_unlisted",
        "home_unused",
    ),
    ("S5", "SEALED_INPUT_DIGEST_MISMATCH"): ("certification_intact",),
}
RULES: Final[dict[str, dict[str, str]]] = {
    rule: {state: name for (state, name), rules in _CATALOGUE.items() if rule in rules}
    for rule in sorted(set().union(*_CATALOGUE.values()))
}
"""Code by state, by rule."""


@dataclass(eq=False)
class Seg3BError(Exception):
    """A failure of the segment.

    Attributes:
        state: ``S0`` … ``S5``.
        name: code name without its prefix; one of ``ANY_STATE`` or ``OF_STATE[state]``.
        validator: the rule that found it, in snake case (``flag_digest``, ``tile_bounds_missing``).
        place: where it is: a path, ``file:key``, a dataset and column, a merchant.
        remedy: what a person can do about it, as an imperative sentence.
        detail: JSON-serialisable facts: expected and found, counts, one example.
    """

    state: str
    name: str
    validator: str
    place: str
    remedy: str
    detail: dict[str, Any] = field(default_factory=dict)

    def __post_init__(self) -> None:
        if self.name not in ANY_STATE and self.name not in OF_STATE[self.state]:
            raise ValueError(f"{self.name} is not an error code of {self.state}")
        super().__init__(str(self))

    @property
    def code(self) -> str:
        """The contract's code, ``E3B_S{n}_{NAME}``."""
        return f"E3B_{self.state}_{self.name}"

    def record(self) -> dict[str, Any]:
        """The failure as a JSON object: code, state, validator, place, remedy, detail.

        What is longer than a person reads is clipped, here and wherever the error is printed.
        """
        return {
            "code": self.code,
            "state": self.state,
            "validator": self.validator,
            "place": clipped_text(self.place),
            "remedy": clipped_text(self.remedy),
            "detail": clipped(self.detail),
        }

    def __str__(self) -> str:
        facts = json_text(clipped(self.detail), default=str) if self.detail else ""
        place, remedy = clipped_text(self.place), clipped_text(self.remedy)
        return visible(f"{self.code} [{self.validator}] at {place}. {remedy} {facts}".rstrip())

    def __reduce__(self) -> tuple[Any, ...]:
        return (
            type(self),
            (self.state, self.name, self.validator, self.place, self.remedy, self.detail),
        )


class HeldError(Seg3BError):
    """What must be had alone is held by somebody else; nothing was changed."""


class BlockedError(Seg3BError):
    """A row of the contract that blocks does not hold: what was computed is published, and not sealed."""


_KINDS: Final[dict[str, type[Seg3BError]]] = {"home_unused": HeldError, "blocking_row_holds": BlockedError}


def fail(rule: str, place: str, remedy: str, /, *, in_state: str | None = None, **facts: Any) -> Seg3BError:
    """The error of a broken rule, to be raised: state and code are the catalogue's.

    Args:
        rule: one of ``RULES``.
        place, remedy: as ``Seg3BError``'s.
        in_state: where it was found, for a rule of more than one state.
        facts: its ``detail``.

    Raises:
        ValueError: the catalogue does not say which state and code that is.
    """
    codes = RULES.get(rule, {})
    state = next(iter(codes)) if in_state is None and len(codes) == 1 else in_state
    name = codes.get(state or "", codes.get(ANY))
    if state in (None, ANY) or name is None:
        raise ValueError(f"{rule} in state {in_state} is not in the catalogue of errors")
    return _KINDS.get(rule, Seg3BError)(state, name, rule, place, remedy, facts)
