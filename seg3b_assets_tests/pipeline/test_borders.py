"""A root that is given a gazetteer lies in the cache as links: it is used again only while it is what it would be."""

from __future__ import annotations

import os
from collections.abc import Callable
from pathlib import Path

import pytest

from seg3b_assets.laws.plain_files import files_below
from seg3b_assets.pipeline.borders import with_gazetteer

PLACE = "reference/spatial/settlement_gazetteer"


@pytest.fixture
def root(tmp_path: Path) -> Path:
    root = tmp_path / "upstream"
    for name in (
        "run_receipt.json",
        "data/layer1/1A/part.parquet",
        "reference/spatial/tz_world/v1/zones.parquet",
    ):
        (root / name).parent.mkdir(parents=True, exist_ok=True)
        (root / name).write_text(name)
    return root


@pytest.fixture
def places(tmp_path: Path) -> Path:
    (tmp_path / "places").mkdir()
    (tmp_path / "places/places.parquet").write_text("places")
    return tmp_path / "places"


def content(folder: Path) -> dict[str, str]:
    return {name: (folder / name).read_text() for name in files_below(folder)}


def place_of(given: Path) -> Path:
    [place] = (given / PLACE).iterdir()
    return place


def other_places(given: Path) -> None:
    link = place_of(given) / "places.parquet"
    other = given.parents[2] / "other.parquet"
    other.write_text("other places")
    link.unlink()
    link.symlink_to(other)


def a_file_for_a_link(given: Path) -> None:
    (given / "run_receipt.json").unlink()
    (given / "run_receipt.json").write_text("{}")


def a_link_for_it(given: Path) -> None:
    elsewhere = given.parents[2] / "elsewhere"
    given.rename(elsewhere)
    given.symlink_to(elsewhere)


SPOILT: dict[str, Callable[[Path], object]] = {
    "other places": other_places,
    "more places": lambda given: (place_of(given) / "more.parquet").write_text("more"),
    "another version beside": lambda given: (given / PLACE / "own-0").symlink_to("/etc"),
    "a link gone": lambda given: (given / "data").unlink(),
    "a file for a link": a_file_for_a_link,
    "a pipe": lambda given: os.mkfifo(given / "pipe"),
    "a link in its place": a_link_for_it,
}


def test_a_root_that_was_given_places_is_used_again(root: Path, places: Path, tmp_path: Path) -> None:
    given = with_gazetteer(root, places, tmp_path / "cache")
    made = given.lstat().st_ino
    assert content(given) == {**content(root), f"{PLACE}/{place_of(given).name}/places.parquet": "places"}
    assert with_gazetteer(root, places, tmp_path / "cache") == given
    assert given.lstat().st_ino == made


@pytest.mark.parametrize("how", SPOILT)
def test_one_that_was_altered_is_made_anew_and_nothing_else_is_touched(
    how: str, root: Path, places: Path, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    given = with_gazetteer(root, places, tmp_path / "cache")
    right, before = content(given), content(root)
    SPOILT[how](given)
    assert with_gazetteer(root, places, tmp_path / "cache") == given
    assert content(given) == right
    assert content(root) == before
    assert "is made anew" in caplog.text
    assert [path.name for path in given.parent.iterdir()] == [given.name]


def test_what_a_root_gains_its_copy_gains(root: Path, places: Path, tmp_path: Path) -> None:
    given = with_gazetteer(root, places, tmp_path / "cache")
    (root / "reference/virtual").mkdir()
    (root / "reference/virtual/coords.csv").write_text("coords")
    assert with_gazetteer(root, places, tmp_path / "cache") == given
    assert content(given)["reference/virtual/coords.csv"] == "coords"
