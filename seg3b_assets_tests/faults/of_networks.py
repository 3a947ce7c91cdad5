"""Faults of what S2 says of its edges: catalogue index, merchant profile, summaries."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any

import polars as pl

from seg3b_assets_tests.faults import edits
from seg3b_assets_tests.faults.edited_tree import Tree
from seg3b_assets_tests.faults.fault import Fault, edited

INDEX = "edge_catalogue_index_3B"
PROFILE = "edge_merchant_profile_3B"
SUMMARY = "s2_summary_3B"
PRECHECK = "tile_surface_partition_precheck_3B"
TEMPLATE = "data/layer1/3B/edge_catalogue/seed={seed}/manifest_fingerprint={manifest_fingerprint}/"


def network_faults() -> Iterator[Fault]:
    """Index, profile, summaries."""
    yield from _index()
    yield from _profile()
    yield from _documents()


def _rows(change: edits.Change, dataset: str) -> Callable[[Tree], None]:
    return lambda tree: tree.table(dataset, change)


def _index() -> Iterator[Fault]:
    def cell(row: int, **values: Any) -> Callable[[Tree], None]:
        return lambda tree: tree.table(INDEX, edits.set_cell(row, **values))

    def index(name: str, check: str, plant: Callable[[Tree], None], *also: str) -> Fault:
        return edited(INDEX, name, check, plant, also)

    globally, own = "S2.index_global", f"S2.{INDEX}.contract"
    yield index(
        "an index row dropped",
        "S2.index_merchants",
        _rows(edits.drop_row(3), INDEX),
        globally,
        "S4.run_summary",
    )
    yield index("an index count", "S2.index_merchants", cell(3, edge_count_total=7), "S4.run_summary")
    yield index("an index digest", "S2.index_digests", cell(3, edge_digest="0" * 64), globally)
    yield index(
        "two index digests exchanged",
        "S2.index_digests",
        _rows(edits.cells_exchanged("edge_digest", 2, 3), INDEX),
        globally,
    )
    yield index("a merchant's mix", "S2.index_country_mix", cell(3, country_mix_summary='{"US":1.0}'))
    yield index("a mix that is no JSON", "S2.index_country_mix", cell(3, country_mix_summary="{"), own)
    yield index("a mix in another order", "S2.index_country_mix", _rows(_mix_reversed, INDEX))
    yield index("the global digest", globally, cell(-1, edge_catalogue_digest_global="0" * 64))
    yield index(
        "the catalogue's size", globally, _rows(edits.add_to("edge_catalogue_size_bytes", -1, 1), INDEX)
    )
    yield index(
        "the number of all edges",
        globally,
        _rows(edits.add_to("edge_count_total_all_merchants", -1, 1), INDEX),
    )
    yield index("the catalogue's path", globally, cell(-1, edge_catalogue_path="../../elsewhere/"), own)
    yield index("the catalogue's path as a template", globally, cell(-1, edge_catalogue_path=TEMPLATE))
    yield index("a second global row", globally, _rows(edits.repeat_row(-1), INDEX), f"S2.{INDEX}.unique")
    yield index("no global row", globally, _rows(edits.drop_row(-1), INDEX))
    yield index(
        "the global row first",
        f"S2.{INDEX}.order",
        _rows(lambda frame: pl.concat([frame[-1:], frame[:-1]]), INDEX),
        globally,
    )
    yield index("a note in the index", "S2.notes", cell(-1, notes="certified by hand"))


def _mix_reversed(frame: pl.DataFrame) -> pl.DataFrame:
    text = edits.with_keys_reversed(frame["country_mix_summary"][3].encode()).decode()
    return edits.set_cell(3, country_mix_summary=text)(frame)


def _profile() -> Iterator[Fault]:
    def change(name: str, check: str, alter: edits.Change, *also: str) -> Fault:
        return edited(PROFILE, name, check, _rows(alter, PROFILE), also)

    metrics, results = "S2.profile_metrics", "S4.results"
    replayed = ("S2.country_counts", "S2.edge_weight", "S2.profile_guards")
    yield change(
        "a profile dropped", "S2.profile_set", edits.drop_row(3), "S2.summary", "S2.profile_budget", results
    )
    yield change("a profile's class", "S2.profile_class", _another_class, results, *replayed)
    yield change("a profile's size", "S2.profile_class", _another_size, results, *replayed)
    yield change(
        "a profile's alpha off by one ulp", "S2.profile_draws", edits.next_float("alpha", 3), *replayed
    )
    yield change(
        "a profile's scale", "S2.profile_draws", edits.add_to("edge_scale", 3, 1.0), results, *replayed
    )
    yield change(
        "a profile's budget",
        "S2.profile_budget",
        edits.set_cell(3, edge_budget=1),
        metrics,
        results,
        *replayed,
    )
    for column in (
        "merchant_hhi",
        "merchant_entropy",
        "merchant_effective_country_count",
        "weighted_distance_km",
    ):
        yield change(f"{column} off by one ulp", metrics, edits.next_float(column, 3), results)
    for column in ("merchant_top1_share", "merchant_top1_country_share", "settlement_overlap"):
        yield change(f"{column} off by a unit of mass", metrics, edits.add_to(column, 3, 1e-12), results)
    yield change(
        "an entropy that is no number",
        f"S2.{PROFILE}.contract",
        edits.set_cell(3, merchant_entropy=float("nan")),
        metrics,
        results,
    )
    for guard in ("sparse_tail", "min_support", "country_cap", "tempering"):
        column = f"guard_{guard}"
        yield change(
            f"{column} turned",
            "S2.profile_guards",
            lambda frame, column=column: edits.set_cell(3, **{column: not frame[column][3]})(frame),
            "S2.summary",
            results,
        )


def _another_class(frame: pl.DataFrame) -> pl.DataFrame:
    other = "HYBRID_FOOTPRINT" if frame["virtual_class"][3] != "HYBRID_FOOTPRINT" else "OFFSHORE_HUB"
    return edits.set_cell(3, virtual_class=other)(frame)


def _another_size(frame: pl.DataFrame) -> pl.DataFrame:
    return edits.set_cell(3, size_bucket="LARGE" if frame["size_bucket"][3] != "LARGE" else "SMALL")(frame)


def _documents() -> Iterator[Fault]:
    def raised(*keys: str) -> Callable[[Tree], None]:
        def change(value: dict[str, Any]) -> None:
            for key in keys[:-1]:
                value = value[key]
            value[keys[-1]] += 1

        return lambda tree: tree.document(SUMMARY, change)

    for keys in (
        ("edges_total",),
        ("virtual_merchants",),
        ("settlements_drawn",),
        ("settlements_ingested",),
        ("tz_source_counts", "NUDGE"),
        ("guard_counts", "tempering"),
        ("attempt_histogram", "1"),
        ("streams", "edge_jitter", "draws"),
        ("streams", "edge_tile_assign", "blocks"),
    ):
        yield edited(SUMMARY, f"the total {'.'.join(keys)}", "S2.summary", raised(*keys))
    yield edited(
        SUMMARY, "a country's edges", "S2.summary", lambda tree: tree.document(SUMMARY, _country_raised)
    )
    yield edited(
        SUMMARY,
        "a summary of another run",
        f"S2.{SUMMARY}.identity",
        lambda tree: tree.document(SUMMARY, lambda value: value | {"run_id": "0" * 32}),
    )
    yield edited(
        PRECHECK,
        "a country of the precheck",
        "S2.precheck",
        lambda tree: tree.document(PRECHECK, lambda value: value | {"required": ["US"]}),
    )
    yield edited(
        PRECHECK,
        "a surface said to be missing",
        "S2.precheck",
        lambda tree: tree.document(
            PRECHECK, lambda value: value["surfaces"]["tile_bounds"].update(missing=["US"])
        ),
    )
    yield edited(
        PRECHECK,
        "a precheck that failed",
        "S2.precheck",
        lambda tree: tree.document(PRECHECK, lambda value: value | {"status": "FAIL"}),
        (f"S2.{PRECHECK}.contract",),
    )


def _country_raised(summary: dict[str, Any]) -> None:
    first = min(summary["edges_by_country"])
    summary["edges_by_country"][first] += 1
