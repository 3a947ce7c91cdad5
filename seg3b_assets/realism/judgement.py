"""A seed's published lineage measured and held against both policies, as far as it goes, once for all checks of it.

A check may be asked for when only S1 or S2 of a seed is published. Metrics are defined over a whole seed's arrays, so
what is not published yet has a stand-in of the right shape here: one edge per merchant at its settlement, tables nobody
built. Which metrics mean anything then is ``measurable``; the others are left out.
"""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
import polars as pl

from seg3b_assets.contracts import contract
from seg3b_assets.inputs.published import Published
from seg3b_assets.inputs.sealed import SealedInputs
from seg3b_assets.laws.alias import AliasTables
from seg3b_assets.laws.geography import CountryPolygons
from seg3b_assets.laws.hashing import sha256_json
from seg3b_assets.laws.identity import RunIdentity
from seg3b_assets.policies import PolicySet
from seg3b_assets.realism.gates import GateResult, hard_gates, stretch_gates
from seg3b_assets.realism.metrics import SeedMetrics, measure_population
from seg3b_assets.realism.outputs import (
    CLASSIFICATION_COLUMNS,
    EDGE_COLUMNS,
    MERCHANT_COLUMNS,
    PROFILE_COLUMNS,
    SeedOutputs,
    located,
    read_outputs,
)
from seg3b_assets.realism.population import Population, population_of, published_tables
from seg3b_assets.realism.registry import METRICS
from seg3b_assets.store import Snapshot

_REMEMBERED = 2
_JUDGED: OrderedDict[str, Judgement] = OrderedDict()
BLOB = "edge_alias_blob_3B"
CATALOGUE = "edge_catalogue_3B"
READER = "S4"


@dataclass(frozen=True)
class PublishedSeed:
    """A seed's published lineage.

    Attributes:
        identity: of the seed as it would be sealed now.
        policies, inputs: as they are now.
        snapshots: S0, S1 …, as far as the lineage goes.
        published: their datasets.
    """

    identity: RunIdentity
    policies: PolicySet
    inputs: SealedInputs
    snapshots: tuple[Snapshot, ...]
    published: Published

    @property
    def last_state(self) -> str:
        """The state the lineage ends with."""
        return self.snapshots[-1].inputs.state

    @property
    def inputs_changed(self) -> bool:
        """Whether policies or upstream are no longer those the lineage was made from."""
        return any(
            snapshot.inputs.sealed_inputs != self.identity.sealed_inputs_digest for snapshot in self.snapshots
        )


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
    outputs, tables = outputs_so_far(seed.identity, seed.published, seed.inputs)
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


def measurable(published: Published) -> frozenset[str]:
    """Metrics of the registry all of whose datasets are there; upstream always is."""
    return frozenset(
        metric.name
        for metric in METRICS.values()
        if all(
            published.has(dataset) or contract(dataset).producer == "upstream" for dataset in metric.datasets
        )
    )


def outputs_so_far(
    identity: RunIdentity, published: Published, inputs: SealedInputs
) -> tuple[SeedOutputs, AliasTables]:
    """A seed's outputs and alias tables, with stand-ins for what is not published.

    Raises:
        Seg3BError: what reading raises; ``INPUT_SCHEMA_MISMATCH`` when the outputs do not fit together.
    """
    if published.has(BLOB):
        outputs = read_outputs(identity, published, inputs)
        return outputs, published_tables(outputs)
    outputs = _without_tables(identity, published, inputs)
    lengths = np.unique_counts(outputs.edges["merchant_id"].to_numpy()).counts
    nobodys = np.zeros(outputs.edges.height, np.uint32)
    return outputs, AliasTables(lengths.astype(np.int64), nobodys, nobodys)


def _without_tables(identity: RunIdentity, published: Published, inputs: SealedInputs) -> SeedOutputs:
    countries = inputs.table("world_countries", READER, ["country_iso", "geom"])
    polygons = CountryPolygons.from_wkb(countries["country_iso"].to_list(), countries["geom"].to_list())
    settlement = located(published, polygons)
    if published.has(CATALOGUE):
        profile = published.table("edge_merchant_profile_3B", list(PROFILE_COLUMNS))
        edges = published.table(CATALOGUE, list(EDGE_COLUMNS))
    else:
        profile = settlement.select("merchant_id", virtual_class=pl.lit(""))
        edges = _one_edge_each(settlement)
    return SeedOutputs(
        identity=identity,
        merchants=inputs.table("transaction_schema_merchant_ids", READER, list(MERCHANT_COLUMNS)),
        classification=published.table("virtual_classification_3B", list(CLASSIFICATION_COLUMNS)),
        settlement=settlement,
        profile=profile,
        edges=edges,
        alias_index=contract("edge_alias_index_3B").empty(),
        alias_blob=b"",
    )


def _one_edge_each(settlement: pl.DataFrame) -> pl.DataFrame:
    return settlement.select(
        "merchant_id",
        edge_id=pl.lit(""),
        country_iso="settlement_country",
        lat_deg="lat_deg",
        lon_deg="lon_deg",
        tzid_operational="tzid_settlement",
        edge_weight=pl.lit(1.0),
    )
