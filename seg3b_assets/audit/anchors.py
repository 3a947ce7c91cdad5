"""Where S1's settlements ought to be, from policy and inputs alone (law section 3).

Who is drawn for comes from the policy, not from the published tables, so that a row dropped or added there does not
move everybody behind it. Places are drawn in ascending merchant_id, while there is room.
"""

from __future__ import annotations

from bisect import bisect_right
from dataclasses import dataclass
from typing import Final

import numpy as np
import polars as pl
from numpy.typing import NDArray

from seg3b_assets.audit.classification import MERCHANT_COLUMNS, MerchantFacts, derive_decisions, hash_draws
from seg3b_assets.audit.draws import Draws
from seg3b_assets.audit.maps import Maps
from seg3b_assets.audit.tree import AuditContext
from seg3b_assets.contracts import contract
from seg3b_assets.laws.geography import groups
from seg3b_assets.laws.randomness import SETTLEMENT_PICK
from seg3b_assets.laws.snapping import snap
from seg3b_assets.policies import SeatRule, Settlement

U64 = NDArray[np.uint64]
I64 = NDArray[np.int64]
F64 = NDArray[np.float64]
TEXT = NDArray[np.str_]

COORDINATES: Final = "virtual_settlement_coords"
GAZETTEER: Final = "settlement_gazetteer"
WEIGHT_UNITS: Final = 10**9
_GAZETTEER_COLUMNS: Final = ["place_id", "country_iso", "lat_deg", "lon_deg", "population"]
_COORDINATE_COLUMNS: Final = [
    "merchant_id",
    "lat_deg",
    "lon_deg",
    "evidence_url",
    "coord_source",
    "tzid_settlement",
    "notes",
]


@dataclass(frozen=True)
class Anchors:
    """Settlements in ascending merchant_id, beside what they ought to be.

    Attributes:
        table: the published rows, joined with the merchant's upstream columns.
        ingested: the coordinates row of each merchant, nulls where there is none.
        legal: legal country of each merchant; that of an ingested anchor is not known and empty.
    """

    table: pl.DataFrame
    ingested: pl.DataFrame
    legal: TEXT

    @property
    def from_file(self) -> NDArray[np.bool_]:
        found: NDArray[np.bool_] = self.ingested["lat_deg"].is_not_null().to_numpy()
        return found


def expected_settlements(
    context: AuditContext, merchants: pl.DataFrame | None, maps: Maps | None
) -> pl.DataFrame | None:
    """Where every merchant that the policy makes virtual ought to be settled; None where that cannot be told.

    An anchor that is drawn is in the merchant's legal country. An ingested one is at home where home's polygon
    covers it, else in the first country, in ISO order, whose polygon does.

    Args:
        merchants: the upstream table.

    Returns:
        merchant_id, country ("" for none), decided_by, place_id, lat_deg and lon_deg of a drawn place.
    """
    if merchants is None or maps is None:
        return None
    seed = context.tree.identity.seed
    decided = derive_decisions(MerchantFacts.of(merchants), context.tree.policies.mcc_channel_rules, seed)
    anchors = anchors_of(context, merchants.filter(decided["is_virtual"]).select("merchant_id"), merchants)
    lon, lat = (anchors.ingested[name].fill_null(0.0).to_numpy() for name in ("lon_deg", "lat_deg"))
    home = anchors.table["home_country_iso"].to_numpy().astype("U2")
    covered, first = maps.covered(home, lon, lat), maps.country_of(lon, lat)
    how = np.where(covered, "HOME", np.where(first == "", "NOWHERE", "POLYGON"))
    country = np.where(anchors.from_file, np.where(covered, home, first), anchors.legal)
    expected = pl.DataFrame(
        {
            "merchant_id": anchors.table["merchant_id"],
            "country": pl.Series(country.tolist(), dtype=pl.String),
            "decided_by": pl.Series(np.where(anchors.from_file, how, "DRAWN").tolist(), dtype=pl.String),
        }
    )
    return expected.join(_draws(context, anchors), on="merchant_id", how="left", maintain_order="left")


def anchors_of(context: AuditContext, table: pl.DataFrame, merchants: pl.DataFrame) -> Anchors:
    """Settlements, published or to be, beside their merchants' upstream columns (table: merchant_id at least)."""
    joined = table.join(merchants, on="merchant_id", how="inner", maintain_order="left")
    coordinates = context.input_table(COORDINATES, _COORDINATE_COLUMNS)
    if coordinates is None:
        coordinates = pl.DataFrame(
            schema={"merchant_id": pl.UInt64, "lat_deg": pl.Float64, "lon_deg": pl.Float64}
            | dict.fromkeys(_COORDINATE_COLUMNS[3:], pl.String)
        )
    of_merchant = joined.select("merchant_id").join(
        coordinates.unique("merchant_id", keep="first", maintain_order=True),
        on="merchant_id",
        how="left",
        maintain_order="left",
    )
    legal = legal_countries(
        MerchantFacts.of(joined.select(MERCHANT_COLUMNS)),
        context.tree.policies.settlement.seat_rules,
        context.tree.identity.seed,
    )
    return Anchors(joined, of_merchant, legal)


def legal_countries(facts: MerchantFacts, rules: tuple[SeatRule, ...], seed: int) -> TEXT:
    """Where each merchant is legally seated: home, or what the first seat rule that takes it picks."""
    legal = facts.home.copy()
    # Backwards, so that the rule asked first has the last word.
    for rule in reversed(rules):
        taken = np.flatnonzero(facts.drawn(rule.rule_id, rule.propensity, seed, facts.fits(rule.match)))
        bounds = np.cumsum([seat.weight for seat in rule.jurisdictions])
        uniform = hash_draws(f"{rule.rule_id}#pick", seed, facts.merchant_id[taken])
        seat = np.searchsorted(bounds[:-1], uniform * bounds[-1], side="right")
        legal[taken] = np.array([seat.country_iso for seat in rule.jurisdictions])[seat]
    return legal


def gazetteer_of(context: AuditContext) -> pl.DataFrame | None:
    """The places; none in a world that has none, and None where they are not at hand."""
    found = context.input_table(GAZETTEER, _GAZETTEER_COLUMNS)
    if found is None and context.lawfully_without(GAZETTEER):
        dtypes = contract(GAZETTEER).polars_schema
        return pl.DataFrame(schema={name: dtypes[name] for name in _GAZETTEER_COLUMNS})
    return found


def _draws(context: AuditContext, anchors: Anchors) -> pl.DataFrame:
    """merchant_id, place_id, lat_deg, lon_deg of every anchor that is drawn and not ingested."""
    drawn_for = ~anchors.from_file
    gazetteer = gazetteer_of(context)
    ids = anchors.table["merchant_id"].filter(pl.Series(drawn_for)).to_numpy()
    if gazetteer is None:
        schema = {
            "merchant_id": pl.UInt64,
            "place_id": pl.String,
            "lat_deg": pl.Float64,
            "lon_deg": pl.Float64,
        }
        return pl.DataFrame(schema=schema)
    return draw_places(context, ids, anchors.legal[drawn_for], gazetteer)


def draw_places(
    context: AuditContext, merchant_id: U64, legal: NDArray[np.str_], gazetteer: pl.DataFrame
) -> pl.DataFrame:
    """The place of every merchant: merchant_id, place_id, lat_deg, lon_deg; null where its country has none.

    Args:
        merchant_id: uint64 (n,), ascending, of the merchants that are drawn for. legal: their countries.
        gazetteer: place_id, country_iso, lat_deg, lon_deg, population.
    """
    places, law = gazetteer.sort("place_id"), context.tree.policies.settlement
    draws = Draws(context, SETTLEMENT_PICK, "S1.settlement_place", sampled=4)
    of_country = {str(code): at for code, at in groups(places["country_iso"].to_numpy().astype("U2"))}
    people = places["population"].cast(pl.Float64).to_numpy()
    chosen = np.full(merchant_id.shape[0], -1, np.int64)
    for code, at in groups(legal):
        here = of_country.get(str(code))
        if here is not None:
            chosen[at] = here[_seat(law, draws, merchant_id[at], people[here])]
    row = pl.DataFrame({"merchant_id": merchant_id, "row": chosen})
    numbered = places.select("place_id", "lat_deg", "lon_deg").with_row_index("row").cast({"row": pl.Int64})
    return row.join(numbered, on="row", how="left", maintain_order="left").drop("row")


def _seat(law: Settlement, draws: Draws, merchant_id: U64, people: F64) -> I64:
    """Place of each merchant of one country; places are in place_id order."""
    raw = (people + law.draw.population_offset) ** law.draw.population_exponent
    weight = np.maximum(np.rint(raw / raw.max() * WEIGHT_UNITS), 1.0).astype(np.uint64)
    bounds = np.cumsum(weight)
    grown = np.floor(snap(law.capacity.per_million * (people / 1e6) ** law.capacity.exponent))
    room = np.maximum(grown, law.capacity.minimum).astype(np.int64).tolist()
    attempts = np.arange(law.draw.max_attempts, dtype=np.uint64)
    words, _ = draws.words(merchant_id[:, None], attempts[None, :])
    positions, edges = draws.positions(words, int(bounds[-1])).tolist(), bounds.tolist()
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
