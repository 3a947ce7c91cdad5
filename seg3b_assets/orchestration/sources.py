"""What the segment reads from outside: policies and upstream artefacts, observed by digest.

Observing writes nothing. A policy is one file for all seeds; an upstream artefact has a version per seed,
because every seed has an upstream root of its own.
"""

from collections.abc import Iterator
from typing import Any

import dagster as dg

from seg3b_assets.contracts import contract
from seg3b_assets.laws.hashing import file_digest
from seg3b_assets.orchestration.datasets import KINDS, OWNERS, contract_metadata, policy_file, source_of
from seg3b_assets.orchestration.lineage import GATES, POLICIES, SEEDS, UPSTREAM_DATASETS
from seg3b_assets.orchestration.reporting import ABSENT
from seg3b_assets.orchestration.resources import Installation
from seg3b_assets.orchestration.run_log import explained_failures
from seg3b_assets.policies import POLICY_MODELS
from seg3b_assets.shipped import shipped

UPSTREAM_OWNERS = ["team:upstream-segments"]


def _policy(policy_id: str) -> dg.AssetSpec:
    meaning = (POLICY_MODELS[policy_id].__doc__ or policy_id).strip().splitlines()[0]
    return dg.AssetSpec(
        key=policy_id,
        description=meaning,
        owners=OWNERS,
        kinds={"yaml"},
        metadata={"file": f"policies/{policy_id}.yaml"} | policy_file(shipped(f"policies/{policy_id}.yaml")),
    )


def _gate(gate: str) -> dg.AssetSpec:
    segment = gate.split("_")[1]
    return dg.AssetSpec(
        key=gate,
        description=f"The flag of segment {segment}'s validation bundle; S0 verifies it against the bundle.",
        owners=UPSTREAM_OWNERS,
        kinds={"text"},
        metadata={"contract": f"contracts/validation_index_{segment}.schema.json"},
    )


def _upstream(dataset_id: str) -> dg.AssetSpec:
    declared = contract(dataset_id)
    return dg.AssetSpec(
        key=dataset_id,
        description=declared.description,
        owners=UPSTREAM_OWNERS,
        kinds=KINDS[declared.format] - {"polars"},
        metadata=contract_metadata(declared) | source_of(declared, None),
    )


@dg.multi_observable_source_asset(  # type: ignore[untyped-decorator]
    name="observe_policies",
    specs=[_policy(policy_id) for policy_id in POLICIES],
    group_name="policies",
    can_subset=True,
)
def policies(context: dg.AssetExecutionContext, installation: Installation) -> Iterator[dg.ObserveResult]:
    """Take the digest of each selected policy file. Its content is judged by S0, not here."""
    folder = installation.settings().policies
    for policy_id in _selected(context):
        path = folder / f"{policy_id}.yaml"
        version = file_digest(path) if path.is_file() else ABSENT
        yield _observed(policy_id, version, {"path": dg.MetadataValue.path(path)})


@dg.multi_observable_source_asset(  # type: ignore[untyped-decorator]
    name="observe_upstream",
    specs=[*map(_gate, GATES), *map(_upstream, UPSTREAM_DATASETS)],
    group_name="upstream",
    partitions_def=SEEDS,
    can_subset=True,
)
def upstream(context: dg.AssetExecutionContext, installation: Installation) -> Iterator[dg.ObserveResult]:
    """Seal the seed's upstream root and report each selected artefact's digest; builds a missing world."""
    with explained_failures():
        digests = installation.sealed(context).digests
    for name in _selected(context):
        yield _observed(name, digests.get(name, ABSENT), {})


def _selected(context: dg.AssetExecutionContext) -> list[str]:
    return sorted(key.to_user_string() for key in context.selected_asset_keys)


def _observed(name: str, version: str, facts: dict[str, Any]) -> dg.ObserveResult:
    return dg.ObserveResult(
        asset_key=name, data_version=dg.DataVersion(version), metadata={"digest": version, **facts}
    )
