"""How the reference tier is judged: gates with where their bounds are from, and what is too small to be judged.

Part of ``certification``, so not sealed: a change here rescores. Measures and judges nothing.
"""

from __future__ import annotations

from typing import Annotated, Final, Literal, Self

from pydantic import AfterValidator, Field, ValidationInfo, model_validator

from seg3b_assets.policies.gates import Bound, FaultDomain, StateName, require_gates, vocabulary_of
from seg3b_assets.policies.policy_model import PolicyModel, not_among, worded

REFERENCE_GATE_FORM: Final = r"^3B-R(0[1-9]|1[0-9])$"
ReferenceGateId = Annotated[str, worded(REFERENCE_GATE_FORM, "3B-R01 to 3B-R19")]
PartId = Annotated[
    str, worded(r"^[a-e][1-9]?$", "a letter of a to e, and a digit where the part has several")
]

# The gates the law asks for ("Gates R01-R12").
REQUIRED_REFERENCE_GATES: Final = tuple(f"3B-R{number:02d}" for number in range(1, 13))

# published: a source states the figure; derived: it follows from published figures; own_estimate: ours, and said so.
Strength = Literal["published", "derived", "own_estimate"]
Size = Annotated[int, Field(ge=1, le=1_000_000)]


def _reference_metric(name: str, info: ValidationInfo) -> str:
    known = vocabulary_of(info).reference_metrics
    if name not in known:
        raise not_among(name, known)
    return name


ReferenceMetricName = Annotated[
    str,
    Field(json_schema_extra={"words": "a metric of the reference tier"}),
    AfterValidator(_reference_metric),
]


class Least(PolicyModel):
    """Sizes below which a part is NOT_APPLICABLE.

    Attributes:
        merchants: virtual merchants of a seed, for what looks at how they are distributed.
        class_merchants, home_merchants: of a virtual class, of a home country, to be judged by itself.
        slice_merchants: of a virtual class, for the stretch bands within it.
        same_seat_pairs: pairs of merchants with one seat country.
        countries: countries with a correlation each.
    """

    merchants: Size
    class_merchants: Size
    home_merchants: Size
    slice_merchants: Size
    same_seat_pairs: Size
    countries: Size


class ReferenceTerms(PolicyModel):
    """How much is sampled, and what is too small.

    Attributes:
        sample_merchants: merchants of which pairs are compared; beyond, a sample of so many.
        permutations: of trades within strata, for the effect of trade.
        resamples, level: of merchants within a class, and the two-sided level of the interval.
    """

    least: Least
    sample_merchants: Size
    permutations: Annotated[int, Field(ge=19, le=9_999)]
    resamples: Annotated[int, Field(ge=100, le=100_000)]
    level: Annotated[float, Field(gt=0, lt=1)]


class ReferencePart(Bound):
    """One bound of a gate.

    Attributes:
        metric: what is measured, of the reference tier's own; in every scope it has.
        sampling_sd: the bound is for merchants without number: over n of them it is wider by so many standard
            deviations of a count with that share, and by one merchant; 0 where it is as it stands.
    """

    metric: ReferenceMetricName
    sampling_sd: Annotated[float, Field(ge=0, le=10)] = 0.0


class ReferenceGate(PolicyModel):
    """A gate of the reference tier; every part must hold.

    Attributes:
        state, fault_domain: where to look first when it fails.
        source: where its bounds are from. strength: how good that is.
    """

    state: StateName
    fault_domain: FaultDomain
    source: Annotated[str, Field(min_length=10, max_length=400)]
    strength: Strength
    parts: Annotated[dict[PartId, ReferencePart], Field(min_length=1)]


class AcrossSeeds(PolicyModel):
    """What several seeds are held to together (RX1, RX2).

    Attributes:
        ks_most, ks_upper: largest distance of two seeds' distributions, and of its upper end.
        resamples, level: of merchants, and the one-sided level of that end.
        means_p: least two-sided p of the seeds' means differing as chance makes them.
        copies_js, copies_share: divergence below which two merchants are one, and how many may be, per merchant.
    """

    ks_most: Annotated[float, Field(gt=0, le=1)]
    ks_upper: Annotated[float, Field(gt=0, le=1)]
    resamples: Annotated[int, Field(ge=100, le=100_000)]
    level: Annotated[float, Field(gt=0, lt=1)]
    means_p: Annotated[float, Field(gt=0, lt=1)]
    copies_js: Annotated[float, Field(gt=0, lt=1)]
    copies_share: Annotated[float, Field(ge=0, le=1)]


class ReferenceTier(PolicyModel):
    """The tier above B+.

    Attributes:
        terms: how it is measured. across_seeds: what seeds are held to together. gates: by id.
    """

    terms: ReferenceTerms
    across_seeds: AcrossSeeds
    gates: dict[ReferenceGateId, ReferenceGate]

    @model_validator(mode="after")
    def _is_complete(self) -> Self:
        require_gates("gates", self.gates, REQUIRED_REFERENCE_GATES)
        return self
