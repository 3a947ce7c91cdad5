"""The arrays the reference tier measures: one seed's virtual merchants, their custom by country, their edges.

Rows are virtual merchants, ascending id; columns are countries, ascending ISO: the yardsticks' and any others that
occur. Weights are integer masses (``edge_weight``·10¹²), summed as integers.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from functools import cached_property
from typing import Final

import numpy as np
import polars as pl
from numpy.typing import NDArray

from seg3b_assets.laws.geography import haversine_km
from seg3b_assets.laws.randomness import Stream
from seg3b_assets.laws.snapping import MASS_UNITS
from seg3b_assets.policies.reference_tier import ReferenceTerms
from seg3b_assets.realism.population import edge_masses
from seg3b_assets.realism.yardsticks import UNLISTED, CountryYardsticks, country_yardsticks, trades

F64 = NDArray[np.float64]
I64 = NDArray[np.int64]
U64 = NDArray[np.uint64]
BOOL = NDArray[np.bool_]
TEXT = NDArray[np.str_]

Band = tuple[float | None, float | None]

NO_SEAT: Final = -1
EVERYBODY: Final = "all"
# Draws of ``realism_sample`` at a merchant's own address; the pair sample and the bootstrap are at address 0.
SAMPLE_DRAW: Final = 0
PERMUTATION_DRAWS_FROM: Final = 1


@dataclass(frozen=True)
class ReferenceFrames:
    """Published columns the tier reads; all that a tree from elsewhere needs to have.

    Attributes:
        merchants: every merchant: merchant_id, mcc, channel, home_country_iso, is_virtual.
        virtual: every virtual merchant: merchant_id, virtual_class, seat_country ("" unknown), lat_deg, lon_deg,
            tempered, capped.
        edges: merchant_id, country_iso, lat_deg, lon_deg, edge_weight.
        outlets: merchant_id, country_iso, outlets: how many a virtual merchant has there; None where nobody knows.
    """

    merchants: pl.DataFrame
    virtual: pl.DataFrame
    edges: pl.DataFrame
    outlets: pl.DataFrame | None = None


@dataclass(frozen=True)
class ReferenceWorld:
    """One seed, as arrays; n virtual merchants, K countries, E edges.

    Attributes:
        stream: ``realism_sample`` of the seed.
        terms: how large a group must be to be judged by itself, how much is sampled.
        bands: stretch bands that are also asked of every class: by metric, least and most (None: no such end).
        merchants: as in ``ReferenceFrames``.
        countries: the K columns.
        merchant_id: uint64 (n,). virtual_class, family: (n,). mcc: int64 (n,).
        home, seat: int64 (n,), columns; ``NO_SEAT`` where the seat's country is not known.
        seat_lon, seat_lat: float64 (n,). tempered, capped: whether a guard did.
        mass, count: int64 (n, K): weight and number of edges by country.
        outlets: int64 (n, K), or None.
        edge_merchant, edge_country: int64 (E,), rows and columns. edge_mass: int64. edge_lon, edge_lat: float64.
    """

    stream: Stream
    terms: ReferenceTerms
    bands: Mapping[str, Band]
    merchants: pl.DataFrame
    countries: CountryYardsticks
    merchant_id: U64
    virtual_class: TEXT
    family: TEXT
    mcc: I64
    home: I64
    seat: I64
    seat_lon: F64
    seat_lat: F64
    tempered: BOOL
    capped: BOOL
    mass: I64
    count: I64
    outlets: I64 | None
    edge_merchant: I64
    edge_country: I64
    edge_mass: I64
    edge_lon: F64
    edge_lat: F64

    def __len__(self) -> int:
        return int(self.merchant_id.shape[0])

    @cached_property
    def share(self) -> F64:
        """Weight by country, float64 (n, K)."""
        return self.mass / MASS_UNITS

    @cached_property
    def home_share(self) -> F64:
        """(n,)."""
        return self.share[np.arange(len(self)), self.home]

    @cached_property
    def seat_share(self) -> F64:
        """(n,); 0 where the seat's country is not known."""
        return np.where(self.seat == NO_SEAT, 0.0, self.share[np.arange(len(self)), self.seat])

    @cached_property
    def seated_abroad(self) -> BOOL:
        """(n,)."""
        away: BOOL = self.seat != self.home
        return away

    @cached_property
    def anchored(self) -> BOOL:
        """(n, K): a merchant's home and seat."""
        anchors = np.zeros(self.mass.shape, bool)
        rows = np.arange(len(self))
        anchors[rows, self.home] = True
        seated = self.seat != NO_SEAT
        anchors[rows[seated], self.seat[seated]] = True
        return anchors

    @cached_property
    def abroad(self) -> BOOL:
        """(n, K): neither home nor seat, and no outlet of the merchant's there."""
        own = np.zeros(self.mass.shape, bool) if self.outlets is None else self.outlets > 0
        return ~(self.anchored | own)

    @cached_property
    def edges_of(self) -> I64:
        """(n,): how many edges a merchant has."""
        edges: I64 = self.count.sum(axis=1)
        return edges

    @cached_property
    def edge_km(self) -> F64:
        """(E,): distance of each edge from its merchant's seat."""
        at = self.edge_merchant
        return haversine_km(self.seat_lon[at], self.seat_lat[at], self.edge_lon, self.edge_lat)

    @property
    def small(self) -> bool:
        """Whether it has too few merchants for what looks at how they are distributed."""
        return len(self) < self.terms.least.merchants

    def classes(self, least: int | None = None) -> Iterator[tuple[str, BOOL]]:
        """Each virtual class of so many merchants or more (the terms' by default), with its rows."""
        yield from _groups_of(self.virtual_class, least or self.terms.least.class_merchants)

    def homes(self) -> Iterator[tuple[str, BOOL]]:
        """Each home country of as many merchants as the terms ask, with its rows."""
        yield from _groups_of(self.countries.iso[self.home], self.terms.least.home_merchants)

    def everybody_and_classes(self) -> Iterator[tuple[str, BOOL]]:
        """All merchants, then the classes."""
        yield EVERYBODY, np.ones(len(self), bool)
        yield from self.classes()

    @cached_property
    def strata(self) -> I64:
        """(n,): code of home country and class together."""
        named = np.char.add(np.char.add(self.countries.iso[self.home], "|"), self.virtual_class)
        return np.unique(named, return_inverse=True)[1].astype(np.int64)

    @cached_property
    def sampled(self) -> I64:
        """Rows whose pairs are compared, ascending: all, or those of the smallest words at their own address."""
        if len(self) <= self.terms.sample_merchants:
            return np.arange(len(self))
        words = self.stream.words(self.merchant_id, SAMPLE_DRAW)[0]
        return np.sort(np.argsort(words, kind="stable")[: self.terms.sample_merchants])


def reference_world(
    frames: ReferenceFrames, stream: Stream, terms: ReferenceTerms, bands: Mapping[str, Band]
) -> ReferenceWorld:
    """Derive one seed's arrays."""
    virtual = frames.virtual.sort("merchant_id")
    facts = virtual.join(frames.merchants, on="merchant_id", how="left", maintain_order="left")
    seen = pl.concat([frames.edges["country_iso"], facts["home_country_iso"], virtual["seat_country"]])
    outlets = frames.outlets
    if outlets is not None:
        outlets = outlets.filter(pl.col("merchant_id").is_in(virtual["merchant_id"].implode()))
        seen = pl.concat([seen, outlets["country_iso"]])
    named = seen.unique().to_numpy().astype("U2")
    countries = country_yardsticks(named[named != ""])
    ids = virtual["merchant_id"].to_numpy()
    edges, shape = frames.edges, (ids.shape[0], countries.iso.shape[0])
    row, column = (
        np.searchsorted(ids, edges["merchant_id"].to_numpy()),
        _columns(countries, edges["country_iso"]),
    )
    mass = edge_masses(edges["edge_weight"].to_numpy())
    seat_country = virtual["seat_country"].to_numpy().astype("U2")
    mcc = facts["mcc"].to_numpy().astype(np.int64)
    return ReferenceWorld(
        stream=stream,
        terms=terms,
        bands=bands,
        merchants=frames.merchants,
        countries=countries,
        merchant_id=ids,
        virtual_class=virtual["virtual_class"].to_numpy().astype("U32"),
        family=_families(mcc),
        mcc=mcc,
        home=_columns(countries, facts["home_country_iso"]),
        seat=np.where(seat_country == "", NO_SEAT, np.searchsorted(countries.iso, seat_country)),
        seat_lon=virtual["lon_deg"].to_numpy(),
        seat_lat=virtual["lat_deg"].to_numpy(),
        tempered=virtual["tempered"].to_numpy(),
        capped=virtual["capped"].to_numpy(),
        mass=_summed(row, column, mass, shape),
        count=_summed(row, column, np.ones(row.shape, np.int64), shape),
        outlets=None if outlets is None else _outlets(outlets, ids, countries, shape),
        edge_merchant=row,
        edge_country=column,
        edge_mass=mass,
        edge_lon=edges["lon_deg"].to_numpy(),
        edge_lat=edges["lat_deg"].to_numpy(),
    )


def _families(mcc: I64) -> TEXT:
    codes, at = np.unique(mcc, return_inverse=True)
    return np.array([trades().get(int(code), UNLISTED).family for code in codes], "U16")[at]


def _columns(countries: CountryYardsticks, iso: pl.Series) -> I64:
    return np.searchsorted(countries.iso, iso.to_numpy().astype("U2")).astype(np.int64)


def _summed(row: I64, column: I64, values: I64, shape: tuple[int, int]) -> I64:
    """Sums of whole numbers by cell; a float64 holds each exactly, since a merchant's masses are 10¹² together."""
    cells = np.bincount(row * shape[1] + column, weights=values, minlength=shape[0] * shape[1])
    return cells.astype(np.int64).reshape(shape)


def _outlets(outlets: pl.DataFrame, ids: U64, countries: CountryYardsticks, shape: tuple[int, int]) -> I64:
    row = np.searchsorted(ids, outlets["merchant_id"].to_numpy())
    how_many = outlets["outlets"].to_numpy().astype(np.int64)
    return _summed(row, _columns(countries, outlets["country_iso"]), how_many, shape)


def _groups_of(labels: TEXT, least: int) -> Iterator[tuple[str, BOOL]]:
    names, sizes = np.unique_counts(labels)
    for name, size in zip(names, sizes, strict=True):
        if size >= least:
            yield str(name), labels == name
