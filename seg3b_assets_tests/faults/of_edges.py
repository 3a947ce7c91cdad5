"""Faults of the edge catalogue."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any

import numpy as np
import polars as pl

from seg3b_assets_tests.faults import edits
from seg3b_assets_tests.faults.edited_tree import Tree
from seg3b_assets_tests.faults.fault import Fault, edited
from seg3b_assets_tests.faults.implied import of_bytes, of_rows

CATALOGUE = "edge_catalogue_3B"

# What any change of a catalogue row touches: its digest, and the size of its file.
_ROW = ("S2.edge_digest", "S2.index_global")
_OWN = f"S2.{CATALOGUE}.contract"


def edge_faults() -> Iterator[Fault]:
    """Places, names, weights, rows, parts."""
    yield from _places()
    yield from _names()
    yield from _weights()
    yield from _whole_rows()
    yield from _parts()


def _cells(row: int, **values: Any) -> Callable[[Tree], None]:
    return lambda tree: tree.table(CATALOGUE, edits.set_cell(row, **values))


def _rows(change: edits.Change, dataset: str = CATALOGUE) -> Callable[[Tree], None]:
    return lambda tree: tree.table(dataset, change)


def _edge(name: str, check: str, plant: Callable[[Tree], None], *also: str) -> Fault:
    return edited(CATALOGUE, name, check, plant, (*_ROW, *also))


def _places() -> Iterator[Fault]:
    measured = ("S2.profile_metrics", "S4.results")
    out = ("S2.edge_in_tile", "S2.edge_in_country", *measured)
    point = "S2.edge_point"
    yield _edge(
        "an edge moved 30 degrees", "S2.edge_in_country", _rows(_moved("lat_deg", -30.0)), point, *out
    )
    yield _edge("an edge moved by a metre", point, _rows(edits.add_to("lat_deg", 11, 1e-5)), *out)
    yield _edge("a longitude off by one ulp", point, _rows(edits.next_float("lon_deg", 11)), *measured)
    yield _edge("a latitude off by one ulp", point, _rows(edits.next_float("lat_deg", 11)), *measured)
    yield _edge(
        "an edge mirrored over Greenwich",
        point,
        _rows(lambda frame: edits.set_cell(11, lon_deg=-frame["lon_deg"][11])(frame)),
        *out,
    )
    yield _edge(
        "an edge on another edge's point",
        point,
        _rows(
            lambda frame: edits.set_cell(11, lon_deg=frame["lon_deg"][12], lat_deg=frame["lat_deg"][12])(
                frame
            )
        ),
        *out,
    )
    yield _edge("two edges' points exchanged", point, _rows(_points_exchanged), *out)
    yield _edge("a longitude beyond 180", _OWN, _cells(11, lon_deg=181.0), point, *out)
    yield _edge("a latitude that is no number", _OWN, _cells(11, lat_deg=float("nan")), point, *out)
    yield _edge("an infinite longitude", _OWN, _cells(11, lon_deg=float("inf")), point, *out)
    yield _edge("an edge in another tile", "S2.edge_tile", _cells(11, hrsl_tile_id="1"))
    yield _edge(
        "a tile id with a leading zero",
        _OWN,
        _rows(lambda frame: edits.set_cell(11, hrsl_tile_id="0" + frame["hrsl_tile_id"][11])(frame)),
        "S2.edge_tile",
    )
    yield _edge(
        "an edge in another country",
        "S2.edge_country",
        _cells(11, country_iso="AQ"),
        "S2.index_country_mix",
        "S2.edge_sequence",
        *measured,
    )
    yield _edge(
        "a country code in small letters",
        _OWN,
        _rows(lambda frame: edits.set_cell(11, country_iso=frame["country_iso"][11].lower())(frame)),
        "S2.edge_country",
        "S2.index_country_mix",
        "S2.edge_sequence",
        *measured,
    )
    yield _edge(
        "a country code in look-alike letters",
        _OWN,
        _cells(11, country_iso="ВR"),
        "S2.edge_country",
        "S2.index_country_mix",
        "S2.edge_sequence",
        *measured,
    )
    yield _edge(
        "an edge in a wrong zone",
        "S2.edge_zone",
        _cells(11, tzid_operational="Antarctica/Vostok"),
        "S4.results",
    )
    yield _edge(
        "an edge in an unreal zone",
        _OWN,
        _cells(11, tzid_operational="Europe/Atlantis"),
        "S2.edge_zone",
        "S4.results",
    )
    yield _edge("a zone's source", "S2.edge_zone", _cells(11, tz_source="OVERRIDE"))


def _moved(column: str, by: float) -> edits.Change:
    return lambda frame: edits.set_cell(11, **{column: float(np.clip(frame[column][11] + by, -89, 89))})(
        frame
    )


def _points_exchanged(frame: pl.DataFrame) -> pl.DataFrame:
    first, second = (frame.select("lon_deg", "lat_deg").row(row, named=True) for row in (11, 12))
    return edits.set_cell(12, **first)(edits.set_cell(11, **second)(frame))


def _names() -> Iterator[Fault]:
    yield edited(
        CATALOGUE,
        "an edge digest zeroed",
        "S2.edge_digest",
        _cells(11, edge_digest="0" * 64),
        of_bytes(CATALOGUE),
    )
    yield edited(
        CATALOGUE,
        "two edge digests exchanged",
        "S2.edge_digest",
        _rows(edits.cells_exchanged("edge_digest", 11, 12)),
        (*of_bytes(CATALOGUE), "S2.index_digests"),
    )
    yield _edge(
        "an edge id repeated",
        f"S2.{CATALOGUE}.unique",
        _rows(edits.copy_cell("edge_id", 10, 11)),
        "S2.edge_id",
        "S2.sampling_rank",
    )
    yield _edge(
        "an edge id off by one",
        "S2.edge_id",
        _rows(_last_digit_changed("edge_id")),
        f"S2.{CATALOGUE}.order",
        "S2.sampling_rank",
    )
    yield _edge(
        "an edge id in capitals", _OWN, _rows(_in_capitals("edge_id")), "S2.edge_id", f"S2.{CATALOGUE}.order"
    )
    yield _edge("an event id", "S2.rng_event_id", _cells(11, rng_event_id="0" * 64))
    yield _edge(
        "two event ids exchanged", "S2.rng_event_id", _rows(edits.cells_exchanged("rng_event_id", 11, 12))
    )
    yield _edge("a policy version", "S2.cdn_policy_version", _cells(11, cdn_policy_version="9.9.9"))
    for column, value in (
        ("spatial_surface_id", "tile_index"),
        ("cdn_policy_id", "edge_topology"),
        ("rng_stream_id", "3B.edge_catalog"),
    ):
        yield _edge(f"another {column}", _OWN, _cells(11, **{column: value}))
    yield _edge(
        "an edge of another merchant",
        "S2.edge_sequence",
        _cells(11, merchant_id=1),
        f"S2.{CATALOGUE}.order",
        "S2.edge_id",
        "S2.rng_event_id",
        "S2.merchant_set",
        *of_rows(CATALOGUE),
    )


def _last_digit_changed(column: str) -> edits.Change:
    def change(frame: pl.DataFrame) -> pl.DataFrame:
        text = frame[column][11]
        return edits.set_cell(11, **{column: text[:-1] + ("0" if text[-1] != "0" else "1")})(frame)

    return change


def _in_capitals(column: str) -> edits.Change:
    def change(frame: pl.DataFrame) -> pl.DataFrame:
        return edits.set_cell(11, **{column: frame[column][11].upper()})(frame)

    return change


def _weights() -> Iterator[Fault]:
    mass = "S2.edge_mass"
    measured = (
        "S2.edge_weight",
        "S2.index_country_mix",
        "S2.profile_metrics",
        "S2.sampling_rank",
        "S3.alias_distribution",
        "S3.alias_table",
        "S4.results",
    )
    yield _edge("a weight off by one ulp", mass, _rows(edits.next_float("edge_weight", 11)), *measured)
    yield _edge("a weight raised", mass, _cells(11, edge_weight=0.25), *measured)
    yield _edge("a weight of zero", _OWN, _cells(11, edge_weight=0.0), mass, *measured)
    yield _edge("a weight of minus zero", _OWN, _cells(11, edge_weight=-0.0), mass, *measured)
    yield _edge("a negative weight", _OWN, _cells(11, edge_weight=-0.01), mass, *measured)
    yield _edge("a weight that is no number", _OWN, _cells(11, edge_weight=float("nan")), mass, *measured)
    yield _edge("mass traded between two edges", "S3.alias_distribution", _rows(_traded), *measured)
    yield _edge(
        "a merchant's weights all the same", "S3.alias_distribution", _rows(_uniform), mass, *measured
    )
    yield _edge("a rank", "S2.sampling_rank", _rows(edits.copy_cell("sampling_rank", 10, 11)))
    yield _edge(
        "two ranks exchanged", "S2.sampling_rank", _rows(edits.cells_exchanged("sampling_rank", 10, 11))
    )
    yield _edge("a negative rank", _OWN, _cells(11, sampling_rank=-1), "S2.sampling_rank")


def _traded(frame: pl.DataFrame) -> pl.DataFrame:
    """The heaviest two edges of a merchant trade some mass: the sum stays."""
    first = frame["merchant_id"] == frame["merchant_id"][0]
    for rank, change in ((0, -(10**6)), (1, 10**6)):
        row = int((first & (frame["sampling_rank"] == rank)).arg_true()[0])
        units = round(frame["edge_weight"][row] * 10**12)
        frame = edits.set_cell(row, edge_weight=(units + change) / 10**12)(frame)
    return frame


def _uniform(frame: pl.DataFrame) -> pl.DataFrame:
    mine = pl.col("merchant_id") == frame["merchant_id"][0]
    return frame.with_columns(
        edge_weight=pl.when(mine).then(1.0 / mine.sum()).otherwise(pl.col("edge_weight"))
    )


def _whole_rows() -> Iterator[Fault]:
    follows = (
        *of_rows(CATALOGUE),
        "S2.merchant_set",
        "S2.edge_id",
        "S2.rng_event_id",
        f"S2.{CATALOGUE}.order",
        f"S2.{CATALOGUE}.unique",
    )
    sequence = "S2.edge_sequence"
    yield _edge("an edge dropped", sequence, _rows(edits.drop_row(11)), *follows)
    yield _edge("the last edge dropped", sequence, _rows(edits.drop_row(-1)), *follows)
    yield _edge(
        "an edge renumbered",
        sequence,
        _rows(edits.copy_cell("edge_seq_index", 10, 11)),
        *follows,
        "S2.edge_country",
    )
    yield _edge(
        "two edges renumbered",
        "S2.edge_id",
        _rows(edits.cells_exchanged("edge_seq_index", 10, 11)),
        *follows,
        "S2.edge_tile",
        "S2.edge_point",
        "S2.edge_zone",
        "S2.edge_country",
        "S2.edge_weight",
        "S2.edge_in_tile",
        "S2.edge_in_country",
    )
    yield _edge(
        "a sequence number beyond 32 bits",
        sequence,
        _cells(11, edge_seq_index=2**40),
        *follows,
        "S2.edge_country",
        _OWN,
    )
    yield _edge(
        "a merchant's edges dropped",
        sequence,
        _rows(lambda frame: frame.filter(pl.col("merchant_id") != frame["merchant_id"][0])),
        *follows,
    )


def _parts() -> Iterator[Fault]:
    parts = "S2.part_files"

    def renamed(tree: Tree) -> None:
        tree.touched.add(CATALOGUE)
        tree.file(CATALOGUE).rename(tree.path(CATALOGUE) / "part-00007.parquet")

    def in_one_part(tree: Tree) -> None:
        tree.touched.add(CATALOGUE)
        files = sorted(tree.path(CATALOGUE).iterdir())
        frame = pl.concat([pl.read_parquet(file.read_bytes()) for file in files])
        for file in files:
            file.unlink()
        frame.write_parquet(files[0], compression="zstd", compression_level=3)

    def beside(name: str, data: bytes) -> Callable[[Tree], None]:
        def plant(tree: Tree) -> None:
            tree.touched.add(CATALOGUE)
            tree.replace(tree.path(CATALOGUE) / name, data)

        return plant

    def linked(tree: Tree) -> None:
        tree.touched.add(CATALOGUE)
        part = tree.file(CATALOGUE)
        elsewhere = tree.root / "elsewhere.parquet"
        part.rename(elsewhere)
        part.symlink_to(elsewhere)

    moved = (
        "S2.index_global",
        f"S2.{CATALOGUE}.order",
        "tree.files",
        "S2.index_digests",
        *of_rows(CATALOGUE),
    )
    yield edited(CATALOGUE, "a part renamed", parts, renamed, moved)
    yield edited(CATALOGUE, "parts joined in one", parts, in_one_part, moved)
    yield edited(CATALOGUE, "a file beside the parts", parts, beside("notes.txt", b"hello"), moved)
    yield edited(
        CATALOGUE, "a hidden file beside the parts", parts, beside(".part-00000.parquet.swp", b"x"), moved
    )
    yield edited(CATALOGUE, "a part behind a link", "tree.layout", linked, (*moved, "tree.datasets"))
