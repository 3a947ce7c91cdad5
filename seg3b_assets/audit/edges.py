"""The edge catalogue row by row (law section 4): ids, masses, ranks and digests, from its own columns.

Each digest is recomputed from what the row says now; where an edge lies is ``placement``'s matter.
"""

from __future__ import annotations

from typing import Final

import numpy as np
import polars as pl
from numpy.typing import NDArray

from seg3b_assets.audit.tree import Desk
from seg3b_assets.laws.apportionment import segment_ids, segment_starts, segment_sums
from seg3b_assets.laws.canonical_rows import canonical_rows, joined_bytes, row_bytes
from seg3b_assets.laws.hashing import rows_sha256

I64 = NDArray[np.int64]

MASS_UNITS: Final = 10**12
_STREAM: Final = "3B.edge_catalogue"
_ID_BYTES: Final = 8
_NAMED: Final = ["merchant_id", "edge_seq_index", "edge_id"]


def audit_rows(desk: Desk, catalogue: pl.DataFrame) -> list[bytes]:
    """Checks of single rows and of merchants' weights; the recomputed edge digests, raw, in row order."""
    desk.findings.counts["edges"] = catalogue.height
    _edge_ids(desk, catalogue)
    _event_ids(desk, catalogue)
    _policy_version(desk, catalogue)
    mass = audit_masses(desk, catalogue)
    _ranks(desk, catalogue, mass)
    return _edge_digests(desk, catalogue)


def _compare_hex(desk: Desk, check_id: str, catalogue: pl.DataFrame, column: str, raw: bytes) -> None:
    """A column of lower-case hex against the concatenated raw bytes it ought to spell."""
    expected = raw.hex().encode()
    found = np.frombuffer(joined_bytes(catalogue[column]), np.uint8)
    if np.array_equal(found, np.frombuffer(expected, np.uint8)):
        desk.findings.ok(check_id)
        return
    width = len(expected) // max(catalogue.height, 1)
    texts = [expected[at : at + width].decode() for at in range(0, len(expected), width)]
    _report(desk, check_id, catalogue, column, pl.Series(texts, dtype=pl.String))


def _report(desk: Desk, check_id: str, catalogue: pl.DataFrame, column: str, expected: pl.Series) -> None:
    found = catalogue[column]
    desk.findings.rows(
        check_id,
        found.ne_missing(expected).to_numpy(),
        lambda row: {
            **catalogue.select(_NAMED).row(row, named=True),
            "expected": expected[row],
            "found": found[row],
        },
    )


def _edge_ids(desk: Desk, catalogue: pl.DataFrame) -> None:
    """Last 8 bytes of SHA256("3B.EDGE" ‖ 0x1F ‖ decimal merchant_id ‖ 0x1F ‖ LE32 edge_seq_index)."""
    little_endian = (
        catalogue["edge_seq_index"]
        .cast(pl.UInt32, strict=False)
        .fill_null(0)
        .to_numpy()
        .astype("<u4")
        .tobytes()
    )
    names = [
        b"3B.EDGE\x1f%d\x1f%b" % (merchant, little_endian[4 * row : 4 * row + 4])
        for row, merchant in enumerate(catalogue["merchant_id"].to_list())
    ]
    whole = np.frombuffer(b"".join(rows_sha256(names)), np.uint8).reshape(-1, 32)
    _compare_hex(desk, "S2.edge_id", catalogue, "edge_id", whole[:, 32 - _ID_BYTES :].tobytes())


def _event_ids(desk: Desk, catalogue: pl.DataFrame) -> None:
    """SHA-256 of ``rng_stream_id|merchant_id|edge_seq_index``."""
    names = catalogue.select(
        pl.concat_str(pl.lit(_STREAM), pl.col("merchant_id"), pl.col("edge_seq_index"), separator="|")
    ).to_series()
    _compare_hex(desk, "S2.rng_event_id", catalogue, "rng_event_id", b"".join(rows_sha256(row_bytes(names))))


def _policy_version(desk: Desk, catalogue: pl.DataFrame) -> None:
    version = desk.tree.policies.cdn_country_weights.version
    expected = pl.repeat(version, catalogue.height, dtype=pl.String, eager=True)
    _report(desk, "S2.cdn_policy_version", catalogue, "cdn_policy_version", expected)


def audit_masses(desk: Desk, catalogue: pl.DataFrame) -> I64:
    """Integer masses (rows,) of the weights; reports weights that are none and merchants off 10^12."""
    weight = catalogue["edge_weight"].to_numpy()
    sound = np.isfinite(weight) & (weight > 0) & (weight <= 1)
    mass: I64 = np.where(sound, np.rint(np.where(sound, weight, 0) * MASS_UNITS), 0).astype(np.int64)
    off_grid = ~sound | (mass < 1) | (mass / MASS_UNITS != weight)
    merchants, lengths = np.unique_counts(catalogue["merchant_id"].to_numpy())
    # The catalogue may be out of order; sums are taken over a merchant's rows wherever they stand.
    order = np.argsort(catalogue["merchant_id"].to_numpy(), kind="stable")
    sums = segment_sums(mass[order], lengths)
    desk.findings.rows(
        "S2.edge_mass",
        off_grid,
        lambda row: {**catalogue.select(_NAMED).row(row, named=True), "found": str(weight[row])},
    )
    desk.findings.rows(
        "S2.edge_mass",
        sums != MASS_UNITS,
        lambda at: {"merchant_id": int(merchants[at]), "expected": MASS_UNITS, "found": int(sums[at])},
    )
    return mass


def _ranks(desk: Desk, catalogue: pl.DataFrame, mass: I64) -> None:
    """0 for a merchant's heaviest edge; ties by edge_id."""
    by_weight = catalogue.select(
        "merchant_id", "edge_id", mass=pl.Series(mass), row=pl.int_range(pl.len())
    ).sort("merchant_id", "mass", "edge_id", descending=[False, True, False])
    _, lengths = np.unique_counts(catalogue["merchant_id"].to_numpy())
    rank = np.empty(catalogue.height, np.int64)
    rank[by_weight["row"].to_numpy()] = (
        np.arange(catalogue.height) - segment_starts(lengths)[segment_ids(lengths)]
    )
    _report(desk, "S2.sampling_rank", catalogue, "sampling_rank", pl.Series(rank))


def _edge_digests(desk: Desk, catalogue: pl.DataFrame) -> list[bytes]:
    """SHA-256 of the canonical JSON of the 18 other columns."""
    fields = {
        name: _constant_or_column(catalogue[name]) for name in catalogue.columns if name != "edge_digest"
    }
    raw = rows_sha256(row_bytes(canonical_rows(fields))) if catalogue.height else []
    _compare_hex(desk, "S2.edge_digest", catalogue, "edge_digest", b"".join(raw))
    return raw


def _constant_or_column(column: pl.Series) -> pl.Series | str | int | float:
    """A column that says one thing, as that thing: it is then encoded once, not row by row."""
    if column.dtype == pl.Float64 or column.len() == 0 or column[0] != column[-1] or column.n_unique() > 1:
        return column
    value: str | int = column[0]
    return value


def altered_merchants(catalogue: pl.DataFrame, raw_digests: list[bytes]) -> NDArray[np.uint64]:
    """Merchants with a row whose stored digest is not that of its columns, ascending."""
    stored = catalogue["edge_digest"].to_list()
    rows = [row for row, raw in enumerate(raw_digests) if raw.hex() != stored[row]]
    return np.unique(catalogue["merchant_id"].to_numpy()[np.array(rows, np.int64)])
