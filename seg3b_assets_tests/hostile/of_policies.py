"""Policies, and files of places, that mean harm."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Final

from seg3b_assets_tests.hostile import harm
from seg3b_assets_tests.hostile.doors import Subject
from seg3b_assets_tests.hostile.ground import PLACES, Ground
from seg3b_assets_tests.hostile.hostile import WORDS, Hostile, Right

_SPOKEN: Final = harm.WORDS.encode("unicode_escape").decode()
_LAUGHS: Final = b"a0: &a0 [x]\n" + b"".join(
    b"a%d: &a%d [%s]\n" % (n, n, b",".join([b"*a%d" % (n - 1)] * 10)) for n in range(1, 30)
)
_TEXTS: Final[dict[str, tuple[str, bytes]]] = {
    "aliases of aliases": ("amplification", _LAUGHS),
    "five million brackets": ("amplification", b"[" * 5_000_000),
    "a million keys": ("amplification", b"".join(b"k%d: 1\n" % n for n in range(harm.MANY))),
    "a key of ten million letters": ("amplification", b"k" * 10_000_000 + b": 1\n"),
    "an object to be made": ("code", b"!!python/object/apply:os.system ['touch /tmp/owned']\n"),
    "words for a screen as a key": (WORDS, f'"{_SPOKEN}": 1\n'.encode()),
    "words for a screen as they are": (WORDS, harm.WORDS.encode()),
    "NULs": ("no text", b"\0" * 1000),
    "bytes that are no text": ("no text", b"\xff\xfe\x80: 1\n"),
}


def policy_inputs() -> Iterator[Hostile]:
    """Of every kind."""

    def topology(ground: Ground) -> Path:
        return ground.policies / "edge_topology.yaml"

    for what, put in (*harm.SPECIAL.items(), ("two gigabytes of nothing", harm.sparse(2 << 30))):
        yield _of(Subject.POLICIES, f"{what} in place of a policy file", "no file", _put(put, topology))
    for what, (kind, data) in _TEXTS.items():
        yield _of(Subject.POLICIES, f"{what} in a policy", kind, _put(harm.holding(data), topology))


def place_inputs() -> Iterator[Hostile]:
    """Of every kind."""

    def places(ground: Ground) -> Path:
        return ground.places

    texts = {
        "words for a screen as a country": (WORDS, f"{PLACES}geonames:4,{harm.WORDS},1,1,1\n".encode()),
        "a million columns of places": ("amplification", b",".join(b"c%d" % n for n in range(harm.MANY))),
        "places with nothing but NUL": ("amplification", PLACES.encode() + b"\0" * 1_000_000),
        "a line of 200 MB of places": ("amplification", PLACES.encode() + b"9" * 200_000_000),
        "a database that is none": ("no file", b"SQLite format 3\0" + b"\xff" * 4096),
    }
    for what, put in harm.SPECIAL.items():
        if put is harm.link_to_secret:
            continue  # whoever names a file has chosen it
        yield _of(Subject.PLACES, f"{what} in place of places", "no file", _put(put, places))
    for what, (kind, data) in texts.items():
        # Rows that are no places are left out.
        right = Right.GENUINE if what.startswith("words") else Right.REFUSED
        plant = _put(harm.holding(data), places)
        yield Hostile(what, kind, Subject.PLACES, plant, {"gazetteer build": right})


def _put(put: harm.Put, place: Callable[[Ground], Path]) -> Callable[[Ground], None]:
    return lambda ground: put(ground, place(ground))


def _of(subject: Subject, name: str, kind: str, plant: Callable[[Ground], None]) -> Hostile:
    return Hostile(name, kind, subject, plant)
