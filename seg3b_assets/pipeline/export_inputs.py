"""What of its inputs an exported run carries, so that it can be audited without store or upstream.

Policies, gates, merchant facts, places and polygons whole, as sealed: their digests are in the tree. Of the tile
surfaces, which may be hundreds of times larger than the run, only the rows of tiles that hold an edge: with the
weight before each and the country's total, every draw can be made again. Sites are sealed but nothing of the
run depends on them; they stay behind, and so do the upstream bundles, whose flags are carried.
"""

from __future__ import annotations

import hashlib
from collections.abc import Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

import numpy as np
import polars as pl
from numpy.typing import NDArray

from seg3b_assets.contracts.artefact_registry import sealed_own_id
from seg3b_assets.foreign.tables import read_arrow
from seg3b_assets.laws.errors import Seg3BError
from seg3b_assets.laws.hashing import path_digest, sha256_hex, stated_digest
from seg3b_assets.laws.plain_files import OutOfReachError, Reach, files_below, open_plain
from seg3b_assets.store.runs import PolicyBytes
from seg3b_assets.store.writing import out_of_reach

if TYPE_CHECKING:
    from seg3b_assets.store.runs import KeptRun

POLICIES: Final = "inputs/policies"
UPSTREAM: Final = "inputs/upstream"
SURFACES: Final = ("tile_weights", "tile_index", "tile_bounds")
LEFT_BEHIND: Final = (*SURFACES, "site_locations", "site_timezones")
_CHUNK: Final = 1 << 20
_AT_ONCE: Final = 2
_BOUNDS: Final = ["min_lon_deg", "max_lon_deg", "min_lat_deg", "max_lat_deg"]

Row = Mapping[str, Any]


@dataclass(frozen=True)
class Copied:
    """What a copied file is: its size and hex SHA-256."""

    bytes: int
    sha256: str


@dataclass(frozen=True)
class Root:
    """An upstream root, and the folders its files may lie in."""

    path: Path
    reach: Reach


def copy_files(files: Mapping[str, Path], folder: Path) -> dict[str, Copied]:
    """Copy each file to its POSIX path below ``folder``, digested in the same pass. Raises OSError."""

    def copy(entry: tuple[str, Path]) -> tuple[str, Copied]:
        path, source = entry
        return path, _copy(source, folder / path)

    with ThreadPoolExecutor(_AT_ONCE) as pool:  # hashing and copying leave the interpreter lock
        return dict(pool.map(copy, files.items()))


def input_copies(
    sealed: Sequence[Row], root: Root, run: KeptRun, home: Path, folder: Path
) -> dict[str, Copied]:
    """Copy policies and upstream files below ``folder``; what was copied, by POSIX path.

    Args:
        sealed: rows of ``sealed_inputs_3B``.

    Raises:
        Seg3BError: SEALED_INPUT_DIGEST_MISMATCH when an upstream input is not what was sealed, INPUT_OPEN_FAILED
            when it, or a policy's kept bytes, cannot be read.
    """
    policies, kept = {}, PolicyBytes(home)
    files: dict[str, Path] = {}
    for row in sealed:
        if row["artefact_kind"] == "policy":
            policies[f"{POLICIES}/{row['path']}"] = kept.read(row["sha256_hex"])
        elif sealed_own_id(row) not in LEFT_BEHIND and row["artefact_kind"] != "bundle":
            files |= _upstream_files(row, root)
    for row in sealed:
        if sealed_own_id(row) in SURFACES:
            _require_sealed(row, root)
    copied = copy_files(files, folder)
    for path, content in policies.items():
        target = folder / path
        target.parent.mkdir(parents=True, exist_ok=True)
        target.write_bytes(content)
        copied[path] = Copied(len(content), sha256_hex(content))
    return copied


def _upstream_files(row: Row, root: Root) -> dict[str, Path]:
    """Files of one sealed input by their path in the tree."""
    location = _require_sealed(row, root)
    base = f"{UPSTREAM}/{str(row['path']).rstrip('/')}"
    if location.is_dir():
        return {f"{base}/{name}": location / name for name in files_below(location)}
    return {base: location}


def _require_sealed(row: Row, root: Root) -> Path:
    """Where an input lies, its bytes being those that were sealed, and nothing in it linked from elsewhere."""
    location = root.path / str(row["path"]).rstrip("/")
    try:
        root.reach.require(location)
        found = stated_digest(location) if row["artefact_kind"] == "gate" else path_digest(location)
    except OutOfReachError as error:
        raise out_of_reach(str(row["logical_id"]), error) from error
    except OSError as error:
        raise _not_sealed(row, location, "INPUT_OPEN_FAILED", error.strerror or str(error)) from error
    if found != row["sha256_hex"]:
        raise _not_sealed(row, location, "SEALED_INPUT_DIGEST_MISMATCH", found)
    return location


def _not_sealed(row: Row, location: Path, name: str, found: str | None) -> Seg3BError:
    return Seg3BError(
        "S0",
        name,
        "sealed_input_kept",
        str(location),
        "Name the upstream root the run was sealed from with --upstream: what it carries is not there, or no "
        "longer those bytes. Nothing was exported.",
        {"logical_id": row["logical_id"], "sealed": row["sha256_hex"], "found": found},
    )


def tile_excerpt(edges: pl.DataFrame, sealed: Sequence[Row], upstream: Path) -> pl.DataFrame:
    """The used tiles of each country, in the order of the contract ``tile_excerpt``.

    Args:
        edges: ``country_iso`` and ``hrsl_tile_id`` of ``edge_catalogue_3B``.
    """
    folders = {
        sealed_own_id(row): upstream / str(row["path"]) for row in sealed if sealed_own_id(row) in SURFACES
    }
    used = (
        edges.select("country_iso", tile_id=pl.col("hrsl_tile_id").cast(pl.UInt64))
        .unique()
        .sort("country_iso", "tile_id")
    )
    parts = [
        _country_excerpt(folders, str(iso), tiles["tile_id"].to_numpy())
        for (iso,), tiles in used.group_by("country_iso", maintain_order=True)
    ]
    return pl.concat(parts) if parts else _country_excerpt_of("", {})


def _country_excerpt(folders: Mapping[str, Path], iso: str, used: NDArray[np.uint64]) -> pl.DataFrame:
    weights = _columns([folders["tile_weights"] / f"part-{iso}.parquet"], ["tile_id", "weight_fp"])
    weight = weights["weight_fp"].astype(np.uint64)
    after = np.cumsum(weight)
    at = np.searchsorted(weights["tile_id"], used)
    bounds = _columns(
        sorted((folders["tile_bounds"] / f"country={iso}").glob("*.parquet")), ["tile_id", *_BOUNDS]
    )
    row = np.searchsorted(bounds["tile_id"], used)
    return _country_excerpt_of(
        iso,
        {
            "tile_id": used,
            "weight_before": after[at] - weight[at],
            "weight_fp": weight[at],
            "country_weight": np.full(used.shape[0], after[-1], np.uint64),
            **{name: bounds[name][row] for name in _BOUNDS},
        },
    )


def _country_excerpt_of(iso: str, columns: Mapping[str, NDArray[Any]]) -> pl.DataFrame:
    names = dict.fromkeys(("tile_id", "weight_before", "weight_fp", "country_weight"), pl.UInt64())
    schema: dict[str, pl.DataType] = {**names, **dict.fromkeys(_BOUNDS, pl.Float64())}
    frame = pl.DataFrame(columns or None, schema=schema)
    return frame.select(pl.lit(iso, pl.String).alias("country_iso"), *schema)


def _joined(parts: Sequence[NDArray[Any]]) -> NDArray[Any]:
    """Parts of a column; their integers may be of several types, all within int64."""
    return np.concatenate([part.astype(np.int64) if part.dtype.kind in "iu" else part for part in parts])


def _columns(files: Sequence[Path], names: list[str]) -> dict[str, NDArray[Any]]:
    """Columns in tile_id order; hundreds of small files, which pyarrow opens quicker than polars."""
    tables = [read_arrow(path, names) for path in files]
    columns = {name: _joined([table.column(name).to_numpy() for table in tables]) for name in names}
    columns["tile_id"] = columns["tile_id"].astype(np.uint64)
    order = np.argsort(columns["tile_id"], kind="stable")
    return {name: values[order] for name, values in columns.items()}


def _copy(source: Path, target: Path) -> Copied:
    target.parent.mkdir(parents=True, exist_ok=True)
    digest, size = hashlib.sha256(), 0
    with open_plain(source) as read, target.open("xb") as write:
        while chunk := read.read(_CHUNK):
            digest.update(chunk)
            write.write(chunk)
            size += len(chunk)
    return Copied(size, digest.hexdigest())
