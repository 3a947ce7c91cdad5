"""The embedded upstream world: real geography at a small size, with merchants drawn by seed.

It stands in for segments 1A, 1B, 2A and 3A. Importing this package is cheap; the libraries that build a world
are loaded only when one is built.
"""

from __future__ import annotations

from pathlib import Path
from typing import Final

from seg3b_assets.locks import exclusive
from seg3b_assets.progress import SILENT, Progress
from seg3b_assets.world.recipe import WorldRecipe

__all__ = ["WorldRecipe", "describe_world", "ensure_world", "world_root"]

_UINT64_MAX = 2**64 - 1
_COUNTED: Final = {
    "merchants": "reference/layer1/transaction_schema_merchant_ids",
    "outlets": "data/layer1/1A/outlet_catalogue",
    "countries": "reference/spatial/world_countries",
    "zones": "reference/spatial/tz_world",
    "places": "reference/spatial/settlement_gazetteer",
    "tiles": "data/layer1/1B/tile_index",
}


def ensure_world(seed: int, recipe: WorldRecipe, cache: Path, progress: Progress | None = None) -> Path:
    """The upstream root of one seed, built if it is not in the cache.

    Below ``cache/world``: ``stages/`` holds what several roots share, ``{recipe digest}/seed={seed}/`` the
    roots. A root appears whole or not at all; a killed build resumes after its last finished stage, and a
    second builder waits for the first. Files of a root may be hard links into ``stages/``: copy a root before
    changing it.

    Args:
        seed: uint64. recipe: what the world is made of. cache: the cache folder.
        progress: who to tell; nobody if None.

    Raises:
        ValueError: the seed is not a uint64.
    """
    if not 0 <= seed <= _UINT64_MAX:
        raise ValueError(f"seed is {seed}: give 0 to 2^64−1")
    root = world_root(seed, recipe, cache)
    home = root.parents[1]
    if root.is_dir():
        return root
    from seg3b_assets.world.build import build_root  # noqa: PLC0415 - shapely and friends take a second to load

    with exclusive(home / "build.lock"):
        if not root.is_dir():
            build_root(root, seed, recipe, home / "stages", progress or SILENT)
    return root


def world_root(seed: int, recipe: WorldRecipe, cache: Path) -> Path:
    """Where the upstream root of a seed is, or would be once it is built."""
    return Path(cache).absolute() / "world" / recipe.digest()[:16] / f"seed={seed}"


def describe_world(root: Path) -> dict[str, int | str]:
    """Identity and counts of an upstream root: merchants, outlets, countries, zones, places, tiles.

    Reads row counts from parquet footers, so it is quick on a world of any size.
    """
    import orjson  # noqa: PLC0415 - neither library is needed to have a world
    import polars as pl  # noqa: PLC0415

    def rows(folder: Path) -> int:
        files = sorted(folder.rglob("*.parquet"))
        scanned = pl.scan_parquet(files, glob=False, hive_partitioning=False)
        return int(scanned.select(pl.len()).collect().item())

    receipt = orjson.loads((root / "run_receipt.json").read_bytes())
    identity = {name: receipt[name] for name in ("seed", "parameter_hash", "manifest_fingerprint")}
    return {**identity, **{name: rows(root / folder) for name, folder in _COUNTED.items()}}
