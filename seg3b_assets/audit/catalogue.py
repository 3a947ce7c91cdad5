"""The edge catalogue row by row, and its index (law section 4): ids, masses, ranks, digests, merchants and totals.

Each digest is recomputed from what the row says now; where an edge lies is ``placement``'s matter.
"""

from __future__ import annotations

import re
from typing import Final

import numpy as np
import polars as pl
import pyarrow as pa
from numpy.typing import NDArray

from seg3b_assets.audit.checks import check
from seg3b_assets.audit.largest_remainder import place_in_run, run_sums
from seg3b_assets.audit.ledger import EdgeLedger
from seg3b_assets.audit.tree import AuditContext, part_files
from seg3b_assets.contracts import contract
from seg3b_assets.foreign.tables import count_rows
from seg3b_assets.laws.canonical_rows import Field, row_expressions
from seg3b_assets.laws.hashing import canonical_json, sha256_hex
from seg3b_assets.laws.plain_files import files_below
from seg3b_assets.laws.row_digests import digest_of
from seg3b_assets.laws.snapping import MASS_UNITS

I64 = NDArray[np.int64]

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


CATALOGUE = "edge_catalogue_3B"


@check("S2.edge_id", "§4 catalogue", "the id is not the edge's")
@check("S2.rng_event_id", "§4 catalogue", "the event id is not the edge's")
@check("S2.edge_digest", "§4 catalogue", "the row or its digest was edited afterwards")
def audit_rows(context: AuditContext, catalogue: pl.DataFrame) -> pl.Series:
    """Checks of single rows and of merchants' weights; the recomputed edge digests, hex, in row order."""
    context.findings.counts["edges"] = catalogue.height
    context.findings.counts["edge_merchants"] = catalogue["merchant_id"].n_unique()
    # Together, because polars hashes columns side by side.
    digests = catalogue.with_columns(_little_endian(catalogue["edge_seq_index"])).select(
        edge_id=digest_of(_EDGE_NAME).str.slice(-2 * _ID_BYTES),
        rng_event_id=digest_of(_EVENT_NAME),
        edge_digest=digest_of(pl.concat_str(row_expressions(_digested(catalogue)))),
    )
    for column in digests.columns:
        context.findings.compare(f"S2.{column}", catalogue, {column: digests[column]}, _NAMED)
    _policy_version(context, catalogue)
    _ranks(context, catalogue, audit_masses(context, catalogue))
    return digests["edge_digest"]


def _little_endian(seq: pl.Series) -> pl.Series:
    """LE32 of each number, Binary, as ``_SEQ_BYTES``; what is no such number is 0."""
    numbers = seq.cast(pl.UInt32, strict=False).fill_null(0).to_numpy().astype("<u4")
    parts = pa.FixedSizeBinaryArray.from_buffers(
        pa.binary(4), len(numbers), [None, pa.py_buffer(numbers.tobytes())]
    )
    return pl.Series(_SEQ_BYTES, parts.cast(pa.large_binary()))


@check("S2.cdn_policy_version", "§4 catalogue", "the row was made by another policy")
def _policy_version(context: AuditContext, catalogue: pl.DataFrame) -> None:
    version = context.tree.policies.cdn_country_weights.version
    expected = pl.repeat(version, catalogue.height, dtype=pl.String, eager=True)
    context.findings.compare("S2.cdn_policy_version", catalogue, {"cdn_policy_version": expected}, _NAMED)


@check("S2.edge_mass", "§4 weights", "a weight is no multiple of 1e-12, or a merchant's do not sum to 1")
def audit_masses(context: AuditContext, catalogue: pl.DataFrame) -> I64:
    """Integer masses (rows,) of the weights; reports weights that are none and merchants off 10^12."""
    weight = catalogue["edge_weight"].to_numpy()
    sound = np.isfinite(weight) & (weight > 0) & (weight <= 1)
    mass: I64 = np.where(sound, np.rint(np.where(sound, weight, 0) * MASS_UNITS), 0).astype(np.int64)
    off_grid = ~sound | (mass < 1) | (mass / MASS_UNITS != weight)
    merchants, lengths = np.unique_counts(catalogue["merchant_id"].to_numpy())
    # The catalogue may be out of order; sums are taken over a merchant's rows wherever they stand.
    order = np.argsort(catalogue["merchant_id"].to_numpy(), kind="stable")
    sums = run_sums(mass[order], lengths)
    context.findings.rows(
        "S2.edge_mass",
        off_grid,
        lambda row: {**catalogue.select(_NAMED).row(row, named=True), "found": str(weight[row])},
    )
    context.findings.rows(
        "S2.edge_mass",
        sums != MASS_UNITS,
        lambda at: {"merchant_id": int(merchants[at]), "expected": MASS_UNITS, "found": int(sums[at])},
    )
    return mass


@check("S2.sampling_rank", "§4 catalogue", "ranks do not follow the weights")
def _ranks(context: AuditContext, catalogue: pl.DataFrame, mass: I64) -> None:
    """0 for a merchant's heaviest edge; ties by edge_id."""
    by_weight = catalogue.select(
        "merchant_id", "edge_id", mass=pl.Series(mass), row=pl.int_range(pl.len())
    ).sort("merchant_id", "mass", "edge_id", descending=[False, True, False])
    _, lengths = np.unique_counts(catalogue["merchant_id"].to_numpy())
    rank = np.empty(catalogue.height, np.int64)
    rank[by_weight["row"].to_numpy()] = place_in_run(lengths)
    context.findings.compare("S2.sampling_rank", catalogue, {"sampling_rank": pl.Series(rank)}, _NAMED)


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


def audit_index(
    context: AuditContext, catalogue: pl.DataFrame, index: pl.DataFrame | None, digests: pl.Series
) -> None:
    """Every row of ``edge_catalogue_index_3B``.

    Args:
        digests: the recomputed edge digests, hex, in catalogue order.
    """
    if index is None:
        return
    merchants = index.filter(pl.col("scope") == "MERCHANT")
    _counts(context, catalogue, merchants)
    of_merchant = _digests(context, catalogue, merchants, digests)
    _country_mix(context, catalogue, merchants)
    _global(context, catalogue, index, of_merchant)


@check("S2.index_merchants", "§4 index", "a merchant's row is missing or its count is wrong")
def _counts(context: AuditContext, catalogue: pl.DataFrame, merchants: pl.DataFrame) -> None:
    counted = catalogue.group_by("merchant_id").agg(edges=pl.len().cast(pl.Int64))
    compared = counted.join(
        merchants.select("merchant_id", "edge_count_total"), on="merchant_id", how="full", coalesce=True
    ).sort("merchant_id")
    context.findings.compare("S2.index_merchants", compared, {"edge_count_total": compared["edges"]})


def _raw(text: str | None) -> bytes:
    """The bytes of digests in hex; none of a text that is no hex, which its contract has found."""
    try:
        return bytes.fromhex(text or "")
    except ValueError:
        return b""


@check("S2.index_digests", "§4 index", "a merchant's digest is not that of its edges")
def _digests(
    context: AuditContext, catalogue: pl.DataFrame, merchants: pl.DataFrame, recomputed: pl.Series
) -> list[bytes]:
    """Merchant digests over raw edge digests in edge_id order; the published ones, raw, by merchant.

    A digest over the rows' stored or over their recomputed digests holds: which of the two is wrong is
    ``S2.edge_digest``'s matter, and the index should not be blamed for it.
    """
    joined = (
        catalogue.select("merchant_id", "edge_digest", recomputed=recomputed)
        .group_by("merchant_id", maintain_order=True)
        .agg(pl.col("recomputed", "edge_digest").str.join(""))
    )
    whole = {merchant: texts for merchant, *texts in joined.iter_rows()}
    wrong = []
    published: list[bytes] = []
    for merchant, found in merchants.select("merchant_id", "edge_digest").iter_rows():
        published.append(_raw(found))
        expected, stored = (sha256_hex(_raw(text)) for text in whole.get(merchant, ("", "")))
        if found not in (expected, stored):
            wrong.append({"merchant_id": merchant, "expected": expected, "found": found})
    if wrong:
        context.findings.fail("S2.index_digests", len(wrong), wrong[0])
    else:
        context.findings.ok("S2.index_digests")
    return published


@check("S2.index_country_mix", "§4 index", "the mix is not that of the merchant's weights")
def _country_mix(context: AuditContext, catalogue: pl.DataFrame, merchants: pl.DataFrame) -> None:
    """Canonical JSON {iso: share of the merchant's mass}."""
    mass = (pl.col("edge_weight") * MASS_UNITS).round().cast(pl.Int64, strict=False)
    masses = (
        catalogue.select("merchant_id", "country_iso", mass=mass)
        .group_by("merchant_id", "country_iso")
        .agg(pl.col("mass").sum())
    )
    expected: dict[int, dict[str, float]] = {}
    for merchant, iso, units in masses.iter_rows():
        expected.setdefault(merchant, {})[iso] = units / MASS_UNITS
    wrong = []
    for merchant, found in merchants.select("merchant_id", "country_mix_summary").iter_rows():
        mix = expected.get(merchant, {})
        text = canonical_json(mix).decode()
        if found != text:
            wrong.append({"merchant_id": merchant, "expected": text[:200], "found": str(found)[:200]})
    if wrong:
        context.findings.fail("S2.index_country_mix", len(wrong), wrong[0])
    else:
        context.findings.ok("S2.index_country_mix")


@check("S2.index_global", "§4 index", "the GLOBAL row does not describe the part files")
def _global(
    context: AuditContext, catalogue: pl.DataFrame, index: pl.DataFrame, of_merchant: list[bytes]
) -> None:
    rows = index.filter(pl.col("scope") == "GLOBAL")
    if rows.height != 1 or index["scope"][-1] != "GLOBAL":
        context.findings.fail(
            "S2.index_global", 1, {"expected": "one GLOBAL row, last", "found": rows.height}
        )
        return
    files = part_files(context.tree.datasets[CATALOGUE])
    expected = {
        "edge_catalogue_path": contract(CATALOGUE).relative_path(context.tree.identity),
        "edge_catalogue_size_bytes": sum(path.stat().st_size for path in files),
        "edge_count_total_all_merchants": catalogue.height,
        "edge_catalogue_digest_global": sha256_hex(b"".join(of_merchant)),
    }
    found = rows.select(list(expected)).row(0, named=True)
    context.findings.compare_digest(
        "edge_catalogue_index.global",
        str(found["edge_catalogue_digest_global"]),
        str(expected["edge_catalogue_digest_global"]),
    )
    for column, value in expected.items():
        context.findings.equal("S2.index_global", found[column], value, column=column)


@check("S2.part_files", "§4 catalogue", "a part file was added, renamed or cut elsewhere")
def audit_part_files(context: AuditContext, rows: int) -> None:
    """Part files are part-00000 …, cut every ``edges_per_part`` rows, with nothing else beside them."""
    folder = context.tree.datasets[CATALOGUE]
    size = context.tree.policies.edge_topology.publish.edges_per_part
    lengths = [min(size, rows - start) for start in range(0, rows, size)] or [0]
    expected = {f"part-{number:05d}.parquet": length for number, length in enumerate(lengths)}
    found: dict[str, int | None] = {}
    for name in files_below(folder):
        path = folder / name
        is_part = re.fullmatch(r"part-\d{5}\.parquet", name) and not path.is_symlink()
        found[name] = count_rows(path) if is_part else None
    context.findings.equal("S2.part_files", found, expected)


def witness_counts(frame: pl.DataFrame | None, column: str) -> pl.DataFrame | None:
    """(merchant_id, edges) as another dataset counts them."""
    if frame is None:
        return None
    return frame.filter(pl.col("merchant_id").is_not_null()).select("merchant_id", edges=pl.col(column))


@check("S2.merchant_set", "§4 catalogue", "a virtual merchant without edges, or edges of another")
def ledger_matches(context: AuditContext, ledger: EdgeLedger, settlement: pl.DataFrame | None) -> None:
    """Every settled merchant has edges, and nobody else."""
    if settlement is None:
        context.findings.skip("settlements are not at hand", "S2.merchant_set")
        return
    context.findings.same_set(
        "S2.merchant_set", pl.Series(ledger.merchants), settlement["merchant_id"].unique()
    )
