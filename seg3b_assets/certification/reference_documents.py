"""What a certification says of the reference tier, typed; ``validation_reference_3B`` is the truth.

Apart from the other documents: the tier is measured beside the verdict, and a certification of an earlier release has
none of it.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Literal

from pydantic import Field

from seg3b_assets.certification.documents import Document, Threshold


class ReferencePart(Document):
    """One measure against one bound, in one scope.

    Attributes:
        stated: the policy's threshold; ``threshold`` is what it comes to over ``n``.
        observed, passed: None where there is no value; ``reason`` says why.
    """

    part: str
    metric: str
    scope: str
    operator: Literal[">=", "<=", "range", "bool_true"]
    stated: Threshold
    threshold: Threshold
    observed: float | None
    n: int
    passed: bool | None = Field(alias="pass")
    miss_abs: float | None
    miss_pct: float | None
    margin: float | None
    reason: str | None


class ReferenceGate(Document):
    """One gate; its parts worst first.

    Attributes:
        passed: None where no part has a value.
    """

    state: str
    lane: str
    fault_domain: str
    source: str
    strength: Literal["published", "derived", "own_estimate"]
    passed: bool | None = Field(alias="pass")
    parts: tuple[ReferencePart, ...]


class ReferenceSeed(Document):
    """One seed's gates."""

    run_id: str
    merchants: int
    gates: Mapping[str, ReferenceGate]
    passed: bool = Field(alias="pass")


class Equivalence(Document):
    """Two seeds' distributions of one statistic."""

    seeds: tuple[int, int]
    statistic: str
    distance: float
    upper: float
    passed: bool = Field(alias="pass")


class SeedsOfOneKind(Document):
    """RX1."""

    passed: bool | None = Field(alias="pass")
    reason: str | None
    most: float
    upper_most: float
    resamples: int
    pairs: tuple[Equivalence, ...]


class Mean(Document):
    """Homogeneity of the seeds' means of one statistic."""

    statistic: str
    chi2: float | None
    p: float | None
    passed: bool = Field(alias="pass")


class Copies(Document):
    """Merchants of two seeds that are there twice."""

    seeds: tuple[int, int]
    share: float
    passed: bool = Field(alias="pass")


class NoCopies(Document):
    """RX2."""

    passed: bool | None = Field(alias="pass")
    reason: str | None
    p: float
    divergence: float
    most: float
    means: tuple[Mean, ...]
    pairs: tuple[Copies, ...]


class OtherWorlds(Document):
    """RX3."""

    passed: bool | None = Field(alias="pass")
    reason: str | None


class Across(Document):
    """The gates over several seeds."""

    equivalence: SeedsOfOneKind = Field(alias="3B-RX1")
    no_copies: NoCopies = Field(alias="3B-RX2")
    other_worlds: OtherWorlds = Field(alias="3B-RX3")

    @property
    def by_id(self) -> dict[str, SeedsOfOneKind | NoCopies | OtherWorlds]:
        """Each by its gate's id."""
        return {"3B-RX1": self.equivalence, "3B-RX2": self.no_copies, "3B-RX3": self.other_worlds}


class ReferenceTier(Document):
    """``3B_validation_reference.json``."""

    segment: Literal["3B"]
    generated_utc: str
    yardsticks: Mapping[str, str]
    seeds: Mapping[int, ReferenceSeed]
    pooled: Mapping[str, ReferenceGate]
    across: Across
    passed: bool = Field(alias="pass")
    grade_a_plus: bool

    def brief(self) -> dict[str, Any]:
        """What ``seg3b certify --json`` prints of it: whether each gate holds, by seed, pooled and across."""
        return {
            "grade_a_plus": self.grade_a_plus,
            "pass": self.passed,
            "seeds": {
                str(seed): {gate: found.passed for gate, found in one.gates.items()}
                for seed, one in self.seeds.items()
            },
            "pooled": {gate: found.passed for gate, found in self.pooled.items()},
            "across": {gate: found.passed for gate, found in self.across.by_id.items()},
        }
