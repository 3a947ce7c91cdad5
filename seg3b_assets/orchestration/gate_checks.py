"""Realism gates as asset checks: one per gate, on the asset whose output it measures; and the guard in front of S5.

Which gates there are is read from the two policies that declare them when the code location loads; their bounds when
a check runs. One step judges a lineage once and answers for every gate that was asked for. A hard gate that fails is
an ERROR where the policy enforces realism and a WARN where it observes; a stretch gate is a WARN. None of them stops
anything. ``realism_guard`` does: it says what S5 would say by itself, across runs and without Dagster too; here it is
seen before S5 starts.
"""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import dagster as dg
import polars as pl

from seg3b_assets.laws.errors import Seg3BError
from seg3b_assets.orchestration.lineage import SEEDS, certification_policy
from seg3b_assets.orchestration.resources import Installation
from seg3b_assets.orchestration.run_log import explained_failures
from seg3b_assets.policies import VirtualValidation
from seg3b_assets.realism import METRICS, Condition, GateResult
from seg3b_assets.realism.contract_run import blocking_failures
from seg3b_assets.realism.judgement import Judgement, PublishedSeed, judge
from seg3b_assets.realism.policy_reading import load_policy
from seg3b_assets.report.gate_evidence import evidence
from seg3b_assets.report.markdown import grid_markdown
from seg3b_assets.report.tables import plain_grid
from seg3b_assets.settings import Settings
from seg3b_assets.shipped import shipped
from seg3b_assets.wording import bound, margin, number, percent


@dataclass(frozen=True)
class GateDefinition:
    """One gate as a check.

    Attributes:
        gate_id: ``3B-V01``.
        dataset: the asset it is checked on.
        metrics: what it holds.
        hard: whether it belongs to the sealed policy.
    """

    gate_id: str
    dataset: str
    metrics: tuple[str, ...]
    hard: bool

    @property
    def check_name(self) -> str:
        """``gate_3B_V01``: Dagster allows letters, digits and underscores."""
        return f"gate_{self.gate_id.replace('-', '_')}"


def gate_definitions() -> tuple[GateDefinition, ...]:
    """Every hard gate, then every stretch gate that is not the tighter bound of a hard gate's own id."""
    hard, stretch = _virtual_validation().hard_gates, certification_policy().stretch_gates
    return (
        *(
            GateDefinition(gate_id, rule.dataset, (rule.metric,), hard=True)
            for gate_id, rule in sorted(hard.items())
        ),
        *(
            GateDefinition(gate_id, hard[rule.hard_gates[0]].dataset, tuple(rule.metrics), hard=False)
            for gate_id, rule in sorted(stretch.items())
            # A band of a gate that there is not is S0's to refuse; a code location loads without it.
            if gate_id not in hard and rule.hard_gates[0] in hard
        ),
    )


def _virtual_validation() -> VirtualValidation:
    """The policy in force or, while that one cannot be read, the shipped one: S0 is who refuses it."""
    try:
        return load_policy(Settings.from_environment().policies, VirtualValidation)
    except Seg3BError:
        return load_policy(shipped("policies"), VirtualValidation)


GATES = gate_definitions()
Sought = tuple[str, bool]


def _spec(gate: GateDefinition) -> dg.AssetCheckSpec:
    level = "Hard gate" if gate.hard else "Stretch gate"
    definitions = " ".join(METRICS[metric].definition for metric in gate.metrics)
    return dg.AssetCheckSpec(
        gate.check_name,
        asset=gate.dataset,
        description=f"{level} {gate.gate_id}. {definitions}",
        metadata={"gate": gate.gate_id, "metrics": ", ".join(gate.metrics)},
        partitions_def=SEEDS,
    )


@dg.multi_asset_check(name="realism_gates", specs=[_spec(gate) for gate in GATES], can_subset=True)
def realism_gates(
    context: dg.AssetCheckExecutionContext, installation: Installation
) -> Iterator[dg.AssetCheckResult]:
    """Measure what is published of the seed, and hold it against every gate that was asked for."""
    with explained_failures():
        seed = installation.published_seed(context)
        judgement = judge(seed, installation.settings().workers)
    wanted = context.selected_asset_check_keys
    yield from gate_results(
        judgement,
        [gate for gate in GATES if dg.AssetCheckKey(dg.AssetKey(gate.dataset), gate.check_name) in wanted],
    )


def gate_results(
    judgement: Judgement, gates: Iterable[GateDefinition] = GATES
) -> Iterator[dg.AssetCheckResult]:
    """What the checks of these gates say of a judged seed."""
    shown: dict[Sought, str | None] = {}
    for gate in gates:
        yield _result(gate, judgement, shown)


def _result(
    gate: GateDefinition, judgement: Judgement, shown: dict[Sought, str | None]
) -> dg.AssetCheckResult:
    found = (judgement.hard if gate.hard else judgement.stretch).get(gate.gate_id)
    if found is None:
        return _not_measured(gate, judgement)
    tighter = judgement.stretch.get(gate.gate_id) if gate.hard else None
    failed = found.passed is False
    missed_tighter = tighter is not None and tighter.passed is False
    enforced = judgement.policies.virtual_validation.realism_enforcement_mode == "enforce"
    severe = gate.hard and failed and enforced
    told = tighter if tighter is not None and missed_tighter and not failed else found
    return dg.AssetCheckResult(
        asset_key=gate.dataset,
        check_name=gate.check_name,
        passed=not (failed or missed_tighter),
        severity=dg.AssetCheckSeverity.ERROR if severe else dg.AssetCheckSeverity.WARN,
        description=_sentence(told),
        metadata=_metadata(gate, found, judgement, shown),
    )


def _not_measured(gate: GateDefinition, judgement: Judgement) -> dg.AssetCheckResult:
    """A gate some of whose datasets are not published: nothing is known, which is not a pass."""
    return dg.AssetCheckResult(
        asset_key=gate.dataset,
        check_name=gate.check_name,
        passed=False,
        severity=dg.AssetCheckSeverity.WARN,
        description=f"Not measured: what is published of this seed ends with {judgement.last_state}. "
        "Materialize the rest of the seed.",
    )


def _sentence(gate: GateResult) -> str:
    """The outcome as a person says it."""
    condition = gate.decisive
    name = condition.metric
    if condition.passed is None:
        return (
            f"{name} is not applicable: there is nothing to measure. It blocks nothing and certifies nothing."
        )
    told = f"{name} is {number(condition.observed)}, bound {bound(condition)}"
    if condition.passed and condition.operator == "bool_true":
        return f"{name} holds."
    if condition.passed:
        return told + ("." if condition.margin is None else f": holds, margin {margin(condition.margin)}.")
    where = f"Look first at {gate.state}, {gate.lane} ({gate.fault_domain})."
    if condition.operator == "bool_true":
        return f"{name} does not hold. {where}"
    miss = "" if condition.miss_pct is None else f" ({percent(condition.miss_pct / 100, 1)} of the bound)"
    return f"{told}: missed by {number(condition.miss_abs)}{miss}. {where}"


def _metadata(
    gate: GateDefinition, found: GateResult, judgement: Judgement, shown: dict[Sought, str | None]
) -> dict[str, Any]:
    condition = found.decisive
    metric = METRICS[condition.metric]
    facts: dict[str, Any] = {
        "measured": condition.observed,
        "threshold": bound(condition),
        "margin": condition.margin,
        "miss": condition.miss_abs,
        "miss_pct": condition.miss_pct,
        "unit": metric.unit,
        "over": judgement.metrics.overall[condition.metric].n,
        "mode": judgement.policies.virtual_validation.realism_enforcement_mode,
        "look first": f"{found.state}, {found.lane} ({found.fault_domain})",
        "bounds": dg.MetadataValue.md(_bounds(gate, judgement)),
    }
    if classes := _by_class(gate, judgement):
        facts["by virtual class"] = dg.MetadataValue.md(classes)
    sought = condition.metric, _nearer_below(condition)
    if sought not in shown:
        shown[sought] = evidence(*sought, judgement)
    if behind := shown[sought]:
        facts["behind it"] = dg.MetadataValue.md(behind)
    if judgement.inputs_changed:
        facts["note"] = "Policies or upstream changed since this lineage was made; bounds are those of now."
    return {name: value for name, value in facts.items() if value is not None}


def _bounds(gate: GateDefinition, judgement: Judgement) -> str:
    """Every bound on the gate's metrics, hard and stretch."""
    rows = []
    for level, gates in (("B", judgement.hard), ("B+", judgement.stretch)):
        for gate_id, found in gates.items():
            conditions = [each for each in found.conditions if _concerns(found, gate)]
            rows += [(gate_id, level, *_condition_row(condition)) for condition in conditions]
    return _table(("gate", "level", "metric", "bound", "measured", "margin", "holds"), rows)


def _concerns(found: GateResult, gate: GateDefinition) -> bool:
    return any(condition.metric in gate.metrics for condition in found.conditions)


def _condition_row(condition: Condition) -> tuple[Any, ...]:
    return (
        condition.metric,
        bound(condition),
        condition.observed,
        margin(condition.margin),
        condition.passed,
    )


def _nearer_below(condition: Condition) -> bool:
    """Whether the bound that the value is below of, or would meet first, is a lower one."""
    if isinstance(condition.threshold, tuple) and condition.observed is not None:
        low, high = condition.threshold
        return condition.observed - low < high - condition.observed
    return condition.operator == ">="


def _by_class(gate: GateDefinition, judgement: Judgement) -> str | None:
    """Values within each virtual class; one too small to be judged by itself has no verdict."""
    metrics = [name for name in gate.metrics if METRICS[name].by_class]
    classes: Mapping[str, int] = {name: size for name, size in judgement.metrics.class_sizes.items() if name}
    if not classes or not metrics:
        return None
    hard = {gate.decisive.metric: gate_id for gate_id, gate in judgement.hard.items()}
    rows = [
        (
            name,
            size,
            metric,
            judgement.metrics.by_class[name][metric].value,
            _class_verdict(judgement.class_gates.get(name, {}).get(hard.get(metric, ""))),
        )
        for name, size in classes.items()
        for metric in metrics
    ]
    return _table(("virtual class", "merchants", "metric", "measured", "hard bound"), rows)


def _class_verdict(gate: GateResult | None) -> str:
    if gate is None:
        return "not judged"
    return "n/a" if gate.passed is None else "holds" if gate.passed else "missed"


GUARD = "realism_guard"
RESULTS = "virtual_validation_results_3B"
SHOWN = 40


@dg.asset_check(
    asset=RESULTS,
    name=GUARD,
    description="No BLOCKING row of the validation contract fails. In front of S5: while one does, no bundle "
    "is sealed and no flag is written. Where the policy observes, the same rows warn.",
    blocking=True,
    partitions_def=SEEDS,
)
def realism_guard(context: dg.AssetCheckExecutionContext, installation: Installation) -> dg.AssetCheckResult:
    """Read the results of the seed's lineage and look for rows that failed."""
    with explained_failures():
        return guard_result(installation.published_seed(context))


def guard_result(seed: PublishedSeed) -> dg.AssetCheckResult:
    """What stands in front of S5 in this lineage. Before S4 ran it does not pass, and there is nothing to stop.

    Raises:
        Seg3BError: what reading the results raises.
    """
    if not seed.published.has(RESULTS):
        return _guarded(
            passed=False,
            severity=dg.AssetCheckSeverity.WARN,
            description=f"What is published of this seed ends with {seed.last_state}: S4 has measured nothing.",
        )
    results = seed.published.table(RESULTS)
    blocking = blocking_failures(results)
    missed = results.filter(pl.col("status").is_in(["FAIL", "WARN"]))
    mode = seed.policies.virtual_validation.realism_enforcement_mode
    return _guarded(
        passed=missed.is_empty() if mode == "observe" else blocking.is_empty(),
        severity=dg.AssetCheckSeverity.WARN if blocking.is_empty() else dg.AssetCheckSeverity.ERROR,
        description=_guard_told(results.height, blocking.height, missed.height),
        metadata=_guard_facts(results, missed, mode),
    )


def _guarded(**found: Any) -> dg.AssetCheckResult:
    return dg.AssetCheckResult(asset_key=RESULTS, check_name=GUARD, **found)


def _guard_told(rows: int, blocking: int, missed: int) -> str:
    if blocking:
        return f"{blocking} BLOCKING rows of {rows} fail: S5 refuses to seal this lineage."
    if missed:
        return f"{missed} of {rows} rows miss their bound and none of them is BLOCKING: S5 may go on."
    return f"All {rows} rows of the contract hold or are not applicable."


def _guard_facts(results: pl.DataFrame, missed: pl.DataFrame, mode: str) -> dict[str, Any]:
    counted = results.group_by("severity", "status").len("rows").sort("severity", "status")
    facts: dict[str, Any] = {
        "mode": mode,
        "rows": results.height,
        "missed": missed.height,
        "by severity": dg.MetadataValue.md(_table(("severity", "status", "rows"), counted.iter_rows())),
    }
    if missed.height:
        shown = missed.select(
            "metric", "virtual_class", "test_id", "severity", "measured", "operator", "threshold", "n"
        )
        rows = shown.head(SHOWN).rows()
        facts["rows that miss"] = dg.MetadataValue.md(_table(shown.columns, rows))
    return facts


def _table(header: Sequence[str], rows: Iterable[Sequence[Any]]) -> str:
    return grid_markdown(plain_grid(header, rows))
