"""The partitions: one per certification seed.

The seeds are a policy; the command line runs any other seed without Dagster.
"""

from __future__ import annotations

import dagster as dg

from seg3b_assets.policies import Certification, parse_policy
from seg3b_assets.settings import Settings


def certification_seeds() -> list[str]:
    """The seeds of ``certification.yaml``, as partition keys, in the policy's order.

    Only this policy is read, so that a mistake in another one does not keep the assets from loading.

    Raises:
        Seg3BError: POLICY_SCHEMA_INVALID.
    """
    path = Settings.from_environment().policies / "certification.yaml"
    policy, _ = parse_policy(path.name, path.read_bytes(), Certification)
    assert isinstance(policy, Certification)
    return [str(seed) for seed in policy.seeds]


SEEDS = dg.StaticPartitionsDefinition(certification_seeds())
