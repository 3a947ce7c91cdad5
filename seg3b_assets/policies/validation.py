"""Policy ``virtual_validation``: the sealed contract of realism (laws section 6, hard gates).

Holds the enforcement mode, the hard gates, the routing probe and the families; state S4 writes the contract
from it and the realism module measures. Changing it reruns S0 to S5.
"""

from __future__ import annotations

from typing import Annotated, Literal, Self

from pydantic import Field, model_validator

from seg3b_assets.policies.gates import REQUIRED_HARD_GATES, HardGate, HardGateId, require_gates
from seg3b_assets.policies.policy_model import Policy, PolicyModel, refusal

Severity = Literal["BLOCKING", "WARNING", "INFO"]


class Probe(PolicyModel):
    """Routing picks sent through the published alias blob.

    Attributes:
        picks_per_merchant: picks, the same number for every virtual merchant.
        false_alarm_rate: probability that a probe test fails though the router is right.
        window_days: local days the picks' instants spread over, for the settlement cut-off.
        detectable_shift: smallest misplaced share of picks the tests must notice.
        minimum_power: probability with which they must notice it.
    """

    picks_per_merchant: Annotated[int, Field(ge=1, le=1_000_000)]
    false_alarm_rate: Annotated[float, Field(gt=0, le=1e-6)]
    window_days: Annotated[int, Field(ge=1, le=366)]
    detectable_shift: Annotated[float, Field(gt=0, lt=1)]
    minimum_power: Annotated[float, Field(gt=0, lt=1)]


class PairSample(PolicyModel):
    """When merchant pairs are compared one by one, and how many are drawn beyond that."""

    exact_up_to_merchants: Annotated[int, Field(ge=2, le=20_000)]
    sampled_pairs: Annotated[int, Field(ge=1000, le=1_000_000_000)]


class RealismFamily(PolicyModel):
    """A family whose severity follows the enforcement mode.

    Attributes:
        by_class: whether each metric also gets a row per virtual class.
    """

    enabled: bool
    by_class: bool


class TrafficFamily(RealismFamily):
    """A family measured on the routing probe, with a severity of its own."""

    severity: Severity


class Families(PolicyModel):
    """The eight families of the contract."""

    EDGE_HETEROGENEITY: RealismFamily
    SETTLEMENT_COHERENCE: RealismFamily
    CLASSIFICATION_EXPLAINABILITY: RealismFamily
    ALIAS_FIDELITY: RealismFamily
    IP_COUNTRY_MIX: TrafficFamily
    SETTLEMENT_CUTOFF: TrafficFamily
    EDGE_USAGE_VS_WEIGHT: TrafficFamily
    ROUTING_RECEIPT: TrafficFamily

    def __getitem__(self, family: str) -> RealismFamily:
        setting: RealismFamily = getattr(self, family)
        return setting


class VirtualValidation(Policy):
    """Hard gates, mode, probe and families."""

    policy_id: Literal["virtual_validation"]
    realism_enforcement_mode: Literal["observe", "enforce"]
    hard_gates: dict[HardGateId, HardGate]
    probe: Probe
    pair_sample: PairSample
    min_class_size: Annotated[int, Field(ge=1, le=1_000_000)]
    families: Families

    @model_validator(mode="after")
    def _holds_every_gate_once(self) -> Self:
        require_gates("hard_gates", self.hard_gates, REQUIRED_HARD_GATES)
        seen: dict[str, str] = {}
        for gate, rule in self.hard_gates.items():
            if rule.metric in seen:
                allowed = f"a metric of its own; {seen[rule.metric]} gates this one"
                raise refusal(f"hard_gates.{gate}.metric", rule.metric, allowed)
            seen[rule.metric] = gate
        return self
