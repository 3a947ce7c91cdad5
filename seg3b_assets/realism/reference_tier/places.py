"""Where on the ground edges and seats are: R08 fine geography, R11 seats. Judged by the packaged gazetteer."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

import numpy as np
import polars as pl
from numpy.typing import NDArray
from scipy.spatial import cKDTree

from seg3b_assets.laws.geography import EARTH_RADIUS_KM, groups
from seg3b_assets.realism.measurement import Measurement
from seg3b_assets.realism.order_statistics import median, quantile
from seg3b_assets.realism.reference_tier.measure import Scoped, not_judged, over_all
from seg3b_assets.realism.reference_tier.statistics import (
    centred_ranks,
    correlation,
    median_known,
    rank_correlations,
    spearman,
)
from seg3b_assets.realism.reference_tier.world import NO_SEAT, ReferenceWorld
from seg3b_assets.realism.yardsticks import ip_addresses, places, unit_vectors

F64 = NDArray[np.float64]
I64 = NDArray[np.int64]
BOOL = NDArray[np.bool_]

TOWN_PEOPLE: Final = 15_000
TOWN_KM: Final = 10.0
NEIGHBOURHOOD_KM: Final = 15.0
LARGE_PAIR: Final = 20
SMALL_PAIR: Final = 5
CELLS_PER_DEGREE: Final = 10
COUNTRY_EDGES: Final = 200
COUNTRY_CELLS: Final = 10
COUNTRY_SEATS: Final = 30
_EDGES_PER_CHUNK: Final = 1 << 16


@dataclass(frozen=True)
class Ground:
    """What lies around each edge, and which merchant × country pair it belongs to; arrays are (E,).

    Attributes:
        near_town: a place of 15,000 people or more within 10 km. people: of all places within 15 km.
        pair: code of the pair, ascending with merchant and country. pair_size: edges of that pair.
        home, foreign: in the merchant's home; in neither home nor seat.
    """

    near_town: BOOL
    people: I64
    pair: I64
    pair_size: I64
    home: BOOL
    foreign: BOOL


def ground_of(world: ReferenceWorld) -> Ground:
    """Look around every edge."""
    vectors = unit_vectors(world.edge_lon, world.edge_lat)
    pair = world.edge_merchant * world.mass.shape[1] + world.edge_country
    codes = np.unique(pair, return_inverse=True)[1].astype(np.int64)
    return Ground(
        near_town=_near_town(vectors),
        people=_people_around(vectors),
        pair=codes,
        pair_size=np.bincount(codes, minlength=1)[codes],
        home=world.edge_country == world.home[world.edge_merchant],
        foreign=~world.anchored[world.edge_merchant, world.edge_country],
    )


def _chord(km: float) -> float:
    return float(2.0 * np.sin(km / (2.0 * EARTH_RADIUS_KM)))


def _near_town(vectors: F64) -> BOOL:
    known = places()
    large = known.people >= TOWN_PEOPLE
    towns = cKDTree(unit_vectors(known.lon[large], known.lat[large]))
    away, _ = towns.query(vectors, distance_upper_bound=_chord(TOWN_KM))
    return np.isfinite(away)


def _people_around(vectors: F64) -> I64:
    """People of the places around each point, whole numbers in float64 sums."""
    known = places()
    found = np.zeros(vectors.shape[0], np.int64)
    for start in range(0, vectors.shape[0], _EDGES_PER_CHUNK):
        part = vectors[start : start + _EDGES_PER_CHUNK]
        near = cKDTree(part).sparse_distance_matrix(
            known.tree, _chord(NEIGHBOURHOOD_KM), output_type="ndarray"
        )
        people = np.bincount(near["i"], known.people[near["j"]], part.shape[0])
        found[start : start + _EDGES_PER_CHUNK] = people.astype(np.int64)
    return found


def place_measures(world: ReferenceWorld) -> tuple[Scoped, ...]:
    """R08: towns (all; by part; foreign edges), people (large pairs; small), cells (pairs; countries), addresses
    (within countries; between).
    """
    if not world.edge_mass.shape[0]:
        return (not_judged(0, "no edges"),) * 9
    ground = ground_of(world)
    return (
        _traffic_near_towns(world, ground),
        _traffic_near_towns_by_part(world, ground),
        over_all(_share(ground.near_town, ground.foreign, None), int(ground.foreign.sum())),
        *_people_ranks(world, ground),
        *_cell_spread(world, ground),
        _addresses_within(world),
        _addresses_between(world),
    )


def _share(near: BOOL, of: BOOL, mass: I64 | None) -> float | None:
    weights = np.ones(near.shape, np.int64) if mass is None else mass
    total = int(weights[of].sum())
    return int(weights[of & near].sum()) / total if total else None


def _traffic_near_towns(world: ReferenceWorld, ground: Ground) -> Scoped:
    everything = np.ones(ground.near_town.shape, bool)
    return over_all(_share(ground.near_town, everything, world.edge_mass), world.edge_mass.shape[0])


def _traffic_near_towns_by_part(world: ReferenceWorld, ground: Ground) -> Scoped:
    parts = {"home": ground.home, "foreign": ground.foreign, "small pairs": ground.pair_size < LARGE_PAIR}
    found = {
        name: Measurement(_share(ground.near_town, of, world.edge_mass), int(of.sum()))
        for name, of in parts.items()
    }
    order = np.lexsort((-world.edge_mass, world.edge_merchant))
    heaviest = order[np.unique(world.edge_merchant[order], return_index=True)[1]]
    found["heaviest edge"] = Measurement(float(ground.near_town[heaviest].mean()), heaviest.shape[0])
    return found


def _people_ranks(world: ReferenceWorld, ground: Ground) -> tuple[Scoped, Scoped]:
    """Rank correlation of weight and people around: median over large pairs; small pairs' centred ranks pooled."""
    large = np.flatnonzero(ground.pair_size >= LARGE_PAIR)
    small = np.flatnonzero((ground.pair_size >= SMALL_PAIR) & (ground.pair_size < LARGE_PAIR))
    value, n = median_known(
        rank_correlations(_dense(ground.pair[large]), world.edge_mass[large], ground.people[large])
    )
    pairs = _dense(ground.pair[small])
    weights = centred_ranks(pairs, world.edge_mass[small]) / ground.pair_size[small]
    people = centred_ranks(pairs, ground.people[small]) / ground.pair_size[small]
    return over_all(value, n), over_all(correlation(weights, people), np.unique(pairs).size)


def _dense(codes: I64) -> I64:
    return np.unique(codes, return_inverse=True)[1].astype(np.int64)


def _cell_spread(world: ReferenceWorld, ground: Ground) -> tuple[Scoped, Scoped]:
    """Distinct cells of a tenth of a degree per edge: median over large pairs; median over countries of many edges."""
    cell = pl.struct(
        (pl.col("lon") * CELLS_PER_DEGREE).floor(), (pl.col("lat") * CELLS_PER_DEGREE).floor()
    ).n_unique()
    edges = pl.DataFrame(
        {"lon": world.edge_lon, "lat": world.edge_lat, "pair": ground.pair, "country": world.edge_country}
    )
    spread = [
        edges.group_by(key)
        .agg(spread=cell / pl.len(), edges=pl.len())
        .filter(pl.col("edges") >= least)["spread"]
        for key, least in (("pair", LARGE_PAIR), ("country", COUNTRY_EDGES))
    ]
    of_pairs, of_countries = (median_known(values.to_numpy()) for values in spread)
    return over_all(*of_pairs), over_all(*of_countries)


def _addresses_within(world: ReferenceWorld) -> Scoped:
    """Median over countries of many edges of the rank correlation of weight and IPv4 addresses over degree cells."""
    edges = pl.DataFrame(
        {
            "country_iso": pl.Series(world.countries.iso[world.edge_country].tolist(), dtype=pl.String),
            "west_deg": np.floor(world.edge_lon).astype(np.int64),
            "south_deg": np.floor(world.edge_lat).astype(np.int64),
            "mass": world.edge_mass,
        }
    )
    many = edges.group_by("country_iso").len().filter(pl.col("len") >= COUNTRY_EDGES)
    key = ["country_iso", "west_deg", "south_deg"]
    carried = edges.join(many, on="country_iso", how="semi").group_by(key).agg(pl.col("mass").sum())
    told = ip_addresses().join(many, on="country_iso", how="semi")
    cells = carried.join(told, on=key, how="full", coalesce=True).fill_null(0).sort(key)
    cells = cells.filter(pl.len().over("country_iso") >= COUNTRY_CELLS)
    country = _dense(cells["country_iso"].rank("dense").cast(pl.Int64).to_numpy())
    value, n = median_known(
        rank_correlations(country, cells["mass"].to_numpy(), cells["addresses"].to_numpy())
    )
    if n < world.terms.least.countries:
        return not_judged(n, f"{n} countries, {world.terms.least.countries} are asked for")
    return over_all(value, n)


def _addresses_between(world: ReferenceWorld) -> Scoped:
    """Rank correlation of weight and IPv4 addresses over all countries of the yardsticks."""
    known = world.countries.region != ""
    told = ip_addresses().group_by("country_iso").agg(pl.col("addresses").sum())
    by_country = dict(told.iter_rows())
    addresses = np.array([by_country.get(str(iso), 0) for iso in world.countries.iso[known]], np.int64)
    return over_all(spearman(world.mass[:, known].sum(axis=0), addresses), int(known.sum()))


@dataclass(frozen=True)
class Seats:
    """The place of every seat whose country is known, as positions in the gazetteer.

    Attributes:
        rows: of the merchants. place: the nearest place of the seat's country.
    """

    rows: I64
    place: I64


def seats_of(world: ReferenceWorld) -> Seats:
    """Find each seat's place; seats in a country without places are left out."""
    known, rows, at_place = places(), [], []
    for named, at in groups(world.seat):
        column = int(str(named))
        here = (
            np.flatnonzero(known.iso == world.countries.iso[column])
            if column != NO_SEAT
            else np.zeros(0, np.int64)
        )
        if not here.size:
            continue
        tree = cKDTree(unit_vectors(known.lon[here], known.lat[here]))
        rows.append(at)
        at_place.append(here[tree.query(unit_vectors(world.seat_lon[at], world.seat_lat[at]))[1]])
    if not rows:
        return Seats(np.zeros(0, np.int64), np.zeros(0, np.int64))
    return Seats(np.concatenate(rows), np.concatenate(at_place))


def seat_measures(world: ReferenceWorld) -> tuple[Scoped, Scoped, Scoped]:
    """R11 a, b: people in larger places, median and 75 % quantile; the largest place's excess of seats, by country."""
    seats, known = seats_of(world), places()
    if not seats.rows.size:
        return (not_judged(0, "no seat is in a country with places"),) * 3
    larger = np.zeros(seats.rows.shape[0])
    excess: dict[str, Measurement] = {}
    for named, at in groups(known.iso[seats.place]):
        code = str(named)
        people = known.people[known.iso == code]
        total = int(people.sum())
        ordered = np.sort(people)
        above = total - np.cumsum(ordered)
        own = known.people[seats.place[at]]
        larger[at] = above[np.searchsorted(ordered, own, side="right") - 1] / total
        if at.shape[0] >= COUNTRY_SEATS:
            here = np.flatnonzero(known.iso == code)
            largest = here[known.people[here].argmax()]
            seated, p, n = (
                float((seats.place[at] == largest).mean()),
                float(people.max()) / total,
                at.shape[0],
            )
            deviation = (p * (1.0 - p) / n) ** 0.5
            excess[code] = Measurement((seated - p - 1.0 / n) / deviation if deviation else None, n)
    n = larger.shape[0]
    by_country = excess or not_judged(n, f"no country has {COUNTRY_SEATS} seats")
    return over_all(median(larger), n), over_all(quantile(larger, 0.75), n), by_country


def seats_abroad(world: ReferenceWorld) -> tuple[Scoped, Scoped, Scoped, Scoped]:
    """R11 c, d: seated abroad; of those, where no cards are taken, where foreigners take seats, in one country."""
    away = world.seated_abroad & (world.seat != NO_SEAT)
    n, there = int(away.sum()), world.seat[away]
    share = over_all(float(world.seated_abroad.mean()) if len(world) else None, len(world))
    if not n:
        return share, *((not_judged(0, "nobody is seated abroad"),) * 3)
    countries = world.countries
    commonest = np.bincount(there).argmax()
    return (
        share,
        over_all(float((~countries.accepts_cards[there]).mean()), n),
        over_all(float(countries.seats_foreigners[there].mean()), n),
        over_all(float((there == commonest).mean()), n, country=str(countries.iso[commonest])),
    )
