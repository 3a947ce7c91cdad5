"""Runs in which a state lies about its tables: catalogue, alias tables, contract, results."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from typing import Any

import numpy as np
import polars as pl

from seg3b_assets_tests.faults import edits
from seg3b_assets_tests.faults.fault import Fault
from seg3b_assets_tests.faults.lies import changed, lie, write

_S2 = "seg3b_assets.states.s2_edges"
_S3 = "seg3b_assets.states.s3_alias"
_S4 = "seg3b_assets.states.s4_contract.state"


def forged_faults() -> Iterator[Fault]:
    """Lies of S2, S3 and S4."""
    yield from _catalogue()
    yield from _alias()
    yield from _contract()


def _catalogue() -> Iterator[Fault]:
    catalogue = f"{_S2}.state:build_catalogue"
    yield lie(
        "edge ids from big-endian numbers",
        "S2.edge_id",
        f"{_S2}.catalogue:edge_ids",
        changed(lambda ids: [one[2:] + one[:2] for one in ids]),
    )
    yield lie(
        "ranks from the lightest", "S2.sampling_rank", catalogue, changed(_ranked_upwards), "S2.edge_digest"
    )
    yield lie(
        "digests of other columns",
        "S2.edge_digest",
        catalogue,
        changed(lambda frame: frame.with_columns(edge_digest=pl.col("rng_event_id"))),
    )
    yield lie(
        "an edge dropped and its events kept",
        "S2.edge_sequence",
        catalogue,
        # The lightest: S3 refuses weights that do not sum to 1.
        changed(lambda frame: edits.drop_row(int(frame["edge_weight"].arg_min()))(frame)),
        "S2.edge_mass",
        "S2.profile_metrics",
        "S2.sampling_rank",
        "S3.alias_distribution",
        "S3.alias_table",
        "S2.part_files",
        # Catalogue and index agree on the edge that is not there, so its events look superfluous.
        "S2.jitter.sequence",
        "S2.tile_assign.tile",
        "S2.trace.sequence",
        "S2.trace.totals",
    )
    yield write(
        "an index in another order",
        "S2.edge_catalogue_index_3B.order",
        "edge_catalogue_index_3B",
        edits.swap_rows(0, 1),
        "S2.index_global",
    )
    yield write(
        "a count in the index",
        "S2.index_merchants",
        "edge_catalogue_index_3B",
        edits.add_to("edge_count_total", 0, 1),
        "S4.run_summary",
    )
    yield write(
        "an overlap of the profile",
        "S2.profile_metrics",
        "edge_merchant_profile_3B",
        edits.add_to("settlement_overlap", 0, 0.01),
    )
    yield write(
        "a distance of the profile",
        "S2.profile_metrics",
        "edge_merchant_profile_3B",
        edits.add_to("weighted_distance_km", 0, 1.0),
    )


def _ranked_upwards(frame: pl.DataFrame) -> pl.DataFrame:
    most = pl.col("sampling_rank").max().over("merchant_id")
    return frame.with_columns(sampling_rank=most - pl.col("sampling_rank"))


def _alias() -> Iterator[Fault]:
    tables = f"{_S3}:tables_of"
    distribution = "S3.alias_distribution"
    also = ("S3.alias_table", "S4.results")
    yield lie(
        "tables built in another order",
        "S3.alias_table",
        f"{_S3}:build_tables",
        _in_reverse,
        "S3.alias_distribution",
    )
    yield lie("uniform tables", distribution, tables, changed(_uniform_tables), *also)
    yield lie(
        "probabilities of sixteen bits",
        distribution,
        tables,
        changed(lambda made: replace(made, prob_q=made.prob_q & np.uint32(0xFFFF0000) | np.uint32(1))),
        *also,
    )
    yield write(
        "dirt in the pad bytes",
        "S3.alias_bounds",
        "edge_alias_blob_3B",
        lambda data: bytes(data) + b"\xff" * 8,
        "S3.alias_padding",
        "S3.blob_digest",
        "S3.alias_rows",
        "S4.results",
    )
    yield write(
        "a universe hash over other names",
        "S3.universe_hash",
        "edge_universe_hash_3B",
        lambda value: value | {"universe_hash": "f" * 64},
    )


def _in_reverse(true: Any) -> Any:
    """The same masses, small and large paired from the other end."""

    def build(masses: Any, lengths: Any, bits: int) -> Any:
        made = true(masses[::-1].copy(), lengths[::-1].copy(), bits)
        size = np.repeat(lengths, lengths)
        return replace(
            made,
            lengths=lengths,
            prob_q=made.prob_q[::-1].copy(),
            alias=(size - 1 - made.alias[::-1]).astype(made.alias.dtype),
        )

    return build


def _uniform_tables(made: Any) -> Any:
    slots = np.concatenate([np.arange(length) for length in made.lengths])
    return replace(made, prob_q=np.full_like(made.prob_q, 2**32 - 1), alias=slots.astype(made.alias.dtype))


def _contract() -> Iterator[Fault]:
    contract, rows = f"{_S4}:contract_table", "S4.rows"
    yield lie(
        "a test disabled",
        "S4.enabled",
        contract,
        changed(edits.set_cell(3, enabled=False)),
        "S4.run_summary",
        rows,
    )
    yield lie("a bound loosened", "S4.thresholds", contract, changed(_bound_loosened), rows)
    yield lie("terms loosened before the run", "S4.terms", f"{_S4}:terms_table", changed(_terms_loosened))
    yield lie(
        "a gate's row dropped",
        "S4.gate_rows",
        contract,
        changed(lambda frame: frame.filter(_named("top1_share_p50_min").is_null())),
        "S4.families",
        "S4.terms_set",
        "S4.run_summary",
        rows,
    )
    yield lie(
        "a row measured once more than it was",
        "S4.results",
        f"{_S4}:measured",
        changed(edits.add_to("n", 3, 1)),
    )
    yield lie(
        "a measured value improved",
        "S4.results",
        f"{_S4}:measured",
        changed(edits.add_to("measured", 3, 0.1)),
    )
    yield lie(
        "a router bound to the wrong clock",
        "S4.routing_bindings",
        f"{_S4}:routing_policy",
        changed(_wrong_clock),
    )


def _bound_loosened(frame: pl.DataFrame) -> pl.DataFrame:
    row = int(frame.select(_named("edge_count_cv_min").is_not_null().arg_true().first()).item())
    return edits.set_members(row, "thresholds", edge_count_cv_min=0.0)(frame)


def _named(bound: str) -> pl.Expr:
    return pl.col("thresholds").struct.field(bound)


def _terms_loosened(frame: pl.DataFrame) -> pl.DataFrame:
    row = int((frame["metric"] == "edges_per_merchant_cv").arg_true()[0])
    return edits.set_cell(row, value=0.0)(frame)


def _wrong_clock(policy: dict[str, Any]) -> dict[str, Any]:
    clocks = policy["dual_timezone_semantics"] | {"tzid_settlement_field": "event.tzid_operational"}
    return policy | {"dual_timezone_semantics": clocks}
