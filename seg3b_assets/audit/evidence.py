"""S2's random evidence (law section 1): every line recomputed, every byte compared.

The expected logs are made by column from the ledger and the recomputed placement, chunk by chunk, and
compared with the bytes on disk. Equal bytes prove schema, identity, counters, Philox, candidates, flags,
order and accounting at once; only where bytes differ does ``line_diagnosis`` say what is wrong.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterator, Mapping
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

import numpy as np
import polars as pl
from numpy.typing import NDArray

from seg3b_assets.audit.checks import dataset_check, log_check
from seg3b_assets.audit.draws import attempt_addresses
from seg3b_assets.audit.findings import LogFacts
from seg3b_assets.audit.ledger import EdgeLedger
from seg3b_assets.audit.line_diagnosis import diagnose, largest_size, log_aspects, parse_line
from seg3b_assets.audit.placement import Placement
from seg3b_assets.audit.tree import AuditContext
from seg3b_assets.laws.canonical_rows import Field, line_chunks
from seg3b_assets.laws.hashing import canonical_json, sha256_hex
from seg3b_assets.laws.identity import RunIdentity
from seg3b_assets.laws.plain_files import open_plain
from seg3b_assets.laws.randomness import EDGE_JITTER, EDGE_TILE_ASSIGN

U64 = NDArray[np.uint64]

TILE_ASSIGN: Final = "rng_event_edge_tile_assign_3B"
JITTER: Final = "rng_event_edge_jitter_3B"
TRACE: Final = "rng_trace_log_3B"
RNG_AUDIT: Final = "rng_audit_log_3B"
LOGS: Final = (TILE_ASSIGN, JITTER, TRACE)

MODULE: Final = "3B.S2"
ALGORITHM: Final = "philox2x64-10"
_READ_BYTES: Final = 1 << 20


@dataclass(frozen=True)
class ExpectedLog:
    """A log as the edges ask for it.

    Attributes:
        dataset_id: whose log it is.
        parts: column sets in file order; each with its number of lines.
        keys: fields that tell which event a line speaks of, whatever else is wrong with it.
    """

    dataset_id: str
    parts: tuple[tuple[Mapping[str, Field], int], ...]
    keys: tuple[str, ...]

    @property
    def lines(self) -> int:
        return sum(rows for _, rows in self.parts)

    def chunks(self) -> Iterator[memoryview]:
        """The log's bytes."""
        for fields, rows in self.parts:
            yield from line_chunks(fields, rows)


def expected_logs(ledger: EdgeLedger, placement: Placement, identity: RunIdentity) -> tuple[ExpectedLog, ...]:
    """Tile assignment, jitter and trace, in that order."""
    at = placement.attempts.edge
    low = attempt_addresses(ledger.address[at], placement.attempts.attempt)
    tile = _counters(ledger.merchant_id, ledger.address)
    jitter = _counters(ledger.merchant_id[at], low)
    counter_keys = ("substream_label", "rng_counter_before_hi", "rng_counter_before_lo")
    return (
        ExpectedLog(
            TILE_ASSIGN,
            ((_tile_assign_fields(ledger, placement, identity) | tile, ledger.total),),
            ("merchant_id", "country_iso", "permuted_index"),
        ),
        ExpectedLog(
            JITTER,
            ((_jitter_fields(ledger, placement, identity) | jitter, at.shape[0]),),
            ("merchant_id", "edge_seq_index", "attempt"),
        ),
        ExpectedLog(
            TRACE,
            (
                (_trace_fields(EDGE_TILE_ASSIGN, 1, ledger.total, identity) | tile, ledger.total),
                (_trace_fields(EDGE_JITTER, 2, at.shape[0], identity) | jitter, at.shape[0]),
            ),
            counter_keys,
        ),
    )


def _counters(high: U64, low: U64) -> dict[str, Field]:
    after = low + np.uint64(1)
    return {
        "rng_counter_before_hi": pl.Series(high),
        "rng_counter_before_lo": pl.Series(low),
        "rng_counter_after_hi": pl.Series(high + (after == 0).astype(np.uint64)),
        "rng_counter_after_lo": pl.Series(after),
    }


def _identity_fields(identity: RunIdentity, label: str) -> dict[str, Field]:
    return {
        "ts_utc": identity.created_utc,
        "run_id": identity.run_id,
        "seed": identity.seed,
        "module": MODULE,
        "substream_label": label,
    }


def _event_fields(identity: RunIdentity, label: str, draws: str) -> dict[str, Field]:
    return {
        **_identity_fields(identity, label),
        "parameter_hash": identity.parameter_hash,
        "manifest_fingerprint": identity.manifest_fingerprint,
        "draws": draws,
        "blocks": 1,
    }


def _tile_assign_fields(ledger: EdgeLedger, placement: Placement, identity: RunIdentity) -> dict[str, Field]:
    return {
        **_event_fields(identity, EDGE_TILE_ASSIGN, "1"),
        "merchant_id": pl.Series(ledger.merchant_id),
        "country_iso": ledger.country_text,
        "tile_id": pl.Series(placement.tile_id).cast(pl.String),
        "edge_budget": pl.Series(ledger.per_country),
        "permuted_index": pl.Series(ledger.slot),
    }


def _jitter_fields(ledger: EdgeLedger, placement: Placement, identity: RunIdentity) -> dict[str, Field]:
    attempts, at = placement.attempts, placement.attempts.edge
    zone = pl.Series(placement.tz_source, dtype=pl.String)[at]
    return {
        **_event_fields(identity, EDGE_JITTER, "2"),
        "merchant_id": pl.Series(ledger.merchant_id[at]),
        "country_iso": ledger.country_text[at],
        "tile_id": pl.Series(placement.tile_id[at]).cast(pl.String),
        "edge_seq_index": pl.Series(ledger.seq[at]),
        "attempt": pl.Series(attempts.attempt),
        "accepted": pl.Series(attempts.accepted),
        "u_lon": pl.Series(attempts.u_lon),
        "u_lat": pl.Series(attempts.u_lat),
        "candidate_lon_deg": pl.Series(attempts.lon),
        "candidate_lat_deg": pl.Series(attempts.lat),
        "tz_resolution": zone.set(pl.Series(~attempts.accepted), None),
    }


def _trace_fields(label: str, draws: int, events: int, identity: RunIdentity) -> dict[str, Field]:
    totals = np.arange(1, events + 1, dtype=np.int64)
    return {
        **_identity_fields(identity, label),
        "draws_total": pl.Series(totals * draws),
        "blocks_total": pl.Series(totals),
        "events_total": pl.Series(totals),
    }


def audit_evidence(context: AuditContext, ledger: EdgeLedger, placement: Placement | None) -> None:
    """Compare the three line logs with what the edges ask for."""
    present = [dataset_id for dataset_id in LOGS if dataset_id in context.tree.datasets]
    for dataset_id in set(LOGS) - set(present):
        _skip(context, dataset_id, "not in the tree")
    if placement is None:
        for dataset_id in present:
            _skip(context, dataset_id, "the placement could not be recomputed")
        return
    logs = [
        log for log in expected_logs(ledger, placement, context.tree.identity) if log.dataset_id in present
    ]
    with ThreadPoolExecutor(context.workers) as pool:
        for done in [pool.submit(_audit_log, context, log) for log in logs]:
            done.result()


def _skip(context: AuditContext, dataset_id: str, reason: str) -> None:
    checks = [log_check(dataset_id, aspect) for aspect in log_aspects(dataset_id)]
    context.findings.skip(reason, *checks, dataset_check(dataset_id, "contract"))


def _audit_log(context: AuditContext, log: ExpectedLog) -> None:
    context.path_identity(log.dataset_id)
    checks = [log_check(log.dataset_id, aspect) for aspect in log_aspects(log.dataset_id)]
    path = context.tree.datasets[log.dataset_id]
    try:
        same, facts, sample = compare_bytes(path, log)
        if same:
            _read_sample(context, log.dataset_id, sample)
        else:
            facts = diagnose(context.findings, path, log, facts)
    except OSError as error:
        example = {"dataset": log.dataset_id, "reason": error.strerror}
        context.findings.fail(dataset_check(log.dataset_id, "contract"), 1, example)
        return
    context.findings.ok(*checks, dataset_check(log.dataset_id, "contract"))
    context.findings.digests[log.dataset_id] = facts.digest
    context.findings.logs[log.dataset_id] = facts


def compare_bytes(path: Path, log: ExpectedLog) -> tuple[bool, LogFacts, list[bytes]]:
    """Whether the file is the expected log, byte for byte; its size, digest and a sample of its lines.

    A file far larger than its events is not read to its end, and its digest is that of what was read.
    """
    digest, size, same = hashlib.sha256(), 0, True
    sample: list[bytes] = []
    with open_plain(path) as handle:
        for expected in log.chunks():
            found = handle.read(len(expected))
            digest.update(found)
            size += len(found)
            same = same and len(found) == len(expected) and _equal(found, expected)
            sample.append(found[: found.find(b"\n")])
        while size <= largest_size(log.lines) and (rest := handle.read(_READ_BYTES)):
            digest.update(rest)
            size += len(rest)
            same = False
        size = max(size, path.stat().st_size)
    accepted = _accepted(log)
    facts = LogFacts(log.lines, log.lines, size, digest.hexdigest(), accepted, accepted)
    return same, facts, sample


def _read_sample(context: AuditContext, dataset_id: str, sample: list[bytes]) -> None:
    """Some lines as any reader would take them: by schema, and back to the same bytes.

    So that what made the expected bytes is not the only judge of them.
    """
    for line in sample:
        value, fault = parse_line(dataset_id, line)
        if value is None:
            context.findings.fail(
                log_check(dataset_id, "schema"), 1, {"line": line.decode(), "reason": fault}
            )
        elif canonical_json(value) != line:
            context.findings.fail(log_check(dataset_id, "canonical"), 1, {"line": line.decode()})


def _equal(found: bytes, expected: memoryview) -> bool:
    return np.array_equal(np.frombuffer(found, np.uint8), np.frombuffer(expected, np.uint8))


def _accepted(log: ExpectedLog) -> int | None:
    flags = log.parts[0][0].get("accepted")
    return int(flags.sum()) if isinstance(flags, pl.Series) else None


def audit_rng_row(context: AuditContext, code_version: str | None) -> None:
    """The audit log's one row.

    Args:
        code_version: the S2 that ran, where the caller knows it; any version otherwise.
    """
    if RNG_AUDIT not in context.tree.datasets:
        _skip(context, RNG_AUDIT, "not in the tree")
        return
    context.path_identity(RNG_AUDIT)
    data = _read_small(context, RNG_AUDIT)
    if data is None:
        return
    row = _sole_row(context, data)
    context.findings.digests[RNG_AUDIT] = sha256_hex(data)
    lines = data.count(b"\n")
    context.findings.logs[RNG_AUDIT] = LogFacts(lines, 1, len(data), sha256_hex(data))
    context.findings.equal(log_check(RNG_AUDIT, "sequence"), lines, 1, dataset=RNG_AUDIT)
    if row is None:
        return
    for key, value in _audit_row(context.tree.identity, code_version, row).items():
        context.findings.equal(log_check(RNG_AUDIT, "identity"), row.get(key), value, key=key)
    context.findings.equal(
        log_check(RNG_AUDIT, "canonical"),
        data.partition(b"\n")[0].decode("utf-8", "backslashreplace"),
        canonical_json(row).decode(),
    )


def _audit_row(identity: RunIdentity, code_version: str | None, row: Mapping[str, Any]) -> dict[str, Any]:
    return {
        "ts_utc": identity.created_utc,
        "run_id": identity.run_id,
        "seed": identity.seed,
        "manifest_fingerprint": identity.manifest_fingerprint,
        "parameter_hash": identity.parameter_hash,
        "algorithm": ALGORITHM,
        "build_commit": code_version or row.get("build_commit"),
    }


def _read_small(context: AuditContext, dataset_id: str) -> bytes | None:
    try:
        with open_plain(context.tree.datasets[dataset_id]) as handle:
            data = handle.read(_READ_BYTES)
    except OSError as error:
        example = {"dataset": dataset_id, "reason": error.strerror}
        context.findings.fail(dataset_check(dataset_id, "contract"), 1, example)
        return None
    context.findings.ok(dataset_check(dataset_id, "contract"))
    return data


def _sole_row(context: AuditContext, data: bytes) -> dict[str, Any] | None:
    first = data.split(b"\n", 1)[0]
    row, fault = parse_line(RNG_AUDIT, first)
    if row is None:
        context.findings.fail(log_check(RNG_AUDIT, "schema"), 1, {"line": 1, "reason": fault})
        return None
    context.findings.ok(log_check(RNG_AUDIT, "schema"))
    return row
