"""How a gate is written in a policy: a metric, an operator and a threshold (vocabulary of the gates).

Shared by the sealed hard gates and the unsealed stretch bands. Measures and judges nothing.
"""

from __future__ import annotations

from typing import Annotated, Any, Literal, Self, get_args

from pydantic import Field, PlainValidator, model_validator

from seg3b_assets.policies.policy_model import PolicyModel, refusal

Operator = Literal[">=", "<=", "range", "bool_true"]
Threshold = float | tuple[float, float] | bool
FaultDomain = Literal["policy", "code", "upstream"]
StateName = Literal["S0", "S1", "S2", "S3", "S4", "S5"]
GatedDataset = Literal[
    "edge_catalogue_3B",
    "virtual_classification_3B",
    "edge_alias_blob_3B",
    "virtual_validation_contract_3B",
    "virtual_settlement_3B",
]
Metric = Literal[
    "edges_per_merchant_cv",
    "countries_per_merchant_cv",
    "top1_share_p50",
    "median_pairwise_js",
    "settlement_overlap_median",
    "settlement_overlap_p75",
    "settlement_distance_median_km",
    "rule_id_non_null_rate",
    "rule_version_non_null_rate",
    "active_rule_id_count",
    "alias_max_abs_delta",
    "realism_block_active_enforced",
    "settlement_tzid_top1_share",
    "settlement_unique_coord_ratio",
    "settlement_duplicate_exposure",
    "virtual_rate",
]
METRICS: tuple[Metric, ...] = get_args(Metric)

_FORMS: dict[Operator, str] = {
    ">=": "a number, since the operator is >=",
    "<=": "a number, since the operator is <=",
    "range": "[low, high] with low below high, since the operator is range",
    "bool_true": "true, since the operator is bool_true",
}


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

    metric: Metric
    state: StateName
    dataset: GatedDataset
    fault_domain: FaultDomain


class StretchGate(Bound):
    """A stretch band.

    Attributes:
        metrics: what is measured; every one must meet the band.
        hard_gates: the hard gates it tightens.
    """

    metrics: Annotated[tuple[Metric, ...], Field(strict=False, min_length=1, max_length=2)]
    hard_gates: Annotated[tuple[str, ...], Field(strict=False, min_length=1, max_length=2)]


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
