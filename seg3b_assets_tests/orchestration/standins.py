"""The real states' declarations over the real sealing and store, with bodies that take no time.

Each output is a digest of what its state reads, so that what must rerun, and what an identical output stops,
is the real thing in milliseconds.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from pathlib import PurePosixPath
from typing import Any

import pytest

from seg3b_assets import contracts
from seg3b_assets.contracts import DatasetContract, contract
from seg3b_assets.laws.hashing import sha256_json
from seg3b_assets.orchestration.lineage import state_assets
from seg3b_assets.pipeline import default_segment, keys
from seg3b_assets.states import registry
from seg3b_assets.states.context import StateContext
from seg3b_assets.states.registry import RegisteredState


@dataclass(frozen=True)
class Bytes:
    """A dataset as bytes at its contract's path; a folder stays one."""

    declared: DatasetContract

    @property
    def id(self) -> str:
        return self.declared.id

    @property
    def format(self) -> str:
        return "directory" if self.declared.format == "directory" else "binary"

    def relative_path(self, identity: Any) -> str:
        return self.declared.relative_path(identity)


@dataclass
class StandIns:
    """States whose version and logic a test changes.

    Attributes:
        versions: code version by state, where it is not the real one.
        salts: what a state's logic adds to its outputs, by state.
        ran: (seed, state) in the order they were computed.
    """

    versions: dict[str, str] = field(default_factory=dict)
    salts: dict[str, str] = field(default_factory=dict)
    ran: list[tuple[int, str]] = field(default_factory=list)

    def make_current(self) -> None:
        """Have the next run see the versions as they are now."""
        default_segment.cache_clear()

    def states(self) -> tuple[RegisteredState, ...]:
        return tuple(
            RegisteredState(
                replace(one.spec, code_version=self.versions.get(one.spec.name, one.spec.code_version)),
                self._run,
            )
            for one in state_assets()
        )

    def _run(self, context: StateContext) -> None:
        name = context.out.state
        [state] = [one for one in state_assets() if one.spec.name == name]
        self.ran.append((context.identity.seed, name))
        read = {one: context.published.digest(one) for one in state.spec.reads if context.published.has(one)}
        made = [read, self.salts.get(name, ""), context.identity.sealed_inputs_digest if name == "S0" else ""]
        for dataset_id in state.spec.writes:
            content = sha256_json([dataset_id, made]).encode()
            if contract(dataset_id).format != "directory":
                flagged = b"sha256_hex = " if contract(dataset_id).format == "flag" else b""
                context.out.blob(dataset_id, flagged + content)
                continue
            for member in state.datasets[len(state.spec.writes) :]:
                context.out.member(dataset_id, PurePosixPath(contract(member).path).name, content)


@contextmanager
def stand_ins(patch: pytest.MonkeyPatch) -> Iterator[StandIns]:
    """Stand-ins in place of the default segment's states, and their bytes in place of its contracts."""
    found = StandIns()
    real = contracts.contract
    patch.setattr(registry, "states", found.states)
    patch.setattr(contracts, "contract", lambda dataset_id: Bytes(real(dataset_id)))
    found.make_current()
    yield found
    found.make_current()


def other_numpy(patch: pytest.MonkeyPatch) -> None:
    """Another version of a package the keys hold."""
    versions = dict(keys.runtime_versions())
    patch.setattr(keys, "runtime_versions", lambda: {**versions, "numpy": "9.9.9"})
