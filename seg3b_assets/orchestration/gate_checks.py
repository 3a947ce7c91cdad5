"""Realism gates as asset checks: one per gate, on the asset whose output it measures.

One step judges a lineage once and answers for every gate that was asked for. A hard gate that fails is an
ERROR where the policy enforces realism and a WARN where it observes; a stretch gate is a WARN. None of them
stops anything: what stands in front of S5 is ``realism_guard``.
"""

from collections.abc import Iterable, Iterator, Mapping
from typing import Any

import dagster as dg

from seg3b_assets.orchestration.failures import explained_failures
from seg3b_assets.orchestration.gate_definitions import GateDefinition, gate_definitions
from seg3b_assets.orchestration.gate_evidence import evidence
from seg3b_assets.orchestration.judgement import Judgement, judge
from seg3b_assets.orchestration.markdown import percent, table, text
from seg3b_assets.orchestration.partitions import SEEDS
from seg3b_assets.orchestration.resources import Installation
from seg3b_assets.realism import METRICS, Condition, GateResult

GATES = gate_definitions()
Sought = tuple[str, bool]
SIGNS = {">=": "≥", "<=": "≤", "range": "in", "bool_true": "is"}


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
    told = f"{name} is {text(condition.observed)}, bound {_bound(condition)}"
    if condition.passed and condition.operator == "bool_true":
        return f"{name} holds."
    if condition.passed:
        return told + ("." if condition.margin is None else f": holds, margin {percent(condition.margin)}.")
    where = f"Look first at {gate.state}, {gate.lane} ({gate.fault_domain})."
    if condition.operator == "bool_true":
        return f"{name} does not hold. {where}"
    miss = "" if condition.miss_pct is None else f" ({condition.miss_pct:.1f} % of the bound)"
    return f"{told}: missed by {text(condition.miss_abs)}{miss}. {where}"


def _metadata(
    gate: GateDefinition, found: GateResult, judgement: Judgement, shown: dict[Sought, str | None]
) -> dict[str, Any]:
    condition = found.decisive
    metric = METRICS[condition.metric]
    facts: dict[str, Any] = {
        "measured": condition.observed,
        "threshold": _bound(condition),
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
    return table(("gate", "level", "metric", "bound", "measured", "margin", "holds"), rows)


def _concerns(found: GateResult, gate: GateDefinition) -> bool:
    return any(condition.metric in gate.metrics for condition in found.conditions)


def _condition_row(condition: Condition) -> tuple[Any, ...]:
    return (
        condition.metric,
        _bound(condition),
        condition.observed,
        percent(condition.margin),
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
    return table(("virtual class", "merchants", "metric", "measured", "hard bound"), rows)


def _class_verdict(gate: GateResult | None) -> str:
    if gate is None:
        return "not judged"
    return "n/a" if gate.passed is None else "holds" if gate.passed else "missed"


def _bound(condition: Condition) -> str:
    return f"{SIGNS[condition.operator]} {text(condition.threshold)}"
