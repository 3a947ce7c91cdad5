"""Which country a merchant is seated in, and at which gazetteer place it settles (law section 3, settlement).

The country is home, unless a seat rule of the settlement policy matches and its hash draw says so; the rule's
jurisdiction is then picked by weight with the hash draw of ``rule_id#pick``. Rules are asked in the policy's order.

Places are drawn by integer weight with exact integer positions; a place that is full sends the merchant to
its next attempt, and after the last one to the least-loaded place. Countries are independent of each other.
What a place is, and in which zone, is not decided here.
"""

from __future__ import annotations

from dataclasses import dataclass
from heapq import heapify, heappop, heappush
from typing import Final

import numpy as np
import polars as pl
from numpy.typing import NDArray

from seg3b_assets.laws.errors import fail
from seg3b_assets.laws.geography import groups
from seg3b_assets.laws.identity import WorldIdentity
from seg3b_assets.laws.randomness import SETTLEMENT_PICK, Stream, draw_position
from seg3b_assets.laws.snapping import snap
from seg3b_assets.policies import SeatRule, Settlement
from seg3b_assets.states.s1_classification.propensity import Propensity, hash_uniform
from seg3b_assets.states.s1_classification.rules import taken

U64 = NDArray[np.uint64]
I64 = NDArray[np.int64]
F64 = NDArray[np.float64]

# pow() differs between CPUs in its last bit. Relative to the country's heaviest place that is 1e-7 of a
# unit here, so the rounding swallows it; a country of a million places stays far below 2^64.
WEIGHT_UNITS: Final = 10**9
_FIRST_ATTEMPTS: Final = 8

PICK_SUFFIX: Final = "#pick"


def legal_countries(merchants: pl.DataFrame, rules: tuple[SeatRule, ...], seed: int) -> NDArray[np.str_]:
    """Legal country of each merchant.

    Args:
        merchants: merchant_id u64, mcc, channel, home_country_iso.
        rules: in the order they are asked; the first that takes a merchant keeps it.
        seed: uint64, part of every hash draw.

    Returns:
        iso2 text (merchants,).
    """
    legal = merchants["home_country_iso"].to_numpy().astype("U2")
    unseated = np.ones(merchants.height, np.bool_)
    ids = merchants["merchant_id"].to_numpy()
    for rule in rules:
        at = taken(merchants, rule.match, Propensity(rule.rule_id, rule.propensity, seed), unseated)
        if at.size:
            legal[at] = _jurisdictions(rule, hash_uniform(rule.rule_id + PICK_SUFFIX, seed, ids[at]))
            unseated[at] = False
    return legal


def _jurisdictions(rule: SeatRule, uniform: NDArray[np.float64]) -> NDArray[np.str_]:
    cumulative = np.cumsum([seat.weight for seat in rule.jurisdictions])
    position = np.searchsorted(cumulative, uniform * cumulative[-1], side="right")
    names = np.array([seat.country_iso for seat in rule.jurisdictions])
    picked: NDArray[np.str_] = names[np.minimum(position, names.shape[0] - 1)]
    return picked


def place_weights(population: F64, offset: float, exponent: float) -> U64:
    """Integer weights of one country's places, ∝ (population + offset)^exponent.

    The heaviest place weighs ``WEIGHT_UNITS``, every other its rounded share of that, at least 1.

    Args:
        population: float64 (places,), people.
        offset, exponent: the policy's c and e.
    """
    raw = (population + offset) ** exponent
    weights: U64 = np.maximum(np.rint(raw / raw.max() * WEIGHT_UNITS), 1.0).astype(np.uint64)
    return weights


def place_capacities(population: F64, minimum: int, per_million: float, exponent: float) -> I64:
    """Merchants each place takes: max(minimum, floor(per_million · (population / 10⁶)^exponent))."""
    grown = np.floor(snap(per_million * (population / 1e6) ** exponent))
    return np.maximum(grown, minimum).astype(np.int64)


@dataclass(frozen=True)
class CountryPlaces:
    """One country's places in place_id order.

    Attributes:
        cumulative: uint64 (places,), running sum of the weights.
        capacity: int64 (places,).
    """

    cumulative: U64
    capacity: I64

    @classmethod
    def of(cls, weights: U64, capacity: I64) -> CountryPlaces:
        return cls(np.cumsum(weights, dtype=np.uint64), capacity)

    def picks(self, stream: Stream, merchants: U64, attempts: range) -> I64:
        """The place each attempt points to: int64 (merchants, attempts)."""
        index = np.arange(attempts.start, attempts.stop, dtype=np.uint64)
        words, _ = stream.words(merchants[:, None], index[None, :])
        position = draw_position(words, self.cumulative[-1])
        return np.searchsorted(self.cumulative, position, side="right").astype(np.int64)

    def assign(self, stream: Stream, merchants: U64, max_attempts: int) -> I64:
        """Place of each merchant.

        Args:
            stream: the world's ``settlement_pick`` stream.
            merchants: uint64 (n,), ascending: the order in which they are served.
            max_attempts: after these, the least-loaded place (ties by place_id).

        Returns:
            int64 (n,), positions in the country's places.
        """
        first = min(_FIRST_ATTEMPTS, max_attempts)
        early = self.picks(stream, merchants, range(first)).tolist()
        late: list[list[int]] = []
        seats = _Occupancy(self.capacity.tolist())
        chosen: list[int] = []
        # A place's room depends on everyone served before: sequential by law, so plain integers only.
        for served, attempts in enumerate(early):
            place = seats.first_with_room(attempts)
            if place is None and seats.free and first < max_attempts:
                if not late:
                    late = self.picks(stream, merchants[served:], range(first, max_attempts)).tolist()
                place = seats.first_with_room(late[served - len(early)])
            chosen.append(seats.take(seats.least_loaded() if place is None else place))
        return np.array(chosen, np.int64)


class _Occupancy:
    """How many merchants each place of a country holds so far.

    Attributes:
        free: seats left below the capacities.
    """

    def __init__(self, capacity: list[int]) -> None:
        self.free = sum(capacity)
        self._capacity = capacity
        self._load = [0] * len(capacity)
        self._emptiest: list[tuple[int, int]] = []

    def first_with_room(self, attempts: list[int]) -> int | None:
        """The first place asked that is not full."""
        if self.free:
            for place in attempts:
                if self._load[place] < self._capacity[place]:
                    return place
        return None

    def least_loaded(self) -> int:
        """The place with the fewest merchants, ties by position."""
        if not self._emptiest:
            self._emptiest = [(load, place) for place, load in enumerate(self._load)]
            heapify(self._emptiest)
        # Entries of places that were taken since are out of date; their successors are in the heap too.
        while self._emptiest[0][0] != self._load[self._emptiest[0][1]]:
            heappop(self._emptiest)
        return self._emptiest[0][1]

    def take(self, place: int) -> int:
        """Seat one more merchant; returns the place."""
        if self._load[place] < self._capacity[place]:
            self.free -= 1
        self._load[place] += 1
        if self._emptiest:
            heappush(self._emptiest, (self._load[place], place))
        return place


def draw_anchors(
    merchants: pl.DataFrame, gazetteer: pl.DataFrame, policy: Settlement, world: WorldIdentity
) -> pl.DataFrame:
    """A place for each merchant.

    Args:
        merchants: merchant_id u64, mcc, channel, home_country_iso; ascending merchant_id.
        gazetteer: place_id, country_iso, lat_deg, lon_deg, population.

    Returns:
        merchant_id, place_id, country_iso (the legal one), lat_deg, lon_deg, in the merchants' order.

    Raises:
        Seg3BError: ``SETTLEMENT_COORD_MISSING`` when a merchant's legal country has no place.
    """
    places = gazetteer.sort("place_id")
    legal = legal_countries(merchants, policy.seat_rules, world.seed)
    _check_places(merchants, legal, places)
    ids = merchants["merchant_id"].to_numpy()
    stream = Stream.of(world, SETTLEMENT_PICK)
    place_at = np.empty(merchants.height, np.int64)
    of_country = dict(groups(places["country_iso"].to_numpy().astype("U2")))
    population = places["population"].cast(pl.Float64).to_numpy()
    for country, at in groups(legal):
        here = of_country[country]
        seats = _country_places(population[here], policy)
        place_at[at] = here[seats.assign(stream, ids[at], policy.draw.max_attempts)]
    drawn = places[place_at].select("place_id", "country_iso", "lat_deg", "lon_deg")
    return drawn.insert_column(0, merchants["merchant_id"])


def _country_places(population: F64, policy: Settlement) -> CountryPlaces:
    draw, room = policy.draw, policy.capacity
    return CountryPlaces.of(
        place_weights(population, draw.population_offset, draw.population_exponent),
        place_capacities(population, room.minimum, room.per_million, room.exponent),
    )


def _check_places(merchants: pl.DataFrame, legal: NDArray[np.str_], places: pl.DataFrame) -> None:
    bare = np.flatnonzero(~np.isin(legal, places["country_iso"].unique().to_numpy().astype("U2")))
    if bare.size:
        first = bare[0]
        raise fail(
            "gazetteer_covers_country",
            f"settlement_gazetteer:country_iso={legal[first]}",
            "Add a place of the country to the gazetteer, a row for the merchant to the coordinates file, "
            "or a seat rule that seats it elsewhere.",
            merchants=int(bare.size),
            countries=sorted({str(country) for country in legal[bare]}),
            example={"merchant_id": int(merchants["merchant_id"][int(first)])},
        )
