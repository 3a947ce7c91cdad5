"""JSON, logs, YAML, CSV and flags as careless or ill-willed people and programs write them."""

from __future__ import annotations

import json
import random
from collections.abc import Callable, Iterator, Mapping
from typing import Any, Final

import orjson

Mutation = Callable[[bytes, random.Random], bytes]

_DEEP: Final = 3000
_DIGITS: Final = 5000
_LONG: Final = 1 << 17
_MARK: Final = "c8f1e0_marked"
_HOSTILE_TEXTS: Final = (
    "",
    "../../../../etc/passwd",
    "/etc/passwd",
    "a\x00b",
    "\x1b[2J\x1b]0;PASS\x07",
    "\u202eSSAP",
    "x" * _LONG,
    "0" * 64,
    "G" * 64,
    "-1",
    "NaN",
    "ſ\u0130\ufb01",
    "1970-01-01T00:00:00Z",
    "9999-12-31T23:59:60.999999Z",
    "{manifest_fingerprint}",
    "%s%n",
)
_VALUES: Final[tuple[Any, ...]] = (
    None,
    True,
    False,
    0,
    -1,
    1,
    2**31,
    2**53 + 1,
    2**63,
    2**64 - 1,
    -(2**63),
    0.5,
    -0.0,
    1e308,
    5e-324,
    [],
    {},
    [None],
    [[]],
    {"": ""},
    [0] * 1000,
    *_HOSTILE_TEXTS,
)
# What no value of ours is written as.
_TOKENS: Final = (
    b"1e999",
    b"-1e999",
    b"1" + b"0" * _DIGITS,
    b"0." + b"3" * _DIGITS,
    b"1e-99999",
    b"18446744073709551616",
    b"NaN",
    b"Infinity",
    b"-Infinity",
    b"-0",
    b"01",
    b"+1",
    b".5",
    b"1.",
    b"0x10",
    b"'x'",
    b"undefined",
    b"",
    b'"\\ud800"',
    b'"\\udc00\\ud800"',
    b'"\\u0000"',
    b'"\xff\xfe"',
    b'"\xed\xa0\x80"',
    b'"\xc0\xaf"',
    b'"\n"',
    b'"\\x"',
    b"[" * _DEEP + b"]" * _DEEP,
    b'{"a":' * _DEEP + b"1" + b"}" * _DEEP,
    b"[" * 100_000,
    b'{"a":1,"a":2}',
    b"/* x */ 1",
    b"1,",
)


def _places(value: Any, found: list[tuple[Any, Any]]) -> list[tuple[Any, Any]]:
    """(container, key) of every value in a document."""
    keys = value.keys() if isinstance(value, dict) else range(len(value)) if isinstance(value, list) else ()
    for key in list(keys):
        found.append((value, key))
        _places(value[key], found)
    return found


def _loaded(data: bytes, chance: random.Random) -> tuple[Any, Any, Any]:
    """The document, and a place in it; a document without places stands in a list."""
    try:
        document = orjson.loads(data)
    except orjson.JSONDecodeError:
        document = {}
    places = _places(document, [])
    if not places:
        document = {"x": document}
        places = _places(document, [])
    return document, *chance.choice(places)


def other_value(data: bytes, chance: random.Random) -> bytes:
    document, holder, key = _loaded(data, chance)
    holder[key] = chance.choice(_VALUES)
    return orjson.dumps(document)


def other_root(data: bytes, chance: random.Random) -> bytes:
    return orjson.dumps(
        chance.choice(([], {}, None, 1, "x", [[]], [orjson.loads(data)], {"": orjson.loads(data)}))
    )


def other_token(data: bytes, chance: random.Random) -> bytes:
    document, holder, key = _loaded(data, chance)
    holder[key] = _MARK
    return orjson.dumps(document).replace(b'"' + _MARK.encode() + b'"', chance.choice(_TOKENS))


def value_of_another_place(data: bytes, chance: random.Random) -> bytes:
    document, holder, key = _loaded(data, chance)
    other, there = chance.choice(_places(document, []))
    holder[key] = orjson.loads(orjson.dumps(other[there]))
    return orjson.dumps(document)


def value_wrapped(data: bytes, chance: random.Random) -> bytes:
    document, holder, key = _loaded(data, chance)
    held = holder[key]
    holder[key] = chance.choice(([held], {"x": held}, str(held), [held, held]))
    return orjson.dumps(document)


def key_lost(data: bytes, chance: random.Random) -> bytes:
    document, holder, key = _loaded(data, chance)
    del holder[key]
    return orjson.dumps(document)


def key_more(data: bytes, chance: random.Random) -> bytes:
    document, holder, key = _loaded(data, chance)
    if isinstance(holder, list):
        holder.insert(chance.randint(0, len(holder)), chance.choice((holder[key], *_VALUES)))
    else:
        holder[chance.choice(_HOSTILE_TEXTS)] = holder[key]
    return orjson.dumps(document)


def key_renamed(data: bytes, chance: random.Random) -> bytes:
    document, holder, key = _loaded(data, chance)
    if isinstance(holder, dict):
        holder[chance.choice((*_HOSTILE_TEXTS, str(key).upper()))] = holder.pop(key)
    return orjson.dumps(document)


def key_twice(data: bytes, chance: random.Random) -> bytes:
    document, holder, key = _loaded(data, chance)
    if isinstance(holder, list):
        return orjson.dumps(document)
    value = orjson.dumps(chance.choice((holder[key], None, 1)))
    holder[key] = _MARK
    twice = value + b"," + orjson.dumps(key) + b":" + value
    return orjson.dumps(document).replace(b'"' + _MARK.encode() + b'"', twice)


def laid_out_otherwise(data: bytes, chance: random.Random) -> bytes:
    value = orjson.loads(data)
    return chance.choice(
        (
            json.dumps(value, indent=4),
            json.dumps(value, ensure_ascii=True, sort_keys=True),
            json.dumps(value) + "\n\n\n",
            " " * 70_000 + json.dumps(value),
            json.dumps(value) + json.dumps(value),
            json.dumps(value) + "x",
        )
    ).encode()


def encoded_otherwise(data: bytes, chance: random.Random) -> bytes:
    """Another encoding, or the mark of one."""
    text = data.decode("utf-8", "replace")
    codec = chance.choice(("utf-8-sig", "utf-16", "utf-16-le", "utf-16-be", "utf-32", "utf-7", "cp037"))
    return text.encode(codec, "replace")


def lines_ended_otherwise(data: bytes, chance: random.Random) -> bytes:
    ends = (b"\r\n", b"\r", b"", b"\n\n", b"\n\0", b"\x0b", "\u2028".encode(), "\x85".encode())
    return data.replace(b"\n", chance.choice(ends))


def lines_moved(data: bytes, chance: random.Random) -> bytes:
    lines = data.splitlines(keepends=True) or [b""]
    at, other = chance.randrange(len(lines)), chance.randrange(len(lines))
    way = chance.choice(("lost", "twice", "exchanged", "joined", "blank"))
    if way == "lost":
        del lines[at]
    elif way == "twice":
        lines.insert(at, lines[other])
    elif way == "exchanged":
        lines[at], lines[other] = lines[other], lines[at]
    elif way == "joined":
        lines[at] = lines[at].rstrip(b"\r\n")
    else:
        lines.insert(at, chance.choice((b"\n", b" \n", b"\0\n", b"null\n", b"[]\n", b"{}\n")))
    return b"".join(lines)


def _in_a_line(change: Mutation) -> Mutation:
    def changed(data: bytes, chance: random.Random) -> bytes:
        lines = data.splitlines(keepends=True) or [b"{}\n"]
        at = chance.randrange(len(lines))
        lines[at] = change(lines[at].rstrip(b"\r\n"), chance) + b"\n"
        return b"".join(lines)

    return changed


_IN_YAML: Final = (
    "&a 1",
    "*a",
    "&a [*a]",
    "<<: {a: 1}",
    "!!python/object/apply:os.system ['true']",
    "!!binary aGk=",
    "!!timestamp 2001-01-01",
    "!!str 1",
    "!x 1",
    "12:30:45",
    "0o17",
    "0x1F",
    "0b101",
    "1_000",
    "1e999",
    "-1e999",
    "9" * _DIGITS,
    "1." + "9" * _DIGITS,
    ".inf",
    "-.INF",
    ".nan",
    "2001-01-01",
    "yes",
    "NO",
    "~",
    "null",
    "''",
    '"\\ud800"',
    '"\\U00110000"',
    '"\\0"',
    "\t1",
    "[",
    "{",
    "]",
    "[" * 20_000,
    "{a: " * 5_000,
    "- - - -",
    "| \n  x",
    "> \n",
    "?",
    "@x",
    "%x",
    "`x`",
    "'",
    "x" * 70_000,
    "\u2028",
    "\x85",
    "\x07",
    "\x00",
    "-0",
    "-1",
    "0",
    "1e-320",
    "true",
    "[]",
    "{}",
    "[1, 2]",
    "{a: 1, a: 2}",
    "[~, {}]",
)
_KEYS: Final = (
    "1",
    "~",
    "true",
    "''",
    "[a, b]",
    "{a: 1}",
    "<<",
    "? x",
    "? [a]",
    "*a",
    "a.b",
    "\u202e",
    "!x a",
    "x" * 2000,
)
_AROUND: Final = (
    ("", "\n---\nb: 2\n"),
    ("---\n", "\n...\n"),
    ("%YAML 9.9\n---\n", ""),
    ("%TAG ! tag:x,2000:\n---\n", ""),
    ("\ufeff", ""),
    ("\t", ""),
    ("# \x00\n", ""),
    ("- ", ""),
    ("", "\n? " * 200),
    ("", "\nz: " + "- " * 20_000),
    ("", "\n" + "".join(f"b{n}: &b{n} [{', '.join([f'*b{n - 1}' if n else '1'] * 9)}]\n" for n in range(12))),
    ("", "\nz: &z {<<: *z}\n"),
    ("", "\n<<: [{a: 1}, 2]\n"),
    ("", "\n<<: 1\n"),
    ("", "#" * 1_100_000),
    ("", "\n" + "".join(f"k{n}: 1\n" for n in range(5000))),
)


def yaml_value(data: bytes, chance: random.Random) -> bytes:
    lines = data.decode().split("\n")
    at = _a_line_of_yaml(lines, chance)
    lines[at] = lines[at].split(":")[0] + ": " + chance.choice(_IN_YAML)
    return "\n".join(lines).encode()


def yaml_key(data: bytes, chance: random.Random) -> bytes:
    lines = data.decode().split("\n")
    at = _a_line_of_yaml(lines, chance)
    indent = lines[at][: len(lines[at]) - len(lines[at].lstrip())]
    lines[at] = f"{indent}{chance.choice(_KEYS)}:{lines[at].partition(':')[2]}"
    return "\n".join(lines).encode()


def yaml_line(data: bytes, chance: random.Random) -> bytes:
    """A line indented otherwise, or put into a comment."""
    lines = data.decode().split("\n")
    at = _a_line_of_yaml(lines, chance)
    lines[at] = chance.choice(("\t", " ", "   ", "- ", "# ", "\u00a0")) + lines[at]
    return "\n".join(lines).encode()


def yaml_around(data: bytes, chance: random.Random) -> bytes:
    before, after = chance.choice(_AROUND)
    return (before + data.decode() + after).encode()


def _a_line_of_yaml(lines: list[str], chance: random.Random) -> int:
    return chance.choice([at for at, line in enumerate(lines) if ":" in line and "#" not in line] or [0])


def _cells(data: bytes) -> list[list[str]]:
    return [line.split(",") for line in data.decode().splitlines()]


def _as_csv(rows: list[list[str]]) -> bytes:
    return "".join(",".join(row) + "\n" for row in rows).encode("utf-8", "surrogatepass")


_IN_CSV: Final = (
    '"',
    '""',
    '"a"b"',
    '"x\ny"',
    '"x\r\ny"',
    'a"b',
    "\x00",
    "\r",
    "\r\n",
    "=cmd|' /C calc'!A0",
    "nan",
    "inf",
    "-inf",
    "1e999",
    "9" * _DIGITS,
    "-1",
    "0",
    "18446744073709551616",
    "１２",
    "١٢",
    "1_000",
    " 1 ",
    "+1",
    "0x1",
    "x" * 200_000,
    "\u202e",
    "\ud800",
    "",
    "null",
    "true",
    "90.0000000001",
    "-180.5",
    ",",
    ",,,,",
    ";",
    "\t",
)


def csv_cell(data: bytes, chance: random.Random) -> bytes:
    rows = _cells(data)
    row = chance.choice(rows)
    row[chance.randrange(len(row))] = chance.choice(_IN_CSV)
    return _as_csv(rows)


def csv_rows(data: bytes, chance: random.Random) -> bytes:
    rows = _cells(data)
    at = chance.randrange(len(rows))
    way = chance.choice(
        ("short", "long", "wide", "twice", "lost", "header lost", "header twice", "blank", "many")
    )
    if way == "short":
        rows[at] = rows[at][:-1]
    elif way in ("long", "wide"):
        rows[at] += ["x"] * (1 if way == "long" else 5000)
    elif way == "twice":
        rows.append(rows[at])
    elif way == "lost":
        del rows[at]
    elif way == "header lost":
        del rows[0]
    elif way == "header twice":
        rows.insert(at, rows[0])
    elif way == "blank":
        rows.insert(at, [""])
    else:
        rows += rows[1:] * 3000
    return _as_csv(rows)


def csv_header(data: bytes, chance: random.Random) -> bytes:
    rows = _cells(data)
    names = rows[0]
    at = chance.randrange(len(names))
    names[at] = chance.choice(
        ("", names[0], names[at].upper(), " " + names[at], '"' + names[at], "x", "sep=;")
    )
    return _as_csv(rows)


def csv_separators(data: bytes, chance: random.Random) -> bytes:
    return data.replace(b",", chance.choice((b";", b"\t", b"|", b"", b",,", b", ", b'","', b"\0")))


_FLAGS: Final = (
    b"",
    b"sha256_hex = \n",
    b"sha256_hex = " + b"0" * 64 + b"\n",
    b"sha256_hex = " + b"a" * 65 + b"\n",
    b"SHA256_HEX = " + b"a" * 64 + b"\n",
    b"sha256_hex = " + b"\xef\xbc\x90" * 64 + b"\n",
    b"sha256_hex=" + b"a" * 64,
    b"sha256_hex = " + b"a" * (1 << 20),
    b"\xff" * 78,
    b"\0" * 78,
)


def other_flag(data: bytes, chance: random.Random) -> bytes:
    spaced = (
        data + data,
        data + b"\n",
        b" " + data,
        data.rstrip(),
        data.replace(b"\n", b"\r\n"),
        data.upper(),
    )
    return chance.choice((*_FLAGS, *spaced))


def _named(prefix: str, functions: Iterator[Mutation]) -> dict[str, Mutation]:
    return {f"{prefix}{function.__name__.replace('_', ' ')}": function for function in functions}


_OF_VALUES: Final = (
    other_value,
    other_token,
    value_of_another_place,
    value_wrapped,
    key_lost,
    key_more,
    key_renamed,
    key_twice,
)
DOCUMENTS: Final[Mapping[str, Mutation]] = _named(
    "", iter((*_OF_VALUES, other_root, laid_out_otherwise, encoded_otherwise))
)
LOGS: Final[Mapping[str, Mutation]] = {
    **{f"in a line, {name}": _in_a_line(one) for name, one in _named("", iter(_OF_VALUES)).items()},
    **_named("", iter((lines_moved, lines_ended_otherwise, encoded_otherwise))),
}
POLICIES: Final[Mapping[str, Mutation]] = _named(
    "",
    iter(
        (
            yaml_value,
            yaml_value,
            yaml_key,
            yaml_line,
            yaml_around,
            lines_moved,
            lines_ended_otherwise,
            encoded_otherwise,
        )
    ),
)
CSVS: Final[Mapping[str, Mutation]] = _named(
    "",
    iter(
        (
            csv_cell,
            csv_rows,
            csv_header,
            csv_separators,
            lines_moved,
            lines_ended_otherwise,
            encoded_otherwise,
        )
    ),
)
FLAGS: Final[Mapping[str, Mutation]] = _named("", iter((other_flag,)))
