"""In which country a virtual merchant is legally seated (law section 3, settlement).

Home, unless a seat rule of the settlement policy matches and its hash draw says so; the rule's jurisdiction
is then picked by weight with the hash draw of ``rule_id#pick``. Rules are asked in the policy's order.
"""

from __future__ import annotations

from typing import Final

import numpy as np
import polars as pl
from numpy.typing import NDArray

from seg3b_assets.policies import SeatRule
from seg3b_assets.states.s1_classification.propensity import Propensity, hash_uniform
from seg3b_assets.states.s1_classification.rules import taken

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
