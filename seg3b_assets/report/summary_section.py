"""The verdict in plain words: what was found, what it means, and what to do next.

Where a gate fails for the mix of an upstream world, the knob of a policy that brings it back is named, and how far
to turn it. The shipped policies were tuned to one world's merchants; in another one, with other categories or
homes, the same numbers give another rate or another concentration, and nothing is wrong with the code. What is said
follows from the counts the certification kept: no candidate is run, so the figure is where to begin, not where it
will end.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from typing import Final

import polars as pl

from seg3b_assets.certification.documents import LEVELS, Failure
from seg3b_assets.certification.references import Reference
from seg3b_assets.realism.gates import FAIL_REALISM, PASS_B, PASS_BPLUS
from seg3b_assets.report.comparison import deltas
from seg3b_assets.report.content import Heading, Points, Section
from seg3b_assets.report.material import ReportMaterial
from seg3b_assets.report.tables import GateRow, gate_rows
from seg3b_assets.wording import bound, gate_name, listing, margin, number, percent, seeds_named

_SHOWN: Final = 3
_RULES: Final = "policies/mcc_channel_rules.yaml"
_SETTLEMENT: Final = "policies/settlement.yaml"


def knob(material: ReportMaterial, failure: Failure) -> str:
    """A sentence for a failed gate that the world's mix can cause; empty for any other.

    Args:
        failure: an entry of the summary's ``ranked_failures``.
    """
    turn = _KNOBS.get(failure.metric)
    seed = failure.seed
    if (
        turn is None
        or seed is None
        or seed not in material.plots
        or failure.observed is None
        or failure.statistic
    ):
        return ""
    return turn(material.plots[seed], failure)


def _rate(frames: Mapping[str, pl.DataFrame], failure: Failure) -> str:
    """Scale the propensities of the categories that give most virtual merchants until the rate is mid-band."""
    groups = frames["virtual_rate_by_mcc_channel"]
    assert isinstance(failure.threshold, tuple)
    low, high = failure.threshold
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
    lacking = int(_bound(failure) - (failure.observed or 0))
    told = f"{lacking} more rule{'' if lacking == 1 else 's'} must find merchants in this world. "
    return told + _no_rule_fits(groups, int(groups["rows"].sum()))


def _zone(frames: Mapping[str, pl.DataFrame], failure: Failure) -> str:
    """Lower the weight of the zone's jurisdictions until its share is at the bound: n f / (N - n + n f) = b."""
    zones, bound = frames["settlement_zones"], _bound(failure)
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


def _bound(failure: Failure) -> float:
    assert not isinstance(failure.threshold, tuple)
    return float(failure.threshold)


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


THIN: Final = 0.10
SHOWN_ACTIONS: Final = 8
_POLICY: Final = {
    ("S1", "classification"): "policies/mcc_channel_rules.yaml",
    ("S1", "settlement"): "policies/settlement.yaml",
    ("S2", "topology"): "policies/edge_topology.yaml",
    ("S2", "weights"): "policies/edge_topology.yaml, edge_weights",
    ("S3", "tables"): "policies/alias_layout.yaml",
    ("S4", "results"): "policies/virtual_validation.yaml",
}
_MEANING: Final = {
    PASS_BPLUS: "passes, with every stretch gate",
    PASS_B: "passes its hard gates, not every stretch gate",
    FAIL_REALISM: "fails: its world is not believable enough to release",
}


def summary_section(material: ReportMaterial) -> Section:
    return Section(
        "summary",
        "In plain words",
        [
            Points(list(findings(material))),
            Heading("What to do"),
            Points(list(actions(material)), numbered=True),
        ],
    )


def findings(material: ReportMaterial) -> Iterator[str]:
    """What was found, a sentence or two each."""
    yield _verdict(material)
    rows = [row for row in gate_rows(material.metrics) if row.thinnest is not None]
    if rows and material.verdict != FAIL_REALISM:
        yield _thinnest(min(rows, key=_margin))
    yield from _world(material)
    yield from (told for reference in material.references if (told := _against(material, reference)))


def _margin(row: GateRow) -> float:
    return row.thinnest[1] if row.thinnest is not None else float("inf")


def _verdict(material: ReportMaterial) -> str:
    grade = "grade A" if material.grade_a else "not grade A"
    meaning, seeds = _MEANING[material.verdict], seeds_named(material.seeds)
    told = f"The segment {meaning} ({material.verdict}, {grade}), over {seeds}."
    missing = [seed for seed in material.summary.required_seeds if seed not in material.seeds]
    if missing:
        told += f" The policy also asks for {seeds_named(missing)}, which this certification does not cover."
    if material.verdict == PASS_BPLUS and not material.grade_a:
        layers = dict(material.summary.confidence)
        failed = [
            name.replace("_", " ") for name, layer in layers.items() if name != "passed" and not layer.passed
        ]
        told += f" Grade A is withheld by the confidence layer: {listing(failed)}."
    return told


def _thinnest(row: GateRow) -> str:
    assert row.thinnest is not None
    seed, inside = row.thinnest
    condition = row.seeds[seed]
    return (
        f"The gate nearest its bound is {gate_name(row.gate)} ({LEVELS[row.level]}), {row.first.metric}, "
        f"on seed {seed}: {number(condition.observed)} against {bound(condition)}, a margin of {margin(inside)}."
    )


def _world(material: ReportMaterial) -> Iterator[str]:
    counts = [document.metrics.n for document in material.metrics.values()]
    rate = _middle(material, "virtual_rate")
    if not any(count.get("edges_per_merchant_median") for count in counts):
        yield (
            "No merchant is virtual on any seed, so there is no network to judge; what has nothing to "
            "measure cannot pass."
        )
        return
    yield (
        f"{percent(rate, 1)} of merchants are virtual. The median one has "
        f"{number(_middle(material, 'edges_per_merchant_median'))} edges, "
        f"puts {percent(_middle(material, 'top1_share_p50'), 1)} of its traffic on the heaviest and "
        f"{percent(_middle(material, 'settlement_overlap_median'), 1)} in the country it settles in; half "
        "of all edges lie within "
        f"{number(_middle(material, 'settlement_distance_median_km'))} km of their settlement. (Means over "
        "seeds.)"
    )
    yield from filter(None, [_settled(material)])


def _settled(material: ReportMaterial) -> str:
    """How many settlements rest on upstream's coordinates; empty where nobody counted."""
    counted = [found for one in material.metrics.values() if (found := one.metrics.settlements) is not None]
    drawn, ingested = sum(one.drawn for one in counted), sum(one.ingested for one in counted)
    if not drawn + ingested:
        return ""
    if not ingested:
        return f"Upstream gives no settlement's coordinate: all {number(drawn)} were drawn."
    return f"Of {number(drawn + ingested)} settlements {number(drawn)} were drawn, for want of a coordinate."


def _middle(material: ReportMaterial, metric: str) -> float | None:
    known = [value for value in material.values(metric).values() if value is not None]
    return sum(known) / len(known) if known else None


def _against(material: ReportMaterial, reference: Reference) -> str:
    found = {delta.metric.name: delta for delta in deltas(material, reference)}
    if not found:
        return f"{reference.title}: {reference.source}"
    parts = [
        f"{label} {number(found[name].ours)} here, {number(found[name].theirs)} there"
        for name, label in (
            ("median_pairwise_js", "how much merchants' mixes differ (median divergence)"),
            ("settlement_overlap_median", "traffic at home (median share)"),
            ("settlement_distance_median_km", "distance to settlement (median km)"),
        )
        if found[name].change is not None
    ]
    return f"Against the {reference.title.lower()}: {'; '.join(parts)}." if parts else ""


def actions(material: ReportMaterial) -> Iterator[str]:
    """What to do next, most urgent first."""
    failures = material.summary.ranked_failures
    if not failures:
        yield from _watch(material)
        return
    grouped: dict[tuple[str, str], list[Failure]] = {}
    unmeasured = sorted({gate_name(failure.gate) for failure in failures if failure.observed is None})
    for failure in failures:
        if failure.observed is None:
            continue
        grouped.setdefault((failure.gate, failure.level), []).append(failure)
    for (gate, level), found in list(grouped.items())[:SHOWN_ACTIONS]:
        yield " ".join(filter(None, [_action(gate, level, found), _knob(material, found)]))
    left = len(grouped) - SHOWN_ACTIONS
    if left > 0:
        yield f"{left} more gates fail; the table of failures below has them in order."
    if unmeasured:
        yield f"{listing(unmeasured)} have nothing to measure, and cannot pass until there is."
    for seed, document in material.metrics.items():
        if document.provenance.blocked:
            yield f"Seed {seed} has no bundle and cannot be released: {document.provenance.blocked}."


def _action(gate: str, level: str, found: list[Failure]) -> str:
    worst = found[0]
    seeds = [failure.seed for failure in found if failure.seed is not None]
    where = "over all seeds" if not seeds else f"on {seeds_named(seeds)}"
    place = f"{worst.state}, lane {worst.lane}"
    policy = _POLICY.get((worst.state, worst.lane))
    look = {
        "policy": f"the numbers in {policy}" if policy else "the policy's numbers",
        "code": f"the code of {worst.state}: no policy should be able to cause this",
        "upstream": "the upstream world: the inputs do not allow better",
    }[worst.fault_domain]
    measured = f"{number(worst.observed)}, needs {bound(worst)}"
    return f"{gate_name(gate)} ({level}) fails {where}: {worst.metric} is {measured}. Look first at {place}: {look}."


def _knob(material: ReportMaterial, found: list[Failure]) -> str:
    """What brings the worst seed back, where the world's mix can be the cause."""
    told = (knob(material, failure) for failure in found)
    return next(filter(None, told), "")


def _watch(material: ReportMaterial) -> Iterator[str]:
    yield "Nothing fails: the outputs of these seeds can be exported and used."
    thin = sorted(
        (row for row in gate_rows(material.metrics) if row.thinnest and 0 <= row.thinnest[1] < THIN),
        key=_margin,
    )
    if thin:
        names = listing(f"{gate_name(row.gate)} {row.first.metric} ({margin(_margin(row))})" for row in thin)
        yield f"Watch what is within {percent(THIN)} of its bound: {names}."
    else:
        yield (
            f"Every gate has at least {percent(THIN)} of its bound to spare; certify again after a change "
            "of "
            "policy, code or upstream."
        )
