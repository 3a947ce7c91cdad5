"""The whole examination: the installation, then the upstream root where there is one. Nothing is written anywhere.

For a person at a terminal it is a line per finding, by area; what stops a run is counted last.
"""

from __future__ import annotations

import importlib
import time
from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any, Final

from seg3b_assets.doctor.finding import INTERNAL, NOT_LOOKED_AT, ODD, RECEIPT, Finding, Severity, looked
from seg3b_assets.doors import EXIT_PASS, EXIT_STRUCTURAL, EXIT_USAGE
from seg3b_assets.laws.visible_text import visible
from seg3b_assets.progress import SILENT, Progress
from seg3b_assets.wording import number

if TYPE_CHECKING:
    from seg3b_assets.policies import PolicySet
    from seg3b_assets.settings import Settings

_PACKAGE: Final = "seg3b_assets.doctor"
_MOST_OF_A_KIND: Final = 100

RECEIPT_NAME: Final = "run_receipt.json"
_WIDEST_CODE: Final = 34


@dataclass(frozen=True)
class Examination:
    """What was found.

    Attributes:
        findings: in the order of looking, those of an area together.
        wall_s: seconds it took.
    """

    findings: tuple[Finding, ...]
    wall_s: float

    def of(self, severity: Severity) -> list[Finding]:
        """The findings of one severity."""
        return [one for one in self.findings if one.severity is severity]

    @property
    def exit_code(self) -> int:
        """0 nothing stops a run, 2 something does, 3 the doctor met what it has no name for."""
        stopping = self.of(Severity.stops)
        if any(one.code == INTERNAL for one in stopping):
            return EXIT_STRUCTURAL
        return EXIT_USAGE if stopping else EXIT_PASS

    def as_json(self) -> dict[str, Any]:
        """As ``seg3b doctor --json`` prints it."""
        return {
            "status": "STOPS" if self.of(Severity.stops) else "CLEAR",
            **{severity.value: len(self.of(severity)) for severity in Severity},
            "findings": [one.as_json() for one in self.findings],
            "wall_s": round(self.wall_s, 3),
        }


def examine(settings: Settings, seeds: Sequence[int] = (), progress: Progress = SILENT) -> Examination:
    """Look at everything a run under these settings would rely on.

    Args:
        settings: with an upstream root, that is looked at too.
        seeds: of the root; every seed that lies there by default.
    """
    started = time.perf_counter()
    findings = tuple(_few(list(_together(list(_findings(settings, seeds, progress))))))
    return Examination(findings, time.perf_counter() - started)


def _findings(settings: Settings, seeds: Sequence[int], progress: Progress) -> Iterator[Finding]:
    # Each part is loaded when it is asked: a package that is missing stops one part, and is said once by the first.
    yield from looked("environment", lambda: _part("environment").environment(settings.upstream is None))
    yield from looked("contracts", lambda: _part("installation").contracts())
    loaded: list[PolicySet] = []
    yield from looked("policies", lambda: _policies(settings, loaded))
    policies = loaded[0] if loaded else None
    if policies is not None:
        yield from looked("policies", lambda: _part("installation").meant(policies))
    yield from looked("home", lambda: _part("home").home(settings.home))
    yield from looked("dagster", _dagster)
    count = len(policies.certification.seeds) if policies is not None else None
    yield from looked("disk", lambda: _part("disk").disk(settings, count))
    if (place := settings.upstream) is not None:
        yield from looked(
            "upstream", lambda: _part("upstream").upstream(settings, place, seeds, policies, progress)
        )


def _policies(settings: Settings, loaded: list[PolicySet]) -> list[Finding]:
    policies, findings = _part("installation").policies(settings.policies)
    loaded.extend([policies] if policies is not None else [])
    return list(findings)


def _dagster() -> Iterator[Finding]:
    part = _part("dagster_home")
    yield from part.dagster_home(part.named_home())


def _part(name: str) -> Any:
    return importlib.import_module(f"{_PACKAGE}.{name}")


def _few(findings: Sequence[Finding]) -> Iterator[Finding]:
    """As many findings of a kind as a person reads, and how many more there are: a folder may hold a million strays."""

    def kind(one: Finding) -> tuple[object, ...]:
        return one.seed, one.area, one.severity, one.code

    counts, told = Counter(map(kind, findings)), Counter[tuple[object, ...]]()
    for one in findings:
        told[kind(one)] += 1
        if told[kind(one)] <= _MOST_OF_A_KIND:
            yield one
        elif told[kind(one)] == _MOST_OF_A_KIND + 1:
            more = counts[kind(one)] - _MOST_OF_A_KIND
            remedy = "Mend those above, and look again." if one.severity is Severity.stops else ""
            yield replace(
                one, place=one.area, found=f"and {number(more)} more", remedy=remedy, detail={"more": more}
            )


def _together(findings: Sequence[Finding]) -> Iterator[Finding]:
    """The findings of a seed, and of an area, together, in the order of looking; in each, what stops a run first."""
    seeds = list(dict.fromkeys(one.seed for one in findings))
    areas = list(dict.fromkeys(one.area for one in findings if one.area != ODD))
    rank = list(Severity)

    def place(one: Finding) -> tuple[int, int, int]:
        area = len(areas) if one.area == ODD else areas.index(one.area)
        return seeds.index(one.seed), area, rank.index(one.severity)

    # A place that several checks open, a home with a link in it, is said once.
    said: set[tuple[object, ...]] = set()
    for one in sorted(findings, key=place):
        key = (one.code, one.place, one.found, one.seed)
        if key not in said:
            said.add(key)
            yield one


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
