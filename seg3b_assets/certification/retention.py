"""What a home keeps: pruned as the certification policy says, by hand or before a lane's seeds run.

The store removes what no kept pointer reaches; which certifications there are, and on what they rest, is known here.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Sequence

from seg3b_assets.certification.kept import Certifications
from seg3b_assets.pipeline.segment import Segment, default_segment
from seg3b_assets.policies.certification import Lane
from seg3b_assets.settings import Settings
from seg3b_assets.store import Store
from seg3b_assets.store import prune as pruning
from seg3b_assets.store.layout import Unreached
from seg3b_assets.store.prune import Prune


def prune(
    store: Store,
    keep: Collection[str],
    before_removing: Callable[[Sequence[Unreached]], None] = lambda listed: None,
) -> Prune:
    """Remove what no kept pointer reaches, and certifications that judged nothing that is reached.

    Args, Raises: as ``store.prune.prune``.
    """
    return pruning.prune(store, keep, Certifications(store.home).every, before_removing)


def rehearse_prune(store: Store, keep: Collection[str]) -> Prune:
    """What ``prune`` would remove now, beside whatever runs. Changes nothing; raises as ``prune``."""
    return pruning.rehearse_prune(store, keep, Certifications(store.home).every)


def prune_if_free(store: Store, keep: Collection[str]) -> Prune | None:
    """Prune before work begins; where the home is in use, say so and leave it. Raises as ``prune``."""
    return pruning.prune_if_free(store, keep, Certifications(store.home).every)


def open_lane(settings: Settings, name: str, segment: Segment | None = None) -> tuple[Lane, Prune | None]:
    """Read a lane of the policy, and prune the home first when the lane says ``prune_before_run``.

    Args:
        name: candidate, witness, shadow or certification.

    Returns:
        The lane, and what was pruned; None where the lane does not prune or the home is in use.

    Raises:
        Seg3BError: of the policies; as ``prune``.
    """
    parts = segment or default_segment()
    policy = parts.load_policies(settings.policies).certification
    lane: Lane = getattr(policy.lanes, name)
    if not lane.prune_before_run:
        return lane, None
    return lane, prune_if_free(Store(settings.home, parts.contracts), policy.retention.keep)
