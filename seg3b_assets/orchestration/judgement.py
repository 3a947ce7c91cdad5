"""A published seed measured and held against both policies, once for all checks of a lineage."""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Mapping
from dataclasses import dataclass

from seg3b_assets.laws.hashing import sha256_json
from seg3b_assets.orchestration.published_seed import PublishedSeed
from seg3b_assets.orchestration.unfinished_seed import measurable, outputs_so_far
from seg3b_assets.policies import PolicySet
from seg3b_assets.realism import GateResult, SeedMetrics, SeedOutputs
from seg3b_assets.realism.gates import hard_gates, stretch_gates
from seg3b_assets.realism.metrics import measure_population
from seg3b_assets.realism.population import Population, population_of

_REMEMBERED = 2
_JUDGED: OrderedDict[str, Judgement] = OrderedDict()


@dataclass(frozen=True)
class Judgement:
    """What a lineage comes to, as far as it is published.

    Attributes:
        outputs, population: what was measured.
        metrics: every metric; only those in ``measured`` mean anything.
        measured: metrics whose datasets are all published.
        hard, stretch: gates by id, those of which every metric is in ``measured``.
        class_gates: hard gates within each virtual class large enough to be judged by itself.
        last_state: as far as the lineage goes.
        policies: the bounds they were held against.
        inputs_changed: whether policies or upstream changed since the lineage was made.
    """

    outputs: SeedOutputs
    population: Population
    metrics: SeedMetrics
    measured: frozenset[str]
    hard: Mapping[str, GateResult]
    stretch: Mapping[str, GateResult]
    class_gates: Mapping[str, Mapping[str, GateResult]]
    last_state: str
    policies: PolicySet
    inputs_changed: bool


def judge(seed: PublishedSeed, workers: int) -> Judgement:
    """The judgement of a lineage; remembered while its bytes and both policies stay the same.

    Raises:
        Seg3BError: what reading raises; ``INPUT_SCHEMA_MISMATCH`` when the outputs do not fit together.
    """
    key = _key(seed)
    if key not in _JUDGED:
        _JUDGED[key] = _judge(seed, workers)
        while len(_JUDGED) > _REMEMBERED:
            _JUDGED.popitem(last=False)
    return _JUDGED[key]


def _key(seed: PublishedSeed) -> str:
    files = seed.policies.files
    return sha256_json(
        {
            "snapshots": [snapshot.digest for snapshot in seed.snapshots if snapshot.state != "S5"],
            "inputs": seed.identity.sealed_inputs_digest,
            "certification": files["certification"].sha256,
        }
    )


def _judge(seed: PublishedSeed, workers: int) -> Judgement:
    policy, certification = seed.policies.virtual_validation, seed.policies.certification
    outputs, tables = outputs_so_far(seed)
    population = population_of(outputs, tables, policy.pair_sample, workers)
    metrics = measure_population(population, outputs)
    measured = measurable(seed.published)
    classes = {
        name: metrics.by_class[name]
        for name, size in metrics.class_sizes.items()
        if name and size >= policy.min_class_size
    }
    return Judgement(
        outputs=outputs,
        population=population,
        metrics=metrics,
        measured=measured,
        hard=_known(hard_gates(metrics.overall, policy), measured),
        stretch=_known(stretch_gates(metrics.overall, certification, policy), measured),
        class_gates={name: _known(hard_gates(found, policy), measured) for name, found in classes.items()},
        last_state=seed.last_state,
        policies=seed.policies,
        inputs_changed=seed.inputs_changed,
    )


def _known(gates: Mapping[str, GateResult], measured: frozenset[str]) -> dict[str, GateResult]:
    return {
        gate_id: gate
        for gate_id, gate in gates.items()
        if {condition.metric for condition in gate.conditions} <= measured
    }
