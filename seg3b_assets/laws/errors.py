"""The one exception type of the segment and the closed list of its codes (law section 8).

A failure carries data, not prose: which code, in which state, found by which validator, with what
detail, and what a person should do about it. The command line, the Dagster surfaces and the tests all
read the same record.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

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
