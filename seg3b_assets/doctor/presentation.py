"""An examination for a person at a terminal: a line per finding, by area; what stops a run is counted last."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Final

from seg3b_assets.doctor.examination import Examination
from seg3b_assets.doctor.finding import NOT_LOOKED_AT, RECEIPT, Finding, Severity
from seg3b_assets.laws.visible_text import visible

RECEIPT_NAME: Final = "run_receipt.json"
_WIDEST_CODE: Final = 34


def lines(found: Examination) -> Iterator[str]:
    """The lines, without colour; a place in an upstream root is shown below it, the root being named by its receipt."""
    area: tuple[str, int | None] | None = None
    root = ""
    for one in found.findings:
        if area != (one.area, one.seed):
            area = one.area, one.seed
            yield one.area if one.seed is None else f"{one.area}, seed {one.seed}"
        yield _line(one, root)
        if one.area == RECEIPT and one.severity is Severity.fine:
            root = one.place.removesuffix(RECEIPT_NAME)
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


def _line(one: Finding, root: str) -> str:
    remedy = f" -> {one.remedy}" if one.remedy else ""
    # Of a root that is well, its path has been said once.
    known = one.severity is Severity.fine and one.area.startswith("upstream") and one.area != RECEIPT
    shown = one.place.replace(root, "") if root else one.place
    place = "" if known else f"{shown}: "
    mark = one.severity.value if one.severity is not Severity.stops else "STOPS"
    return visible(f"  {mark:<5}  {one.code:<{_WIDEST_CODE}}  {place}{one.found}{remedy}")
