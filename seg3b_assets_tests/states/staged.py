"""Running one state on a written root, without a store: what it staged, readable."""

from __future__ import annotations

from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import polars as pl

from seg3b_assets.contracts import contract
from seg3b_assets.laws.identity import RunIdentity
from seg3b_assets.policies import PolicySet
from seg3b_assets.progress import SILENT
from seg3b_assets.realism.policy_reading import load_policies
from seg3b_assets.states.context import Lanes, StateContext
from seg3b_assets.states.s0_gate import seal
from seg3b_assets.store.digest_cache import DigestCache
from seg3b_assets.store.staging import Staging
from seg3b_assets_tests.states.miniature_upstream import POLICIES, Root


@dataclass(frozen=True)
class Staged:
    """A state's staged outputs."""

    staging: Staging
    identity: RunIdentity

    @property
    def dataset_ids(self) -> tuple[str, ...]:
        return tuple(self.staging.outputs)

    def digest(self, dataset_id: str) -> str:
        return self.staging.outputs[dataset_id].digest

    def table(self, dataset_id: str) -> pl.DataFrame:
        return pl.read_parquet(self.staging.path(dataset_id), glob=False)

    def path(self, dataset_id: str) -> Path:
        return self.staging.path(dataset_id)


def homebound_policies() -> PolicySet:
    """The shipped policies without seat rules: the miniature world has no hub to seat anybody in."""
    shipped = load_policies(POLICIES)
    return replace(shipped, settlement=shipped.settlement.model_copy(update={"seat_rules": ()}))


def staged_run(state: Any, root: Root, folder: Path, published: Any = None) -> Staged:
    """Seal ``root`` with ``homebound_policies`` and run the state module into ``folder``.

    Args:
        published: stands in for what earlier states published.
    """
    policies = homebound_policies()
    sealed = seal(root.path, policies, DigestCache(folder / "digests.json", enabled=False))
    identity = RunIdentity(**vars(sealed.world), sealed_inputs_digest=sealed.sealed_inputs_digest)
    staging = Staging(folder / f"staging_{state.STATE.name}", state.STATE.name, identity, contract)
    context = StateContext(
        identity=identity,
        policies=policies,
        inputs=sealed.inputs,
        published=published,
        out=staging,
        lanes=Lanes(state.STATE.name),
        progress=SILENT,
        workers=1,
    )
    try:
        state.run(context)
        staging.finish()
    finally:
        staging.close()
    return Staged(staging, identity)
