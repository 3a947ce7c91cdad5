"""The partitions: one per certification seed.

The seeds are a policy; the command line runs any other seed without Dagster.
"""

from __future__ import annotations

import dagster as dg

from seg3b_assets.orchestration.gate_definitions import certification_policy


def certification_seeds() -> list[str]:
    """The seeds of ``certification.yaml``, as partition keys, in the policy's order.

    Raises:
        Seg3BError: POLICY_SCHEMA_INVALID.
    """
    return [str(seed) for seed in certification_policy().seeds]


SEEDS = dg.StaticPartitionsDefinition(certification_seeds())
