"""An examination for a person at a terminal: a line per finding, by area; what stops a run is counted last."""

from __future__ import annotations

from collections.abc import Iterator

from seg3b_assets.doctor.examination import Examination
from seg3b_assets.doctor.finding import NOT_LOOKED_AT, RECEIPT, Finding, Severity
from seg3b_assets.laws.visible_text import visible

_WIDEST_CODE = 34


def lines(found: Examination) -> Iterator[str]:
    """The lines, without colour."""
    area: tuple[str, int | None] | None = None
    for one in found.findings:
        if area != (one.area, one.seed):
            area = one.area, one.seed
            yield one.area if one.seed is None else f"{one.area}, seed {one.seed}"
        yield _line(one)
    yield verdict(found)


def verdict(found: Examination) -> str:
    """How many stop a run, and how many are odd."""
    stopping, odd = len(found.of(Severity.stops)), found.of(Severity.odd)
    unseen = sum(one.code == NOT_LOOKED_AT for one in odd)
    also = f"; {len(odd) - unseen} odd and allowed" if len(odd) > unseen else ""
    also += f"; {unseen} not looked at until that is mended" if unseen else ""
    if not stopping:
        return f"nothing found that would stop a run{also}"
    return f"{stopping} {'thing stops' if stopping == 1 else 'things stop'} a run{also}"


def _line(one: Finding) -> str:
    remedy = f" -> {one.remedy}" if one.remedy else ""
    # Of a root that is well, its path has been said once.
    known = one.severity is Severity.fine and one.area.startswith("upstream") and one.area != RECEIPT
    place = "" if known else f"{one.place}: "
    mark = one.severity.value if one.severity is not Severity.stops else "STOPS"
    return visible(f"  {mark:<5}  {one.code:<{_WIDEST_CODE}}  {place}{one.found}{remedy}")
