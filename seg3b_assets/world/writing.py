"""How a world is written: tables whose bytes depend on their rows only, and stages of a build, published whole.

Tables are zstd parquet. Columns are those that the layer publishes for the table, in its order and types; a table with
a geometry is GeoParquet.

A stage is published by rename, under a key of what it depends on, and shared by link. Its folder exists only when it is
complete, so a build that was killed resumes after its last finished stage. The caller holds the build lock while it
writes. Nothing here knows what a stage holds.

What a stage's record says of its bytes goes into the bundles of every root that is built of it, so it is held against
them before it is believed. A stage that is not what it says is nobody's loss: it is built anew, with a warning.
"""

from __future__ import annotations

import os
import secrets
import shutil
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from io import BytesIO
from pathlib import Path
from typing import Final

import orjson
import polars as pl
import shapely

from seg3b_assets.contracts.geotables import geo_footer
from seg3b_assets.laws.hashing import canonical_json, path_digest, sha256_hex
from seg3b_assets.laws.identity import HEX64
from seg3b_assets.laws.plain_files import Reach, files_below, read_plain, real_path
from seg3b_assets.laws.visible_text import story
from seg3b_assets.own_places import folders_in

LOG: Final = story("world")

# Fixed, because row groups shape the bytes.
_ROWS_PER_GROUP: Final = 262_144

_RECORD: Final = "stage.json"
_STAGING: Final = ".staging-"
_KEY_LENGTH: Final = 16


def write_table(frame: pl.DataFrame, path: Path) -> None:
    """Write one parquet file, creating its folder."""
    path.parent.mkdir(parents=True, exist_ok=True)
    frame.write_parquet(path, compression="zstd", row_group_size=_ROWS_PER_GROUP)


def table_digest(frame: pl.DataFrame) -> str:
    """SHA-256 of the bytes the frame would be written as."""
    packed = BytesIO()
    frame.write_parquet(packed, compression="zstd", row_group_size=_ROWS_PER_GROUP)
    return sha256_hex(packed.getvalue())


def write_geotable(frame: pl.DataFrame, geometry: str, path: Path) -> None:
    """Write one GeoParquet file, creating its folder; ``geometry`` holds WKB, longitude first."""
    path.parent.mkdir(parents=True, exist_ok=True)
    shapes = shapely.from_wkb(frame[geometry].to_list())
    footer = geo_footer(
        geometry, sorted({shape.geom_type for shape in shapes}), shapely.total_bounds(shapes).tolist()
    )
    frame.write_parquet(path, compression="zstd", row_group_size=_ROWS_PER_GROUP, metadata=footer)


@dataclass(frozen=True)
class Stage:
    """A published stage.

    Attributes:
        folder: where its datasets lie, one file or folder per dataset id.
        digests: dataset id to hex digest.
        counts: what the stage counted while it built.
    """

    folder: Path
    digests: Mapping[str, str]
    counts: Mapping[str, int]


class _UnsoundError(ValueError):
    """A stage that is not what it says; the text tells where and why."""


def finished_stage(cache: Path, name: str, key: str) -> Stage | None:
    """The published stage, its bytes hashed again; None where there is none, or where it was not sound and is gone."""
    folder = cache / f"{name}-{key[:_KEY_LENGTH]}"
    if not os.path.lexists(folder):
        return None
    try:
        return _held(folder, name, key)
    except (OSError, _UnsoundError) as error:
        LOG.warning("%s is not what was built there, and is built anew: %s", folder, error)
    _discard(folder)
    return None


def _held(folder: Path, name: str, key: str) -> Stage:
    """The stage in a folder. Raises _UnsoundError, or OSError, for one whose files are not those of its record."""
    if folder.is_symlink() or not folder.is_dir():
        raise _UnsoundError("it is no folder of its own")
    Reach.of(folder).require(folder)
    try:
        record = orjson.loads(read_plain(folder / _RECORD))
    except ValueError:
        raise _UnsoundError(f"{_RECORD} is no JSON") from None
    said = record if isinstance(record, dict) else {}
    if (said.get("stage"), said.get("key")) != (name, key):
        raise _UnsoundError(f"{_RECORD} is of something else")
    digests, counts = said.get("digests"), said.get("counts")
    if not isinstance(digests, dict) or not isinstance(counts, dict):
        raise _UnsoundError(f"{_RECORD} says nothing of its files")
    if not all(isinstance(count, int) for count in counts.values()):
        raise _UnsoundError(f"{_RECORD} counts something that is no number")
    found = sorted(path.name for path in folder.iterdir() if path.name != _RECORD)
    if found != sorted(digests):
        raise _UnsoundError("other files are there than were built")
    for dataset, digest in digests.items():
        if not HEX64.fullmatch(str(digest)) or path_digest(folder / dataset) != digest:
            raise _UnsoundError(f"{dataset} has other bytes than were built")
    return Stage(folder, digests, counts)


def _discard(folder: Path) -> None:
    """Take away what lies there; roots that were built of it share its files by link, and keep them."""
    if folder.is_symlink() or not folder.is_dir():
        folder.unlink()
        return
    # Out of the way in one step, under a name that the next build sweeps should this one be killed.
    unsound = folder.with_name(f"{_STAGING}{folder.name}-{secrets.token_hex(8)}")
    folder.rename(unsound)
    shutil.rmtree(unsound)


def build_stage(cache: Path, name: str, key: str, build: Callable[[Path], dict[str, int]]) -> Stage:
    """The stage, built now if it is not there.

    Args:
        key: hex; equal keys mean equal bytes.
        build: writes the datasets into the folder it is given and returns what it counted.
    """
    if stage := finished_stage(cache, name, key):
        return stage
    staging = open_staging(cache, name)
    counts = build(staging)
    digests = {path.name: path_digest(path) for path in sorted(staging.iterdir())}
    record = {"stage": name, "key": key, "digests": digests, "counts": counts}
    (staging / _RECORD).write_bytes(canonical_json(record))
    publish(staging, cache / f"{name}-{key[:_KEY_LENGTH]}")
    return Stage(cache / f"{name}-{key[:_KEY_LENGTH]}", digests, counts)


def open_staging(folder: Path, name: str) -> Path:
    """An empty folder to build in, beside where it will be published."""
    staging = folder / f"{_STAGING}{name}-{secrets.token_hex(8)}"
    staging.mkdir()
    return staging


def sweep(folder: Path) -> None:
    """Remove what a killed build left unfinished; the caller holds the build lock, so it is nobody's."""
    for staging in folders_in(folder):
        if staging.name.startswith(_STAGING):
            shutil.rmtree(staging)


def publish(staging: Path, target: Path) -> None:
    """Make a finished folder visible, whole, in one step."""
    staging.rename(target)


def link_dataset(source: Path, target: Path) -> None:
    """Show a dataset, a file or a folder, in another place, without copying its bytes if possible."""
    if source.is_dir():
        for relative in files_below(source):
            link_dataset(source / relative, target / relative)
        return
    target.parent.mkdir(parents=True, exist_ok=True)
    try:
        os.link(source, target)
    except OSError:
        _link_or_copy(source, target)


def _link_or_copy(source: Path, target: Path) -> None:
    """For file systems without hard links, or another device."""
    try:
        target.symlink_to(real_path(source))
    except OSError:
        shutil.copyfile(source, target)
