"""What a run is assembled from: the states, the gate, the policies, the contracts and the upstream root.

The default is the real segment; a test assembles its own.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, replace
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING

from seg3b_assets.contracts.artefact_registry import sealed_own_id
from seg3b_assets.laws.errors import Seg3BError
from seg3b_assets.laws.hashing import sha256_hex
from seg3b_assets.laws.identity import RunIdentity
from seg3b_assets.progress import Progress
from seg3b_assets.settings import Settings
from seg3b_assets.states.registry import RegisteredState
from seg3b_assets.store import ContractLookup, DigestCache
from seg3b_assets.store.writing import reported_writes

if TYPE_CHECKING:
    from seg3b_assets.inputs.sealed import SealedInputs
    from seg3b_assets.laws.plain_files import Reach
    from seg3b_assets.policies import PolicySet
    from seg3b_assets.states.s0_gate import SealedWorld


@dataclass(frozen=True)
class Segment:
    """The parts of a run.

    Attributes:
        states: S0 … S5, in order.
        seal: verifies the upstream gates and seals every input; cheap when digests are cached.
        load_policies: reads and validates a policy folder.
        upstream_root: the root of one seed, built when it is the embedded world's and missing.
        contracts: dataset id to contract.
    """

    states: tuple[RegisteredState, ...]
    seal: Callable[[Path, PolicySet, DigestCache, Reach | None], SealedWorld]
    load_policies: Callable[[Path], PolicySet]
    upstream_root: Callable[[Settings, int, Progress], Path]
    contracts: ContractLookup


@dataclass(frozen=True)
class SealedSeed:
    """One seed's inputs, sealed.

    Attributes:
        identity: seed, upstream identity and sealed-inputs digest.
        policies: as loaded.
        inputs: what a state may read of upstream.
        digests: digest by the segment's own id of everything sealed.
    """

    identity: RunIdentity
    policies: PolicySet
    inputs: SealedInputs
    digests: dict[str, str]


@cache
def default_segment() -> Segment:
    """The real segment."""
    from seg3b_assets.contracts import contract  # noqa: PLC0415 - keeps `--help` and plain imports quick
    from seg3b_assets.realism.policy_reading import load_policies  # noqa: PLC0415
    from seg3b_assets.states.registry import states  # noqa: PLC0415
    from seg3b_assets.states.s0_gate import seal  # noqa: PLC0415

    return Segment(states(), seal, load_policies, upstream_root, contract)


def upstream_root(settings: Settings, seed: int, progress: Progress) -> Path:
    """The configured root of the seed, or the embedded world's, built if need be."""
    if settings.upstream is not None:
        from seg3b_assets.states.s0_gate import resolve_upstream  # noqa: PLC0415 - with the states, when needed

        root = resolve_upstream(settings.upstream, seed)
        if settings.gazetteer is None:
            return root
        from seg3b_assets.pipeline.borders import with_gazetteer  # noqa: PLC0415 - most roots have their own

        with reported_writes("S0", settings.cache, "SEG3B_CACHE"):
            return with_gazetteer(root, settings.gazetteer, settings.cache)
    from seg3b_assets.world import ensure_world  # noqa: PLC0415 - a configured upstream needs no world

    with reported_writes("S0", settings.cache, "SEG3B_CACHE"):
        return ensure_world(seed, settings.recipe, settings.cache, progress)


def seal_seed(
    segment: Segment, settings: Settings, root: Path, policies: PolicySet | None = None
) -> SealedSeed:
    """Load the policies and seal the upstream root.

    Args:
        policies: of ``settings``, where the caller has just loaded them.

    Raises:
        Seg3BError: what the loader and the gate raise.
    """
    digests = DigestCache(settings.cache / "digests.json", settings.digest_cache)
    policies = policies or segment.load_policies(settings.policies)
    with _told_as_ours(settings, root):
        sealed = segment.seal(root, policies, digests, settings.reach)
    digests.save()
    world = sealed.world
    identity = RunIdentity(
        seed=world.seed,
        parameter_hash=world.parameter_hash,
        manifest_fingerprint=world.manifest_fingerprint,
        created_utc=world.created_utc,
        sealed_inputs_digest=sha256_hex(sealed.sealed_bytes),
    )
    found = {sealed_own_id(row): str(row["sha256_hex"]) for row in sealed.sealed_inputs}
    return SealedSeed(identity, policies, sealed.inputs, found)


@contextmanager
def _told_as_ours(settings: Settings, root: Path) -> Iterator[None]:
    """A refused root of the embedded world is ours: the remedy is to remove it, and nobody has to restore it."""
    try:
        yield
    except Seg3BError as error:
        if settings.upstream is not None or not error.place.startswith(str(root)):
            raise
        remedy = f"Remove {root}: it is the embedded world's, of the cache, and the next run builds it anew."
        raise replace(error, remedy=remedy) from error
