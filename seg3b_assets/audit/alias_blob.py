"""S3 re-audited from the blob's bytes (law section 5): layout, checksums, tables, what they decode to.

What the tables stand for, and whether they were built in the law's order, is ``alias_tables``' matter.
"""

from __future__ import annotations

import hashlib
from dataclasses import dataclass
from typing import Any, Final

import numpy as np
import polars as pl
from numpy.typing import NDArray

from seg3b_assets.audit.alias_tables import CHECKS as _WEIGHT_CHECKS
from seg3b_assets.audit.alias_tables import audit_tables
from seg3b_assets.audit.checks import check
from seg3b_assets.audit.largest_remainder import place_in_run, run_of
from seg3b_assets.audit.tree import AuditContext
from seg3b_assets.laws.hashing import file_digest, sha256_hex
from seg3b_assets.laws.plain_files import MAX_BLOB_BYTES, read_plain

I64 = NDArray[np.int64]
U32 = NDArray[np.uint32]

BLOB: Final = "edge_alias_blob_3B"
INDEX: Final = "edge_alias_index_3B"
UNIVERSE: Final = "edge_universe_hash_3B"
GAMMA_LOG: Final = "gamma_draw_log_3B"
_HEADER_BYTES: Final = 16
_PAIR_BYTES: Final = 8
_COMPONENTS: Final = ("cdn_weights", "edge_alias_index", "edge_catalogue_index", "virtual_rules")
_TABLE_CHECKS: Final = ("S3.alias_header", "S3.alias_padding", "S3.alias_checksum", "S3.alias_range")
_PLACES: Final = ("blob_offset_bytes", "blob_length_bytes", "alias_table_length", "edge_count_total")


@dataclass(frozen=True)
class _Slices:
    """Slices of the blob as the index places them: merchants ascending, offset and slot count of each."""

    merchant_id: list[int]
    offset: I64
    slots: I64

    @property
    def end(self) -> I64:
        return self.offset + _HEADER_BYTES + _PAIR_BYTES * self.slots


def audit_alias(context: AuditContext, catalogue: pl.DataFrame | None) -> None:
    """Blob and index, and the weights they stand for.

    Args:
        catalogue: ``edge_catalogue_3B`` in its order: slot i of a merchant is its i-th edge by edge_id.
    """
    index = context.table(INDEX)
    blob = _read_blob(context)
    if index is None or blob is None:
        return
    # The GLOBAL row may lack these, a merchant's may not, which is the contract's finding: no slice has such numbers.
    rows = index.filter(pl.col("scope") == "MERCHANT").with_columns(
        pl.col("merchant_id").fill_null(0), pl.col(_PLACES).fill_null(-1)
    )
    _index_rows(context, index, rows, catalogue, len(blob))
    _blob_digest(context, index, blob)
    slices = _Slices(
        rows["merchant_id"].to_list(),
        rows["blob_offset_bytes"].to_numpy(),
        # A table longer than the blob lies outside it, however long: no sum may overflow.
        np.clip(rows["alias_table_length"].to_numpy(), 0, len(blob)),
    )
    if not _bounds(context, slices, rows, len(blob)):
        context.findings.skip("slices do not lie inside the blob", *_TABLE_CHECKS, *_WEIGHT_CHECKS)
        return
    _headers(context, slices, blob)
    _padding(context, slices, blob)
    _checksums(context, slices, rows, blob)
    prob_q, alias = _pairs(slices, blob)
    if _ranges(context, slices, prob_q, alias):
        if catalogue is None or not _same_slots(catalogue, slices):
            context.findings.skip("the slots are not the catalogue's edges", *_WEIGHT_CHECKS)
        else:
            audit_tables(context, catalogue, slices.slots, prob_q, alias)


def _read_blob(context: AuditContext) -> bytes | None:
    path = context.tree.datasets.get(BLOB)
    if path is None:
        return None
    check_id = "S3.edge_alias_blob_3B.contract"
    try:
        data = read_plain(path, MAX_BLOB_BYTES)
    except OSError as error:
        context.findings.fail(check_id, 1, {"dataset": BLOB, "reason": error.strerror})
        return None
    context.findings.ok(check_id)
    context.path_identity(BLOB)
    context.findings.digests[BLOB] = sha256_hex(data)
    return data


@check("S3.alias_rows", "§5 index", "an index row is missing or disagrees with the catalogue")
def _index_rows(
    context: AuditContext, index: pl.DataFrame, rows: pl.DataFrame, catalogue: pl.DataFrame | None, size: int
) -> None:
    """One row per merchant with its edges, one GLOBAL row, last, with the totals."""
    last = index.tail(1).row(0, named=True) if index.height else {}
    found = {name: last.get(name) for name in ("scope", "blob_length_bytes", "edge_count_total")}
    total = int(rows["edge_count_total"].sum())
    expected = {"scope": "GLOBAL", "blob_length_bytes": size, "edge_count_total": total}
    context.findings.equal("S3.alias_rows", found, expected, row="GLOBAL")
    context.findings.equal("S3.alias_rows", index.height - rows.height, 1, what="GLOBAL rows")
    context.findings.counts["alias_slots"] = total
    context.findings.counts["alias_merchants"] = rows.height
    if catalogue is None:
        return
    counted = catalogue.group_by("merchant_id").agg(edges=pl.len().cast(pl.Int64))
    compared = counted.join(
        rows.select("merchant_id", "edge_count_total", "alias_table_length"),
        on="merchant_id",
        how="full",
        coalesce=True,
    ).sort("merchant_id")
    differs = compared.select(
        pl.col("edges").ne_missing(pl.col("edge_count_total"))
        | pl.col("edges").ne_missing(pl.col("alias_table_length"))
    ).to_series()
    context.findings.rows("S3.alias_rows", differs.to_numpy(), lambda row: compared.row(row, named=True))


@check("S3.blob_digest", "§5 index", "the blob or its digest was edited", code="DIGEST_COMPONENT_MISMATCH")
def _blob_digest(context: AuditContext, index: pl.DataFrame, blob: bytes) -> None:
    published = index["blob_sha256_hex"][-1] if index.height else None
    recomputed = sha256_hex(blob)
    context.findings.compare_digest("edge_alias_index.blob_sha256_hex", published or "0" * 64, recomputed)
    context.findings.equal("S3.blob_digest", published, recomputed)


@check("S3.alias_bounds", "§5 blob", "slices do not fill the blob, or are not aligned")
def _bounds(context: AuditContext, slices: _Slices, rows: pl.DataFrame, size: int) -> bool:
    """Slices follow one another at the alignment and fill the blob; False when one leaves it."""
    alignment = context.tree.policies.alias_layout.alignment_bytes
    padded = -(-(slices.end - slices.offset) // alignment) * alignment
    expected = np.cumsum(padded) - padded
    lengths = rows["blob_length_bytes"].to_numpy()
    wrong = (slices.offset != expected) | (lengths != slices.end - slices.offset)
    context.findings.rows(
        "S3.alias_bounds",
        wrong,
        lambda row: {
            "merchant_id": slices.merchant_id[row],
            "expected": {
                "blob_offset_bytes": int(expected[row]),
                "blob_length_bytes": int(slices.end[row] - slices.offset[row]),
            },
            "found": {
                "blob_offset_bytes": int(slices.offset[row]),
                "blob_length_bytes": int(lengths[row]),
            },
        },
    )
    context.findings.equal("S3.alias_bounds", size, int(padded.sum()), what="bytes of the blob")
    lies_inside = (slices.offset >= 0) & (slices.slots > 0) & (slices.end <= size) & (slices.offset % 4 == 0)
    return bool(lies_inside.all())


@check("S3.alias_header", "§5 blob", "a slice's header was edited")
def _headers(context: AuditContext, slices: _Slices, blob: bytes) -> None:
    """u32 N, 32, 0, 0, little-endian."""
    words = np.frombuffer(blob[: len(blob) // 4 * 4], "<u4")
    found = words[(slices.offset // 4)[:, None] + np.arange(4)]
    expected = np.zeros_like(found)
    expected[:, 0], expected[:, 1] = slices.slots, 32
    context.findings.rows(
        "S3.alias_header",
        (found != expected).any(axis=1),
        lambda row: {
            "merchant_id": slices.merchant_id[row],
            "expected": expected[row].tolist(),
            "found": found[row].tolist(),
        },
    )


@check("S3.alias_padding", "§5 blob", "pad bytes are not zero")
def _padding(context: AuditContext, slices: _Slices, blob: bytes) -> None:
    """Every byte between slices, and behind the last, is zero."""
    following = np.append(slices.offset, len(blob))[1:]
    pads = [
        (merchant, blob[end:start])
        for merchant, end, start in zip(
            slices.merchant_id, slices.end.tolist(), following.tolist(), strict=True
        )
        if start > end
    ]
    dirty = [(merchant, pad) for merchant, pad in pads if pad.strip(b"\0")]
    if dirty:
        merchant, pad = dirty[0]
        context.findings.fail(
            "S3.alias_padding", len(dirty), {"merchant_id": merchant, "found": pad[:64].hex()}
        )
    else:
        context.findings.ok("S3.alias_padding")


@check("S3.alias_checksum", "§5 index", "a slice or its checksum was edited")
def _checksums(context: AuditContext, slices: _Slices, rows: pl.DataFrame, blob: bytes) -> None:
    view = memoryview(blob)
    bounds = zip(slices.offset.tolist(), slices.end.tolist(), strict=True)
    recomputed = [hashlib.sha256(view[start:end]).hexdigest() for start, end in bounds]
    found = rows["merchant_alias_checksum"].to_list()
    wrong = np.array([left != right for left, right in zip(found, recomputed, strict=True)], bool)
    context.findings.rows(
        "S3.alias_checksum",
        wrong,
        lambda row: {
            "merchant_id": slices.merchant_id[row],
            "expected": recomputed[row],
            "found": found[row],
        },
    )


def _pairs(slices: _Slices, blob: bytes) -> tuple[U32, U32]:
    """prob_q and alias of every slot, merchants back to back."""
    words = np.frombuffer(blob[: len(blob) // 4 * 4], "<u4")
    of_merchant = run_of(slices.slots)
    at = ((slices.offset + _HEADER_BYTES) // 4)[of_merchant] + 2 * place_in_run(slices.slots)
    return words[at], words[at + 1]


@check("S3.alias_range", "§5 table", "an alias points outside its table, or a probability is 0")
def _ranges(context: AuditContext, slices: _Slices, prob_q: U32, alias: U32) -> bool:
    """1 ≤ prob_q ≤ 2³² − 1 and alias < N."""
    of_merchant = run_of(slices.slots)
    outside = (alias >= slices.slots[of_merchant]) | (prob_q < 1)

    def example(at: int) -> dict[str, Any]:
        merchant = int(of_merchant[at])
        return {
            "merchant_id": slices.merchant_id[merchant],
            "slot": int(place_in_run(slices.slots)[at]),
            "prob_q": int(prob_q[at]),
            "alias": int(alias[at]),
        }

    context.findings.rows("S3.alias_range", outside, example)
    if outside.any():
        context.findings.skip("an alias points outside its table", *_WEIGHT_CHECKS)
    return not outside.any()


def _same_slots(catalogue: pl.DataFrame, slices: _Slices) -> bool:
    merchants, lengths = np.unique_counts(catalogue["merchant_id"].to_numpy())
    return merchants.tolist() == slices.merchant_id and np.array_equal(lengths, slices.slots)


@check(
    "S3.universe_components",
    "§5 universe hash",
    "a component digest is not that of the bytes",
    code="DIGEST_COMPONENT_MISMATCH",
)
@check(
    "S3.universe_hash",
    "§5 universe hash",
    "the hash is not that of its components",
    code="DIGEST_COMPONENT_MISMATCH",
)
def audit_universe(context: AuditContext) -> str | None:
    """The four component digests, from bytes, and the hash over them in name order; the hash as published."""
    document = context.document(UNIVERSE)
    if document is None:
        return None
    datasets, policies = context.tree.datasets, context.tree.policies.files
    recomputed = {
        "cdn_weights": policies["cdn_country_weights"].sha256,
        "virtual_rules": policies["mcc_channel_rules"].sha256,
    }
    for name in ("edge_alias_index", "edge_catalogue_index"):
        path = datasets.get(f"{name}_3B")
        if path is not None and path.is_file():
            recomputed[name] = file_digest(path)
    for name, digest in recomputed.items():
        published = document[f"{name}_digest"]
        context.findings.compare_digest(f"edge_universe_hash.{name}", published, digest)
        context.findings.equal("S3.universe_components", published, digest, component=name)
    stated = b"".join(bytes.fromhex(document[f"{name}_digest"]) for name in _COMPONENTS)
    recomputed_hash = hashlib.sha256(stated).hexdigest()
    context.findings.compare_digest("edge_universe_hash", document["universe_hash"], recomputed_hash)
    context.findings.equal("S3.universe_hash", document["universe_hash"], recomputed_hash)
    return str(document["universe_hash"])


@check("S3.gamma_log_empty", "§5 gamma log", "something was written where nothing is drawn")
def audit_gamma_log(context: AuditContext) -> None:
    """S3 draws nothing: its log is there and empty."""
    path = context.tree.datasets.get(GAMMA_LOG)
    if path is None:
        context.findings.skip("not in the tree", "S3.gamma_log_empty")
        return
    context.path_identity(GAMMA_LOG)
    try:
        size = path.stat().st_size
    except OSError as error:
        context.findings.fail("S3.gamma_draw_log_3B.contract", 1, {"reason": error.strerror})
        return
    context.findings.ok("S3.gamma_draw_log_3B.contract")
    context.findings.equal("S3.gamma_log_empty", size, 0, what="bytes")
