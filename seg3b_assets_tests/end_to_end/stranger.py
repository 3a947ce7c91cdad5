"""What a stranger's root is without, and has of its own: edits of a copy of the embedded world's."""

from __future__ import annotations

import shutil

import orjson
import polars as pl

from seg3b_assets.laws.hashing import canonical_json
from seg3b_assets_tests.end_to_end.installation import SEED, Installation
from seg3b_assets_tests.end_to_end.upstream_copies import SURFACES, UpstreamCopy
from seg3b_assets_tests.states.miniature_upstream import Root, write_bundle

HEADER = "merchant_id,lat_deg,lon_deg,evidence_url,coord_source,tzid_settlement,notes"


def without_gazetteer(upstream: UpstreamCopy) -> UpstreamCopy:
    """Take the places away, and out of what 2A vouches for."""
    shutil.rmtree(upstream.dataset("settlement_gazetteer").parent)
    folder = upstream.bundle("2A")
    members = {path.name: path.read_bytes() for path in folder.glob("*.json") if path.name != "index.json"}
    document = orjson.loads(members["certified_datasets_2A.json"])
    document["datasets"].pop("settlement_gazetteer")
    members["certified_datasets_2A.json"] = canonical_json(document)
    for entry in folder.iterdir():
        entry.unlink()
    write_bundle(Root(upstream.path, upstream.world), "2A", members)
    return upstream


def with_ids_of_its_own(upstream: UpstreamCopy) -> None:
    """Tile ids that follow no raster, the same in the three surfaces."""
    for surface in SURFACES:
        for file in sorted(upstream.dataset(surface).rglob("*.parquet")):
            code = file.stem[-2:] if surface == "tile_weights" else file.parent.name[-2:]
            first = ord(code[0]) * 1_000_003 + ord(code[1]) * 10_007
            frame = pl.read_parquet(file, glob=False, hive_partitioning=False)
            ids = pl.int_range(pl.len(), dtype=pl.UInt64) * 7919 + first
            file.unlink()
            frame.select(pl.exclude("raster_row", "raster_col")).with_columns(tile_id=ids).write_parquet(file)


def coordinates_of(finished: Installation, seed: int = SEED) -> str:
    """Every settlement of the finished run, as a coordinates file."""
    settled = pl.read_parquet(
        finished.path("virtual_settlement_3B", seed), hive_partitioning=False, glob=False
    )
    rows = settled.select("merchant_id", "lat_deg", "lon_deg", "tzid_settlement").iter_rows()
    lines = [
        f"{who},{lat},{lon},https://register.example/{who},register,{zone}," for who, lat, lon, zone in rows
    ]
    return "\n".join([HEADER, *lines, ""])
