"""A certification for a person at a terminal: the gate matrix per seed, the checks over seeds, the verdict.

Reads the kept documents and nothing else, so that a certification found is shown like one just made. Fits
100 columns; what fails is marked ``!`` and does not depend on colour.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import Any, Final

from rich.text import Text

from seg3b_assets.certification.outcome import CertificationRun
from seg3b_assets.screen import Screen, Table, styled

WIDTH: Final = 100
SEEDS_PER_TABLE: Final = 4
LONG_SEEDS_PER_TABLE: Final = 2
LONGEST_SHORT_SEED: Final = 8
LEVELS: Final = (("hard_gates", "B"), ("stretch_gates", "B+"))

Record = Mapping[str, Any]
Line = tuple[str, bool, str]


def show_certification(run: CertificationRun, console: Screen) -> None:
    """Print everything a verdict rests on, the verdict last but for where the artefacts are."""
    for seeds in _abreast(list(run.metrics)):
        console.print(_matrix({seed: run.metrics[seed] for seed in seeds}))
        console.print()
    console.print(
        "Cells: the value and its margin; ! fails, by so much of the bound; n/a: nothing to measure."
    )
    console.print()
    console.print(_lines("over all seeds", _cross_seed_lines(run.summary["cross_seed_checks"])))
    console.print()
    console.print(_lines("confidence", _confidence_lines(run.summary["confidence"])))
    console.print()
    for seed, document in run.metrics.items():
        if document["provenance"]["blocked"] is not None:
            console.print(f"seed {seed} has no bundle: {document['provenance']['blocked']}")
    grade = "grade A" if run.grade_a else "not grade A"
    verdict = styled(f"{run.verdict}, {grade}", "bold green" if run.passed else "bold red")
    console.print(styled("verdict    ").append_text(verdict))
    console.print(f"summary    {run.summary_path}")
    if run.trace_path is not None:
        console.print(f"failures   {run.trace_path}")
    scored = "kept already, nothing scored" if run.reused else "scored"
    console.print(f"{scored}; {run.wall_s:.1f} s")


def _abreast(seeds: list[int]) -> list[list[int]]:
    """The seeds whose columns fit beside each other, table by table."""
    long = max(len(str(seed)) for seed in seeds) > LONGEST_SHORT_SEED
    size = LONG_SEEDS_PER_TABLE if long else SEEDS_PER_TABLE
    return [seeds[start : start + size] for start in range(0, len(seeds), size)]


def _matrix(documents: Mapping[int, Record]) -> Table:
    table = Table(padding=(0, 1, 0, 0))
    for header in ("gate", "metric", "bound"):
        table.add_column(header, no_wrap=True)
    for seed in documents:
        table.add_column(f"seed {seed}", no_wrap=True, justify="right")
    for level, name in LEVELS:
        first = next(iter(documents.values()))[level]
        for gate in sorted(first, key=_gate_order):
            for position, condition in enumerate(_conditions(first[gate])):
                cells = [
                    _cell(_conditions(document[level][gate])[position]) for document in documents.values()
                ]
                gate_name = gate.removeprefix("3B-") if position == 0 else ""
                table.add_row(gate_name, condition["metric"], _bound(condition), *cells)
        table.add_row("", "", name, *(_outcome(document, level) for document in documents.values()))
        table.add_section()
    table.add_row("", "", "verdict", *(document["verdict"] for document in documents.values()))
    return table


def _gate_order(gate: str) -> tuple[bool, str]:
    """V before D, as the gates are told; S among themselves."""
    return (gate.startswith("3B-D"), gate)


def _conditions(gate: Record) -> Sequence[Record]:
    found: Sequence[Record] = gate.get("conditions", (gate,))
    return found


def _outcome(document: Record, level: str) -> Text:
    return _passed(document[level.replace("gates", "pass")])


def _passed(passed: bool) -> Text:
    return styled("pass", "green") if passed else styled("! FAIL", "bold red")


def _cell(condition: Record) -> Text:
    if condition["pass"] is None:
        return styled("n/a", "yellow")
    observed = _number(condition["observed"])
    if condition["pass"]:
        return styled(observed + ("" if condition["margin"] is None else f" {condition['margin']:+.0%}"))
    counted = condition["margin"] is not None and condition["miss_pct"] is not None
    return styled(f"!{observed}" + (f" -{condition['miss_pct']:.0f}%" if counted else ""), "bold red")


def _bound(condition: Record) -> str:
    threshold = condition["threshold"]
    if condition["operator"] == "range":
        return "..".join(_number(end) for end in threshold)
    shown = _number(threshold)
    return shown if condition["operator"] == "bool_true" else f"{condition['operator']} {shown}"


def _number(value: Any) -> str:
    if isinstance(value, bool):
        return str(value).lower()
    if abs(value) >= 1000:
        return f"{value:.0f}"
    return f"{value:.2g}" if abs(value) < 0.001 else f"{value:.3g}"


def _lines(title: str, lines: Iterator[Line]) -> Table:
    table = Table(padding=(0, 1, 0, 0))
    for header in (title, "", ""):
        table.add_column(header)
    for name, passed, text in lines:
        table.add_row(name, _passed(passed), text)
    return table


def _cross_seed_lines(checks: Record) -> Iterator[Line]:
    stable, prevalent, sound = checks["3B-X01"], checks["3B-X02"], checks["3B-X03"]
    known = {metric: cv for metric, cv in stable["metric_cvs"].items() if cv is not None}
    worst = max(known, key=lambda metric: known[metric], default=None)
    largest = "no metric on every seed" if worst is None else f"largest CV {known[worst]:.4f} ({worst})"
    bounds = f"B <= {stable['max_cv_b']:g}, B+ <= {stable['max_cv_bplus']:g}"
    yield "X01 stability", stable["pass_bplus"], f"{largest}; {bounds}"
    rates = [rate for rate in prevalent["virtual_rate_values"].values() if rate is not None]
    seen = f"virtual rate {min(rates):.4f} .. {max(rates):.4f}" if rates else "no rate"
    yield (
        "X02 prevalence",
        prevalent["pass"],
        f"{seen}; band {prevalent['band'][0]} .. {prevalent['band'][1]}",
    )
    by_seed = sorted(sound["all_hard_gates_pass"].items(), key=_seed_order)
    failing = [seed for seed, passed in by_seed if not passed]
    text = f"fails on seed {', '.join(failing)}" if failing else "every hard gate on every seed"
    yield "X03 hard gates", sound["pass"], text


def _confidence_lines(layers: Record) -> Iterator[Line]:
    yield "bootstrap", layers["bootstrap_overlap"]["pass"], _bootstrap(layers["bootstrap_overlap"])
    yield "seeds alike", layers["ks_top1_share"]["pass"], _alike(layers["ks_top1_share"])
    yield "coupling", layers["coupling_uplift"]["pass"], _uplift(layers["coupling_uplift"])
    yield "classes", layers["class_slices"]["pass"], _classes(layers["class_slices"])
    rows = [seed["rows"] for seed in layers["contract_rows"]["seeds"].values()]
    minimum = layers["contract_rows"]["minimum"]
    yield "contract", layers["contract_rows"]["pass"], f"{min(rows)} rows or more; at least {minimum}"


def _bootstrap(layer: Record) -> str:
    lower = {seed: row["lower"] for seed, row in layer["seeds"].items() if row["lower"] is not None}
    if not lower:
        return "no merchant to resample"
    seed = min(lower, key=lambda one: lower[one])
    return (
        f"overlap median, lower end {lower[seed]:.4f} (seed {seed}) of the {layer['level']:.0%} interval; "
        f"must exceed {layer['must_exceed']}"
    )


def _alike(layer: Record) -> str:
    if not layer["pairs"]:
        return "needs two seeds"
    pair = min(layer["pairs"], key=lambda one: one["p_holm"])
    seeds = " and ".join(str(seed) for seed in pair["seeds"])
    return f"heaviest shares, smallest adjusted p {pair['p_holm']:.4f} (seeds {seeds}); at least {layer['p']}"


def _uplift(layer: Record) -> str:
    shown = [row for row in layer["seeds"].values() if row["shown"]]
    if len(shown) < len(layer["seeds"]):
        return "not shown on every seed"
    ratios = [row["overlap_ratio"] for row in shown if row["overlap_ratio"] is not None]
    overlap = f"x{min(ratios):.3g}" if ratios else "from nothing"
    nearer = min(row["distance_reduction"] for row in shown)
    return (
        f"against no coupling: overlap {overlap} (at least x{layer['overlap_ratio']:g}), "
        f"distance {nearer:.0%} lower (at least {layer['distance_reduction']:.0%})"
    )


def _classes(layer: Record) -> str:
    failed = [
        f"seed {seed} {name}: {' '.join(gate.removeprefix('3B-') for gate in gates)}"
        for seed, row in sorted(layer["seeds"].items(), key=_seed_order)
        for name, gates in row["failed"].items()
    ]
    if failed:
        return "\n".join(failed)
    return f"every hard gate in every class of {layer['min_class_size']} merchants or more"


def _seed_order(item: tuple[str, Any]) -> int:
    """Documents sort seeds as text; people do not."""
    return int(item[0])
