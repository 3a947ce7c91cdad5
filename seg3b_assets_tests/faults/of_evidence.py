"""Faults of S2's random evidence: two event logs, the trace and the generator's row."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any

import orjson

from seg3b_assets.laws.hashing import canonical_json
from seg3b_assets_tests.faults import edits
from seg3b_assets_tests.faults.edited_tree import Tree
from seg3b_assets_tests.faults.fault import Fault, edited

JITTER = "rng_event_edge_jitter_3B"
TILE_ASSIGN = "rng_event_edge_tile_assign_3B"
TRACE = "rng_trace_log_3B"
GENERATOR = "rng_audit_log_3B"
_PREFIX = {JITTER: "S2.jitter", TILE_ASSIGN: "S2.tile_assign", TRACE: "S2.trace", GENERATOR: "S2.rng_audit"}
_AT = 40


def evidence_faults() -> Iterator[Fault]:
    """Every log."""
    for log in (JITTER, TILE_ASSIGN, TRACE):
        yield from _any_log(log)
    yield from _jitter()
    yield from _tile_assign()
    yield from _trace()
    yield from _generator()


def _any_log(log: str) -> Iterator[Fault]:
    prefix = _PREFIX[log]
    schema, sequence, identity = f"{prefix}.schema", f"{prefix}.sequence", f"{prefix}.identity"
    accounting, canonical, counter = f"{prefix}.accounting", f"{prefix}.canonical", f"{prefix}.counter"

    def lines(name: str, check: str, change: edits.Lines, *also: str) -> Fault:
        return edited(log, f"{log}: {name}", check, lambda tree: tree.lines(log, change), also)

    def line(name: str, check: str, *also: str, **fields: Any) -> Fault:
        return lines(name, check, edits.line_with(_AT, **fields), *also)

    def raw(name: str, check: str, change: edits.Bytes, *also: str) -> Fault:
        return edited(log, f"{log}: {name}", check, lambda tree: tree.data(log, change), also)

    whole = log == JITTER
    yield lines("a line dropped", sequence, edits.line_dropped(_AT), accounting)
    yield lines("the first line dropped", sequence, edits.line_dropped(0), accounting)
    yield lines("the last line dropped", sequence, edits.line_dropped(-1), accounting)
    yield lines("a line twice", sequence, edits.line_repeated(_AT), accounting)
    yield lines("two lines exchanged", f"{prefix}.order", edits.lines_swapped(_AT, _AT + 1))
    yield lines("the first line at the end", f"{prefix}.order", lambda lines: lines.append(lines.pop(0)))
    yield lines("an unknown key", schema, edits.line_with(_AT, zone=1))
    yield lines("a key twice", schema, edits.line_edited(_AT, lambda text: text[:-1] + b',"seed":42}'))
    yield lines("a key missing", schema, edits.line_edited(_AT, _without("ts_utc")))
    yield lines("a space", canonical, edits.line_edited(_AT, lambda text: text.replace(b'":', b'": ', 1)))
    yield lines("keys in another order", canonical, edits.line_edited(_AT, edits.with_keys_reversed))
    yield lines(
        "an escaped letter",
        canonical,
        edits.line_edited(_AT, lambda text: text.replace(b"3B.S2", b"\\u0033B.S2")),
    )
    yield lines("no JSON", schema, edits.line_edited(_AT, lambda text: text[:-1]))
    if not whole:
        return  # from here on one rule for every log: tried on the richest of them
    yield lines("an empty line", schema, lambda lines: lines.insert(_AT, b""), accounting)
    yield lines(
        "a line nested a thousand deep",
        schema,
        edits.line_edited(_AT, lambda text: b"[" * 1000 + b"]" * 1000),
    )
    yield raw("no last newline", schema, lambda data: data[:-1], canonical)
    yield raw("an empty file", sequence, edits.nothing, accounting)
    yield raw("cut in half", sequence, edits.halved, accounting, schema)
    yield raw("bytes behind the last line", schema, lambda data: data + b"\0" * 9, accounting)
    yield raw("a byte order mark", canonical, edits.with_byte_order_mark)
    yield raw("a byte that is no UTF-8", schema, lambda data: data.replace(b"3B.S2", b"3B.S\xff", 1))
    yield raw("Windows line ends", canonical, edits.with_carriage_returns)
    yield edited(log, f"{log}: gone", "tree.datasets", _gone(log))
    yield line("a line of another run", identity, run_id="0" * 32)
    yield line("a line of another seed", identity, seed=43)
    yield line("a line by the clock", identity, ts_utc="2031-01-01T00:00:00.000000Z")
    yield line("a line of another module", schema, module="3B.S3")
    yield line("a counter", counter, sequence, rng_counter_before_lo=1)
    yield line("a counter after", counter, rng_counter_after_lo=1)
    yield line("a counter's upper half", counter, sequence, rng_counter_after_hi=1)
    yield lines("a counter beyond 64 bits", schema, edits.line_edited(_AT, _huge_counter))
    yield line("a counter as text", schema, rng_counter_before_lo="1")


def _without(key: str) -> edits.Bytes:
    def change(text: bytes) -> bytes:
        value = orjson.loads(text)
        del value[key]
        return canonical_json(value)

    return change


def _gone(log: str) -> Callable[[Tree], None]:
    def plant(tree: Tree) -> None:
        tree.touched.add(log)
        tree.file(log).unlink()

    return plant


def _line_fault(log: str, name: str, aspect: str, also: tuple[str, ...] = (), **fields: Any) -> Fault:
    prefix = _PREFIX[log]
    return edited(
        log,
        name,
        f"{prefix}.{aspect}",
        lambda tree: tree.event(log, _AT, **fields),
        tuple(f"{prefix}.{other}" for other in also),
    )


def _jitter() -> Iterator[Fault]:
    yield _line_fault(JITTER, "a uniform forged", "philox", u_lon=0.5)
    yield _line_fault(JITTER, "a uniform of one", "philox", ("schema",), u_lat=0.9999999999999999)
    yield _line_fault(JITTER, "a candidate forged", "candidate", candidate_lat_deg=1.0)
    yield _line_fault(JITTER, "a line's tile", "tile", tile_id="1")
    yield _line_fault(JITTER, "a line's country", "tile", country_iso="AQ")
    yield _line_fault(JITTER, "a line's merchant", "sequence", ("counter",), merchant_id=1)
    yield _line_fault(JITTER, "a line's edge", "sequence", edge_seq_index=99999)
    yield _line_fault(JITTER, "a line's attempt", "sequence", attempt=63)
    yield _line_fault(JITTER, "an attempt beyond the last", "schema", attempt=65)
    yield _line_fault(JITTER, "draws as a number", "schema", draws=2)
    yield _line_fault(JITTER, "draws of three", "schema", draws="3")
    yield _line_fault(JITTER, "two blocks", "schema", blocks=2)
    yield _line_fault(JITTER, "a label of the other stream", "schema", substream_label="edge_tile_assign")
    yield _line_fault(JITTER, "a flag as a number", "schema", accepted=1)
    yield _line_fault(JITTER, "a line of another world", "identity", manifest_fingerprint="0" * 64)
    yield _line_fault(JITTER, "a line of other parameters", "identity", parameter_hash="0" * 64)
    yield edited(
        JITTER,
        "a zone's rule",
        "S2.jitter.zone",
        lambda tree: _change_first(tree, True, tz_resolution="NUDGE"),
    )
    yield edited(
        JITTER,
        "an attempt accepted",
        "S2.jitter.accepted",
        lambda tree: _change_first(tree, False, accepted=True, tz_resolution="POLYGON"),
        ("S2.jitter.zone",),
    )
    yield edited(
        JITTER,
        "an attempt rejected",
        "S2.jitter.accepted",
        lambda tree: _change_first(tree, True, accepted=False, tz_resolution=None),
        ("S2.jitter.zone",),
    )
    yield edited(
        JITTER,
        "a point of minus zero",
        "S2.jitter.candidate",
        lambda tree: tree.event(JITTER, _AT, candidate_lon_deg=-0.0),
    )
    yield edited(
        JITTER,
        "a number written with an exponent",
        "S2.jitter.canonical",
        lambda tree: tree.lines(JITTER, edits.line_edited(_AT, _exponent)),
    )
    yield edited(
        JITTER,
        "a number that is none",
        "S2.jitter.schema",
        lambda tree: tree.lines(JITTER, edits.line_edited(_AT, _not_a_number)),
    )
    yield edited(
        JITTER,
        "an event and its trace row dropped, totals put right",
        "S2.jitter.sequence",
        _event_and_trace_dropped,
        ("S2.jitter.accounting", "S2.trace.sequence", "S2.trace.accounting", "S2.trace.totals"),
    )
    yield edited(
        JITTER,
        "an event and its trace row twice, totals put right",
        "S2.jitter.sequence",
        _event_and_trace_twice,
        ("S2.jitter.accounting", "S2.trace.sequence", "S2.trace.accounting", "S2.trace.totals"),
    )


def _exponent(text: bytes) -> bytes:
    value = orjson.loads(text)
    plain = orjson.dumps(value["u_lon"])
    mantissa = b"%.17e" % value["u_lon"]
    return text.replace(b'"u_lon":' + plain, b'"u_lon":' + mantissa)


def _huge_counter(text: bytes) -> bytes:
    value = orjson.loads(text)
    key = b'"rng_counter_before_lo":'
    return text.replace(key + b"%d" % value["rng_counter_before_lo"], key + b"9" * 30)


def _not_a_number(text: bytes) -> bytes:
    value = orjson.loads(text)
    return text.replace(b'"u_lon":' + orjson.dumps(value["u_lon"]), b'"u_lon":NaN')


def _change_first(tree: Tree, was_accepted: bool, **fields: Any) -> None:
    wanted = b'"accepted":true' if was_accepted else b'"accepted":false'
    found = tree.file(JITTER).read_bytes().splitlines()
    line = next(number for number, text in enumerate(found) if wanted in text)
    tree.event(JITTER, line, **fields)


def _event_and_trace_dropped(tree: Tree) -> None:
    _shift_trace(tree, -1)
    tree.lines(JITTER, edits.line_dropped(_AT))


def _event_and_trace_twice(tree: Tree) -> None:
    _shift_trace(tree, 1)
    tree.lines(JITTER, edits.line_repeated(_AT))


def _shift_trace(tree: Tree, events: int) -> None:
    """Drop or repeat the trace row of the jitter event, and put every later total right."""
    edges = tree.file(TILE_ASSIGN).read_bytes().count(b"\n")
    at = edges + _AT

    def change(lines: list[bytes]) -> None:
        if events < 0:
            del lines[at]
        else:
            lines.insert(at, lines[at])
        for line in range(at + max(events, 0), len(lines)):
            row = orjson.loads(lines[line])
            row |= {
                "draws_total": row["draws_total"] + 2 * events,
                "blocks_total": row["blocks_total"] + events,
                "events_total": row["events_total"] + events,
            }
            lines[line] = canonical_json(row)

    tree.lines(TRACE, change)


def _tile_assign() -> Iterator[Fault]:
    yield _line_fault(TILE_ASSIGN, "a tile draw's tile", "tile", tile_id="1")
    yield _line_fault(TILE_ASSIGN, "a tile draw's budget", "budget", edge_budget=9999)
    yield _line_fault(TILE_ASSIGN, "a tile draw's slot", "sequence", permuted_index=9999)
    yield _line_fault(TILE_ASSIGN, "a tile draw's country", "tile", country_iso="AQ")
    yield _line_fault(TILE_ASSIGN, "a tile draw's merchant", "sequence", ("counter",), merchant_id=1)
    yield _line_fault(TILE_ASSIGN, "a tile draw of two", "schema", draws="2")


def _trace() -> Iterator[Fault]:
    for total in ("events_total", "draws_total", "blocks_total"):
        yield _line_fault(TRACE, f"a trace {total}", "totals", **{total: 9})
    yield edited(TRACE, "jitter rows before tile rows", "S2.trace.order", _jitter_first)


def _jitter_first(tree: Tree) -> None:
    edges = tree.file(TILE_ASSIGN).read_bytes().count(b"\n")
    tree.lines(TRACE, lambda lines: lines.__setitem__(slice(None), [*lines[edges:], *lines[:edges]]))


def _generator() -> Iterator[Fault]:
    def said(name: str, aspect: str, also: tuple[str, ...] = (), **fields: Any) -> Fault:
        others = tuple(f"S2.rng_audit.{other}" for other in also)
        return edited(
            GENERATOR, name, f"S2.rng_audit.{aspect}", lambda tree: tree.event(GENERATOR, 0, **fields), others
        )

    yield said("another generator", "schema", algorithm="pcg64")
    yield said("a generator's row of another run", "identity", run_id="0" * 32)
    yield said("a generator's row of another seed", "identity", seed=43)
    yield said("a generator's row by the clock", "identity", ts_utc="2031-01-01T00:00:00.000000Z")
    yield edited(
        GENERATOR,
        "two generator rows",
        "S2.rng_audit.sequence",
        lambda tree: tree.data(GENERATOR, lambda data: data + data),
    )
    yield edited(
        GENERATOR,
        "no generator row",
        "S2.rng_audit.sequence",
        lambda tree: tree.data(GENERATOR, edits.nothing),
        ("S2.rng_audit.schema",),
    )
    yield edited(
        GENERATOR,
        "a generator row with a space",
        "S2.rng_audit.canonical",
        lambda tree: tree.data(GENERATOR, lambda data: data.replace(b":", b": ", 1)),
    )
    yield edited(
        GENERATOR,
        "a generator row without a newline",
        "S2.rng_audit.sequence",
        lambda tree: tree.data(GENERATOR, lambda data: data[:-1]),
    )
    yield edited(
        GENERATOR,
        "a generator row with a carriage return",
        "S2.rng_audit.canonical",
        lambda tree: tree.data(GENERATOR, edits.with_carriage_returns),
    )
    yield edited(GENERATOR, "no generator log", "tree.datasets", _gone(GENERATOR))
