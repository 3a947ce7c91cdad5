"""What the audit found: one result per declared check, with a count, the first example and the law.

A check is declared in ``audit.checks`` before it can be reported; whatever no part of the audit reached is
SKIPPED with the reason, never silently absent. Results are in check_id order, whatever ran first.
"""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Final, Literal

import numpy as np
import polars as pl
from numpy.typing import NDArray

from seg3b_assets.laws.clipping import clipped, clipped_text

Status = Literal["PASS", "FAIL", "SKIPPED"]
Example = Mapping[str, Any]
Rows = Sequence[Mapping[str, Any]]

NOT_REACHED: Final = "what it checks could not be read"


@dataclass(frozen=True)
class CheckSpec:
    """A check, before it runs.

    Attributes:
        check_id: ``S2.edge_point``; the state whose output it judges comes first.
        law: section of the laws it enforces, as ``§4 placement``.
        code: name of the S5 error a failure raises.
        likely_cause: where to look first, for a person.
    """

    check_id: str
    law: str
    code: str
    likely_cause: str


@dataclass(frozen=True)
class CheckResult:
    """A check, after it ran.

    Attributes:
        affected_count: rows, lines, files or values at fault; 0 unless it failed.
        example: the first one: merchant, edge, line, expected and found.
        detail: more facts, or why it was skipped.
    """

    spec: CheckSpec
    status: Status
    affected_count: int = 0
    example: Example | None = None
    detail: Mapping[str, Any] = field(default_factory=dict)

    @property
    def check_id(self) -> str:
        return self.spec.check_id


@dataclass(frozen=True)
class DigestComparison:
    """A digest somebody published and the same digest recomputed from bytes."""

    digest_id: str
    published: str
    recomputed: str

    @property
    def holds(self) -> bool:
        return self.published == self.recomputed


@dataclass(frozen=True)
class LogFacts:
    """One evidence log as it lies on disk, against what the edges ask for.

    Attributes:
        lines, expected_lines: lines found, lines expected.
        bytes, digest: its size and hex SHA-256.
        accepted, expected_accepted: accepted attempts; None where the log has no such notion.
    """

    lines: int
    expected_lines: int
    bytes: int
    digest: str
    accepted: int | None = None
    expected_accepted: int | None = None


@dataclass(frozen=True)
class AuditReport:
    """Everything the audit has to say.

    Attributes:
        checks: every declared check, by check_id.
        counts: what was audited.
        digests: dataset_id to the digest of its bytes on disk.
        comparisons: digests that bind datasets to one another, published against recomputed.
        logs: dataset_id to the facts of that log.
    """

    checks: tuple[CheckResult, ...]
    counts: Mapping[str, int]
    digests: Mapping[str, str]
    comparisons: tuple[DigestComparison, ...]
    logs: Mapping[str, LogFacts]

    @property
    def failed(self) -> tuple[CheckResult, ...]:
        return tuple(result for result in self.checks if result.status == "FAIL")

    @property
    def skipped(self) -> tuple[CheckResult, ...]:
        return tuple(result for result in self.checks if result.status == "SKIPPED")

    def passes(self, prefix: str) -> bool:
        """Whether no check whose id starts with ``prefix`` failed."""
        return not any(result.check_id.startswith(prefix) for result in self.failed)


def same(found: object, expected: object) -> bool:
    """Whether two values are written alike in canonical JSON: 1 is not 1.0, nor true, and 0.0 is not -0.0."""
    if isinstance(found, Mapping) and isinstance(expected, Mapping):
        return found.keys() == expected.keys() and all(same(found[key], expected[key]) for key in found)
    if isinstance(found, list | tuple) and isinstance(expected, list | tuple):
        return len(found) == len(expected) and all(map(same, found, expected))
    if found != expected:
        return False
    kinds = bool, float
    alike = all(isinstance(found, kind) == isinstance(expected, kind) for kind in kinds)
    return alike and (not isinstance(found, float) or str(found) == str(expected))


class Findings:
    """Collects results while the audit runs; safe to use from several threads.

    Args:
        specs: every check that may be reported.
    """

    def __init__(self, specs: tuple[CheckSpec, ...]) -> None:
        self._specs = {spec.check_id: spec for spec in specs}
        self._lock = threading.Lock()
        self._results: dict[str, CheckResult] = {}
        self.counts: dict[str, int] = {}
        self.digests: dict[str, str] = {}
        self.comparisons: dict[str, DigestComparison] = {}
        self.logs: dict[str, LogFacts] = {}

    def ok(self, *check_ids: str) -> None:
        """These were checked and hold, as far as this call is concerned."""
        with self._lock:
            for check_id in check_ids:
                found = self._results.get(check_id)
                if found is None or found.status == "SKIPPED":
                    self._results[check_id] = CheckResult(self._specs[check_id], "PASS")

    def fail(self, check_id: str, count: int, example: Example | None = None, **detail: Any) -> None:
        """It does not hold; counts add up and the first example stays."""
        with self._lock:
            found = self._results.get(check_id)
            if found is not None and found.status == "FAIL":
                count, example, detail = (
                    found.affected_count + count,
                    found.example or clipped(example),
                    {**clipped(detail), **found.detail},
                )
            else:
                example, detail = clipped(example), clipped(detail)
            self._results[check_id] = CheckResult(self._specs[check_id], "FAIL", count, example, detail)

    def rows(self, check_id: str, failing: NDArray[np.bool_], example: Callable[[int], Example]) -> None:
        """PASS when no row fails, else FAIL with their number and the first one's example.

        Args:
            failing: bool (n,).
            example: position of a failing row to its facts.
        """
        count = int(np.count_nonzero(failing))
        if count:
            self.fail(check_id, count, example(int(np.argmax(failing))))
        else:
            self.ok(check_id)

    def compare(
        self,
        check_id: str,
        found: pl.DataFrame,
        expected: Mapping[str, pl.Series] | pl.DataFrame,
        named: Sequence[str] | Callable[[int], Example] = ("merchant_id",),
    ) -> None:
        """PASS when columns are as they ought to be, row by row, nulls alike; else the rows that differ in any.

        Args:
            found: the table. expected: by name of the column, row for row.
            named: columns of ``found``, or a function of a row's position, that say in an example whose row it is.
        """
        columns = {
            name: expected[name]
            for name in (expected.columns if isinstance(expected, pl.DataFrame) else expected)
        }
        differs = {name: found[name].ne_missing(column).to_numpy() for name, column in columns.items()}

        def example(row: int) -> Example:
            name = next(name for name in differs if differs[name][row])
            whose = named(row) if callable(named) else found.select(named).row(row, named=True)
            return {**whose, "column": name, "expected": columns[name][row], "found": found[name][row]}

        self.rows(check_id, np.logical_or.reduce(list(differs.values())), example)

    def compare_keyed(self, check_id: str, found: Rows, expected: Rows, key: str) -> None:
        """PASS when documents' rows agree by key; else how many do not, and the first difference."""
        left, right = ({str(row[key]): row for row in rows} for rows in (found, expected))
        wrong = [
            name for name in sorted(left.keys() | right.keys()) if not same(left.get(name), right.get(name))
        ]
        if not wrong:
            self.ok(check_id)
            return
        a, b = left.get(wrong[0]), right.get(wrong[0])
        if a is None or b is None:
            facts = {"found": "a row" if a else None, "expected": "a row" if b else None}
        else:
            column = next(one for one in sorted(a.keys() | b.keys()) if not same(a.get(one), b.get(one)))
            facts = {"column": column, "found": a.get(column), "expected": b.get(column)}
        self.fail(check_id, len(wrong), {key: wrong[0], **facts})

    def same_set(self, check_id: str, found: pl.Series, expected: pl.Series) -> None:
        """PASS when a column of keys holds each of those expected once, and nothing else."""
        missing = expected.filter(~expected.is_in(found.implode()))
        unknown = found.filter(~found.is_in(expected.implode()))
        repeated = len(found) - found.n_unique()
        if count := len(missing) + len(unknown) + repeated:
            example = {
                "missing": missing[:2].to_list(),
                "unknown": unknown[:2].to_list(),
                "repeated": repeated,
            }
            self.fail(check_id, count, example)
        else:
            self.ok(check_id)

    def equal(self, check_id: str, found: object, expected: object, **where: Any) -> None:
        """PASS when both are the same value (``same``), else FAIL showing both."""
        if same(found, expected):
            self.ok(check_id)
        else:
            self.fail(check_id, 1, {**where, "expected": expected, "found": found})

    def skip(self, reason: str, *check_ids: str) -> None:
        """There was nothing to check, unless another call found something."""
        with self._lock:
            for check_id in check_ids:
                if check_id not in self._results:
                    detail = {"reason": clipped_text(reason)}
                    self._results[check_id] = CheckResult(self._specs[check_id], "SKIPPED", detail=detail)

    def failed(self, check_id: str) -> bool:
        with self._lock:
            found = self._results.get(check_id)
        return found is not None and found.status == "FAIL"

    def reached(self, check_id: str) -> bool:
        """Whether anything was found of a check."""
        with self._lock:
            return check_id in self._results

    def of(self, specs: Iterable[CheckSpec]) -> list[CheckResult]:
        """What these checks found so far; one that nothing reached is SKIPPED."""
        with self._lock:
            found = [(spec, self._results.get(spec.check_id)) for spec in specs]
        unreached = {"reason": NOT_REACHED}
        return [result or CheckResult(spec, "SKIPPED", detail=unreached) for spec, result in found]

    def compare_digest(self, digest_id: str, published: str, recomputed: str) -> bool:
        """Note a published digest beside the recomputed one; whether they agree."""
        with self._lock:
            self.comparisons[digest_id] = DigestComparison(digest_id, published, recomputed)
        return published == recomputed

    def report(self) -> AuditReport:
        """The results so far, every declared check among them."""
        self.skip(NOT_REACHED, *self._specs)
        with self._lock:
            return AuditReport(
                checks=tuple(self._results[check_id] for check_id in sorted(self._specs)),
                counts=dict(sorted(self.counts.items())),
                digests=dict(sorted(self.digests.items())),
                comparisons=tuple(self.comparisons[name] for name in sorted(self.comparisons)),
                logs=dict(sorted(self.logs.items())),
            )
