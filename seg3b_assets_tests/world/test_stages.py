"""A stage of the cache is held against its bytes before it is built upon; what it says wrongly is built anew."""

from __future__ import annotations

import os
from collections.abc import Callable
from pathlib import Path
from typing import Any

import orjson
import pytest

from seg3b_assets.world.writing import Stage, build_stage, finished_stage

KEY = "a1" * 32
FOLDER = f"toy-{KEY[:16]}"


def build(folder: Path) -> dict[str, int]:
    (folder / "tiles" / "country=AD").mkdir(parents=True)
    (folder / "tiles" / "country=AD" / "part.parquet").write_bytes(b"tiles")
    (folder / "zones.parquet").write_bytes(b"zones")
    return {"tiles": 1}


def made(cache: Path) -> Stage:
    return build_stage(cache, "toy", KEY, build)


def refuse(_: Path) -> dict[str, int]:
    raise AssertionError("a sound stage is built again")


def replaced(path: Path, content: bytes) -> None:
    path.unlink()
    path.write_bytes(content)


def said(folder: Path, **fields: Any) -> None:
    path = folder / "stage.json"
    replaced(path, orjson.dumps({**orjson.loads(path.read_bytes()), **fields}))


def lacking(folder: Path, key: str) -> None:
    path = folder / "stage.json"
    replaced(path, orjson.dumps({k: v for k, v in orjson.loads(path.read_bytes()).items() if k != key}))


def linked(path: Path, target: Path | str) -> None:
    path.unlink()
    path.symlink_to(target)


def piped(path: Path) -> None:
    path.unlink()
    os.mkfifo(path)


def moved(folder: Path) -> None:
    """The whole stage behind a link."""
    elsewhere = folder.parent.parent / "elsewhere"
    folder.rename(elsewhere)
    folder.symlink_to(elsewhere)


def a_file_instead(folder: Path) -> None:
    folder.rename(folder.parent.parent / "elsewhere")
    folder.write_bytes(b"no folder")


SPOILT: dict[str, Callable[[Path], object]] = {
    "a byte of a file": lambda folder: replaced(folder / "zones.parquet", b"zoneS"),
    "a byte of a part": lambda folder: replaced(folder / "tiles/country=AD/part.parquet", b"Tiles"),
    "a file too many in a dataset": lambda folder: (folder / "tiles/more.parquet").touch(),
    "a dataset too many": lambda folder: (folder / "more.parquet").touch(),
    "a dataset gone": lambda folder: (folder / "zones.parquet").unlink(),
    "a dataset that is a link": lambda folder: linked(folder / "zones.parquet", "/etc/hostname"),
    "a dataset that is a pipe": lambda folder: piped(folder / "zones.parquet"),
    "a link into a folder above": lambda folder: (folder / "tiles/up").symlink_to(".."),
    "no record": lambda folder: (folder / "stage.json").unlink(),
    "an empty record": lambda folder: replaced(folder / "stage.json", b""),
    "a record that is garbage": lambda folder: replaced(folder / "stage.json", b"\xff{"),
    "a record that is a list": lambda folder: replaced(folder / "stage.json", b"[]"),
    "a record that is a link": lambda folder: linked(folder / "stage.json", "/dev/zero"),
    "a record that is a pipe": lambda folder: piped(folder / "stage.json"),
    "a record without digests": lambda folder: lacking(folder, "digests"),
    "a record without counts": lambda folder: lacking(folder, "counts"),
    "a record of counts that are none": lambda folder: said(folder, counts={"tiles": "many"}),
    "a record of another key": lambda folder: said(folder, key="b2" * 32),
    "a record of another stage": lambda folder: said(folder, stage="geometry"),
    "digests that are none": lambda folder: said(folder, digests={"tiles": None, "zones.parquet": 7}),
    "digests of other places": lambda folder: said(folder, digests={"../other": "c" * 64}),
    "a record as large as none": lambda folder: said(folder, note="x" * (17 << 20)),
    "a link in its place": moved,
    "a file in its place": a_file_instead,
}


def test_a_sound_stage_is_not_built_again(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    first = made(tmp_path)
    assert build_stage(tmp_path, "toy", KEY, refuse) == first
    assert finished_stage(tmp_path, "toy", KEY) == first
    assert not caplog.messages


@pytest.mark.parametrize("how", SPOILT)
def test_a_stage_that_is_not_what_it_says_is_built_anew_with_a_warning(
    how: str, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    cache = tmp_path / "stages"
    cache.mkdir()
    first = made(cache)
    SPOILT[how](cache / FOLDER)
    assert made(cache) == first
    [told] = caplog.messages
    assert f"{FOLDER} is not what was built there, and is built anew: " in told
    assert build_stage(cache, "toy", KEY, refuse) == first
    assert [path.name for path in cache.iterdir()] == [FOLDER]


def test_a_root_that_shares_the_files_of_a_stage_keeps_them(tmp_path: Path) -> None:
    cache, kept = tmp_path / "stages", tmp_path / "zones.parquet"
    cache.mkdir()
    stage = made(cache)
    os.link(stage.folder / "zones.parquet", kept)
    replaced(stage.folder / "tiles/country=AD/part.parquet", b"Tiles")
    made(cache)
    assert kept.read_bytes() == b"zones"
