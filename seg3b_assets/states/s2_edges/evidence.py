"""RNG evidence of S2 (law section 1): every draw's counter and outcome, as canonical JSON lines.

Hundreds of megabytes, so lines are made by column and in chunks; the trace's running totals are what a
shard's prefix would add to.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any, Final

import numpy as np
import polars as pl
from numpy.typing import NDArray

from seg3b_assets.laws.canonical_rows import Field, line_chunks
from seg3b_assets.laws.identity import RunIdentity
from seg3b_assets.laws.randomness import EDGE_JITTER, EDGE_TILE_ASSIGN, jitter_index
from seg3b_assets.states.s2_edges.catalogue import PlacedEdges
from seg3b_assets.states.s2_edges.placement import Attempts

U64 = NDArray[np.uint64]

MODULE: Final = "3B.S2"
ALGORITHM: Final = "philox2x64-10"
JITTER_DRAWS: Final = 2
TILE_ASSIGN_DRAWS: Final = 1


def _counters(high: U64, low: U64) -> dict[str, Field]:
    """Counters before a draw and one block after it; the sum carries into the high word."""
    after = low + np.uint64(1)
    return {
        "rng_counter_before_hi": pl.Series(high),
        "rng_counter_before_lo": pl.Series(low),
        "rng_counter_after_hi": pl.Series(high + (after == 0)),
        "rng_counter_after_lo": pl.Series(after),
    }


def _envelope(identity: RunIdentity, label: str, draws: int) -> dict[str, Field]:
    return {
        "ts_utc": identity.created_utc,
        "run_id": identity.run_id,
        "seed": identity.seed,
        "parameter_hash": identity.parameter_hash,
        "manifest_fingerprint": identity.manifest_fingerprint,
        "module": MODULE,
        "substream_label": label,
        "draws": str(draws),
        "blocks": 1,
    }


def jitter_lines(placed: PlacedEdges, attempts: Attempts, identity: RunIdentity) -> Iterator[memoryview]:
    """``edge_jitter``: one line per attempt, ordered by merchant, edge_seq_index, attempt."""
    edges, at = placed.slots, attempts.edge
    zone_source = pl.Series(placed.zones.source[at], dtype=pl.String)
    accepted = pl.Series(attempts.accepted)
    fields: dict[str, Field] = {
        **_envelope(identity, EDGE_JITTER, JITTER_DRAWS),
        **_counters(edges.merchant_id[at], jitter_index(edges.address[at], attempts.attempt)),
        "merchant_id": pl.Series(edges.merchant_id[at]),
        "country_iso": pl.Series(edges.country_text()[at], dtype=pl.String),
        "tile_id": pl.Series(placed.tiles.tile_id[at]).cast(pl.String),
        "edge_seq_index": pl.Series(edges.seq[at]),
        "attempt": pl.Series(attempts.attempt),
        "accepted": accepted,
        "u_lon": pl.Series(attempts.u_lon),
        "u_lat": pl.Series(attempts.u_lat),
        "candidate_lon_deg": pl.Series(attempts.lon),
        "candidate_lat_deg": pl.Series(attempts.lat),
        "tz_resolution": zone_source.set(~accepted, None),
    }
    return line_chunks(fields, at.shape[0])


def tile_assign_lines(placed: PlacedEdges, identity: RunIdentity) -> Iterator[memoryview]:
    """``edge_tile_assign``: one line per edge, ordered by merchant, edge_seq_index."""
    edges = placed.slots
    fields: dict[str, Field] = {
        **_envelope(identity, EDGE_TILE_ASSIGN, TILE_ASSIGN_DRAWS),
        **_counters(edges.merchant_id, edges.address),
        "merchant_id": pl.Series(edges.merchant_id),
        "country_iso": pl.Series(edges.country_text(), dtype=pl.String),
        "tile_id": pl.Series(placed.tiles.tile_id).cast(pl.String),
        "edge_budget": pl.Series(edges.counts[edges.merchant, edges.country]),
        "permuted_index": pl.Series(edges.slot),
    }
    return line_chunks(fields, edges.total)


def trace_lines(placed: PlacedEdges, attempts: Attempts, identity: RunIdentity) -> Iterator[memoryview]:
    """Trace: all tile_assign rows, then all jitter rows; running totals per substream."""
    edges, at = placed.slots, attempts.edge
    yield from _trace_of(EDGE_TILE_ASSIGN, TILE_ASSIGN_DRAWS, edges.merchant_id, edges.address, identity)
    low = jitter_index(edges.address[at], attempts.attempt)
    yield from _trace_of(EDGE_JITTER, JITTER_DRAWS, edges.merchant_id[at], low, identity)


def _trace_of(label: str, draws: int, high: U64, low: U64, identity: RunIdentity) -> Iterator[memoryview]:
    events = np.arange(1, high.shape[0] + 1, dtype=np.int64)
    fields: dict[str, Field] = {
        "ts_utc": identity.created_utc,
        "run_id": identity.run_id,
        "seed": identity.seed,
        "module": MODULE,
        "substream_label": label,
        **_counters(high, low),
        "draws_total": pl.Series(events * draws),
        "blocks_total": pl.Series(events),
        "events_total": pl.Series(events),
    }
    return line_chunks(fields, events.shape[0])


def audit_row(identity: RunIdentity, build_commit: str) -> dict[str, Any]:
    """The audit log's one row."""
    return {
        "ts_utc": identity.created_utc,
        "run_id": identity.run_id,
        "seed": identity.seed,
        "manifest_fingerprint": identity.manifest_fingerprint,
        "parameter_hash": identity.parameter_hash,
        "algorithm": ALGORITHM,
        "build_commit": build_commit,
    }
