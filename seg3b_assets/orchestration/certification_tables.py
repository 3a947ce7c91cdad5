"""A certification's documents as markdown for Dagster's pages: seeds, gates, seeds together, confidence."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import Any, Final

from seg3b_assets.certification import CertificationRun
from seg3b_assets.orchestration.markdown import percent, short, signed_percent, table, text

LEVELS: Final = (("hard_gates", "B"), ("stretch_gates", "B+"))
SIGNS: Final = {">=": "≥", "<=": "≤", "range": "in", "bool_true": "is"}
SHOWN_FAILURES: Final = 30
# Keeps a cell of the matrix on one line, however many seeds stand beside each other.
UNBROKEN: Final = "\N{NO-BREAK SPACE}"

Record = Mapping[str, Any]


def seeds_table(run: CertificationRun) -> str:
    """Verdict of each seed, what it rests on, and why it has no bundle where it has none."""
    rows = [
        (
            seed,
            document["verdict"],
            document["hard_pass"],
            document["stretch_pass"],
            document["provenance"]["lineage_id"][:12],
            document["provenance"]["blocked"] or "sealed",
        )
        for seed, document in run.metrics.items()
    ]
    return table(("seed", "verdict", "hard gates", "stretch gates", "lineage", "bundle"), rows)


def gate_matrix(run: CertificationRun) -> str:
    """Every gate against every seed: the value and its margin, ✗ where it fails; the thinnest margin last."""
    documents = list(run.metrics.values())
    rows = []
    for level, name in LEVELS:
        for gate in sorted(documents[0][level], key=lambda gate: (gate.startswith("3B-D"), gate)):
            conditions = [list(_conditions(document[level][gate])) for document in documents]
            rows += [_matrix_row(gate, name, each) for each in zip(*conditions, strict=True)]
    header = ("gate", "", "metric", "bound", *(f"seed {seed}" for seed in run.metrics), "thinnest margin")
    return table(header, rows)


def cross_seed_table(run: CertificationRun) -> str:
    """The gates over seeds."""
    checks = run.summary["cross_seed_checks"]
    stable, prevalent, sound = checks["3B-X01"], checks["3B-X02"], checks["3B-X03"]
    limits, band = f"≤ {stable['max_cv_bplus']} (B ≤ {stable['max_cv_b']})", prevalent["band"]
    rows: list[Sequence[Any]] = [
        ("X01", cv is not None and cv <= stable["max_cv_bplus"], text(cv), limits, f"CV of {metric}")
        for metric, cv in stable["metric_cvs"].items()
    ]
    rows += [
        ("X02", _inside(rate, band), text(rate), f"in {text(band)}", f"virtual rate, seed {seed}")
        for seed, rate in prevalent["virtual_rate_values"].items()
    ]
    rows += [
        ("X03", passed, text(passed), "all hold", f"hard gates, seed {seed}")
        for seed, passed in sound["all_hard_gates_pass"].items()
    ]
    return table(("gate", "holds", "measured", "bound", "of what"), rows)


def confidence_table(run: CertificationRun) -> str:
    """The layers of confidence, one by one."""
    layers = run.summary["confidence"]
    return table(("layer", "seed", "found", "holds"), _layers(layers))


def failures_table(run: CertificationRun) -> str | None:
    """Failing gates, worst first; None when there is none."""
    failures = run.summary["ranked_failures"]
    if not failures:
        return None
    rows = [
        (
            failure["gate"],
            failure["level"],
            "all" if failure["seed"] is None else failure["seed"],
            failure["metric"],
            text(failure["observed"]),
            _bound(failure),
            "n/a" if failure["miss_pct"] is None else f"{failure['miss_pct']:.1f} %",
            f"{failure['state']}, {failure['lane']} ({failure['fault_domain']})",
        )
        for failure in failures[:SHOWN_FAILURES]
    ]
    return table(("gate", "level", "seed", "metric", "measured", "bound", "miss", "look first"), rows)


def _inside(rate: float | None, band: Sequence[float] | None) -> bool:
    return rate is not None and band is not None and band[0] <= rate <= band[1]


def _matrix_row(gate: str, level: str, conditions: Sequence[Record]) -> tuple[str, ...]:
    margins = [condition["margin"] for condition in conditions if condition["margin"] is not None]
    first = conditions[0]
    cells = [_cell(condition) for condition in conditions]
    thinnest = signed_percent(min(margins, default=None))
    return (gate.removeprefix("3B-"), level, first["metric"], _bound(first), *cells, thinnest)


def _cell(condition: Record) -> str:
    if condition["pass"] is None:
        return "n/a"
    mark = "" if condition["pass"] else f"✗{UNBROKEN}"
    margin = "" if condition["margin"] is None else f"{UNBROKEN}{signed_percent(condition['margin'])}"
    return f"{mark}{short(condition['observed'])}{margin}"


def _conditions(gate: Record) -> Sequence[Record]:
    found: Sequence[Record] = gate.get("conditions", (gate,))
    return found


def _bound(condition: Record) -> str:
    told = f"{SIGNS[condition['operator']]} {text(condition['threshold'])}"
    return told.replace(" ", UNBROKEN)


def _layers(layers: Record) -> Iterator[Sequence[Any]]:
    bootstrap, uplift = layers["bootstrap_overlap"], layers["coupling_uplift"]
    for seed, row in bootstrap["seeds"].items():
        told = f"overlap median {text(row['estimate'])}, lower end {text(row['lower'])}"
        yield "bootstrap", seed, f"{told}, must exceed {text(bootstrap['must_exceed'])}", row["pass"]
    for pair in layers["ks_top1_share"]["pairs"]:
        seeds = " and ".join(str(seed) for seed in pair["seeds"])
        found = f"adjusted p {text(pair['p_holm'])}, at least {layers['ks_top1_share']['p']}"
        yield "seeds alike", seeds, found, pair["pass"]
    for seed, row in uplift["seeds"].items():
        found = f"overlap ×{text(row['overlap_ratio'])}, distance {percent(row['distance_reduction'])} lower"
        yield "coupling", seed, found if row["shown"] else "not shown", row["pass"]
    for seed, row in layers["class_slices"]["seeds"].items():
        failed = "; ".join(f"{name}: {', '.join(gates)}" for name, gates in row["failed"].items())
        yield "classes", seed, failed or "every hard gate in every class", row["pass"]
    for seed, row in layers["contract_rows"]["seeds"].items():
        yield (
            "contract",
            seed,
            f"{row['rows']} rows, at least {layers['contract_rows']['minimum']}",
            row["pass"],
        )
