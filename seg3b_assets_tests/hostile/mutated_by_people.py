"""YAML and CSV as careless or ill-willed people write them: what a value, a key, a line, a cell may be taken for."""

from __future__ import annotations

import random
from collections.abc import Callable, Mapping
from typing import Final

from seg3b_assets_tests.hostile.mutated_texts import (
    encoded_otherwise,
    lines_ended_otherwise,
    lines_moved,
    named,
)

Mutation = Callable[[bytes, random.Random], bytes]

_DIGITS: Final = 5000
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


POLICIES: Final[Mapping[str, Mutation]] = named(
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
CSVS: Final[Mapping[str, Mutation]] = named(
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
