"""What a lane of the certification policy does before its seeds run: prune, where the policy says so."""

from __future__ import annotations

from seg3b_assets.pipeline.segment import Segment, default_segment
from seg3b_assets.policies.certification import Lane
from seg3b_assets.settings import Settings
from seg3b_assets.store import Store
from seg3b_assets.store.prune import Prune, prune_if_free


def open_lane(settings: Settings, name: str, segment: Segment | None = None) -> tuple[Lane, Prune | None]:
    """Read a lane of the policy, and prune the home first when the lane says ``prune_before_run``.

    Args:
        name: candidate, witness, shadow or certification.

    Returns:
        The lane, and what was pruned; None where the lane does not prune or the home is in use.

    Raises:
        Seg3BError: of the policies; as ``store.prune.prune``.
    """
    parts = segment or default_segment()
    policy = parts.load_policies(settings.policies).certification
    lane: Lane = getattr(policy.lanes, name)
    if not lane.prune_before_run:
        return lane, None
    return lane, prune_if_free(Store(settings.home, parts.contracts), policy.retention.keep)
