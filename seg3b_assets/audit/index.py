"""The catalogue's index, recomputed from the catalogue (law section 4): counts, digests, mixes, totals."""

from __future__ import annotations

import re

import numpy as np
import polars as pl
from numpy.typing import NDArray

from seg3b_assets.audit.edges import MASS_UNITS
from seg3b_assets.audit.ledger import EdgeLedger
from seg3b_assets.audit.tree import Desk, part_files
from seg3b_assets.contracts import contract
from seg3b_assets.foreign.tables import count_rows
from seg3b_assets.laws.hashing import canonical_json, sha256_hex
from seg3b_assets.laws.plain_files import files_below

CATALOGUE = "edge_catalogue_3B"


def audit_index(desk: Desk, catalogue: pl.DataFrame, index: pl.DataFrame | None, digests: pl.Series) -> None:
    """Every row of ``edge_catalogue_index_3B``.

    Args:
        digests: the recomputed edge digests, hex, in catalogue order.
    """
    if index is None:
        return
    merchants = index.filter(pl.col("scope") == "MERCHANT")
    _counts(desk, catalogue, merchants)
    of_merchant = _digests(desk, catalogue, merchants, digests)
    _country_mix(desk, catalogue, merchants)
    _global(desk, catalogue, index, of_merchant)


def _counts(desk: Desk, catalogue: pl.DataFrame, merchants: pl.DataFrame) -> None:
    counted = catalogue.group_by("merchant_id").agg(edges=pl.len().cast(pl.Int64))
    compared = counted.join(
        merchants.select("merchant_id", "edge_count_total"), on="merchant_id", how="full", coalesce=True
    ).sort("merchant_id")
    differs = compared["edges"].ne_missing(compared["edge_count_total"]).to_numpy()
    desk.findings.rows(
        "S2.index_merchants",
        differs,
        lambda row: {
            "merchant_id": compared["merchant_id"][row],
            "expected": compared["edges"][row],
            "found": compared["edge_count_total"][row],
        },
    )


def _raw(text: str | None) -> bytes:
    """The bytes of digests in hex; none of a text that is no hex, which its contract has found."""
    try:
        return bytes.fromhex(text or "")
    except ValueError:
        return b""


def _digests(
    desk: Desk, catalogue: pl.DataFrame, merchants: pl.DataFrame, recomputed: pl.Series
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
        desk.findings.fail("S2.index_digests", len(wrong), wrong[0])
    else:
        desk.findings.ok("S2.index_digests")
    return published


def _country_mix(desk: Desk, catalogue: pl.DataFrame, merchants: pl.DataFrame) -> None:
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
        desk.findings.fail("S2.index_country_mix", len(wrong), wrong[0])
    else:
        desk.findings.ok("S2.index_country_mix")


def _global(desk: Desk, catalogue: pl.DataFrame, index: pl.DataFrame, of_merchant: list[bytes]) -> None:
    rows = index.filter(pl.col("scope") == "GLOBAL")
    if rows.height != 1 or index["scope"][-1] != "GLOBAL":
        desk.findings.fail("S2.index_global", 1, {"expected": "one GLOBAL row, last", "found": rows.height})
        return
    files = part_files(desk.tree.datasets[CATALOGUE])
    expected = {
        "edge_catalogue_path": contract(CATALOGUE).relative_path(desk.tree.identity),
        "edge_catalogue_size_bytes": sum(path.stat().st_size for path in files),
        "edge_count_total_all_merchants": catalogue.height,
        "edge_catalogue_digest_global": sha256_hex(b"".join(of_merchant)),
    }
    found = rows.select(list(expected)).row(0, named=True)
    desk.findings.compare_digest(
        "edge_catalogue_index.global",
        str(found["edge_catalogue_digest_global"]),
        str(expected["edge_catalogue_digest_global"]),
    )
    for column, value in expected.items():
        desk.findings.equal("S2.index_global", found[column], value, column=column)


def audit_part_files(desk: Desk, rows: int) -> None:
    """Part files are part-00000 …, cut every ``edges_per_part`` rows, with nothing else beside them."""
    folder = desk.tree.datasets[CATALOGUE]
    size = desk.tree.policies.edge_topology.publish.edges_per_part
    lengths = [min(size, rows - start) for start in range(0, rows, size)] or [0]
    expected = {f"part-{number:05d}.parquet": length for number, length in enumerate(lengths)}
    found: dict[str, int | None] = {}
    for name in files_below(folder):
        path = folder / name
        is_part = re.fullmatch(r"part-\d{5}\.parquet", name) and not path.is_symlink()
        found[name] = count_rows(path) if is_part else None
    desk.findings.equal("S2.part_files", found, expected)


def witness_counts(frame: pl.DataFrame | None, column: str) -> pl.DataFrame | None:
    """(merchant_id, edges) as another dataset counts them."""
    if frame is None:
        return None
    return frame.filter(pl.col("merchant_id").is_not_null()).select("merchant_id", edges=pl.col(column))


def same_merchants(
    desk: Desk, check_id: str, found: NDArray[np.uint64], expected: NDArray[np.uint64]
) -> None:
    """PASS when both hold the same merchants."""
    missing, extra = np.setdiff1d(expected, found), np.setdiff1d(found, expected)
    if missing.size or extra.size:
        example = {"missing": missing[:2].tolist(), "unknown": extra[:2].tolist()}
        desk.findings.fail(check_id, int(missing.size + extra.size), example)
    else:
        desk.findings.ok(check_id)


def ledger_matches(desk: Desk, ledger: EdgeLedger, settlement: pl.DataFrame | None) -> None:
    """Every settled merchant has edges, and nobody else."""
    if settlement is None:
        desk.findings.skip("settlements are not at hand", "S2.merchant_set")
        return
    same_merchants(desk, "S2.merchant_set", ledger.merchants, settlement["merchant_id"].to_numpy())
