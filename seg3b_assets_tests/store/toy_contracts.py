"""Small contracts and identities, so that the store is tested without the segment's datasets."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

import polars as pl

from seg3b_assets.laws.identity import RunIdentity

FINGERPRINT = "ab" * 32
PARAMETERS = "cd" * 32


@dataclass(frozen=True)
class ToyViolation:
    rule: str
    column: str
    count: int


@dataclass(frozen=True)
class ToyContract:
    id: str
    format: str
    template: str
    polars_schema: dict[str, Any] = field(default_factory=dict)

    def relative_path(self, identity: Any) -> str:
        return self.template.format(seed=identity.seed, manifest_fingerprint=identity.manifest_fingerprint)

    def check_frame(self, frame: pl.DataFrame) -> list[ToyViolation]:
        found = [ToyViolation("missing_column", name, 1) for name in self.polars_schema if name not in frame]
        found += [
            ToyViolation("unknown_column", name, 1)
            for name in frame.columns
            if name not in self.polars_schema
        ]
        return found + [
            ToyViolation("null", name, frame[name].null_count())
            for name in frame.columns
            if frame[name].null_count()
        ]

    def check_document(self, value: Any) -> list[ToyViolation]:
        return [] if isinstance(value, dict | list) else [ToyViolation("type", "", 1)]


EDGES = {"merchant_id": pl.UInt64, "weight": pl.Float64, "country_iso": pl.String}
TOYS = {
    toy.id: toy
    for toy in (
        ToyContract(
            "sealed_inputs_3B", "json", "data/sealed/manifest_fingerprint={manifest_fingerprint}/s.json"
        ),
        ToyContract(
            "virtual_classification_3B", "parquet", "data/classes/seed={seed}/part-00000.parquet", EDGES
        ),
        ToyContract("virtual_settlement_3B", "parquet", "data/settled/seed={seed}/part-00000.parquet", EDGES),
        ToyContract("edge_catalogue_3B", "parquet_parts", "data/edges/seed={seed}/", EDGES),
        ToyContract("rng_event_edge_jitter_3B", "jsonl", "logs/jitter/seed={seed}/part-00000.jsonl"),
        ToyContract("rng_event_edge_tile_assign_3B", "jsonl", "logs/assign/seed={seed}/part-00000.jsonl"),
        ToyContract("edge_alias_blob_3B", "binary", "data/alias/seed={seed}/alias.bin"),
        ToyContract("virtual_routing_policy_3B", "json_indented", "data/routing/routing.json"),
        ToyContract("validation_bundle_3B", "directory", "data/validation/seed={seed}/"),
        ToyContract("passed_flag_3B", "flag", "data/validation/seed={seed}/_passed.flag"),
    )
}


def toy_contract(dataset_id: str) -> ToyContract:
    return TOYS[dataset_id]


def toy_identity(seed: int = 42) -> RunIdentity:
    return RunIdentity(
        seed=seed,
        parameter_hash=PARAMETERS,
        manifest_fingerprint=FINGERPRINT,
        created_utc="2026-01-01T00:00:00.000000Z",
        sealed_inputs_digest="ef" * 32,
    )


def toy_edges(rows: int) -> pl.DataFrame:
    return pl.DataFrame(
        {
            "merchant_id": pl.Series(range(1, rows + 1), dtype=pl.UInt64),
            "weight": pl.Series([1.0 / (n + 1) for n in range(rows)], dtype=pl.Float64),
            "country_iso": pl.Series([("FR", "NO", "DE")[n % 3] for n in range(rows)], dtype=pl.String),
        }
    )
