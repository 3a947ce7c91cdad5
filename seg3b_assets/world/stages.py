"""Stages of a build: published whole, by rename, under a key of what they depend on; shared by link.

A stage's folder exists only when it is complete, so a build that was killed resumes after its last finished
stage. The caller holds the build lock while it writes. Nothing here knows what a stage holds.
"""

from __future__ import annotations

import os
import secrets
import shutil
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

import orjson

from seg3b_assets.laws.hashing import canonical_json, path_digest
from seg3b_assets.laws.plain_files import files_below
from seg3b_assets.own_places import folders_in

_RECORD: Final = "stage.json"
_STAGING: Final = ".staging-"
_KEY_LENGTH: Final = 16


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


def finished_stage(cache: Path, name: str, key: str) -> Stage | None:
    """The published stage, or None."""
    folder = cache / f"{name}-{key[:_KEY_LENGTH]}"
    try:
        record: dict[str, Any] = orjson.loads((folder / _RECORD).read_bytes())
    except FileNotFoundError:
        return None
    return Stage(folder, record["digests"], record["counts"])


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
        target.symlink_to(source.resolve())
    except OSError:
        shutil.copyfile(source, target)
