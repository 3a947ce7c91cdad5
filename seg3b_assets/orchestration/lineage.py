"""Which asset depends on what, and which state publishes it: read from the states and the contracts.

Dagster follows one hop only, both when it judges what is stale and when a person selects
``edge_catalogue_3B+``. So an asset's parents are every sealed policy (any one's bytes rerun S0 to S5),
everything its state reads, and besides: the sealed inputs (every key holds their digest), the state's principal
dataset (published together with it), and, from S2 on, the edge catalogue. An upstream artefact that a state does
not read reaches it through the sealed inputs: Dagster looks partitioned parents up one by one, and all of them
for all datasets would make a page of stale causes take seconds.

Partitions are the certification policy's seeds; the command line runs any other seed without Dagster.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from functools import cache

import dagster as dg

from seg3b_assets.contracts import all_contracts
from seg3b_assets.laws.hashing import sha256_json
from seg3b_assets.policies import POLICY_MODELS, SEALED_POLICIES, Certification
from seg3b_assets.realism.policy_reading import load_policy
from seg3b_assets.settings import Settings
from seg3b_assets.states.context import StateSpec
from seg3b_assets.states.registry import states
from seg3b_assets.states.s0_gate.bundles import SEGMENTS
from seg3b_assets.states.s0_gate.inventory import UPSTREAM, gate_id

SEALED_INPUTS = "sealed_inputs_3B"
EDGE_CATALOGUE = "edge_catalogue_3B"
POLICIES = tuple(POLICY_MODELS)
GATES = tuple(gate_id(segment) for segment in SEGMENTS)
UPSTREAM_DATASETS = tuple(artefact.own_id for artefact in UPSTREAM)
CERTIFICATION = "certification_3B"
# What a certification of all seeds hangs on; none of them one hop behind the edge catalogue's own selection.
CERTIFIED_DATASETS = ("virtual_validation_results_3B", "passed_flag_3B")
SOURCES = frozenset((*SEALED_POLICIES, *GATES, *UPSTREAM_DATASETS))


@dataclass(frozen=True)
class StateAssets:
    """A state and the datasets it publishes.

    Attributes:
        spec: the state's declaration.
        datasets: dataset ids, the principal first; a folder's members after the folder.
    """

    spec: StateSpec
    datasets: tuple[str, ...]

    @property
    def principal(self) -> str:
        return self.datasets[0]


@cache
def state_assets() -> tuple[StateAssets, ...]:
    """S0 … S5 with their datasets."""
    return tuple(
        StateAssets(registered.spec, (*registered.spec.writes, *_members(registered.spec)))
        for registered in states()
    )


def _members(spec: StateSpec) -> list[str]:
    """Datasets that lie inside a folder the state publishes, such as the bundle's summaries."""
    contracts = all_contracts()
    folders = [contracts[name].path for name in spec.writes if contracts[name].format == "directory"]
    return [
        contract.id
        for contract in contracts.values()
        if contract.producer == spec.name
        and contract.status != "planned"
        and contract.id not in spec.writes
        and any(contract.path.startswith(folder) for folder in folders)
    ]


@cache
def parents() -> Mapping[str, tuple[str, ...]]:
    """Keys each dataset depends on, by dataset id, sources first, without repetition."""
    found: dict[str, tuple[str, ...]] = {}
    after_edges = False
    for state in state_assets():
        after_edges = after_edges or EDGE_CATALOGUE in state.datasets
        common = _read_by(state.spec)
        for dataset_id in state.datasets:
            others = [] if dataset_id == state.principal else [state.principal]
            if after_edges and dataset_id != EDGE_CATALOGUE:
                others.append(EDGE_CATALOGUE)
            found[dataset_id] = tuple(dict.fromkeys((*common, *others)))
    return found


def _read_by(spec: StateSpec) -> tuple[str, ...]:
    if spec.name == "S0":
        return (*SEALED_POLICIES, *GATES, *UPSTREAM_DATASETS)
    upstream = [name for name in spec.reads if name in SOURCES and name not in SEALED_POLICIES]
    datasets = [name for name in spec.reads if name not in SOURCES]
    return (*SEALED_POLICIES, *upstream, SEALED_INPUTS, *datasets)


def code_version(version: str, runtime: Mapping[str, str]) -> str:
    """A state's logic as Dagster compares it: the state's own version, and the packages that could change a result.

    Args:
        version: the state's ``code_version``.
        runtime: version by package, as a state's key holds it.
    """
    return f"{version} on runtime {sha256_json(dict(runtime))[:8]}"


def certification_policy() -> Certification:
    """``certification.yaml`` alone, so that a mistake in another policy does not keep assets from loading.

    Raises:
        Seg3BError: POLICY_SCHEMA_INVALID, INPUT_OPEN_FAILED.
    """
    return load_policy(Settings.from_environment().policies, Certification)


def certification_seeds() -> list[str]:
    """The seeds of ``certification.yaml``, as partition keys, in the policy's order.

    Raises:
        Seg3BError: POLICY_SCHEMA_INVALID.
    """
    return [str(seed) for seed in certification_policy().seeds]


SEEDS = dg.StaticPartitionsDefinition(certification_seeds())
