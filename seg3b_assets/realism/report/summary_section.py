"""The verdict in plain words: what was found, what it means, and what to do next."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any, Final

from seg3b_assets.realism.gates import FAIL_REALISM, PASS_B, PASS_BPLUS
from seg3b_assets.realism.report.comparison import deltas
from seg3b_assets.realism.report.content import Heading, Points, Section
from seg3b_assets.realism.report.gate_section import GateRow, gate_rows
from seg3b_assets.realism.report.knobs import knob
from seg3b_assets.realism.report.material import ReportMaterial, Yardstick
from seg3b_assets.realism.report.wording import bound, gate_name, listing, number, percent, seeds_named

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
    rows = [row for row in gate_rows(material) if row.thinnest is not None]
    if rows and material.verdict != FAIL_REALISM:
        yield _thinnest(min(rows, key=_margin))
    yield from _world(material)
    yield from (told for yardstick in material.yardsticks if (told := _against(material, yardstick)))


def _margin(row: GateRow) -> float:
    return row.thinnest[1] if row.thinnest is not None else float("inf")


def _verdict(material: ReportMaterial) -> str:
    grade = "grade A" if material.grade_a else "not grade A"
    meaning, seeds = _MEANING[material.verdict], seeds_named(material.seeds)
    told = f"The segment {meaning} ({material.verdict}, {grade}), over {seeds}."
    missing = [seed for seed in material.summary["required_seeds"] if seed not in material.seeds]
    if missing:
        told += f" The policy also asks for {seeds_named(missing)}, which this certification does not cover."
    if material.verdict == PASS_BPLUS and not material.grade_a:
        layers = material.summary["confidence"]
        failed = [
            name.replace("_", " ") for name, layer in layers.items() if name != "pass" and not layer["pass"]
        ]
        told += f" Grade A is withheld by the confidence layer: {listing(failed)}."
    return told


def _thinnest(row: GateRow) -> str:
    assert row.thinnest is not None
    seed, margin = row.thinnest
    condition = row.seeds[seed]
    return (
        f"The gate nearest its bound is {gate_name(row.gate)} ({row.level}), {row.metric}, on seed {seed}: "
        f"{number(condition['observed'])} against {bound(condition)}, a margin of {percent(margin)}."
    )


def _world(material: ReportMaterial) -> Iterator[str]:
    counts = [document["metrics"]["n"] for document in material.metrics.values()]
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
    measured = [document["metrics"] for document in material.metrics.values()]
    counted = [metrics["settlements"] for metrics in measured if "settlements" in metrics]
    drawn, ingested = (sum(one[key] for one in counted) for key in ("drawn", "ingested"))
    if not drawn + ingested:
        return ""
    if not ingested:
        return f"Upstream gives no settlement's coordinate: all {number(drawn)} were drawn."
    return f"Of {number(drawn + ingested)} settlements {number(drawn)} were drawn, for want of a coordinate."


def _middle(material: ReportMaterial, metric: str) -> float | None:
    known = [value for value in material.values(metric).values() if value is not None]
    return sum(known) / len(known) if known else None


def _against(material: ReportMaterial, yardstick: Yardstick) -> str:
    found = {delta.metric.name: delta for delta in deltas(material, yardstick)}
    if not found:
        return f"{yardstick.title}: {yardstick.source}"
    parts = [
        f"{label} {number(found[name].ours)} here, {number(found[name].theirs)} there"
        for name, label in (
            ("median_pairwise_js", "how much merchants' mixes differ (median divergence)"),
            ("settlement_overlap_median", "traffic at home (median share)"),
            ("settlement_distance_median_km", "distance to settlement (median km)"),
        )
        if found[name].change is not None
    ]
    return f"Against the {yardstick.title.lower()}: {'; '.join(parts)}." if parts else ""


def actions(material: ReportMaterial) -> Iterator[str]:
    """What to do next, most urgent first."""
    failures = material.summary["ranked_failures"]
    if not failures:
        yield from _watch(material)
        return
    grouped: dict[tuple[str, str], list[dict[str, Any]]] = {}
    unmeasured = sorted({gate_name(failure["gate"]) for failure in failures if failure["observed"] is None})
    for failure in failures:
        if failure["observed"] is None:
            continue
        grouped.setdefault((failure["gate"], failure["level"]), []).append(failure)
    for (gate, level), found in list(grouped.items())[:SHOWN_ACTIONS]:
        yield " ".join(filter(None, [_action(gate, level, found), _knob(material, found)]))
    left = len(grouped) - SHOWN_ACTIONS
    if left > 0:
        yield f"{left} more gates fail; the table of failures below has them in order."
    if unmeasured:
        yield f"{listing(unmeasured)} have nothing to measure, and cannot pass until there is."
    for seed, document in material.metrics.items():
        if document["provenance"].get("blocked"):
            yield f"Seed {seed} has no bundle and cannot be released: {document['provenance']['blocked']}."


def _action(gate: str, level: str, found: list[dict[str, Any]]) -> str:
    worst = found[0]
    seeds = [failure["seed"] for failure in found if failure["seed"] is not None]
    where = "over all seeds" if not seeds else f"on {seeds_named(seeds)}"
    place = f"{worst['state']}, lane {worst['lane']}"
    policy = _POLICY.get((worst["state"], worst["lane"]))
    look = {
        "policy": f"the numbers in {policy}" if policy else "the policy's numbers",
        "code": f"the code of {worst['state']}: no policy should be able to cause this",
        "upstream": "the upstream world: the inputs do not allow better",
    }[worst["fault_domain"]]
    measured = f"{number(worst['observed'])}, needs {bound(worst)}"
    return f"{gate_name(gate)} ({level}) fails {where}: {worst['metric']} is {measured}. Look first at {place}: {look}."


def _knob(material: ReportMaterial, found: list[dict[str, Any]]) -> str:
    """What brings the worst seed back, where the world's mix can be the cause."""
    told = (knob(material, failure) for failure in found)
    return next(filter(None, told), "")


def _watch(material: ReportMaterial) -> Iterator[str]:
    yield "Nothing fails: the outputs of these seeds can be exported and used."
    thin = sorted(
        (row for row in gate_rows(material) if row.thinnest and 0 <= row.thinnest[1] < THIN), key=_margin
    )
    if thin:
        names = listing(f"{gate_name(row.gate)} {row.metric} ({percent(_margin(row))})" for row in thin)
        yield f"Watch what is within {percent(THIN)} of its bound: {names}."
    else:
        yield (
            f"Every gate has at least {percent(THIN)} of its bound to spare; certify again after a change "
            "of "
            "policy, code or upstream."
        )
