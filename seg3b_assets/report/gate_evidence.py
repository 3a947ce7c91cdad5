"""What lies behind a gate's number: distributions, the merchants, places and rules that weigh on it.

Small markdown tables and plots of the arrays the metric was computed from, for a person who wonders why a
gate fails or how it would. Decides nothing.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import Any, Final

import numpy as np
import polars as pl
from numpy.typing import NDArray

from seg3b_assets.realism.judgement import Judgement
from seg3b_assets.report.markdown import grid_markdown
from seg3b_assets.report.tables import plain_grid
from seg3b_assets.wording import number, percent

SHOWN: Final = 8
BAR_WIDTH: Final = 30
QUANTILES: Final = (0.0, 0.1, 0.25, 0.5, 0.75, 0.9, 1.0)

F64 = NDArray[np.float64]
Evidence = Callable[[Judgement], str]


def evidence(metric: str, low: bool, judgement: Judgement) -> str | None:
    """Markdown about a gated metric; None of a seed without virtual merchants.

    Args:
        low: whether a lower bound is missed or the nearest, where a metric has bounds on both sides.
    """
    shown = (_EVIDENCE | _EVIDENCE_BELOW if low else _EVIDENCE).get(metric)
    return shown(judgement) if shown and len(judgement.population.merchants) else None


def _edges(judgement: Judgement) -> str:
    edges = judgement.population.merchants.edges.astype(np.float64)
    return _sizes(judgement, edges, "number of edges", "numbers of edges", {})


def _countries(judgement: Judgement) -> str:
    countries = judgement.population.merchants.countries
    wide = countries.astype(np.float64)
    return _sizes(judgement, wide, "number of edge countries", "numbers of countries", {"countries": wide})


def _sizes(judgement: Judgement, size: F64, unit: str, what: str, shown: Mapping[str, F64]) -> str:
    """A distribution whose middle is too crowded when its gate fails: those nearest to the mean."""
    crowd = _merchants(
        judgement, np.abs(size - size.mean()), shown, f"Merchants whose {what} are nearest to the mean"
    )
    return _distribution(size, "merchants", unit) + "\n\n" + crowd


def _heaviest(judgement: Judgement) -> str:
    share = judgement.population.merchants.top1_share
    return _top1(judgement, -share, "Merchants with the heaviest edge")


def _flattest(judgement: Judgement) -> str:
    share = judgement.population.merchants.top1_share
    return _top1(judgement, share, "Merchants whose heaviest edge is the lightest")


def _top1(judgement: Judgement, order: F64, title: str) -> str:
    share = judgement.population.merchants.top1_share
    shown = _merchants(judgement, order, {"heaviest edge": share}, title)
    return _distribution(share, "merchants", "weight of the heaviest edge") + "\n\n" + shown


def _alike(judgement: Judgement) -> str:
    """A spread that is too narrow has too many merchants in the middle."""
    share = judgement.population.merchants.top1_share
    order = np.abs(share - np.median(share))
    return _top1(judgement, order, "Merchants whose heaviest edge is nearest to the median")


def _divergence(judgement: Judgement) -> str:
    shares = judgement.population.merchants.country_share
    own = _divergence_from(shares.mean(axis=0), shares)
    plainest = _merchants(
        judgement, own, {"divergence, nats": own}, "Merchants nearest to the average country mix"
    )
    return _distribution(own, "merchants", "divergence from the average mix, nats") + "\n\n" + plainest


def _overlap(judgement: Judgement) -> str:
    merchants = judgement.population.merchants
    share = merchants.overlap
    none = int((share == 0.0).sum())
    lowest = _merchants(
        judgement,
        share,
        {"weight at home": share},
        "Merchants with the least weight in their settlement's country",
    )
    nowhere = int(merchants.settlement_unresolved.sum())
    note = f"Without any: {none} of {len(merchants)}; settled in no country: {nowhere}."
    return "\n\n".join([_distribution(share, "merchants", "edge weight at home"), note, lowest])


def _distance(judgement: Judgement) -> str:
    edges = judgement.population.edges
    frame = pl.DataFrame({"merchant": edges.merchant, "km": edges.distance_km})
    medians: F64 = frame.group_by("merchant").agg(pl.col("km").median()).sort("merchant")["km"].to_numpy()
    farthest = _merchants(
        judgement,
        -medians,
        {"median km": medians},
        "Merchants whose edges lie farthest from their settlement",
    )
    return _distribution(edges.distance_km, "edges", "distance to the settlement, km") + "\n\n" + farthest


def _unexplained(column: str) -> Evidence:
    def show(judgement: Judgement) -> str:
        rows = judgement.population.rows
        blank = rows.filter(pl.col(column).fill_null("").str.strip_chars() == "")
        if blank.is_empty():
            return f"Every one of {rows.height} rows names its {column}."
        shown = blank.select("merchant_id", "mcc", "channel", "home_country_iso").head(SHOWN)
        return f"{blank.height} rows without {column}, such as:\n\n" + _table(
            shown.columns, shown.iter_rows()
        )

    return show


def _rules(judgement: Judgement) -> str:
    virtual = judgement.population.rows.filter(pl.col("is_virtual"))
    decided = virtual.group_by("rule_id").len("rows").sort("rows", "rule_id", descending=[True, False])
    rows = [
        (rule or "(none)", count, percent(count / virtual.height, 1)) for rule, count in decided.iter_rows()
    ]
    head = f"{len(rows)} rules decide {virtual.height} virtual merchants; the first {min(SHOWN, len(rows))}:"
    return head + "\n\n" + _table(("rule", "virtual merchants", "share"), rows[:SHOWN])


def _decoding(judgement: Judgement) -> str:
    edges = judgement.population.edges
    frame = pl.DataFrame({"merchant": edges.merchant, "error": edges.decoding_error})
    worst: F64 = frame.group_by("merchant").agg(pl.col("error").max()).sort("merchant")["error"].to_numpy()
    return _merchants(
        judgement, -worst, {"largest error": worst}, "Merchants whose table decodes farthest from its weights"
    )


def _standing(judgement: Judgement) -> str:
    results = judgement.outputs.results
    if results is None:
        return "The contract was never run: there are no results."
    counted = results.group_by("test_type", "severity", "status").len("rows").sort("test_type", "severity")
    reasons = judgement.metrics.overall["realism_block_active_enforced"].detail.get("reasons", {})
    lines = [f"- {reason}: {_reason(found)}" for reason, found in reasons.items()]
    why = ["The block does not hold, because of:\n\n" + "\n".join(lines)] if lines else []
    return "\n\n".join([*why, _table(("family", "severity", "status", "rows"), counted.iter_rows())])


def _reason(found: Any) -> str:
    if not isinstance(found, Mapping):
        return str(found)
    return f"{found['count']}, such as {'; '.join(map(str, found['examples']))}"


def _zones(judgement: Judgement) -> str:
    settled = judgement.outputs.settlement
    zones = (
        settled.group_by("tzid_settlement")
        .len("settlements")
        .sort("settlements", "tzid_settlement", descending=[True, False])
    )
    rows = [
        (zone, count, percent(count / settled.height, 1)) for zone, count in zones.head(SHOWN).iter_rows()
    ]
    head = f"{zones.height} zones hold {settled.height} settlements; the commonest:"
    return head + "\n\n" + _table(("zone", "settlements", "share"), rows)


def _coordinates(judgement: Judgement) -> str:
    settled = judgement.outputs.settlement
    users = (
        settled.group_by("lat_deg", "lon_deg")
        .agg(merchants=pl.len(), first=pl.col("merchant_id").min(), zone=pl.col("tzid_settlement").first())
        .filter(pl.col("merchants") > 1)
        .sort("merchants", "first", descending=[True, False])
    )
    if users.is_empty():
        return f"All {settled.height} settlements have a coordinate of their own."
    head = f"{users.height} coordinates are shared by {users['merchants'].sum()} merchants; the fullest:"
    shown = users.select("lat_deg", "lon_deg", "zone", "merchants", "first").head(SHOWN)
    return (
        head
        + "\n\n"
        + _table(("latitude", "longitude", "zone", "merchants", "first merchant_id"), shown.iter_rows())
    )


def _distribution(values: F64, label: str, unit: str) -> str:
    quantiles = np.quantile(values, QUANTILES)
    header = ("minimum", *(f"{level:.0%}" for level in QUANTILES[1:-1]), "maximum")
    return _histogram(values, label, unit) + "\n\n" + _table(header, [[float(value) for value in quantiles]])


def _histogram(values: NDArray[Any], label: str, unit: str, bins: int = 10) -> str:
    """How many of the values fall into each of equally wide bins, as bars.

    Args:
        label: whose values these are, in the plural: merchants, edges.
    """
    if not values.size:
        return f"There are no {label}."
    if values.min() == values.max():
        return f"{label.capitalize()} by {unit}: all {values.size} at {number(values[0].item())}."
    counts, edges = np.histogram(values, bins=bins)
    bounds = [number(float(edge)) for edge in edges]
    width = max(map(len, bounds))
    most = max(int(counts.max()), 1)
    lines = [
        f"{low:>{width}} to {high:>{width}}  {_bar(count / most):<{BAR_WIDTH}} {count}"
        for low, high, count in zip(bounds, bounds[1:], counts.tolist(), strict=False)
    ]
    return "\n".join([f"{label.capitalize()} by {unit}:", "", "```", *lines, "```"])


def _bar(share: float) -> str:
    return "█" * round(share * BAR_WIDTH)


def _table(header: Sequence[str], rows: Iterable[Sequence[Any]]) -> str:
    return grid_markdown(plain_grid(header, rows))


def _merchants(judgement: Judgement, order: F64, shown: Mapping[str, F64], title: str) -> str:
    """The merchants with the smallest ``order``, ties by id."""
    merchants = judgement.population.merchants
    country = judgement.outputs.settlement["settlement_country"].to_list()
    rows = [
        (
            str(merchants.merchant_id[row]),
            str(merchants.virtual_class[row]),
            country[row] or "(none)",
            int(merchants.edges[row]),
            *(float(column[row]) for column in shown.values()),
        )
        for row in np.lexsort((merchants.merchant_id, order))[:SHOWN].tolist()
    ]
    header = ("merchant_id", "class", "settled in", "edges", *shown)
    return f"{title}:\n\n" + _table(header, rows)


def _divergence_from(mix: F64, shares: F64) -> F64:
    """Jensen–Shannon divergence, nats, of each row (n, countries) from one mix (countries,)."""
    middle = (shares + mix) / 2.0
    return _entropy(middle) - (_entropy(shares) + _entropy(mix[None, :])) / 2.0


def _entropy(shares: F64) -> F64:
    logs = np.log(shares, out=np.zeros_like(shares), where=shares > 0.0)
    entropy: F64 = -(shares * logs).sum(axis=1)
    return entropy


_EVIDENCE: Final[dict[str, Evidence]] = {
    "edges_per_merchant_cv": _edges,
    "countries_per_merchant_cv": _countries,
    "top1_share_p50": _heaviest,
    "top1_share_spread": _alike,
    "median_pairwise_js": _divergence,
    "settlement_overlap_median": _overlap,
    "settlement_overlap_p75": _overlap,
    "settlement_distance_median_km": _distance,
    "rule_id_non_null_rate": _unexplained("rule_id"),
    "rule_version_non_null_rate": _unexplained("rule_version"),
    "active_rule_id_count": _rules,
    "alias_max_abs_delta": _decoding,
    "realism_block_active_enforced": _standing,
    "settlement_tzid_top1_share": _zones,
    "settlement_unique_coord_ratio": _coordinates,
    "settlement_duplicate_exposure": _coordinates,
}
_EVIDENCE_BELOW: Final[dict[str, Evidence]] = {"top1_share_p50": _flattest}
