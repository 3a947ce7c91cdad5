"""Where a gate fails for the mix of an upstream world: which knob of which policy brings it back, and how far.

The shipped policies were tuned to one world's merchants. In another one, with other categories or homes, the same
numbers give another rate or another concentration, and nothing is wrong with the code. What is said here follows from
the counts the certification kept: no candidate is run, so the figure is where to begin, not where it will end.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any, Final

import polars as pl

from seg3b_assets.realism.report.material import ReportMaterial
from seg3b_assets.realism.report.wording import listing, number, percent

Failure = Mapping[str, Any]
_SHOWN: Final = 3
_RULES: Final = "policies/mcc_channel_rules.yaml"
_SETTLEMENT: Final = "policies/settlement.yaml"


def knob(material: ReportMaterial, failure: Failure) -> str:
    """A sentence for a failed gate that the world's mix can cause; empty for any other.

    Args:
        failure: an entry of the summary's ``ranked_failures``, with ``metric``, ``observed``, ``threshold``, ``seed``.
    """
    turn = _KNOBS.get(failure["metric"])
    seed = failure["seed"]
    if turn is None or seed not in material.plots or failure["observed"] is None or "statistic" in failure:
        return ""
    return turn(material.plots[seed], failure)


def _rate(frames: Mapping[str, pl.DataFrame], failure: Failure) -> str:
    """Scale the propensities of the categories that give most virtual merchants until the rate is mid-band."""
    groups = frames["virtual_rate_by_mcc_channel"]
    low, high = failure["threshold"]
    merchants, virtual = int(groups["rows"].sum()), int(groups["virtual"].sum())
    wanted = (low + high) / 2 * merchants
    if not virtual:
        return _no_rule_fits(groups, merchants)
    ranked = groups.filter(pl.col("virtual") > 0).sort(
        "virtual", "mcc", "channel", descending=[True, False, False]
    )
    if virtual > wanted:
        factor = wanted / virtual
        told = f"Multiply the propensities of {_RULES} by {number(factor)}"
        return f"{told}, those for {_named(ranked)} first: the rate is then {percent((low + high) / 2)}, mid-band."
    room = ranked.filter(pl.col("virtual") < pl.col("rows"))
    most = int(room["rows"].sum()) + int(ranked.filter(pl.col("virtual") == pl.col("rows"))["virtual"].sum())
    if most >= wanted:
        factor = wanted / virtual
        return (
            f"Multiply the propensities of {_RULES} by {number(factor)}, none above 1, those for {_named(room)} first: "
            f"the rate is then {percent((low + high) / 2)}, mid-band."
        )
    return f"Even at propensity 1 the rules reach {percent(most / merchants)}. {_no_rule_fits(groups, merchants)}"


def _no_rule_fits(groups: pl.DataFrame, merchants: int) -> str:
    idle = groups.filter((pl.col("virtual") == 0) & (pl.col("channel") == "card_not_present"))
    idle = idle.sort("rows", "mcc", descending=[True, False])
    if idle.is_empty():
        return f"No rule of {_RULES} fits this world, which has no card_not_present merchants beside."
    names = [
        f"MCC {mcc:04d} ({percent(rows / merchants)})"
        for mcc, rows in idle.head(_SHOWN).select("mcc", "rows").rows()
    ]
    return f"Add rules to {_RULES} for categories of this world that sell without a card present: {listing(names)}."


def _named(groups: pl.DataFrame) -> str:
    rows = groups.head(_SHOWN).select("mcc", "channel", "virtual").rows()
    return listing([f"MCC {mcc:04d} {channel} ({virtual} virtual)" for mcc, channel, virtual in rows])


def _rules_at_work(frames: Mapping[str, pl.DataFrame], failure: Failure) -> str:
    groups = frames["virtual_rate_by_mcc_channel"]
    lacking = int(failure["threshold"] - failure["observed"])
    told = f"{lacking} more rule{'' if lacking == 1 else 's'} must find merchants in this world. "
    return told + _no_rule_fits(groups, int(groups["rows"].sum()))


def _zone(frames: Mapping[str, pl.DataFrame], failure: Failure) -> str:
    """Lower the weight of the zone's jurisdictions until its share is at the bound: n f / (N - n + n f) = b."""
    zones, bound = frames["settlement_zones"], failure["threshold"]
    merchants, top = int(zones["merchants"].sum()), int(zones["merchants"][0])
    rest = merchants - top
    name = zones["tzid_settlement"][0]
    if not rest:
        return f"Every merchant settles in {name}: give {_SETTLEMENT} seat rules that send some elsewhere."
    factor = bound * rest / (top * (1 - bound))
    return (
        f"{top} of {merchants} merchants settle in {name}. Multiply the weight of its jurisdictions in the seat_rules "
        f"of {_SETTLEMENT} by {number(factor)}; where it is the merchants' own home, raise the propensity of the seat "
        "rules instead."
    )


def _places(frames: Mapping[str, pl.DataFrame], failure: Failure) -> str:
    """Lower what a place may hold by as much as the fullest place is over one merchant."""
    points = frames["settlement_points"]
    shared = points.filter(pl.col("merchants") > 1)
    most = int(points["merchants"].max() or 0)  # type: ignore[arg-type]
    return (
        f"{'1 place holds' if shared.height == 1 else f'{shared.height} places hold'} more than one merchant, the "
        f"fullest {most}. Multiply capacity.per_million in "
        f"{_SETTLEMENT} by {number(1 / max(most - 1, 1))}, or give the gazetteer more places in the countries that "
        "have few."
    )


_KNOBS: Final[Mapping[str, Callable[[Mapping[str, pl.DataFrame], Failure], str]]] = {
    "virtual_rate": _rate,
    "active_rule_id_count": _rules_at_work,
    "settlement_tzid_top1_share": _zone,
    "settlement_unique_coord_ratio": _places,
    "settlement_duplicate_exposure": _places,
}
