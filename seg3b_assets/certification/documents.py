"""What a certification says, typed: the metrics document of a seed and the summary over all of them.

The published JSON Schemas (``validation_metrics_seed_3B``, ``validation_cross_seed_summary_3B``) are the truth; a test
holds both equal. Everything that tells a verdict reads these, so that none of it walks a mapping by name. Values are
as in the JSON: a number stays the number, and what was not measured is None.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Final, Literal, Self, TypeAlias

import orjson
from pydantic import BaseModel, ConfigDict, Field, ValidationError

from seg3b_assets.certification.kept import KeptCertification
from seg3b_assets.realism.gates import FAIL_REALISM

Value: TypeAlias = bool | int | float
Threshold: TypeAlias = bool | int | float | tuple[float, float]
Verdict: TypeAlias = Literal["PASS_BPLUS", "PASS_B", "FAIL_REALISM"]

# Hard gates decide PASS_B, stretch gates PASS_BPLUS.
LEVELS: Final[Mapping[str, str]] = {"hard": "B", "stretch": "B+"}


class Document(BaseModel):
    """Part of a document. What a later release adds to one is left out."""

    model_config = ConfigDict(frozen=True, populate_by_name=True, strict=True, extra="ignore")

    @classmethod
    def of(cls, value: Any) -> Self:
        """A document's JSON as this; read as JSON, whose keys are text and whose tuples are lists.

        Raises:
            pydantic.ValidationError: it is none.
        """
        return cls.model_validate_json(orjson.dumps(value))

    @classmethod
    def kept(cls, certification: KeptCertification, name: str) -> Self | None:
        """A document of a certification in the home; None where there is none, or where it is none of its kind."""
        value = certification.document(name)
        try:
            return None if value is None else cls.of(value)
        except ValidationError:
            return None

    def as_json(self) -> dict[str, Any]:
        """The JSON it was read from, but for what it left out."""
        return self.model_dump(mode="json", by_alias=True, exclude_unset=True)


class Condition(Document):
    """One metric held against one bound.

    Attributes:
        threshold: a number, (low, high), or true.
        observed: in the metric's unit, a boolean for ``bool_true``; None where there was nothing to measure.
        passed: None where there was nothing to measure.
        miss_abs: how far outside, in the metric's unit; 0 inside.
        miss_pct: the same in percent of the bound; None where the bound is 0.
        margin: how far inside, as a share of the bound or of the room to 1; negative outside; None of a yes or no.
    """

    metric: str
    operator: Literal[">=", "<=", "range", "bool_true"]
    threshold: Threshold
    observed: Value | None
    passed: bool | None = Field(alias="pass")
    miss_abs: float | None
    miss_pct: float | None
    margin: float | None


class Gate(Condition):
    """A gate of a seed, by the condition that says most; ``conditions`` has all of them where there are several."""

    state: str
    conditions: tuple[Condition, ...] = ()

    @property
    def parts(self) -> tuple[Condition, ...]:
        """Every condition."""
        return self.conditions or (self,)


class Failure(Condition):
    """A gate that fails: on a seed, or (``seed`` None) over all of them; with where to look first.

    Attributes:
        statistic: ``cv_over_seeds`` where the value is a coefficient of variation over seeds.
    """

    gate: str
    level: Literal["hard", "stretch"]
    seed: int | None
    state: str
    lane: str
    fault_domain: str
    statistic: Literal["cv_over_seeds"] | None = None


class Settlements(Document):
    """How many settlements came at upstream's coordinate, and how many were drawn."""

    ingested: int
    drawn: int


class Rate(Document):
    """Merchants with one value of an attribute, and how many of them are virtual."""

    value: str | int
    rows: int
    virtual: int
    virtual_rate: float


class Measured(Document):
    """A seed's metrics: ``values`` by name, and what stands beside them.

    Attributes:
        n: size of the population of each metric.
        settlements: None in a certification from before they were counted.
        by_virtual_class: merchants, and metrics by name, of each class.
    """

    model_config = ConfigDict(extra="allow")

    n: Mapping[str, int]
    detail: Mapping[str, Any]
    by_virtual_class: Mapping[str, Mapping[str, Value | None]]
    virtual_rate_by_mcc: tuple[Rate, ...]
    virtual_rate_by_channel: tuple[Rate, ...]
    virtual_rate_by_country: tuple[Rate, ...]
    settlements: Settlements | None = None

    @property
    def values(self) -> Mapping[str, Value | None]:
        """Every metric of the document."""
        return self.model_extra or {}

    def rates(self, attribute: str) -> tuple[Rate, ...]:
        """Virtual rates by an attribute of merchants: mcc, channel or country."""
        found: tuple[Rate, ...] = getattr(self, f"virtual_rate_by_{attribute}")
        return found


class Provenance(Document):
    """What a seed's figures rest on.

    Attributes:
        states: key by state; without S5 where realism blocked it.
        policies, datasets: SHA-256 by id.
        blocked: why S5 wrote no bundle; None where it did.
        flag: the digest its flag states; None without a bundle, and in a document of an earlier release.
    """

    lineage_id: str
    sealed_inputs_digest: str
    states: Mapping[str, str]
    policies: Mapping[str, str]
    datasets: Mapping[str, str]
    blocked: str | None
    flag: str | None = None


class SeedDocument(Document):
    """``3B_validation_metrics_seed_<seed>.json``."""

    segment: Literal["3B"]
    phase: str
    seed: int
    run_id: str
    manifest_fingerprint: str
    parameter_hash: str
    generated_utc: str
    metrics: Measured
    hard_gates: Mapping[str, Gate]
    stretch_gates: Mapping[str, Gate]
    hard_pass: bool
    stretch_pass: bool
    verdict: Verdict
    provenance: Provenance

    @property
    def passed(self) -> bool:
        return self.verdict != FAIL_REALISM

    def gates(self, level: str) -> Mapping[str, Gate]:
        """Gates of a level (hard, stretch) by id."""
        return self.hard_gates if level == "hard" else self.stretch_gates

    def all_pass(self, level: str) -> bool:
        """Whether every gate of a level passes."""
        return self.hard_pass if level == "hard" else self.stretch_pass

    def value(self, metric: str) -> float | None:
        """A metric as a number, 1 or 0 for yes or no; None where it was not measured."""
        found = self.metrics.values.get(metric)
        return None if found is None else float(found)


class Stability(Document):
    """3B-X01: coefficients of variation over seeds, by metric; None where a seed has no value."""

    metric_cvs: Mapping[str, float | None]
    max_cv_b: float
    max_cv_bplus: float
    pass_b: bool
    pass_bplus: bool


class Prevalence(Document):
    """3B-X02: the share of virtual merchants of each seed in the policy's band."""

    virtual_rate_values: Mapping[int, float | None]
    band: tuple[float, float]
    passed: bool = Field(alias="pass")


class Soundness(Document):
    """3B-X03: whether every hard gate holds, by seed."""

    all_hard_gates_pass: Mapping[int, bool]
    passed: bool = Field(alias="pass")


class CrossSeedChecks(Document):
    """The gates over several seeds."""

    stability: Stability = Field(alias="3B-X01")
    prevalence: Prevalence = Field(alias="3B-X02")
    soundness: Soundness = Field(alias="3B-X03")


class Interval(Document):
    """A seed's bootstrap interval of the overlap median."""

    estimate: float | None
    lower: float | None
    upper: float | None
    passed: bool = Field(alias="pass")


class Bootstrap(Document):
    """The overlap median's lower end exceeds a bound on every seed."""

    resamples: int
    level: float
    must_exceed: float | None
    seeds: Mapping[int, Interval]
    passed: bool = Field(alias="pass")


class Pair(Document):
    """Two seeds' heaviest shares held against each other (Kolmogorov-Smirnov, Holm)."""

    seeds: tuple[int, int]
    statistic: float
    p: float
    p_holm: float
    passed: bool = Field(alias="pass")


class Alikeness(Document):
    """No two seeds differ."""

    p: float
    pairs: tuple[Pair, ...]
    passed: bool = Field(alias="pass")


class SeedUplift(Document):
    """What coupling changes on one seed; the medians are None where no counterfactual was drawn."""

    shown: bool
    overlap_coupled: float | None = None
    overlap_uncoupled: float | None = None
    overlap_ratio: float | None = None
    distance_coupled_km: float | None = None
    distance_uncoupled_km: float | None = None
    distance_reduction: float | None = None
    passed: bool = Field(alias="pass")


class Uplift(Document):
    """Coupling to the settlement brings traffic home and edges nearer, on every seed."""

    overlap_ratio: float
    distance_reduction: float
    seeds: Mapping[int, SeedUplift]
    passed: bool = Field(alias="pass")


class SeedClasses(Document):
    """A seed's virtual classes: merchants of each, which are judged by themselves, and the hard gates they fail."""

    merchants: Mapping[str, int]
    judged: tuple[str, ...]
    failed: Mapping[str, tuple[str, ...]]
    passed: bool = Field(alias="pass")


class ClassSlices(Document):
    """Every hard gate within every class large enough."""

    min_class_size: int
    seeds: Mapping[int, SeedClasses]
    passed: bool = Field(alias="pass")


class SeedRows(Document):
    """Rows of a seed's validation contract."""

    rows: int
    passed: bool = Field(alias="pass")


class ContractRows(Document):
    """A contract worth the name on every seed."""

    minimum: int
    seeds: Mapping[int, SeedRows]
    passed: bool = Field(alias="pass")


class Confidence(Document):
    """How sure the verdict is, layer by layer."""

    bootstrap_overlap: Bootstrap
    ks_top1_share: Alikeness
    coupling_uplift: Uplift
    class_slices: ClassSlices
    contract_rows: ContractRows
    passed: bool = Field(alias="pass")


class Overall(Document):
    """The verdict over all seeds."""

    all_seed_hard_pass: bool
    all_seed_stretch_pass: bool
    pass_b: bool
    pass_bplus: bool
    grade_a: bool
    overall_verdict: Verdict


class Summary(Document):
    """``3B_validation_cross_seed_summary.json``."""

    segment: Literal["3B"]
    phase: str
    generated_utc: str
    required_seeds: tuple[int, ...]
    selected_seed_run_map: Mapping[int, str]
    seed_verdicts: Mapping[int, Verdict]
    cross_seed_checks: CrossSeedChecks
    confidence: Confidence
    overall: Overall
    ranked_failures: tuple[Failure, ...]
