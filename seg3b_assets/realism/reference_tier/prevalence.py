"""R10: who is virtual. Over every merchant of the seed, by what it sells and how its cards are used."""

from __future__ import annotations

from typing import Final

import numpy as np
import polars as pl

from seg3b_assets.realism.reference_tier.measure import Scoped, not_judged, over_all
from seg3b_assets.realism.reference_tier.statistics import spearman
from seg3b_assets.realism.reference_tier.world import ReferenceWorld
from seg3b_assets.realism.yardsticks import UNLISTED, trades

REMOTE: Final = "card_not_present"
TRADE_MERCHANTS: Final = 20
LOW_REMOTE: Final = 0.3


def prevalence_measures(world: ReferenceWorld) -> tuple[Scoped, ...]:
    """Virtual share of remote digital trades; card-present share, rank correlation with remote share, homes in tiny
    countries, in countries without cards, trades with little remote sale, of virtual merchants.
    """
    known = trades()
    facts = pl.DataFrame(
        [(mcc, trade.remote_share, trade.digital) for mcc, trade in known.items()],
        schema={"mcc": pl.Int64, "remote_share": pl.Float64, "digital": pl.Boolean},
        orient="row",
    )
    merchants = world.merchants.with_columns(pl.col("mcc").cast(pl.Int64)).join(facts, on="mcc", how="left")
    merchants = merchants.with_columns(
        pl.col("remote_share").fill_null(UNLISTED.remote_share), pl.col("digital").fill_null(UNLISTED.digital)
    )
    virtual = merchants.filter(pl.col("is_virtual"))
    digital = merchants.filter(pl.col("digital") & (pl.col("channel") == REMOTE))
    return (
        over_all(_mean(digital["is_virtual"]), digital.height),
        over_all(_mean(virtual["channel"] != REMOTE), virtual.height),
        _remote_ranks(merchants),
        *_homes(world),
        over_all(_mean(virtual["remote_share"] < LOW_REMOTE), virtual.height),
    )


def _mean(flags: pl.Series) -> float | None:
    return int(flags.sum()) / flags.len() if flags.len() else None


def _remote_ranks(merchants: pl.DataFrame) -> Scoped:
    """Rank correlation over trades of the virtual share of their merchants and the remote share of their sales."""
    by_trade = (
        merchants.filter(pl.col("remote_share") > 0)
        .group_by("mcc")
        .agg(
            rate=pl.col("is_virtual").mean(),
            remote=pl.col("remote_share").first(),
            remote_merchants=(pl.col("channel") == REMOTE).sum(),
        )
        .filter(pl.col("remote_merchants") >= TRADE_MERCHANTS)
        .sort("mcc")
    )
    value = (
        spearman(by_trade["rate"].to_numpy(), by_trade["remote"].to_numpy()) if by_trade.height > 1 else None
    )
    return over_all(value, by_trade.height)


def _homes(world: ReferenceWorld) -> tuple[Scoped, Scoped]:
    n, countries = len(world), world.countries
    if not n:
        return not_judged(0, "no virtual merchants"), not_judged(0, "no virtual merchants")
    tiny, closed = countries.tiny[world.home], ~countries.accepts_cards[world.home]
    return over_all(float(np.mean(tiny)), n), over_all(float(np.mean(closed)), n)
