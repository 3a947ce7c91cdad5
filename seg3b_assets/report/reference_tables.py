"""The tables of the reference tier: each gate by seed, what it rests on, and what seeds come to together."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Final, TypeAlias

from seg3b_assets.certification.reference_documents import (
    NoCopies,
    OtherWorlds,
    ReferenceGate,
    ReferencePart,
    ReferenceSeed,
    ReferenceTier,
    SeedsOfOneKind,
)
from seg3b_assets.realism.reference_tier.pooling import POOLED_METRICS
from seg3b_assets.realism.reference_tier.registry import REFERENCE_METRICS
from seg3b_assets.realism.reference_tier.world import EVERYBODY
from seg3b_assets.report.content import FAIL, NOTHING, PASS, Cell, Grid, verdict_cell
from seg3b_assets.wording import NONE, bound, gate_name, listing, number, seeds_named, unit

Rows: TypeAlias = list[Sequence[Cell | str]]

STRENGTHS: Final = {
    "published": "published",
    "derived": "follows from published figures",
    "own_estimate": "our own estimate",
}


def reference_table(tier: ReferenceTier, seeds: Sequence[int]) -> Grid:
    """Every part of every gate against the seeds; a part with several scopes by its worst, which is named."""
    first = tier.seeds[seeds[0]]
    rows: Rows = [
        _part_row(gate, letter, {seed: tier.seeds[seed] for seed in seeds})
        for gate, found in first.gates.items()
        for letter in sorted({part.part for part in found.parts})
    ]
    rows += [
        _pooled_row(gate, part, len(seeds)) for gate, found in tier.pooled.items() for part in found.parts
    ]
    outcomes = [verdict_cell(tier.seeds[seed].passed) for seed in seeds]
    rows.append([Cell("all"), "every reference gate", "", "", *outcomes])
    return Grid(
        "Reference tier (A+) by seed",
        ("gate", "metric", "unit", "bound", *(f"seed {seed}" for seed in seeds)),
        rows,
        frozenset(range(3, 4 + len(seeds))),
        "A cell: the measured value and its margin, and the group it is worst in. Pooled: over all seeds, told "
        "once.",
        folded=True,
        spare=frozenset({2}),
    )


def _part_row(gate: str, letter: str, seeds: Mapping[int, ReferenceSeed]) -> list[Cell | str]:
    worst = {seed: _worst(one.gates[gate], letter) for seed, one in seeds.items()}
    stated = next(iter(worst.values()))
    return [Cell(f"{gate_name(gate)}{letter}"), *_told(stated), *(_measured(part) for part in worst.values())]


def _pooled_row(gate: str, part: ReferencePart, seeds: int) -> list[Cell | str]:
    return [Cell(f"{gate_name(gate)}{part.part}"), *_told(part), _measured(part), *[""] * (seeds - 1)]


def _told(part: ReferencePart) -> tuple[str, str, str]:
    metric = REFERENCE_METRICS.get(part.metric) or POOLED_METRICS[part.metric]
    return part.metric, unit(metric.unit), bound(part)


def _worst(gate: ReferenceGate, letter: str) -> ReferencePart:
    """Parts are kept worst first."""
    return next(part for part in gate.parts if part.part == letter)


def _measured(part: ReferencePart, named: bool = True) -> Cell:
    if part.passed is None:
        return Cell(NONE, NOTHING)
    scope = f" ({part.scope})" if named and part.scope != EVERYBODY else ""
    text = f"{number(part.observed)}{scope}"
    return Cell(text, PASS if part.passed else FAIL, part.margin, value=part.observed)


def across_table(tier: ReferenceTier) -> Grid:
    """RX1 to RX3: what must hold, what was found where it is worst."""
    across = tier.across
    rows: Rows = [
        _equivalence_row(across.equivalence),
        *_copies_rows(across.no_copies),
        _worlds_row(across.other_worlds),
    ]
    return Grid(
        "Reference tier over seeds", ("gate", "what", "bound", "worst", "where"), rows, frozenset({2, 3})
    )


def _equivalence_row(found: SeedsOfOneKind) -> list[Cell | str]:
    what = "distance of two seeds' distributions, and its upper end"
    if not found.pairs:
        return [Cell("RX1"), what, "", Cell(NONE, NOTHING), found.reason or ""]
    worst = max(found.pairs, key=lambda pair: (not pair.passed, pair.upper))
    limits = f"≤ {number(found.most)}, ≤ {number(found.upper_most)}"
    text = f"{number(worst.distance)}, {number(worst.upper)}"
    where = f"{worst.statistic}, {seeds_named(worst.seeds)}"
    return [Cell("RX1"), what, limits, Cell(text, PASS if found.passed else FAIL), where]


def _copies_rows(found: NoCopies) -> Rows:
    means, share = "p of the seeds' means, both tails", "merchants that are there twice"
    if not found.means or not found.pairs:
        return [[Cell("RX2"), means, "", Cell(NONE, NOTHING), found.reason or ""]]
    worst = min(found.means, key=lambda mean: (mean.passed, -1.0 if mean.p is None else mean.p))
    most = max(found.pairs, key=lambda pair: pair.share)
    return [
        [
            Cell("RX2"),
            means,
            f"≥ {number(found.p)}",
            Cell(number(worst.p), PASS if worst.passed else FAIL, value=worst.p),
            worst.statistic,
        ],
        [
            Cell("RX2"),
            share,
            f"≤ {number(found.most)}",
            Cell(number(most.share), PASS if most.passed else FAIL, value=most.share),
            seeds_named(most.seeds),
        ],
    ]


def _worlds_row(found: OtherWorlds) -> list[Cell | str]:
    outcome = Cell("not shown", NOTHING) if found.passed is None else verdict_cell(found.passed)
    return [Cell("RX3"), "the same policies over other worlds", "", outcome, found.reason or ""]


def sources_table(tier: ReferenceTier) -> Grid:
    """What each gate's metrics are, and where its bounds are from."""
    first = next(iter(tier.seeds.values()))
    rows: Rows = []
    for gate, found in first.gates.items():
        parts = {part.metric: part for part in (*found.parts, *_pooled_parts(tier, gate))}
        definitions = " ".join(
            (REFERENCE_METRICS.get(metric) or POOLED_METRICS[metric]).definition for metric in sorted(parts)
        )
        rows.append([Cell(gate_name(gate)), definitions, found.source, STRENGTHS[found.strength]])
    header = ("gate", "what is measured", "where the bounds are from", "strength")
    return Grid("What the reference gates mean", header, rows, folded=True)


def reference_gates_table(tier: ReferenceTier) -> Grid:
    """Each gate once: on how many seeds it holds, and the part that says most where it is worst."""
    rows: Rows = []
    for gate in _gates_of(tier):
        where, worst = _worst_of(tier, gate)
        judged = [found.passed for found in _everywhere(tier, gate).values() if found.passed is not None]
        state = NOTHING if not judged else PASS if all(judged) else FAIL
        rows.append(
            [
                Cell(f"{gate_name(gate)}{worst.part}"),
                worst.metric,
                bound(worst),
                _measured(worst, named=False),
                where,
                Cell(f"{sum(judged)} of {len(judged)}", state),
            ]
        )
    header = ("gate", "decided by", "bound", "worst", "where", "holds")
    return Grid("Reference tier (A+): each gate where it is worst", header, rows, frozenset({2, 3, 5}))


def worst_rows(tier: ReferenceTier) -> dict[str, str]:
    """By gate, one sentence on the part that says most where it is worst."""
    told = {}
    for gate in _gates_of(tier):
        where, part = _worst_of(tier, gate)
        if part.passed is None:
            told[gate] = f"{part.metric} is not applicable, {where}: {part.reason}."
        else:
            outcome = "holds" if part.passed else "missed"
            held = f"{part.metric} is {number(part.observed)}, bound {bound(part)}"
            told[gate] = f"{held}: {outcome}, {where}."
    return told


def gate_table(tier: ReferenceTier, gate: str) -> Grid:
    """Every part of one gate in every scope, on every seed."""
    rows: Rows = [
        [
            Cell(where),
            part.part,
            part.metric,
            part.scope,
            bound(part),
            _measured(part, named=False),
            str(part.n),
        ]
        for where, found in _everywhere(tier, gate).items()
        for part in found.parts
    ]
    header = ("where", "part", "metric", "scope", "bound", "measured", "over")
    return Grid(f"{gate_name(gate)} on every seed", header, rows, frozenset({4, 5, 6}))


def _gates_of(tier: ReferenceTier) -> list[str]:
    """Gates that a seed is held to, or all seeds together are."""
    return sorted({*tier.pooled, *(gate for one in tier.seeds.values() for gate in one.gates)})


def _everywhere(tier: ReferenceTier, gate: str) -> dict[str, ReferenceGate]:
    """A gate on each seed, and over all of them."""
    found = {f"seed {seed}": one.gates[gate] for seed, one in tier.seeds.items() if gate in one.gates}
    return found | ({"all seeds": tier.pooled[gate]} if gate in tier.pooled else {})


def _worst_of(tier: ReferenceTier, gate: str) -> tuple[str, ReferencePart]:
    """Where a gate is worst, and the part that says so."""
    where, part = min(
        ((name, found.parts[0]) for name, found in _everywhere(tier, gate).items()),
        key=lambda one: _standing(one[1]),
    )
    return where if part.scope == EVERYBODY else f"{where}, {part.scope}", part


def _standing(part: ReferencePart) -> tuple[int, float]:
    """Worst misses first, then the thinnest margins, what has no value last."""
    if part.passed is None:
        return (2, 0.0)
    if not part.passed:
        return (0, -1e300 if part.miss_pct is None else -part.miss_pct)
    return (1, 1.0 if part.margin is None else part.margin)


def _pooled_parts(tier: ReferenceTier, gate: str) -> tuple[ReferencePart, ...]:
    return tier.pooled[gate].parts if gate in tier.pooled else ()


def yardsticks_table(tier: ReferenceTier) -> Grid:
    """What the tier is judged by, as packaged with the release that scored."""
    rows: Rows = [[Cell(name), Cell(digest, code=True)] for name, digest in tier.yardsticks.items()]
    return Grid("What the reference gates are judged by", ("table", "digest or version"), rows, folded=True)


@dataclass(frozen=True)
class Standing:
    """How the tier stands: ids of gates that hold everywhere, fail somewhere, have nothing to show."""

    holding: tuple[str, ...]
    failing: tuple[str, ...]
    untold: tuple[str, ...]

    @property
    def counted(self) -> str:
        """How many hold."""
        every = len(self.holding) + len(self.failing) + len(self.untold)
        return f"{len(self.holding)} of {every} gates hold"

    @property
    def sentence(self) -> str:
        """Which do not."""
        told = [self.counted]
        if self.failing:
            told.append(f"{listing(map(gate_name, self.failing))} do not")
        if self.untold:
            told.append(f"{listing(map(gate_name, self.untold))} cannot be judged")
        return f"{'; '.join(told)}."


def standing_of(tier: ReferenceTier) -> Standing:
    """Each gate over all seeds, pooled and across."""
    outcomes: dict[str, list[bool | None]] = {}
    for gates in (*(one.gates for one in tier.seeds.values()), tier.pooled, tier.across.by_id):
        for gate, found in gates.items():
            outcomes.setdefault(gate, []).append(found.passed)
    failing = [gate for gate, found in outcomes.items() if False in found]
    holding = [gate for gate, found in outcomes.items() if False not in found and True in found]
    untold = [gate for gate in outcomes if gate not in failing and gate not in holding]
    return Standing(tuple(sorted(holding)), tuple(sorted(failing)), tuple(sorted(untold)))
