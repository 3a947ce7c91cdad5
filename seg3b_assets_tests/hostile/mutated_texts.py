"""JSON, logs and flags as careless or ill-willed programs write them; and what any text suffers."""

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


def named(prefix: str, functions: Iterator[Mutation]) -> dict[str, Mutation]:
    """Mutations by what they are called."""
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
DOCUMENTS: Final[Mapping[str, Mutation]] = named(
    "", iter((*_OF_VALUES, other_root, laid_out_otherwise, encoded_otherwise))
)
LOGS: Final[Mapping[str, Mutation]] = {
    **{f"in a line, {name}": _in_a_line(one) for name, one in named("", iter(_OF_VALUES)).items()},
    **named("", iter((lines_moved, lines_ended_otherwise, encoded_otherwise))),
}
FLAGS: Final[Mapping[str, Mutation]] = named("", iter((other_flag,)))
