"""One seed as checks look at it: what is published of it, and the policies and inputs it is judged by.

In a Dagster run that ran states, that is the run's own lineage. In a run of checks only it is what the heads
say, up to the first state that was not made from the ones before it.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from typing import TYPE_CHECKING

from seg3b_assets.laws.identity import RunIdentity
from seg3b_assets.pipeline import RunRecord, Segment
from seg3b_assets.pipeline.segment import SealedSeed
from seg3b_assets.store import Published, Snapshot, Store

if TYPE_CHECKING:
    from seg3b_assets.policies import PolicySet
    from seg3b_assets.states.sealed import SealedInputs

READER = "S5"


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

    @classmethod
    def of(cls, sealed: SealedSeed, snapshots: Iterable[Snapshot], segment: Segment) -> PublishedSeed:
        lineage = tuple(snapshots)
        return cls(sealed.identity, sealed.policies, sealed.inputs, lineage, published_by(lineage, segment))

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


def published_by(snapshots: Iterable[Snapshot], segment: Segment) -> Published:
    """The datasets of a lineage."""
    return Published(READER, snapshots, segment.contracts)


def snapshots_of(record: RunRecord) -> tuple[Snapshot, ...]:
    """The lineage a run has published."""
    return tuple(result.snapshot for result in record.states.values())


def snapshots_in_force(store: Store, segment: Segment, seed: int) -> tuple[Snapshot, ...]:
    """The lineage the heads hold: S0 and whatever follows from it without a break."""
    heads, lineage, digests = store.heads(seed), list[Snapshot](), dict[str, str]()
    for registered in segment.states:
        key = heads.get(registered.spec.name)
        snapshot = store.snapshot(registered.spec.name, key) if key else None
        if snapshot is None or not _follows(snapshot, lineage, digests):
            break
        lineage.append(snapshot)
        digests |= {name: record.digest for name, record in snapshot.outputs.items()}
    return tuple(lineage)


def _follows(snapshot: Snapshot, lineage: list[Snapshot], digests: dict[str, str]) -> bool:
    """Whether a snapshot was made from this lineage."""
    if lineage and snapshot.inputs.sealed_inputs != lineage[0].inputs.sealed_inputs:
        return False
    read = snapshot.inputs.inputs
    return all(read[name] == digest for name, digest in digests.items() if name in read)
