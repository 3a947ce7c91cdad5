"""How much card and digital payment activity a country has, and what its merchants sell: the packaged tables.

Activity is a national total (economy × adoption), so large economies lead and small rich places stay small.
Each table names its source and year in its header.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

import numpy as np
import polars as pl
from numpy.typing import NDArray

from seg3b_assets.world.places import country_facts
from seg3b_assets.world.recipe import DATA

# A country the table leaves out counts as a low-income economy: 3,000 dollars a head, 30 % of adults paying
# digitally.
_FALLBACK_USD_PER_HEAD: Final = 3_000
_FALLBACK_DIGITAL_PCT: Final = 30
_USD_PER_UNIT: Final = 1_000_000
_MASS_UNITS: Final = 1e12


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
        masses: NDArray[np.int64] = np.rint(self.weight * (scale / kind_sum) * _MASS_UNITS).astype(np.int64)
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
