"""What an upstream root holds, in numbers, for a person who just built one."""

from __future__ import annotations

from pathlib import Path
from typing import Final

import orjson
import polars as pl

_COUNTED: Final = {
    "merchants": "reference/layer1/transaction_schema_merchant_ids",
    "outlets": "data/layer1/1A/outlet_catalogue",
    "countries": "reference/spatial/world_countries",
    "zones": "reference/spatial/tz_world",
    "places": "reference/spatial/settlement_gazetteer",
    "tiles": "data/layer1/1B/tile_index",
}


def summarise(root: Path) -> dict[str, int | str]:
    """Receipt identity and row counts of the root's datasets."""
    receipt = orjson.loads((root / "run_receipt.json").read_bytes())
    identity = {name: receipt[name] for name in ("seed", "parameter_hash", "manifest_fingerprint")}
    return {**identity, **{name: _rows(root / folder) for name, folder in _COUNTED.items()}}


def _rows(folder: Path) -> int:
    files = sorted(folder.rglob("*.parquet"))
    return int(pl.scan_parquet(files, glob=False, hive_partitioning=False).select(pl.len()).collect().item())
