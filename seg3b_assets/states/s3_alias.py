"""S3 (law section 5): packs each merchant's weights into an alias slice of one blob, to the byte.

Merchants are independent: tables are built for all of them together, and a slice is a merchant's cells.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Final

import numpy as np
import polars as pl
from numpy.typing import NDArray

from seg3b_assets.laws.alias import AliasTables, build_tables, encode_slice, quantise, slice_bytes
from seg3b_assets.laws.apportionment import segment_starts, segment_sums
from seg3b_assets.laws.errors import fail
from seg3b_assets.laws.hashing import file_digest, sha256_hex, sha256_raw
from seg3b_assets.policies import AliasLayout
from seg3b_assets.states.context import StateContext, StateSpec
from seg3b_assets.states.run_report import publish_run_report

STATE: Final = StateSpec(
    name="S3",
    code_version="2.0.0",
    objective="Pack every merchant's weights into alias tables and bind them in the universe hash.",
    reads=(
        "alias_layout",
        "cdn_country_weights",
        "mcc_channel_rules",
        "edge_catalogue_3B",
        "edge_catalogue_index_3B",
    ),
    writes=(
        "edge_alias_blob_3B",
        "edge_alias_index_3B",
        "edge_universe_hash_3B",
        "gamma_draw_log_3B",
        "s3_run_report_3B",
    ),
)

WEIGHT_SUM_TOLERANCE: Final = 1e-9


@dataclass(frozen=True)
class PackedBlob:
    """The blob and where each merchant's slice lies in it.

    Attributes:
        data: slices in ascending merchant_id, each padded with zero bytes to the alignment.
        offsets, lengths: int64 (merchants,), bytes; lengths leave the padding out.
        checksums: hex SHA-256 of each slice without its padding.
    """

    data: bytes
    offsets: NDArray[np.int64]
    lengths: NDArray[np.int64]
    checksums: list[str]


def run(context: StateContext) -> None:
    """Build, pack and index the alias tables; bind them in the universe hash."""
    with context.lanes("tables"):
        catalogue = context.published.table("edge_catalogue_3B", ["merchant_id", "edge_id", "edge_weight"])
        merchant_id, cells = np.unique_counts(catalogue["merchant_id"].to_numpy())
        cells = cells.astype(np.int64)
        tables = tables_of(
            merchant_id, cells, catalogue["edge_weight"].to_numpy(), context.policies.alias_layout
        )
    with context.lanes("blob"):
        packed = pack(tables, context.policies.alias_layout.alignment_bytes)
        context.out.blob("edge_alias_blob_3B", packed.data)
    with context.lanes("index"):
        context.out.table("edge_alias_index_3B", _index(context, merchant_id, cells, packed))
        context.out.document("edge_universe_hash_3B", _universe(context))
        context.out.lines("gamma_draw_log_3B", [])
    publish_run_report(context, STATE)


def tables_of(
    merchant_id: NDArray[np.uint64],
    cells: NDArray[np.int64],
    weight: NDArray[np.float64],
    layout: AliasLayout,
) -> AliasTables:
    """Alias tables of every merchant.

    Args:
        weight: float64 (edges,), each merchant's summing to 1, edges in edge_id order.

    Raises:
        Seg3BError: ``WEIGHT_VECTOR_INVALID`` when a merchant's weights are not a distribution.
    """
    sums = segment_sums(weight, cells).astype(np.float64)
    unsound = ~(np.abs(sums - 1.0) <= WEIGHT_SUM_TOLERANCE)
    if weight.size:
        lowest = np.minimum.reduceat(weight, segment_starts(cells))
        unsound |= ~(lowest > 0)
    if unsound.any():
        row = int(np.flatnonzero(unsound)[0])
        raise fail(
            "weights_are_a_distribution",
            f"edge_catalogue_3B, merchant {int(merchant_id[row])}",
            "Rebuild the edge catalogue: a merchant's weights must be positive and sum to 1.",
            merchant_id=int(merchant_id[row]),
            sum=float(sums[row]),
            count=int(unsound.sum()),
        )
    masses = quantise(weight, cells, layout.quantised_bits)
    if (masses < 0).any():
        row = int(np.searchsorted(np.cumsum(cells), int(np.argmin(masses)), side="right"))
        raise fail(
            "masses_non_negative",
            f"edge_catalogue_3B, merchant {int(merchant_id[row])}",
            "Raise quantised_bits in alias_layout.yaml: the grid is too coarse for these weights.",
            merchant_id=int(merchant_id[row]),
            quantised_bits=layout.quantised_bits,
        )
    return build_tables(masses, cells, layout.quantised_bits)


def pack(tables: AliasTables, alignment: int) -> PackedBlob:
    """Slices back to back, each padded to the alignment."""
    starts = segment_starts(tables.lengths)
    lengths = np.array([slice_bytes(int(n)) for n in tables.lengths], np.int64)
    padded = (lengths + alignment - 1) // alignment * alignment
    slices = [
        encode_slice(tables.prob_q[start : start + n], tables.alias[start : start + n])
        for start, n in zip(starts.tolist(), tables.lengths.tolist(), strict=True)
    ]
    data = b"".join(part.ljust(size, b"\0") for part, size in zip(slices, padded.tolist(), strict=True))
    return PackedBlob(data, segment_starts(padded), lengths, [sha256_hex(part) for part in slices])


def _index(
    context: StateContext, merchant_id: NDArray[np.uint64], cells: NDArray[np.int64], packed: PackedBlob
) -> pl.DataFrame:
    merchants = pl.DataFrame(
        {
            "scope": pl.repeat("MERCHANT", merchant_id.shape[0], eager=True, dtype=pl.String),
            "merchant_id": merchant_id,
            "blob_offset_bytes": packed.offsets,
            "blob_length_bytes": packed.lengths,
            "edge_count_total": cells,
            "alias_table_length": cells,
            "merchant_alias_checksum": pl.Series(packed.checksums, dtype=pl.String),
        }
    )
    globally = pl.DataFrame(
        {
            "scope": ["GLOBAL"],
            "blob_length_bytes": [len(packed.data)],
            "edge_count_total": [int(cells.sum())],
            "blob_sha256_hex": [sha256_hex(packed.data)],
        }
    )
    return pl.concat([merchants, globally], how="diagonal").with_columns(
        seed=pl.lit(context.identity.seed, pl.UInt64),
        manifest_fingerprint=pl.lit(context.identity.manifest_fingerprint),
        alias_layout_version=pl.lit(context.policies.alias_layout.layout_version),
        universe_hash=pl.lit(None, pl.String),
        notes=pl.lit(None, pl.String),
    )


def _universe(context: StateContext) -> dict[str, Any]:
    """SHA-256 of four raw digests in name order; the parquet digests are of the bytes on disk."""
    components = {
        "cdn_weights": context.policies.files["cdn_country_weights"].sha256,
        "edge_alias_index": file_digest(context.out.path("edge_alias_index_3B")),
        "edge_catalogue_index": file_digest(context.published.path("edge_catalogue_index_3B")),
        "virtual_rules": context.policies.files["mcc_channel_rules"].sha256,
    }
    return {
        "manifest_fingerprint": context.identity.manifest_fingerprint,
        "parameter_hash": context.identity.parameter_hash,
        **{f"{name}_digest": digest for name, digest in components.items()},
        "universe_hash": universe_hash(components),
    }


def universe_hash(components: dict[str, str]) -> str:
    """Hex SHA-256 over the components' raw digests, by ascending name."""
    return sha256_raw(b"".join(bytes.fromhex(components[name]) for name in sorted(components))).hex()
