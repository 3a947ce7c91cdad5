"""The edge catalogue row by row (law section 4): ids, masses, ranks and digests, from its own columns.

Each digest is recomputed from what the row says now; where an edge lies is ``placement``'s matter.
"""

from __future__ import annotations

from typing import Final

import numpy as np
import polars as pl
import pyarrow as pa
from numpy.typing import NDArray

from seg3b_assets.audit.largest_remainder import place_in_run, run_sums
from seg3b_assets.audit.tree import Desk
from seg3b_assets.laws.canonical_rows import Field, row_expressions
from seg3b_assets.laws.row_digests import digest_of

I64 = NDArray[np.int64]

MASS_UNITS: Final = 10**12
_ID_BYTES: Final = 8
_SEQ_BYTES: Final = "seq_bytes"
# "3B.EDGE" ‖ 0x1F ‖ decimal merchant_id ‖ 0x1F ‖ LE32 edge_seq_index
_EDGE_NAME: Final = (
    pl.lit(b"3B.EDGE\x1f")
    + pl.col("merchant_id").cast(pl.String).cast(pl.Binary)
    + pl.lit(b"\x1f")
    + pl.col(_SEQ_BYTES)
)
# rng_stream_id|merchant_id|edge_seq_index
_EVENT_NAME: Final = pl.concat_str(
    pl.lit("3B.edge_catalogue"), pl.col("merchant_id"), pl.col("edge_seq_index"), separator="|"
)
_NAMED: Final = ["merchant_id", "edge_seq_index", "edge_id"]


def audit_rows(desk: Desk, catalogue: pl.DataFrame) -> pl.Series:
    """Checks of single rows and of merchants' weights; the recomputed edge digests, hex, in row order."""
    desk.findings.counts["edges"] = catalogue.height
    desk.findings.counts["edge_merchants"] = catalogue["merchant_id"].n_unique()
    # Together, because polars hashes columns side by side.
    digests = catalogue.with_columns(_little_endian(catalogue["edge_seq_index"])).select(
        edge_id=digest_of(_EDGE_NAME).str.slice(-2 * _ID_BYTES),
        rng_event_id=digest_of(_EVENT_NAME),
        edge_digest=digest_of(pl.concat_str(row_expressions(_digested(catalogue)))),
    )
    for column in digests.columns:
        _report(desk, f"S2.{column}", catalogue, column, digests[column])
    _policy_version(desk, catalogue)
    _ranks(desk, catalogue, audit_masses(desk, catalogue))
    return digests["edge_digest"]


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


def _little_endian(seq: pl.Series) -> pl.Series:
    """LE32 of each number, Binary, as ``_SEQ_BYTES``; what is no such number is 0."""
    numbers = seq.cast(pl.UInt32, strict=False).fill_null(0).to_numpy().astype("<u4")
    parts = pa.FixedSizeBinaryArray.from_buffers(
        pa.binary(4), len(numbers), [None, pa.py_buffer(numbers.tobytes())]
    )
    return pl.Series(_SEQ_BYTES, parts.cast(pa.large_binary()))


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
    sums = run_sums(mass[order], lengths)
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
    rank[by_weight["row"].to_numpy()] = place_in_run(lengths)
    _report(desk, "S2.sampling_rank", catalogue, "sampling_rank", pl.Series(rank))


def _digested(catalogue: pl.DataFrame) -> dict[str, Field]:
    """The 18 columns an edge's digest is over."""
    return {name: _constant_or_column(catalogue[name]) for name in catalogue.columns if name != "edge_digest"}


def _constant_or_column(column: pl.Series) -> pl.Series | str | int | float:
    """A column that says one thing, as that thing: it is then encoded once, not row by row."""
    if column.dtype == pl.Float64 or column.len() == 0 or column[0] != column[-1] or column.n_unique() > 1:
        return column
    value: str | int = column[0]
    return value


def altered_merchants(catalogue: pl.DataFrame, digests: pl.Series) -> NDArray[np.uint64]:
    """Merchants with a row whose stored digest is not that of its columns, ascending."""
    altered = catalogue["merchant_id"].filter(catalogue["edge_digest"].ne_missing(digests))
    return altered.unique().sort().to_numpy()
