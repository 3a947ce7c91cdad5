"""What is wrong with an evidence log whose bytes are not the expected ones.

Lines are matched by a 64-bit hash, so that the equal ones, nearly all, cost eight bytes each. Those left are
parsed, paired with the event they speak of, and compared field by field; a field's check names its law.
"""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final, TypeVar

import numpy as np
import polars as pl
import pyarrow as pa
from numpy.typing import NDArray

from seg3b_assets.audit.checks import RNG_INVALID, check, log_check
from seg3b_assets.audit.findings import Findings, LogFacts
from seg3b_assets.contracts import contract
from seg3b_assets.laws.canonical_rows import CHUNK_ROWS, Field, canonical_rows
from seg3b_assets.laws.hashing import canonical_json
from seg3b_assets.laws.plain_files import read_plain

if TYPE_CHECKING:
    from seg3b_assets.audit.evidence import ExpectedLog

I64 = NDArray[np.int64]
U64 = NDArray[np.uint64]
_F = TypeVar("_F", bound=Callable[..., Any])

RNG_ACCOUNTING: Final = "RNG_ACCOUNTING_MISMATCH"
# aspect, S5 error, likely cause
_OF_LOG: Final = (
    ("schema", RNG_INVALID, "a line is no event of the log: wrong type, unknown, repeated or missing key"),
    ("canonical", RNG_INVALID, "a line holds the right values in other bytes"),
    ("identity", RNG_INVALID, "a line belongs to another run, world or module"),
    ("counter", RNG_INVALID, "a counter is not the draw's address, or after is not before + 1"),
    ("sequence", RNG_ACCOUNTING, "a line was dropped, added or repeated"),
    ("order", RNG_INVALID, "lines were reordered; counters must rise within a merchant"),
    ("accounting", RNG_ACCOUNTING, "events, draws or blocks are not what the edges ask for"),
)
_OF_JITTER: Final = (
    ("philox", RNG_INVALID, "a uniform is not Philox at its counter"),
    ("candidate", RNG_INVALID, "a candidate is not where the uniforms point inside the tile"),
    ("accepted", RNG_INVALID, "an attempt is accepted or rejected against the country's polygon"),
    ("zone", RNG_INVALID, "tz_resolution is not what replaying the rule gives"),
    ("tile", RNG_INVALID, "the line names another tile or country than the edge's"),
)
_OF_TILE_ASSIGN: Final = (
    ("tile", RNG_INVALID, "the tile is not the one Philox's draw falls into"),
    ("budget", RNG_ACCOUNTING, "edge_budget is not the merchant's edges in that country"),
)
_OF_TRACE: Final = (("totals", RNG_ACCOUNTING, "a running total is not the sum of the events so far"),)
_ASPECTS: Final = {
    "rng_event_edge_tile_assign_3B": _OF_LOG + _OF_TILE_ASSIGN,
    "rng_event_edge_jitter_3B": _OF_LOG + _OF_JITTER,
    "rng_trace_log_3B": _OF_LOG + _OF_TRACE,
    "rng_audit_log_3B": (*_OF_LOG[:3], *_OF_LOG[4:5]),
}
EXAMINED_LINES: Final = 20_000
# A log this much larger than the edges ask for is not read line by line.
_SIZE_FACTOR: Final = 4
_LINE_BYTES: Final = 1024
_SIZE_SLACK: Final = 1 << 24
_ASPECT_OF_FIELD: Final = {
    "ts_utc": "identity",
    "run_id": "identity",
    "seed": "identity",
    "parameter_hash": "identity",
    "manifest_fingerprint": "identity",
    "module": "identity",
    "substream_label": "identity",
    "rng_counter_before_hi": "counter",
    "rng_counter_before_lo": "counter",
    "rng_counter_after_hi": "counter",
    "rng_counter_after_lo": "counter",
    "draws": "accounting",
    "blocks": "accounting",
    "edge_budget": "budget",
    "tile_id": "tile",
    "country_iso": "tile",
    "u_lon": "philox",
    "u_lat": "philox",
    "candidate_lon_deg": "candidate",
    "candidate_lat_deg": "candidate",
    "accepted": "accepted",
    "tz_resolution": "zone",
    "draws_total": "totals",
    "blocks_total": "totals",
    "events_total": "totals",
}


@dataclass(frozen=True)
class _Lines:
    """A file's lines: where each starts and ends (newline excluded), and its hash."""

    data: bytes
    start: I64
    end: I64
    digest: U64

    @classmethod
    def of(cls, data: bytes) -> _Lines:
        newline = np.flatnonzero(np.frombuffer(data, np.uint8) == ord("\n"))
        end = newline if data.endswith(b"\n") or not data else np.append(newline, len(data))
        start = np.append(0, end[:-1] + 1) if end.size else np.zeros(0, np.int64)
        # Offsets include the newline, so consecutive lines share a bound; the hash then covers it too.
        bounds = np.append(start, len(data) if end.size else 0).astype(np.int64)
        array = pa.Array.from_buffers(
            pa.large_binary(), int(end.shape[0]), [None, pa.py_buffer(bounds), pa.py_buffer(data)]
        )
        digest = pl.Series(pl.from_arrow(array)).hash().to_numpy()
        return cls(data, start, end, digest)

    def text(self, line: int) -> bytes:
        return self.data[int(self.start[line]) : int(self.end[line])]


def log_aspects(dataset_id: str) -> tuple[str, ...]:
    """Aspects of a log that have a check."""
    return tuple(aspect for aspect, _, _ in _ASPECTS[dataset_id])


def _of_logs(diagnosis: _F) -> _F:
    """Declare every aspect of every log."""
    for dataset_id, aspects in _ASPECTS.items():
        for aspect, code, cause in aspects:
            check(log_check(dataset_id, aspect), "§1 evidence", cause, code)(diagnosis)
    return diagnosis


@_of_logs
def diagnose(findings: Findings, path: Path, log: ExpectedLog, facts: LogFacts) -> LogFacts:
    """Report what differs, check by check; the facts with the lines that are really there."""
    if facts.bytes > largest_size(log.lines):
        example = {"bytes": facts.bytes, "expected_lines": log.lines}
        findings.fail(log_check(log.dataset_id, "sequence"), 1, example, reason="far larger than its events")
        return replace(facts, lines=0)
    found, expected = _Lines.of(read_plain(path, largest_size(log.lines))), _expected_digests(log)
    comparison = _Comparison(findings, log, found)
    comparison.match(expected)
    _accounting(findings, log, found)
    accepted = None if facts.accepted is None else found.data.count(b'"accepted":true')
    return replace(facts, lines=int(found.start.shape[0]), accepted=accepted)


def largest_size(lines: int) -> int:
    """Bytes above which a log of so many events is not read line by line, nor to its end."""
    return _SIZE_FACTOR * _LINE_BYTES * lines + _SIZE_SLACK


def _expected_digests(log: ExpectedLog) -> U64:
    parts = []
    for fields, rows in log.parts:
        for start in range(0, rows, CHUNK_ROWS):
            chunk = {name: _slice(value, start) for name, value in fields.items()}
            parts.append(canonical_rows(chunk, "\n").cast(pl.Binary).hash().to_numpy())
    return np.concatenate(parts) if parts else np.zeros(0, np.uint64)


def _slice(value: Field, start: int) -> Field:
    return value[start : start + CHUNK_ROWS] if isinstance(value, pl.Series) else value


def _accounting(findings: Findings, log: ExpectedLog, found: _Lines) -> None:
    lines = int(found.start.shape[0])
    findings.equal(
        log_check(log.dataset_id, "accounting"), lines, log.lines, dataset=log.dataset_id, what="events"
    )


def _no_number(text: str) -> Any:
    raise ValueError(f"{text} is not JSON")


def parse_line(dataset_id: str, line: bytes) -> tuple[dict[str, Any] | None, str]:
    """A line as its schema has it, or None and what is wrong; a repeated key is an error."""

    def distinct(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
        repeated = [key for key, count in Counter(key for key, _ in pairs).items() if count > 1]
        if repeated:
            raise ValueError(f"repeated key {repeated[0]}")
        return dict(pairs)

    try:
        value = json.loads(line, object_pairs_hook=distinct, parse_constant=_no_number)
    except (ValueError, RecursionError) as error:
        return None, str(error)[:200]
    violations = contract(dataset_id).check_document(value)
    if violations:
        first = violations[0]
        return None, f"{first.column} {first.rule}: {first.expected}"[:200]
    return value, ""


class _Comparison:
    """One log's differing lines, from hashes to findings."""

    def __init__(self, findings: Findings, log: ExpectedLog, found: _Lines) -> None:
        self._findings, self._log, self._found = findings, log, found
        self._last = "sequence"

    def match(self, expected: U64) -> None:
        """Pair what can be paired, report the rest."""
        found = self._found.digest
        strange = np.flatnonzero(~np.isin(found, expected))
        absent = np.flatnonzero(~np.isin(expected, found))
        if not self._found.data.endswith(b"\n") and found.size:
            self._fail("schema", 1, {"line": int(found.size), "reason": "the last line has no newline"})
        self._repeats(found, expected)
        claimed = self._strange_lines(strange, absent)
        gaps = np.setdiff1d(absent, claimed)
        if gaps.size:
            self._fail("sequence", int(gaps.size), {"missing": self._event(int(gaps[0]))})
        if not strange.size and not absent.size:
            self._order(found, expected)

    def _fail(self, aspect: str, count: int, example: Mapping[str, Any], **detail: Any) -> None:
        self._last, dataset = aspect, {"dataset": self._log.dataset_id}
        self._findings.fail(log_check(self._log.dataset_id, aspect), count, {**dataset, **example}, **detail)

    def _repeats(self, found: U64, expected: U64) -> None:
        """Expected lines that occur more often than they should."""
        values, counts = np.unique_counts(found)
        wanted, wanted_counts = np.unique_counts(expected)
        at = np.searchsorted(wanted, values)
        at = np.minimum(at, max(wanted.shape[0] - 1, 0))
        known = wanted[at] == values if wanted.size else np.zeros(values.shape[0], bool)
        surplus = np.where(known, counts - (wanted_counts[at] if wanted.size else 0), 0)
        if surplus.sum():
            line = int(np.flatnonzero(found == values[int(np.argmax(surplus > 0))])[-1])
            self._fail("sequence", int(surplus.sum()), {"repeated_line": line + 1})

    def _strange_lines(self, strange: I64, absent: I64) -> I64:
        """Report each unexpected line; the expected ones they stand for."""
        by_key = {self._key(self._event(int(row))): int(row) for row in absent[:EXAMINED_LINES]}
        waiting: list[tuple[int, dict[str, Any]]] = []
        claimed: list[int] = []
        unread = 0
        for line in strange[:EXAMINED_LINES].tolist():
            value, fault = parse_line(self._log.dataset_id, self._found.text(line))
            if value is None:
                self._fail("schema", 1, {"line": line + 1, "reason": fault})
                unread += 1
                continue
            row = by_key.pop(self._key(value), None)
            if row is None:
                waiting.append((line, value))
                continue
            claimed.append(row)
            self._fields(line, value, row)
        claimed += self._leftovers(waiting, unread, sorted(by_key.values()))
        if strange.size > EXAMINED_LINES:
            self._fail(self._last, 0, {}, not_examined=int(strange.size - EXAMINED_LINES))
            return absent
        return np.array(claimed, np.int64)

    def _leftovers(
        self, waiting: list[tuple[int, dict[str, Any]]], unread: int, left: list[int]
    ) -> list[int]:
        """Lines whose key names no missing event, and the events they stand for all the same.

        Where counts agree the keys were forged: line by line they stand for the events left. A line that
        could not be read stands for one event too; what is left over then is a gap.
        """
        if waiting and len(left) == len(waiting):
            for (line, value), row in zip(waiting, left, strict=True):
                self._fields(line, value, row)
            return left
        for line, value in waiting:
            event = dict(zip(self._log.keys, self._key(value), strict=True))
            self._fail("sequence", 1, {"unexpected_line": line + 1, "event": event})
        return left if len(left) <= unread else []

    def _key(self, value: Mapping[str, Any]) -> tuple[Any, ...]:
        return tuple(value[name] for name in self._log.keys)

    def _event(self, row: int) -> dict[str, Any]:
        """An expected line's values."""
        for fields, rows in self._log.parts:
            if row < rows:
                return {
                    name: value[row] if isinstance(value, pl.Series) else value
                    for name, value in fields.items()
                }
            row -= rows
        raise IndexError(row)

    def _fields(self, line: int, value: Mapping[str, Any], row: int) -> None:
        """Compare a line with its event, field by field."""
        expected = self._event(row)
        wrong = [name for name in sorted(expected) if value[name] != expected[name]]
        named = {name: expected[name] for name in self._log.keys}
        for name in wrong:
            example = {
                "line": line + 1,
                **named,
                "field": name,
                "expected": expected[name],
                "found": value[name],
            }
            self._fail(self._aspect(name), 1, example)
        if not wrong:
            text = canonical_json(expected).decode()
            example = {
                "line": line + 1,
                **named,
                "expected": text[:300],
                "found": str(self._found.text(line))[:300],
            }
            self._fail("canonical", 1, example)

    def _aspect(self, field: str) -> str:
        """The field's check in this log; a key field that differs names another event."""
        aspect = _ASPECT_OF_FIELD.get(field, "sequence")
        return aspect if aspect in log_aspects(self._log.dataset_id) else "sequence"

    def _order(self, found: U64, expected: U64) -> None:
        """The right lines in another order."""
        if found.shape != expected.shape:
            return
        moved = np.flatnonzero(found != expected)
        if moved.size:
            self._fail(
                "order", int(moved.size), {"line": int(moved[0]) + 1, "expected": self._event(int(moved[0]))}
            )
