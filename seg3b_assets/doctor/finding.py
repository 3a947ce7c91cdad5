"""What the doctor has to say: findings, and how a check that fails becomes one."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass, field, replace
from enum import StrEnum
from typing import Any, Final

from seg3b_assets.doors import missing_package
from seg3b_assets.laws.clipping import clipped, clipped_text
from seg3b_assets.laws.errors import Seg3BError

RECEIPT: Final = "upstream receipt"
# The area of what a run passes over; it is told last.
ODD: Final = "upstream, odd and allowed"
INTERNAL: Final = "INTERNAL"
NOT_LOOKED_AT: Final = "NOT_LOOKED_AT"
PACKAGE_MISSING: Final = "PACKAGE_MISSING"
# What a person wants to see of an error's facts besides its place and remedy, in this order.
_FACTS: Final = (
    "found", "expected", "value", "allowed", "reason", "rows", "count", "countries", "merchants",
    "missing", "unlisted", "examples", "example",
)  # fmt: skip
_SHOWN: Final = 160


class Severity(StrEnum):
    """Whether a run would stop (``stops``), go on with something to know (``odd``), or all is well (``fine``)."""

    stops = "stops"
    odd = "odd"
    fine = "fine"


@dataclass(frozen=True)
class Finding:
    """One thing the doctor found.

    Attributes:
        area: what was looked at: ``environment``, ``home``, …; an upstream root's areas begin with ``upstream``.
        severity: what it means for a run.
        code: of the error a run would end with, or the doctor's own.
        place: a path, ``file:key``, a package, a dataset.
        found: what is there, in words.
        remedy: what to do about it; empty where there is nothing to do.
        detail: JSON-serialisable facts.
        seed: of the world it is about; None outside upstream.
    """

    area: str
    severity: Severity
    code: str
    place: str
    found: str
    remedy: str = ""
    detail: Mapping[str, Any] = field(default_factory=dict)
    seed: int | None = None

    def as_json(self) -> dict[str, Any]:
        """As ``seg3b doctor --json`` prints it."""
        return {
            "area": self.area,
            "severity": self.severity.value,
            "code": self.code,
            "place": clipped_text(self.place),
            "found": clipped_text(self.found),
            "remedy": clipped_text(self.remedy),
            "detail": clipped(self.detail),
            "seed": self.seed,
        }


def fine(area: str, code: str, place: str, found: str, **detail: Any) -> Finding:
    """A finding that all is well."""
    return Finding(area, Severity.fine, code, place, found, "", detail)


def odd(area: str, code: str, place: str, found: str, remedy: str, **detail: Any) -> Finding:
    """A finding that a run passes over."""
    return Finding(area, Severity.odd, code, place, found, remedy, detail)


def stops(area: str, code: str, place: str, found: str, remedy: str, **detail: Any) -> Finding:
    """A finding that stops a run."""
    return Finding(area, Severity.stops, code, place, found, remedy, detail)


def of_error(area: str, error: Seg3BError, severity: Severity = Severity.stops) -> Finding:
    """The finding of what a run would end with."""
    detail = {"validator": error.validator, **error.detail}
    return Finding(area, severity, error.code, error.place, _facts(error), error.remedy, detail)


def looked(area: str, check: Callable[[], Iterable[Finding]]) -> Iterator[Finding]:
    """A check's findings; whatever it raises is one more.

    A parser of foreign bytes may end in more than an ``Exception``: only an interrupt and an exit go through.
    """
    try:
        yield from check()
    except Seg3BError as error:
        yield of_error(area, error)
    except (KeyboardInterrupt, SystemExit, GeneratorExit):
        raise
    except BaseException as error:
        yield _unforeseen(area, error)


def of_seed(found: Iterable[Finding], seed: int) -> Iterator[Finding]:
    """The same, about one world."""
    return (replace(one, seed=seed) for one in found)


def in_words(value: object) -> str:
    """A fact on one line, shortened."""
    if isinstance(value, Mapping):
        text = ", ".join(f"{key} {in_words(entry)}" for key, entry in value.items())
    elif isinstance(value, list | tuple):
        text = ", ".join(in_words(one) for one in value)
    else:
        text = " ".join(str(value).split())
    return text if len(text) <= _SHOWN else f"{text[:_SHOWN]}…"


def _facts(error: Seg3BError) -> str:
    detail = {name: value for name, value in error.detail.items() if value not in (None, [], "")}
    if "{" in str(detail.get("expected", "")):
        detail = {**detail, "found": "nothing"}  # a template says less than the place
        del detail["expected"]
    if detail.get("rows") == 1:
        detail.pop("rows")  # one, or a whole column
    told = [f"{name} {in_words(detail[name])}" for name in _FACTS if name in detail]
    return "; ".join([*told, f"rule {error.validator}"])


def _unforeseen(area: str, error: BaseException) -> Finding:
    if name := missing_package(error):
        remedy = f"Install it: pip install {name}, or the whole product: pip install seg3b-assets"
        return stops(area, PACKAGE_MISSING, name, f"{area} could not be looked at without it", remedy)
    remedy = "Report it with what led to it: the doctor should have a name for this."
    return stops(area, INTERNAL, type(error).__name__, in_words(error), remedy)
