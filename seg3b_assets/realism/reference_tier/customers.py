"""Where a merchant's customers are: R02 home market, R04 gravity, R05 reachable customers, R09 size and footprint."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from seg3b_assets.laws.geography import haversine_km
from seg3b_assets.realism.measurement import Measurement
from seg3b_assets.realism.order_statistics import median, quantile
from seg3b_assets.realism.reference_tier.measure import Scoped, not_judged, over_all, too_few
from seg3b_assets.realism.reference_tier.statistics import poisson_effects, spearman
from seg3b_assets.realism.reference_tier.world import ReferenceWorld

F64 = NDArray[np.float64]
BOOL = NDArray[np.bool_]

# A distance below this says nothing: two centres of people of neighbours may be closer than their borders are long.
NEAREST_KM = 50.0
NO_HOME_SHARE = 0.05
# A country of fewer internet users than this has too little traffic for its own ratio.
BUSY_USERS = 0.002
OTHERS_OF_STRATUM = 5


def home_median(world: ReferenceWorld) -> Scoped:
    """Median over merchants of the weight at home."""
    return _home(world, 0.5)


def home_p25(world: ReferenceWorld) -> Scoped:
    """25 % quantile of the same."""
    return _home(world, 0.25)


def _home(world: ReferenceWorld, level: float) -> Scoped:
    return over_all(quantile(world.home_share, level) if len(world) else None, len(world))


def home_median_abroad(world: ReferenceWorld) -> Scoped:
    """Median of the weight at home among merchants seated elsewhere."""
    away = world.home_share[world.seated_abroad]
    return over_all(median(away) if away.size else None, away.size)


def without_home(world: ReferenceWorld) -> Scoped:
    """Merchants with next to no traffic at home."""
    n = len(world)
    return over_all(float(np.mean(world.home_share < NO_HOME_SHARE)) if n else None, n)


def home_median_by_group(world: ReferenceWorld) -> Scoped:
    """Median weight at home within every class and every home country that is large enough."""
    groups = [(f"class {name}", rows) for name, rows in world.classes()]
    groups += [(f"home {name}", rows) for name, rows in world.homes()]
    if not groups:
        return not_judged(len(world), "no class or home country is large enough")
    return {name: Measurement(median(world.home_share[rows]), int(rows.sum())) for name, rows in groups}


@dataclass(frozen=True)
class Gravity:
    """Elasticities of weight abroad: to a country's internet users, to its distance from home."""

    users: float
    distance: float


def gravity(world: ReferenceWorld, rows: BOOL) -> Gravity | None:
    """Fit one group's weights abroad; None where they do not tell.

    Countries that have users and a known centre, without home, seat, those with an outlet and those no card scheme
    serves; zeros count. Regressors: ln users, ln distance of the centres of people, one M49 sub-region.
    """
    countries = world.countries
    known = (countries.users > 0) & np.isfinite(countries.centre_lon) & countries.accepts_cards
    home = world.home[rows]
    km = haversine_km(
        countries.centre_lon[home][:, None],
        countries.centre_lat[home][:, None],
        np.where(known, countries.centre_lon, 0.0)[None, :],
        np.where(known, countries.centre_lat, 0.0)[None, :],
    )
    km = np.where(np.isfinite(km), km, NEAREST_KM)
    regressors = np.stack(
        [
            np.broadcast_to(np.log(np.where(known, countries.users, 1.0)), km.shape),
            np.log(np.maximum(km, NEAREST_KM)),
            (countries.region[home][:, None] == countries.region[None, :]).astype(np.float64),
        ]
    )
    found = poisson_effects(world.share[rows], regressors, world.abroad[rows] & known[None, :])
    return None if found is None else Gravity(float(found[0]), float(found[1]))


def gravities(world: ReferenceWorld) -> tuple[Scoped, Scoped]:
    """Elasticities of weight abroad to internet users and to distance from home, over all and by class."""
    users, distance = {}, {}
    for name, rows in world.everybody_and_classes():
        fit, n = gravity(world, rows), int(rows.sum())
        users[name] = Measurement(None if fit is None else fit.users, n)
        distance[name] = Measurement(None if fit is None else fit.distance, n)
    return users, distance


def traffic_abroad(world: ReferenceWorld) -> F64:
    """Mean weight of a merchant by country, where it has no home, seat or outlet, float64 (K,)."""
    total: F64 = np.where(world.abroad, world.share, 0.0).sum(axis=0) / max(len(world), 1)
    return total


def tiny_countries(world: ReferenceWorld) -> Scoped:
    """Traffic abroad of the territories under 100,000 people, against their share of internet users."""
    tiny = world.countries.tiny
    users = float(world.countries.users[tiny].sum())
    return over_all(
        float(traffic_abroad(world)[tiny].sum()) / users if users and len(world) else None, int(tiny.sum())
    )


def busiest_country(world: ReferenceWorld) -> Scoped:
    """The largest ratio of traffic abroad to internet users, over countries that are no dwarfs."""
    busy = world.countries.users >= BUSY_USERS
    if not (busy.any() and len(world)):
        return not_judged(0, "no country or no merchant")
    ratios = traffic_abroad(world)[busy] / world.countries.users[busy]
    return over_all(
        float(ratios.max()), int(busy.sum()), country=str(world.countries.iso[busy][ratios.argmax()])
    )


def no_card_countries(world: ReferenceWorld) -> Scoped:
    """Traffic from countries that no card scheme serves, home and seat apart."""
    reached = ~world.anchored & ~world.countries.accepts_cards[None, :]
    n = len(world)
    return over_all(float(np.where(reached, world.share, 0.0).sum()) / n if n else None, n)


def countries_in_use(world: ReferenceWorld) -> Scoped:
    """Countries with an edge."""
    if world.small:
        return too_few(world)
    return over_all(float((world.count.sum(axis=0) > 0).sum()), len(world))


def outlets_and_edges(world: ReferenceWorld) -> Scoped:
    """Rank correlation of outlets and edges over all merchants."""
    if world.outlets is None:
        return not_judged(len(world), "nobody says how many outlets a merchant has")
    if world.small:
        return too_few(world)
    return over_all(spearman(world.outlets.sum(axis=1), world.edges_of), len(world))


def outlets_and_edges_by_class(world: ReferenceWorld) -> Scoped:
    """The same within every class that is large enough."""
    if world.outlets is None:
        return not_judged(len(world), "nobody says how many outlets a merchant has")
    if world.small:
        return too_few(world)
    outlets = world.outlets.sum(axis=1)
    return {
        name: Measurement(spearman(outlets[rows], world.edges_of[rows]), int(rows.sum()))
        for name, rows in world.classes()
    } or not_judged(len(world), "no class is large enough")


@dataclass(frozen=True)
class Footprint:
    """Weight where merchants have outlets abroad, and what others of their stratum have there.

    Attributes:
        own, others: sums over the merchants. merchants: how many have outlets abroad and enough like them.
    """

    own: float
    others: float
    merchants: int


def footprint(world: ReferenceWorld) -> Footprint:
    """Over merchants with outlets outside home and seat, and five others of their home country and class."""
    if world.outlets is None:
        return Footprint(0.0, 0.0, 0)
    abroad = (world.outlets > 0) & ~world.anchored
    size = np.bincount(world.strata)[world.strata] if len(world) else np.zeros(0, np.int64)
    own = others = 0.0
    rows = np.flatnonzero(abroad.any(axis=1) & (size > OTHERS_OF_STRATUM))
    for row in rows:
        like = world.strata == world.strata[row]
        like[row] = False
        own += float(world.share[row, abroad[row]].sum())
        others += float(world.share[np.ix_(like, abroad[row])].sum(axis=1).mean())
    return Footprint(own, others, rows.shape[0])


def footprint_lift(world: ReferenceWorld) -> Scoped:
    """How much more weight merchants have where they have outlets than others of their stratum do."""
    if world.outlets is None:
        return not_judged(len(world), "nobody says where a merchant has outlets")
    if world.small:
        return too_few(world)
    found = footprint(world)
    return over_all(found.own / found.others if found.others else None, found.merchants)
