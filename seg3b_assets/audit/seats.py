"""Settlement anchors drawn again (law section 3): place after place, in ascending merchant_id, while there is room.

Who is drawn for comes from the policy, not from the published tables, so that a row dropped or added there does
not move everybody behind it.
"""

from __future__ import annotations

from bisect import bisect_right
from typing import Final

import numpy as np
import polars as pl
from numpy.typing import NDArray

from seg3b_assets.audit.tree import Desk
from seg3b_assets.laws.geography import groups
from seg3b_assets.laws.randomness import SETTLEMENT_PICK, Stream, draw_position
from seg3b_assets.laws.snapping import snap
from seg3b_assets.policies import Settlement

U64 = NDArray[np.uint64]
I64 = NDArray[np.int64]
F64 = NDArray[np.float64]

WEIGHT_UNITS: Final = 10**9


def draw_places(
    desk: Desk, merchant_id: U64, legal: NDArray[np.str_], gazetteer: pl.DataFrame
) -> pl.DataFrame:
    """The place of every merchant: merchant_id, place_id, lat_deg, lon_deg; null where its country has none.

    Args:
        merchant_id: uint64 (n,), ascending, of the merchants that are drawn for. legal: their countries.
        gazetteer: place_id, country_iso, lat_deg, lon_deg, population.
    """
    places, law = gazetteer.sort("place_id"), desk.tree.policies.settlement
    stream = Stream.of(desk.tree.identity, SETTLEMENT_PICK)
    of_country = {str(code): at for code, at in groups(places["country_iso"].to_numpy().astype("U2"))}
    people = places["population"].cast(pl.Float64).to_numpy()
    chosen = np.full(merchant_id.shape[0], -1, np.int64)
    for code, at in groups(legal):
        here = of_country.get(str(code))
        if here is not None:
            chosen[at] = here[_seat(law, stream, merchant_id[at], people[here])]
    row = pl.DataFrame({"merchant_id": merchant_id, "row": chosen})
    numbered = places.select("place_id", "lat_deg", "lon_deg").with_row_index("row").cast({"row": pl.Int64})
    return row.join(numbered, on="row", how="left", maintain_order="left").drop("row")


def _seat(law: Settlement, stream: Stream, merchant_id: U64, people: F64) -> I64:
    """Place of each merchant of one country; places are in place_id order."""
    raw = (people + law.draw.population_offset) ** law.draw.population_exponent
    weight = np.maximum(np.rint(raw / raw.max() * WEIGHT_UNITS), 1.0).astype(np.uint64)
    bounds = np.cumsum(weight)
    grown = np.floor(snap(law.capacity.per_million * (people / 1e6) ** law.capacity.exponent))
    room = np.maximum(grown, law.capacity.minimum).astype(np.int64).tolist()
    attempts = np.arange(law.draw.max_attempts, dtype=np.uint64)
    words, _ = stream.words(merchant_id[:, None], attempts[None, :])
    positions, edges = draw_position(words, bounds[-1]).tolist(), bounds.tolist()
    load = [0] * len(room)
    seats: list[int] = []
    # Whether a place is full depends on everyone served before: sequential by law.
    for asked in positions:
        free = (place for position in asked if load[place := bisect_right(edges, position)] < room[place])
        seat = next(free, None)
        if seat is None:
            seat = min(range(len(load)), key=load.__getitem__)
        load[seat] += 1
        seats.append(seat)
    return np.array(seats, np.int64)
