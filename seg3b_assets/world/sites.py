"""Where one seed's outlets stand: near a populated place, inside its zone (segments 1B, 2A, 3A).

A place is drawn by its people; the outlet is moved off it by a few kilometres, and stays on it when that
would leave the zone. Zone and country follow from the place.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

import numpy as np
import polars as pl
import shapely
from numpy.typing import NDArray

from seg3b_assets.laws.geography import groups
from seg3b_assets.laws.snapping import snap
from seg3b_assets.world.draws import Draws, pick_in_groups
from seg3b_assets.world.merchants import Trade
from seg3b_assets.world.recipe import MICRO

F64 = NDArray[np.float64]
I64 = NDArray[np.int64]

_SPREAD_DEG: Final = 0.04
_ATTEMPTS: Final = 3

SITE_KEY: Final = ("merchant_id", "legal_country_iso", "site_order")


@dataclass(frozen=True)
class SiteTables:
    """The four outlet tables of a world, sorted by their keys."""

    outlet_catalogue: pl.DataFrame
    site_locations: pl.DataFrame
    site_timezones: pl.DataFrame
    zone_alloc: pl.DataFrame


def place_sites(trade: Trade, places: pl.DataFrame, zones: pl.DataFrame, draws: Draws) -> SiteTables:
    """Give every outlet a point and a zone.

    Args:
        trade: merchants and outlets. places: the gazetteer. zones: tzid, geometry (WKB) of tz_world.
    """
    gazetteer = places.sort("country_iso", "place_id")
    country = gazetteer["country_iso"].to_numpy().astype("U2")
    start = np.searchsorted(country, trade.countries, side="left")[trade.outlet_country]
    stop = np.searchsorted(country, trade.countries, side="right")[trade.outlet_country]
    uniforms = draws.uniforms("place", start.shape[0])
    place = pick_in_groups(gazetteer["population"].to_numpy(), start, stop, uniforms)
    tzid = gazetteer["tzid"].to_numpy().astype("U40")[place]
    lon, lat = gazetteer["lon_deg"].to_numpy()[place], gazetteer["lat_deg"].to_numpy()[place]
    lon, lat = _scatter(lon, lat, tzid, zones, draws)
    return _tables(trade, lon, lat, tzid)


def _scatter(
    lon: F64, lat: F64, tzid: NDArray[np.str_], zones: pl.DataFrame, draws: Draws
) -> tuple[F64, F64]:
    """Move each point off its place, at half the distance after each miss, never out of its zone."""
    geometry = dict(zip(zones["tzid"].to_list(), shapely.from_wkb(zones["geometry"].to_list()), strict=True))
    placed_lon, placed_lat = lon.copy(), lat.copy()
    pending = np.arange(lon.shape[0])
    for attempt in range(_ATTEMPTS):
        reach = _SPREAD_DEG / (1 << attempt)
        to_lon = snap(lon + reach * _triangular(draws, f"east_{attempt}", lon.shape[0]), MICRO)[pending]
        to_lat = snap(lat + reach * _triangular(draws, f"north_{attempt}", lon.shape[0]), MICRO)[pending]
        inside = _in_zone(to_lon, to_lat, tzid[pending], geometry)
        placed_lon[pending[inside]], placed_lat[pending[inside]] = to_lon[inside], to_lat[inside]
        pending = pending[~inside]
    return placed_lon, placed_lat


def _triangular(draws: Draws, label: str, count: int) -> F64:
    """In (−1, 1), most often near 0."""
    return draws.uniforms(f"{label}_a", count) - draws.uniforms(f"{label}_b", count)


def _in_zone(
    lon: F64, lat: F64, tzid: NDArray[np.str_], geometry: dict[str, shapely.Geometry]
) -> NDArray[np.bool_]:
    inside = np.zeros(lon.shape[0], bool)
    for zone, at in groups(tzid):
        polygon = geometry[str(zone)]
        shapely.prepare(polygon)
        inside[at] = shapely.contains_xy(polygon, lon[at], lat[at])
    return inside


def _site_order(trade: Trade) -> NDArray[np.int32]:
    """1-based number of each outlet within its merchant and country."""
    key = trade.outlet_merchant * len(trade.countries) + trade.outlet_country
    new = np.ones(key.shape, bool)
    new[1:] = key[1:] != key[:-1]
    position = np.arange(key.shape[0])
    return (position - np.maximum.accumulate(np.where(new, position, 0)) + 1).astype(np.int32)


def _tables(trade: Trade, lon: F64, lat: F64, tzid: NDArray[np.str_]) -> SiteTables:
    country = np.array(trade.countries)[trade.outlet_country]
    sites = pl.DataFrame(
        [
            pl.Series("merchant_id", trade.merchant_id[trade.outlet_merchant]),
            pl.Series("legal_country_iso", country.tolist(), dtype=pl.String),
            pl.Series("site_order", _site_order(trade)),
            pl.Series("lon_deg", lon),
            pl.Series("lat_deg", lat),
            pl.Series("tzid", tzid.tolist(), dtype=pl.String),
        ]
    ).sort(SITE_KEY)
    zone_key = ("merchant_id", "legal_country_iso", "tzid")
    counted = sites.group_by(zone_key).agg(pl.len().cast(pl.Int32).alias("zone_site_count")).sort(zone_key)
    return SiteTables(
        outlet_catalogue=sites.select(SITE_KEY),
        site_locations=sites.select(*SITE_KEY, "lon_deg", "lat_deg"),
        site_timezones=sites.select(*SITE_KEY, "tzid"),
        zone_alloc=counted,
    )
