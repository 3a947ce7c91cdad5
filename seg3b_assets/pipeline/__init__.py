"""Running the segment for one seed: seal, key, reuse or compute, publish, put in force; and saying what
is stale.

Laws: the rerun law and the identity law (section 0), storage (snapshots, heads). No dagster here, and
no domain arithmetic: what a state computes is its own business.
"""

from seg3b_assets.pipeline.plan import Cause, SeedPlan, StatePlan, plan
from seg3b_assets.pipeline.record import RunRecord, StateResult
from seg3b_assets.pipeline.segment import Segment, default_segment

__all__ = [
    "Cause",
    "RunRecord",
    "SeedPlan",
    "Segment",
    "StatePlan",
    "StateResult",
    "default_segment",
    "plan",
]
