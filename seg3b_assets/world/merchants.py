"""Who trades in one seed's world: merchants, and in which countries their outlets stand.

Home countries follow total payment activity; categories and channels follow the packaged mix; outlet counts
have heavy tails, and some merchants stand in several countries. Where exactly an outlet stands is ``published``'s.

Activity is a national total (economy × adoption), so large economies lead and small rich places stay small.
Each packaged table names its source and year in its header.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

import numpy as np
import polars as pl
from numpy.typing import NDArray

from seg3b_assets.world.draws import Draws, pick, pick_other
from seg3b_assets.world.places import country_facts
from seg3b_assets.world.recipe import DATA, WorldRecipe

I64 = NDArray[np.int64]

# A country the table leaves out counts as a low-income economy: 3,000 dollars a head, 30 % of adults paying
# digitally.
_FALLBACK_USD_PER_HEAD: Final = 3_000
_FALLBACK_DIGITAL_PCT: Final = 30
_USD_PER_UNIT: Final = 1_000_000
_MIX_UNITS: Final = 1e12
_MASS_UNITS: Final = 1 << 40
_LARGEST_FOOTPRINT: Final = {"chain": 240, "local": 90, "few": 60}
_MOST_FOREIGN_COUNTRIES: Final = 5
_FOREIGN_OUTLET_CHANCE: Final = 0.4
_SAME_CONTINENT_CHANCE: Final = 0.65


@dataclass(frozen=True)
class MerchantMix:
    """One row per merchant category; arrays (categories,).

    Attributes:
        mcc: int32 category code. digital: whether it is of a digital kind. weight: int64, within its kind.
        card_not_present_permille: int64, 0..1000. outlets: ``chain``, ``local`` or ``few``.
    """

    mcc: NDArray[np.int32]
    digital: NDArray[np.bool_]
    weight: NDArray[np.int64]
    card_not_present_permille: NDArray[np.int64]
    outlets: NDArray[np.str_]

    def masses(self, digital_share: float) -> NDArray[np.int64]:
        """Integer chance of each category when digital kinds hold ``digital_share`` of the merchants."""
        scale = np.where(self.digital, digital_share, 1.0 - digital_share)
        kind_sum = np.where(self.digital, self.weight[self.digital].sum(), self.weight[~self.digital].sum())
        masses: NDArray[np.int64] = np.rint(self.weight * (scale / kind_sum) * _MIX_UNITS).astype(np.int64)
        return masses


def payment_activity(countries: Sequence[str]) -> NDArray[np.int64]:
    """Digital payment activity of each country, millions of US dollars a year, at least 1."""
    table = pl.read_csv(DATA / "economy.csv", comment_prefix="#")
    known = {country: gdp * 1_000 * pct // 100 for country, gdp, pct in table.iter_rows()}
    facts = country_facts()
    per_head = _FALLBACK_USD_PER_HEAD * _FALLBACK_DIGITAL_PCT
    fallback = {code: facts[code].population * per_head // (100 * _USD_PER_UNIT) for code in countries}
    return np.array([max(known.get(code, fallback[code]), 1) for code in countries], np.int64)


def merchant_mix() -> MerchantMix:
    table = pl.read_csv(DATA / "merchant_mix.csv", comment_prefix="#")
    return MerchantMix(
        mcc=table["mcc"].to_numpy().astype(np.int32),
        digital=(table["kind"] == "digital").to_numpy(),
        weight=table["weight"].to_numpy(),
        card_not_present_permille=table["card_not_present_permille"].to_numpy(),
        outlets=table["outlets"].to_numpy().astype("U5"),
    )


@dataclass(frozen=True)
class Trade:
    """The merchants of a world, ascending merchant_id, and their outlets; country values index ``countries``.

    Attributes:
        countries: ISO codes, ascending.
        merchant_id: uint64 (merchants,). mcc: int32. card_not_present: bool. home: int64.
        outlet_merchant, outlet_country: int64 (outlets,), positions of merchant and country, ordered by both.
    """

    countries: tuple[str, ...]
    merchant_id: NDArray[np.uint64]
    mcc: NDArray[np.int32]
    card_not_present: NDArray[np.bool_]
    home: I64
    outlet_merchant: I64
    outlet_country: I64

    def merchant_table(self) -> pl.DataFrame:
        """merchant_id u64, mcc i32, channel str, home_country_iso str."""
        channel = np.where(self.card_not_present, "card_not_present", "card_present")
        return pl.DataFrame(
            [
                pl.Series("merchant_id", self.merchant_id),
                pl.Series("mcc", self.mcc),
                pl.Series("channel", channel.tolist(), dtype=pl.String),
                pl.Series("home_country_iso", np.array(self.countries)[self.home].tolist(), dtype=pl.String),
            ]
        )


def draw_trade(countries: Sequence[str], recipe: WorldRecipe, draws: Draws) -> Trade:
    """Draw a world's merchants and outlets.

    Args:
        countries: ISO codes of the world, ascending.
    """
    mix, count = merchant_mix(), recipe.merchants
    activity = payment_activity(countries)
    category = draws.picks("category", mix.masses(recipe.digital_share), count)
    chance = mix.card_not_present_permille[category] / 1000.0
    home = draws.picks("home_country", activity, count)
    outlets = _outlet_counts(mix, category, draws)
    merchant, country = _outlet_countries(home, outlets, (activity, _continents(countries)), recipe, draws)
    order = np.lexsort((country, merchant))
    return Trade(
        countries=tuple(countries),
        merchant_id=_merchant_ids(draws, count),
        mcc=mix.mcc[category],
        card_not_present=draws.uniforms("channel", count) < chance,
        home=home,
        outlet_merchant=merchant[order],
        outlet_country=country[order],
    )


def _merchant_ids(draws: Draws, count: int) -> NDArray[np.uint64]:
    """Distinct ids scattered over 1..2⁶³−1, ascending: ingress publishes ids as signed integers."""
    words = np.unique(draws.words("merchant_id", count + 64) >> np.uint64(1))
    words = words[words > 0]
    # The surplus that makes up for a repeated word is dropped at random, not from the top.
    keep = np.sort(np.argsort(draws.words("merchant_id_kept", words.shape[0]), kind="stable")[:count])
    return words[keep]


def _outlet_counts(mix: MerchantMix, category: I64, draws: Draws) -> I64:
    uniforms = draws.uniforms("outlet_count", category.shape[0])
    counts = np.ones(category.shape[0], np.int64)
    for kind, most in _LARGEST_FOOTPRINT.items():
        at = np.flatnonzero(mix.outlets[category] == kind)
        counts[at] = 1 + pick(_tail(kind, most), uniforms[at])
    return counts


def _tail(kind: str, most: int) -> I64:
    """Masses of 1..most outlets: n^-1.5 for chains, n^-2 for local trade, n^-2.5 for few outlets."""
    n = np.arange(1, most + 1, dtype=np.float64)
    power = {"chain": n * np.sqrt(n), "local": n * n, "few": n * n * np.sqrt(n)}[kind]
    return np.rint(_MASS_UNITS / power).astype(np.int64)


def _continents(countries: Sequence[str]) -> I64:
    names = [country_facts()[code].continent for code in countries]
    return np.unique(names, return_inverse=True)[1].astype(np.int64)


def _outlet_countries(
    home: I64, outlets: I64, world: tuple[I64, I64], recipe: WorldRecipe, draws: Draws
) -> tuple[I64, I64]:
    """Merchant and country of each outlet: all at home, unless the merchant stands in several countries."""
    merchant = np.repeat(np.arange(home.shape[0]), outlets)
    country = home[merchant]
    # Only a merchant with two outlets can stand in two countries, and the more it has the likelier it does.
    able = outlets >= 2
    eagerness = np.where(able, np.where(outlets >= 6, 3, 1), 0)
    wanted = recipe.multi_country_share * home.shape[0]
    chance = np.minimum(eagerness * (wanted / max(int(eagerness.sum()), 1)), 1.0)
    several = draws.uniforms("several_countries", home.shape[0]) < chance
    foreign = _foreign_countries(home, world, draws)
    reach = 1 + np.floor(draws.uniforms("reach", home.shape[0]) * _MOST_FOREIGN_COUNTRIES).astype(np.int64)
    reach = np.minimum(reach, np.maximum(outlets - 1, 1))
    slot = np.floor(draws.uniforms("foreign_slot", merchant.shape[0]) * reach[merchant]).astype(np.int64)
    abroad = draws.uniforms("foreign_outlet", merchant.shape[0]) < _FOREIGN_OUTLET_CHANCE
    first, last = np.cumsum(outlets) - outlets, np.cumsum(outlets) - 1
    abroad[last], abroad[first] = True, False
    moved = abroad & several[merchant]
    country[moved] = foreign[merchant[moved], slot[moved]]
    return merchant, country


def _foreign_countries(home: I64, world: tuple[I64, I64], draws: Draws) -> I64:
    """(merchants, slots): countries other than home, by activity, mostly of the home's continent."""
    activity, continent = world
    order = np.lexsort((np.arange(activity.shape[0]), continent))
    masses, at_home = activity[order], np.argsort(order)[home]
    size = np.bincount(continent)
    stop = np.cumsum(size)[continent[home]]
    near = (stop - size[continent[home]], stop)
    far = (np.zeros_like(stop), np.full_like(stop, activity.shape[0]))
    slots = []
    for slot in range(_MOST_FOREIGN_COUNTRIES):
        uniforms = draws.uniforms(f"foreign_country_{slot}", home.shape[0])
        stays = draws.uniforms(f"continent_{slot}", home.shape[0]) < _SAME_CONTINENT_CHANCE
        span = (np.where(stays, near[0], far[0]), np.where(stays, near[1], far[1]))
        slots.append(order[pick_other(masses, span, at_home, uniforms)])
    return np.stack(slots, axis=1)
