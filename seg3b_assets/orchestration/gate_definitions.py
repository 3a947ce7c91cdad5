"""Which gates there are and on which asset each is checked, read from the two policies that declare them.

Bounds are not taken from here: a check reads the policies when it runs. Only what Dagster must know when the
code location loads is.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from seg3b_assets.laws.errors import Seg3BError
from seg3b_assets.policies import Certification, VirtualValidation
from seg3b_assets.realism.policy_reading import load_policy
from seg3b_assets.settings import Settings
from seg3b_assets.shipped import shipped


@dataclass(frozen=True)
class GateDefinition:
    """One gate as a check.

    Attributes:
        gate_id: ``3B-V01``.
        dataset: the asset it is checked on.
        metrics: what it holds.
        hard: whether it belongs to the sealed policy.
    """

    gate_id: str
    dataset: str
    metrics: tuple[str, ...]
    hard: bool

    @property
    def check_name(self) -> str:
        """``gate_3B_V01``: Dagster allows letters, digits and underscores."""
        return f"gate_{self.gate_id.replace('-', '_')}"


def gate_definitions() -> tuple[GateDefinition, ...]:
    """Every hard gate, then every stretch gate that is not the tighter bound of a hard gate's own id."""
    hard, stretch = _virtual_validation().hard_gates, certification_policy().stretch_gates
    return (
        *(
            GateDefinition(gate_id, rule.dataset, (rule.metric,), hard=True)
            for gate_id, rule in sorted(hard.items())
        ),
        *(
            GateDefinition(gate_id, hard[rule.hard_gates[0]].dataset, tuple(rule.metrics), hard=False)
            for gate_id, rule in sorted(stretch.items())
            # A band of a gate that there is not is S0's to refuse; a code location loads without it.
            if gate_id not in hard and rule.hard_gates[0] in hard
        ),
    )


def checks_by_dataset() -> Mapping[str, tuple[GateDefinition, ...]]:
    """The same, by asset."""
    found: dict[str, tuple[GateDefinition, ...]] = {}
    for gate in gate_definitions():
        found[gate.dataset] = (*found.get(gate.dataset, ()), gate)
    return found


def certification_policy() -> Certification:
    """``certification.yaml`` alone, so that a mistake in another policy does not keep assets from loading.

    Raises:
        Seg3BError: POLICY_SCHEMA_INVALID, INPUT_OPEN_FAILED.
    """
    return load_policy(Settings.from_environment().policies, Certification)


def _virtual_validation() -> VirtualValidation:
    """The policy in force or, while that one cannot be read, the shipped one: S0 is who refuses it."""
    try:
        return load_policy(Settings.from_environment().policies, VirtualValidation)
    except Seg3BError:
        return load_policy(shipped("policies"), VirtualValidation)
