"""Which edges a run has: merchant, country and slot of each, the addresses every draw is recomputed at.

The catalogue is the first witness. A merchant whose rows cannot be a sequence, or whose number of edges
every other witness denies, is taken from the second: the tile-assignment log. So one damaged dataset
does not make every other one look wrong.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Final

import numpy as np
import polars as pl
from numpy.typing import NDArray

from seg3b_assets.audit.checks import check
from seg3b_assets.audit.draws import SLOTS, edge_addresses
from seg3b_assets.audit.largest_remainder import place_in_run, run_of
from seg3b_assets.audit.tree import AuditContext
from seg3b_assets.laws.canonical_rows import joined_bytes

I64 = NDArray[np.int64]
U64 = NDArray[np.uint64]
U16 = NDArray[np.uint16]
BOOL = NDArray[np.bool_]

TILE_ASSIGN: Final = "rng_event_edge_tile_assign_3B"
_LOG_COLUMNS: Final = {"merchant_id": pl.UInt64, "country_iso": pl.String, "permuted_index": pl.Int64}


@dataclass(frozen=True)
class EdgeLedger:
    """One entry per edge, by merchant_id, then edge_seq_index; arrays (n,).

    Attributes:
        iso: country codes, ascending; ``country`` indexes it.
        merchants: uint64 (merchants,), ascending; ``lengths`` int64, their edges.
        merchant_id: uint64. country, seq, slot: int64. address: uint64.
        per_country: int64, the merchant's edges in the edge's country.
        row: int64, the edge's row in the catalogue, −1 where the catalogue lacks it.
    """

    iso: list[str]
    merchants: U64
    lengths: I64
    merchant_id: U64
    country: I64
    seq: I64
    slot: I64
    address: U64
    per_country: I64
    row: I64

    @property
    def total(self) -> int:
        return int(self.merchant_id.shape[0])

    @property
    def country_text(self) -> pl.Series:
        """iso2 of each edge."""
        return pl.Series(self.iso, dtype=pl.String)[self.country]

    def name(self, edge: int) -> dict[str, object]:
        """An edge's name in an example."""
        return {
            "merchant_id": int(self.merchant_id[edge]),
            "edge_seq_index": int(self.seq[edge]),
            "country_iso": self.iso[int(self.country[edge])],
        }


@dataclass(frozen=True)
class _Slots:
    """Edges as a witness lists them, in the law's order: merchant, uint16 country code, catalogue row."""

    merchant_id: U64
    country: U16
    row: I64

    def of(self, keep: BOOL) -> _Slots:
        return _Slots(self.merchant_id[keep], self.country[keep], self.row[keep])


def read_ledger(
    context: AuditContext, catalogue: pl.DataFrame, suspects: U64, witnesses: Mapping[str, pl.DataFrame]
) -> EdgeLedger:
    """The run's edges; reports ``S2.edge_sequence`` and ``S2.edge_country`` of the catalogue.

    Args:
        catalogue: ``edge_catalogue_3B``.
        suspects: uint64, merchants whose rows were found to be altered.
        witnesses: by dataset, frames (merchant_id, edges) of who else counts edges.
    """
    order = np.lexsort((catalogue["edge_seq_index"].to_numpy(), catalogue["merchant_id"].to_numpy()))
    slots = _Slots(
        catalogue["merchant_id"].to_numpy()[order],
        _codes(catalogue["country_iso"])[order],
        order.astype(np.int64),
    )
    broken, falls = _broken_sequence(catalogue, slots), _broken_country(slots)
    doubtful = np.union1d(np.unique(slots.merchant_id[broken | falls]), _denied(slots, witnesses))
    doubtful = np.union1d(doubtful, suspects)
    if doubtful.size:
        slots = _with_second_witness(context, catalogue, slots, doubtful)
    ledger = _ledger(slots)
    _report_sequence(context, catalogue, ledger, int(broken.sum()))
    _report_countries(context, catalogue, ledger, int(falls.sum()))
    return ledger


def _codes(country_iso: pl.Series) -> U16:
    """256·ord(first) + ord(second) per row, which sorts as the text does; 0 for what is no country code."""
    sound = country_iso.str.contains("^[A-Z]{2}$")
    text = (
        country_iso.to_frame("iso").select(pl.when(sound).then("iso").otherwise(pl.lit("\0\0"))).to_series()
    )
    return np.frombuffer(joined_bytes(text), ">u2").astype(np.uint16)


def _broken_sequence(catalogue: pl.DataFrame, slots: _Slots) -> BOOL:
    """Where edge_seq_index is not 0, 1, 2 … within its merchant."""
    _, lengths = np.unique_counts(slots.merchant_id)
    broken: BOOL = catalogue["edge_seq_index"].to_numpy()[slots.row] != place_in_run(lengths)
    return broken


def _broken_country(slots: _Slots) -> BOOL:
    """Where countries do not ascend within a merchant."""
    falls = np.zeros(slots.row.shape[0], bool)
    same = slots.merchant_id[1:] == slots.merchant_id[:-1]
    falls[1:] = same & (slots.country[1:] < slots.country[:-1])
    return falls


@check("S2.edge_sequence", "§4 catalogue", "an edge was dropped, added or renumbered")
def _report_sequence(context: AuditContext, catalogue: pl.DataFrame, ledger: EdgeLedger, broken: int) -> None:
    """Edges the catalogue lacks and rows that are nobody's; failing those, rows out of sequence."""
    absent = np.flatnonzero(ledger.row < 0)
    claims = np.bincount(ledger.row[ledger.row >= 0], minlength=catalogue.height)
    unclaimed = np.flatnonzero(claims == 0)
    if absent.size or unclaimed.size or broken:
        names = ["merchant_id", "edge_seq_index", "country_iso", "edge_id"]
        example = {
            "missing": ledger.name(int(absent[0])) if absent.size else None,
            "unexpected": catalogue.select(names).row(int(unclaimed[0]), named=True)
            if unclaimed.size
            else None,
        }
        context.findings.fail("S2.edge_sequence", int(absent.size + unclaimed.size) or broken, example)
    else:
        context.findings.ok("S2.edge_sequence")


@check("S2.edge_country", "§4 catalogue", "an edge changed its country, or countries are out of order")
def _report_countries(context: AuditContext, catalogue: pl.DataFrame, ledger: EdgeLedger, falls: int) -> None:
    known = np.flatnonzero(ledger.row >= 0)
    listed = catalogue["country_iso"][ledger.row[known]]
    changed = (listed != ledger.country_text[known]).arg_true()
    if len(changed):
        first = int(changed[0])
        example = {**ledger.name(int(known[first])), "found": listed[first]}
        context.findings.fail("S2.edge_country", len(changed), example)
    elif falls:
        context.findings.fail(
            "S2.edge_country", falls, {"reason": "countries do not ascend within a merchant"}
        )
    else:
        context.findings.ok("S2.edge_country")


def _denied(slots: _Slots, witnesses: Mapping[str, pl.DataFrame]) -> U64:
    """Merchants whose number of edges no other witness confirms."""
    merchants, lengths = np.unique_counts(slots.merchant_id)
    count = pl.DataFrame({"merchant_id": merchants, "edges": lengths.astype(np.int64)})
    suspects: U64 | None = None
    for frame in witnesses.values():
        compared = count.join(frame, on="merchant_id", how="full", coalesce=True)
        differs = compared.filter(pl.col("edges").ne_missing(pl.col("edges_right")))["merchant_id"].to_numpy()
        suspects = differs if suspects is None else np.intersect1d(suspects, differs)
    return np.zeros(0, np.uint64) if suspects is None else suspects


def _with_second_witness(
    context: AuditContext, catalogue: pl.DataFrame, slots: _Slots, doubtful: U64
) -> _Slots:
    """The doubtful merchants' edges as the tile-assignment log lists them."""
    path = context.tree.datasets.get(TILE_ASSIGN)
    if path is None:
        return slots
    try:
        log = pl.read_ndjson(path, schema=_LOG_COLUMNS)
    except (OSError, pl.exceptions.PolarsError):
        return slots
    log = log.drop_nulls().filter(pl.col("merchant_id").is_in(pl.Series(doubtful).implode()))
    log = log.unique(["merchant_id", "country_iso", "permuted_index"]).sort(
        "merchant_id", "country_iso", "permuted_index"
    )
    log = log.with_columns(seq=pl.int_range(pl.len()).over("merchant_id"))
    rows = (
        catalogue.select("merchant_id", "edge_seq_index")
        .with_row_index("row")
        .unique(["merchant_id", "edge_seq_index"], keep="first", maintain_order=True)
    )
    found = log.join(
        rows,
        left_on=["merchant_id", "seq"],
        right_on=["merchant_id", "edge_seq_index"],
        how="left",
        maintain_order="left",
    )
    listed = _Slots(
        found["merchant_id"].to_numpy(),
        _codes(found["country_iso"]),
        found["row"].cast(pl.Int64).fill_null(-1).to_numpy(),
    )
    kept = slots.of(~np.isin(slots.merchant_id, doubtful))
    merged = [np.concatenate(pair) for pair in zip(vars(kept).values(), vars(listed).values(), strict=True)]
    order = np.argsort(merged[0], kind="stable")
    return _Slots(*(column[order] for column in merged))


def _ledger(slots: _Slots) -> EdgeLedger:
    found, country = np.unique(slots.country, return_inverse=True)
    iso = [chr(code >> 8) + chr(code & 0xFF) for code in found.tolist()]
    merchants, lengths = np.unique_counts(slots.merchant_id)
    lengths = lengths.astype(np.int64)
    of_merchant = run_of(lengths)
    runs = np.flatnonzero(
        np.diff(of_merchant, prepend=-1).astype(bool) | np.diff(country, prepend=-1).astype(bool)
    )
    run_lengths = np.diff(np.append(runs, country.shape[0]))
    slot = np.arange(country.shape[0]) - np.repeat(runs, run_lengths)
    codes = found.astype(np.uint64)
    address = (
        edge_addresses(codes[country], np.minimum(slot, SLOTS - 1)) if codes.size else np.zeros(0, np.uint64)
    )
    return EdgeLedger(
        iso=iso,
        merchants=merchants,
        lengths=lengths,
        merchant_id=slots.merchant_id,
        country=country.astype(np.int64),
        seq=place_in_run(lengths),
        slot=slot,
        address=address,
        per_country=np.repeat(run_lengths, run_lengths),
        row=slots.row,
    )
