"""What every policy model shares: strictness, the vocabulary of scalar types, and how a rule says no.

A model is closed (an unknown key is an error), frozen, and strict (``"3"`` is not 3). Ranges are declared
on the field, so that a refusal can state them; rules across fields raise ``refusal``.
"""

from __future__ import annotations

from collections.abc import Hashable, Iterable
from datetime import date
from typing import Annotated, Any, Generic, Literal, TypeVar, get_args

from pydantic import AfterValidator, BaseModel, ConfigDict, Field
from pydantic_core import PydanticCustomError

T = TypeVar("T")

VirtualClass = Literal["OFFSHORE_HUB", "HYBRID_FOOTPRINT", "REGIONAL_COMPACT"]
SizeBucket = Literal["SMALL", "MEDIUM", "LARGE"]
Channel = Literal["card_present", "card_not_present"]
VIRTUAL_CLASSES: tuple[VirtualClass, ...] = get_args(VirtualClass)
SIZE_BUCKETS: tuple[SizeBucket, ...] = get_args(SizeBucket)

# Strictness is for scalars; a YAML sequence becomes a tuple.
Listed = Annotated[tuple[T, ...], Field(strict=False)]
Pair = Annotated[tuple[T, T], Field(strict=False)]


def worded(pattern: str, words: str) -> Any:
    """A text type by pattern, together with what to call it when a value does not fit."""
    return Field(pattern=pattern, json_schema_extra={"words": words})


Iso2 = Annotated[str, worded(r"^[A-Z]{2}$", "a two-letter country code in capitals, in quotes")]
Semver = Annotated[
    str, worded(r"^(0|[1-9]\d*)\.(0|[1-9]\d*)\.(0|[1-9]\d*)$", "a semantic version such as 1.2.0")
]
RuleId = Annotated[
    str, worded(r"^[A-Z][A-Z0-9_]{2,63}$", "3 to 64 capitals, digits and underscores, a capital first")
]
Identifier = Annotated[
    str, worded(r"^[A-Za-z0-9][A-Za-z0-9_.:/#-]{0,127}$", "letters, digits and _.:/#- without spaces")
]
Anchor = Annotated[
    str,
    worded(r"^[a-z][a-z0-9_]*_3B\.[a-z][a-z0-9_]*$", "a dataset and column, as edge_catalogue_3B.lat_deg"),
]
EventField = Annotated[
    str, worded(r"^event\.[a-z][a-z0-9_]*$", "a field of the router's event, as event.ip_country")
]
SchemaAnchor = Annotated[
    str,
    worded(
        r"^[A-Za-z0-9_.]+\.ya?ml#/[A-Za-z0-9_$/.-]+$",
        "a shape in a schema pack, as schemas.layer1.yaml#/$defs/rng_envelope",
    ),
]
Sentence = Annotated[str, Field(min_length=3, max_length=400)]
Mcc = Annotated[int, Field(ge=0, le=9999)]
MccRange = Pair[Mcc]
Share = Annotated[float, Field(ge=0, le=1)]
PositiveShare = Annotated[float, Field(gt=0, le=1)]
Seed = Annotated[int, Field(ge=0, le=2**64 - 1)]
MerchantId = Annotated[int, Field(ge=1, le=2**64 - 1)]


def _is_day(text: str) -> str:
    date.fromisoformat(text)
    return text


# The last day an override holds: in quotes, since YAML would make a date of it.
Day = Annotated[
    str,
    worded(r"^[0-9]{4}-[0-9]{2}-[0-9]{2}$", 'a day in quotes, as "2026-12-31"'),
    AfterValidator(_is_day),
]


class PolicyModel(BaseModel):
    """A closed, frozen, strict record inside a policy."""

    model_config = ConfigDict(extra="forbid", frozen=True, strict=True, allow_inf_nan=False)


class Policy(PolicyModel):
    """The root of a policy file.

    Attributes:
        policy_id: equals the file's stem.
        version: semantic version of the policy's content.
    """

    policy_id: str
    version: Semver


class ByClass(PolicyModel, Generic[T]):
    """One setting per virtual class; ``setting[virtual_class]`` reads it."""

    OFFSHORE_HUB: T
    HYBRID_FOOTPRINT: T
    REGIONAL_COMPACT: T

    def __getitem__(self, virtual_class: str) -> T:
        setting: T = getattr(self, virtual_class)
        return setting


class BySize(PolicyModel, Generic[T]):
    """One setting per size bucket; ``setting[size_bucket]`` reads it."""

    SMALL: T
    MEDIUM: T
    LARGE: T

    def __getitem__(self, size_bucket: str) -> T:
        setting: T = getattr(self, size_bucket)
        return setting


def refusal(key: str, value: object, allowed: str) -> PydanticCustomError:
    """A rule's no: which key below the model (dotted, ``[i]`` for items), its value, what would do."""
    return PydanticCustomError(
        "policy_rule", "{key}: {allowed}", {"key": key, "value": value, "allowed": allowed}
    )


def not_among(value: str, known: Iterable[str]) -> PydanticCustomError:
    """A name's no: it is none of those that are known."""
    return PydanticCustomError("policy_choice", "not known", {"value": value, "choices": sorted(known)})


def require_bracket(minimum: float, median: float, maximum: float) -> None:
    """Refuse a minimum or a maximum that is not on its side of the median."""
    if minimum >= median:
        raise refusal("minimum", minimum, f"less than median = {median:g}")
    if maximum <= median:
        raise refusal("maximum", maximum, f"greater than median = {median:g}")


def require_unique(key: str, values: Iterable[Hashable], what: str, leaf: str = "") -> None:
    """Refuse the first repeated value of a list found under ``key`` (at ``leaf`` of each item)."""
    seen: set[Hashable] = set()
    for at, value in enumerate(values):
        if value in seen:
            raise refusal(f"{key}[{at}]{leaf}", value, f"{what} that the list does not hold already")
        seen.add(value)
