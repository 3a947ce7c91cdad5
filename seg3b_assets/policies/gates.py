"""How a gate is written in a policy: a metric, an operator and a threshold (vocabulary of the gates).

Shared by the sealed hard gates and the unsealed stretch bands. Measures and judges nothing. A new gate is an entry in
a policy and needs nothing here: an id has a form, a metric and a dataset are whatever the ``Vocabulary`` knows.
"""

from __future__ import annotations

import re
from collections.abc import Collection
from dataclasses import dataclass
from typing import Annotated, Any, Final, Literal, Self

from pydantic import AfterValidator, Field, PlainValidator, ValidationInfo, model_validator

from seg3b_assets.policies.policy_model import PolicyModel, not_among, refusal, worded

Operator = Literal[">=", "<=", "range", "bool_true"]
Threshold = float | tuple[float, float] | bool
FaultDomain = Literal["policy", "code", "upstream"]
StateName = Literal["S0", "S1", "S2", "S3", "S4", "S5"]

HARD_GATE_FORM: Final = r"^3B-[VD][0-9]{2}$"
STRETCH_GATE_FORM: Final = r"^3B-[SVD][0-9]{2}$"
HardGateId = Annotated[str, worded(HARD_GATE_FORM, "3B-V and two digits, or 3B-D and two digits")]
StretchGateId = Annotated[
    str, worded(STRETCH_GATE_FORM, "3B-S and two digits, or the id of the hard gate that it tightens")
]

# The gates the law asks for ("Gates"): a policy may hold more, and none of these may be missing.
REQUIRED_HARD_GATES: Final = (
    *(f"3B-V{number:02d}" for number in range(1, 13)),
    *(f"3B-D{number:02d}" for number in range(1, 4)),
)
REQUIRED_STRETCH_GATES: Final = tuple(f"3B-S{number:02d}" for number in range(1, 13))

_FORMS: dict[Operator, str] = {
    ">=": "a number, since the operator is >=",
    "<=": "a number, since the operator is <=",
    "range": "[low, high] with low below high, since the operator is range",
    "bool_true": "true, since the operator is bool_true",
}


@dataclass(frozen=True)
class Vocabulary:
    """What a gate may name. Policies are read with one, by who knows what is measured and published.

    Attributes:
        metrics: names of the metrics that are measured of a seed.
        reference_metrics: names of those of the reference tier.
        datasets: ids of the datasets a check may sit on.
    """

    metrics: Collection[str]
    datasets: Collection[str]
    reference_metrics: Collection[str] = ()


def _metric(name: str, info: ValidationInfo) -> str:
    return _known(name, vocabulary_of(info).metrics)


def _dataset(name: str, info: ValidationInfo) -> str:
    return _known(name, vocabulary_of(info).datasets)


def vocabulary_of(info: ValidationInfo) -> Vocabulary:
    """What the policy that is being read may name."""
    if not isinstance(info.context, Vocabulary):
        raise LookupError("a policy with gates is read with a Vocabulary as context")
    return info.context


def _known(name: str, known: Collection[str]) -> str:
    if name not in known:
        raise not_among(name, known)
    return name


MetricName = Annotated[
    str, Field(json_schema_extra={"words": "a metric that is measured"}), AfterValidator(_metric)
]
GatedDataset = Annotated[
    str, Field(json_schema_extra={"words": "a dataset of S1 to S4"}), AfterValidator(_dataset)
]


def _pair_from_sequence(value: Any) -> Any:
    """A YAML sequence as a tuple; what it must be is the operator's to say."""
    return tuple(value) if isinstance(value, list) else value


class Bound(PolicyModel):
    """An operator and what it compares with.

    Attributes:
        operator: ``>=``, ``<=``, ``range`` (both ends count as inside) or ``bool_true``.
        threshold: a number, [low, high], or true, as the operator asks.
    """

    operator: Operator
    threshold: Annotated[Threshold, PlainValidator(_pair_from_sequence)]

    @model_validator(mode="after")
    def _threshold_fits_operator(self) -> Self:
        if not _fits(self.operator, self.threshold):
            raise refusal("threshold", self.threshold, _FORMS[self.operator])
        return self


class HardGate(Bound):
    """A gate of the sealed contract.

    Attributes:
        metric: what is measured.
        state: who produces what the metric reads.
        dataset: the asset the check sits on.
        fault_domain: where to look first when it fails.
    """

    metric: MetricName
    state: StateName
    dataset: GatedDataset
    fault_domain: FaultDomain


class StretchGate(Bound):
    """A stretch band.

    Attributes:
        metrics: what is measured; every one must meet the band.
        hard_gates: the hard gates it tightens.
    """

    metrics: Annotated[tuple[MetricName, ...], Field(strict=False, min_length=1, max_length=2)]
    hard_gates: Annotated[tuple[HardGateId, ...], Field(strict=False, min_length=1, max_length=2)]


def require_gates(key: str, gates: Collection[str], required: tuple[str, ...]) -> None:
    """Refuse a policy that lacks a gate the law asks for."""
    for gate in required:
        if gate not in gates:
            raise refusal(key, sorted(gates), f"every gate the law asks for; {gate} is missing")


def tightens_another(gate_id: str, rule: StretchGate) -> bool:
    """Whether a band under a hard gate's id is said to tighten gates that are not that one."""
    return bool(re.match(HARD_GATE_FORM, gate_id)) and gate_id not in rule.hard_gates


def _fits(operator: Operator, threshold: object) -> bool:
    if operator == "bool_true":
        return threshold is True
    if operator == "range":
        return (
            isinstance(threshold, tuple)
            and len(threshold) == 2
            and all(_is_number(bound) for bound in threshold)
            and threshold[0] < threshold[1]
        )
    return _is_number(threshold)


def _is_number(value: object) -> bool:
    return isinstance(value, (int, float)) and not isinstance(value, bool)
