"""What a run would have to do for a seed, and why (the rerun matrix, computed from keys and heads).

FRESH: the head is the key the state would have. STALE: it is another. MISSING: there is no head, or its
snapshot is gone. A state behind one whose outputs are not known yet is STALE provisionally, cause
``state``: if that one's rerun yields the same bytes, it turns FRESH. A plan changes nothing in the
home; an embedded world that is missing is built, for without it nothing is known.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Literal

from seg3b_assets.laws.hashing import sha256_json
from seg3b_assets.pipeline.keys import key_inputs
from seg3b_assets.pipeline.segment import SealedSeed, Segment, default_segment, seal_seed
from seg3b_assets.progress import SILENT, Progress
from seg3b_assets.settings import Settings
from seg3b_assets.states.context import StateSpec
from seg3b_assets.store import KeyInputs, Snapshot, Store

if TYPE_CHECKING:
    from seg3b_assets.policies import PolicySet

Status = Literal["FRESH", "STALE", "MISSING"]
Kind = Literal["policy", "upstream", "code", "state"]


@dataclass(frozen=True)
class Cause:
    """One reason a state is not fresh.

    Attributes:
        kind: what changed.
        id: policy or upstream logical id; ``S2`` for its logic; ``runtime:numpy`` for a package; a
        state's name. was, now: digest or version before and now. For a state: SHA-256 of the canonical
        JSON of the digests of
            what is read from it. None where there was nothing, or where it is not known before a rerun.
    """

    kind: Kind
    id: str
    was: str | None
    now: str | None

    def as_json(self) -> dict[str, str | None]:
        return {"kind": self.kind, "id": self.id, "was": self.was, "now": self.now}


@dataclass(frozen=True)
class StatePlan:
    """Whether a state must rerun, and every reason."""

    status: Status
    causes: tuple[Cause, ...]

    def as_json(self) -> dict[str, Any]:
        return {"status": self.status, "causes": [cause.as_json() for cause in self.causes]}


@dataclass(frozen=True)
class SeedPlan:
    """The plan of one seed, by state in order."""

    seed: int
    states: Mapping[str, StatePlan]

    @property
    def stale(self) -> tuple[str, ...]:
        """States that are not fresh, in order."""
        return tuple(name for name, state in self.states.items() if state.status != "FRESH")

    def as_json(self) -> dict[str, Any]:
        return {"states": {name: state.as_json() for name, state in self.states.items()}}


def plan(
    settings: Settings,
    seed: int,
    segment: Segment | None = None,
    progress: Progress = SILENT,
    policies: PolicySet | None = None,
) -> SeedPlan:
    """The plan of one seed under these settings.

    Args:
        policies: of ``settings``, where the caller has just loaded them.

    Raises:
        Seg3BError: what loading the policies and sealing raise.
    """
    parts = segment or default_segment()
    root = parts.upstream_root(settings, seed, progress)
    sealed = seal_seed(parts, settings, root, policies)
    return _Planner(parts, Store(settings.home, parts.contracts), sealed).plan()


class _Planner:
    def __init__(self, segment: Segment, store: Store, sealed: SealedSeed) -> None:
        self._segment = segment
        self._store = store
        self._sealed = sealed
        self._heads = store.heads(sealed.identity.seed)
        self._producer = {name: entry.spec.name for entry in segment.states for name in entry.spec.writes}
        self._digests: dict[str, str] = {}
        self._unknown: set[str] = set()

    def plan(self) -> SeedPlan:
        states = {entry.spec.name: self._state(entry.spec) for entry in self._segment.states}
        return SeedPlan(self._sealed.identity.seed, states)

    def _state(self, spec: StateSpec) -> StatePlan:
        now = key_inputs(spec, self._sealed, self._digests)
        awaited = {self._producer[name] for name in spec.reads if name in self._producer} & self._unknown
        key = self._heads.get(spec.name)
        head = self._store.snapshot(spec.name, key) if key else None
        self._learn(spec, None if awaited else self._store.snapshot(spec.name, now.key))
        if head is None:
            gone = Cause("state", spec.name, key, None if awaited else now.key)
            return StatePlan(
                "MISSING", (gone, *(Cause("state", name, None, None) for name in sorted(awaited)))
            )
        if not awaited and head.key == now.key:
            return StatePlan("FRESH", ())
        return StatePlan("STALE", (*self._own(head.inputs, now), *self._behind(spec, head.inputs, awaited)))

    def _learn(self, spec: StateSpec, snapshot: Snapshot | None) -> None:
        """Take over the digests of a state whose snapshot exists; remember that the others are not known."""
        if snapshot is None:
            self._unknown.add(spec.name)
            return
        self._digests |= {name: record.digest for name, record in snapshot.outputs.items()}

    def _own(self, was: KeyInputs, now: KeyInputs) -> list[Cause]:
        """What changed besides the outputs of earlier states."""
        causes = [self._sealed_cause(*change) for change in _changes(was.sealed, now.sealed)]
        if was.sealed_inputs != now.sealed_inputs and not causes:
            causes.append(Cause("upstream", "sealed_inputs_3B", was.sealed_inputs, now.sealed_inputs))
        if was.code_version != now.code_version:
            causes.append(Cause("code", now.state, was.code_version, now.code_version))
        for package, before, after in _changes(was.runtime, now.runtime):
            causes.append(Cause("code", f"runtime:{package}", before, after))
        return causes

    def _sealed_cause(self, logical_id: str, was: str | None, now: str | None) -> Cause:
        kind: Kind = "policy" if logical_id in self._sealed.policies.files else "upstream"
        return Cause(kind, logical_id, was, now)

    def _behind(self, spec: StateSpec, was: KeyInputs, awaited: set[str]) -> list[Cause]:
        """The earlier states whose outputs differ, or will be known only after they ran."""
        causes = []
        for state in sorted({self._producer[name] for name in spec.reads if name in self._producer}):
            read = [name for name in spec.reads if self._producer.get(name) == state]
            before = sha256_json({name: was.inputs.get(name) for name in read})
            after = None
            if state not in awaited:
                after = sha256_json({name: self._digests.get(name) for name in read})
            if before != after:
                causes.append(Cause("state", state, before, after))
        return causes


def _changes(was: Mapping[str, str], now: Mapping[str, str]) -> list[tuple[str, str | None, str | None]]:
    names = sorted(was.keys() | now.keys())
    return [(name, was.get(name), now.get(name)) for name in names if was.get(name) != now.get(name)]
