"""Drawing anchors from the gazetteer, country by country (law section 3, settlement)."""

from __future__ import annotations

import numpy as np
import polars as pl
from numpy.typing import NDArray

from seg3b_assets.laws.errors import fail
from seg3b_assets.laws.geography import groups
from seg3b_assets.laws.identity import WorldIdentity
from seg3b_assets.laws.randomness import SETTLEMENT_PICK, Stream
from seg3b_assets.policies import Settlement
from seg3b_assets.states.s1_classification.anchors import (
    F64,
    CountryPlaces,
    place_capacities,
    place_weights,
)
from seg3b_assets.states.s1_classification.seats import legal_countries


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
