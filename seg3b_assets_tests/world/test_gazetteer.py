"""A gazetteer from a geocoder's database, a CSV, the packaged places: what is read, what is kept, the same bytes."""

from __future__ import annotations

import os
import sqlite3
from collections.abc import Callable
from contextlib import closing
from pathlib import Path

import polars as pl
import pytest
import shapely
from shapely import box

from seg3b_assets.contracts import contract
from seg3b_assets.laws.geography import CountryPolygons
from seg3b_assets.laws.zones import ZoneResolver
from seg3b_assets.world.places import SourceError, gazetteer_of, read_places, write_gazetteer

SQUARES = {"FR": box(0, 44, 4, 48), "GB": box(-4, 50, 0, 54)}
WKB = [shapely.to_wkb(square) for square in SQUARES.values()]
POLYGONS = CountryPolygons.from_wkb(list(SQUARES), WKB)
ZONES = ZoneResolver.from_wkb(["Europe/Paris", "Europe/London"], list(SQUARES), WKB, 0.0, {})
ROWS = [
    ("1", "FR", "46.5", "2.5", "9000"),
    ("2", "GB", "52.5", "-2.5", "8000"),
    ("3", "FR", "52.5", "-2.5", "7000"),  # in the other country
    ("4", "FR", "46.0", "1.0", "0"),  # nobody lives there
    ("5", "DE", "46.0", "1.0", "500"),  # no such country here
    ("6", "FR", "", "1.0", "500"),
    ("7", "FR", "146.0", "1.0", "500"),
]
KEPT = [("1", "FR", 46.5, 2.5, "Europe/Paris", 9000), ("2", "GB", 52.5, -2.5, "Europe/London", 8000)]


def csv(folder: Path, header: str, separator: str = ",") -> Path:
    lines = [separator.join(header.split(","))] + [separator.join(row) for row in ROWS]
    path = folder / "places.csv"
    path.write_text("\n".join(lines) + "\n")
    return path


def database(folder: Path, header: str, *others: str) -> Path:
    path = folder / "geocoder.sqlite"
    with closing(sqlite3.connect(path)) as found:
        found.execute(f"CREATE TABLE geocode ({', '.join(f'[{name}]' for name in header.split(','))})")
        found.executemany("INSERT INTO geocode VALUES (?, ?, ?, ?, ?)", ROWS)
        for other in others:
            found.execute(f"CREATE TABLE {other} (a)")
        found.commit()
    return path


@pytest.mark.parametrize(
    "header",
    [
        "place_id,country_iso,lat_deg,lon_deg,population",
        "geonameid,country code,latitude,longitude,population",
        "GID,Country_Code,Lat,Lon,Pop",
    ],
)
def test_a_source_under_its_usual_names_gives_the_same_gazetteer(tmp_path: Path, header: str) -> None:
    for source in (csv(tmp_path, header), csv(tmp_path, header, "\t"), database(tmp_path, header)):
        gazetteer = gazetteer_of(read_places(source, None, {}), POLYGONS, ZONES)
        assert gazetteer.rows() == KEPT
        assert contract("settlement_gazetteer").check_frame(gazetteer) == []


def test_columns_of_other_names_are_said_and_three_letter_codes_understood(tmp_path: Path) -> None:
    source = csv(tmp_path, "nr,land,breite,laenge,leute")
    source.write_text(source.read_text().replace(",FR,", ",FRA,").replace(",GB,", ",gb,"))
    ours = ("place_id", "country_iso", "lat_deg", "lon_deg", "population")
    named = dict(zip(ours, ("nr", "land", "breite", "laenge", "leute"), strict=True))
    assert gazetteer_of(read_places(source, None, named), POLYGONS, ZONES).rows() == KEPT
    with pytest.raises(SourceError, match="--columns lon_deg=THEIRS"):
        read_places(source, None, {name: theirs for name, theirs in named.items() if name != "lon_deg"})


def test_a_database_of_several_tables_is_asked_for_one_by_name(tmp_path: Path) -> None:
    source = database(tmp_path, "place_id,country_iso,lat_deg,lon_deg,population", "meta")
    with pytest.raises(SourceError, match="geocode, meta"):
        read_places(source, None, {})
    with pytest.raises(SourceError, match="--table"):
        read_places(source, "geocode; DROP TABLE geocode", {})
    assert read_places(source, "geocode", {}).height == 6


def test_a_place_given_twice_is_refused(tmp_path: Path) -> None:
    source = csv(tmp_path, "place_id,country_iso,lat_deg,lon_deg,population")
    source.write_text(source.read_text() + "1,FR,46.0,2.0,5\n")
    with pytest.raises(SourceError, match="place_id 1"):
        read_places(source, None, {})


def test_the_order_of_a_source_leaves_no_trace(tmp_path: Path) -> None:
    places = read_places(None, None, {})
    files = [
        write_gazetteer(gazetteer_of(rows, POLYGONS, ZONES), tmp_path / name).read_bytes()
        for name, rows in (("one", places), ("other", places.reverse()))
    ]
    assert files[0] == files[1]
    assert pl.read_parquet(tmp_path / "one" / "settlement_gazetteer.parquet", glob=False).height > 1000


def piped(path: Path) -> None:
    path.unlink()
    os.mkfifo(path)


ODD_SOURCES: dict[str, Callable[[Path], object]] = {
    "a pipe": piped,
    "a device": lambda path: (path.unlink(), path.symlink_to("/dev/zero")),
    "a link to itself": lambda path: (path.unlink(), path.symlink_to(path.name)),
    "a million columns": lambda path: path.write_text("a" + ",a" * 400_000 + "\n"),
    "an endless line": lambda path: path.write_text("place_id\n" + "x" * (2 << 20)),
    "NUL": lambda path: path.write_bytes(b"place_id,country\n\0"),
    "UTF-16": lambda path: path.write_bytes("place_id,country\n".encode("utf-16")),
    "no UTF-8": lambda path: path.write_bytes(b"place_id,country\n1,\xff\n"),
    "nothing": lambda path: path.write_bytes(b""),
}


@pytest.mark.parametrize("odd", ODD_SOURCES)
def test_a_source_that_is_no_table_is_named(odd: str, tmp_path: Path) -> None:
    path = csv(tmp_path, "place_id,country_iso,lat_deg,lon_deg,population")
    ODD_SOURCES[odd](path)
    with pytest.raises(SourceError) as refused:
        read_places(path, None, {})
    assert path.name in str(refused.value)
    assert len(str(refused.value)) < 500
