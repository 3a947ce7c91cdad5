"""Homes and caches somebody else could write to, or put something into."""

from __future__ import annotations

import fcntl
import os
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any, Final

import orjson

from seg3b_assets_tests.hostile import harm
from seg3b_assets_tests.hostile.doors import Subject, doors_of
from seg3b_assets_tests.hostile.ground import Ground
from seg3b_assets_tests.hostile.hostile import WORDS, Hostile, Right

Place = Callable[[Ground], Path]
_HARMLESS: Final = {door.name: Right.GENUINE for door in doors_of(Subject.HOME)}


# Who only reads waits for nobody.
_UNLOCKED: Final = {
    door.name: Right.EITHER for door in doors_of(Subject.HOME) if door.name != "run in a home"
}


def home_inputs() -> Iterator[Hostile]:
    """Of every kind, in every place where it differs."""
    for where, place in _PLACES.items():
        for what, put in harm.special(where == "a head").items():
            yield _in(f"{what} in place of {where}", "no file", place, put)
    for where in ("a head", "a snapshot's record"):
        for what, put in harm.DOCUMENTS.items():
            kind = WORDS if put is harm.with_words else "amplification"
            yield _in(f"{what} in {where}", kind, _PLACES[where], put)
    for folder in ("heads", "snapshots", "staging", "locks"):
        yield _in(
            f"{folder} moved out, a link in their place",
            "links",
            lambda ground, folder=folder: ground.home / folder,
            harm.moved_out,
        )
    for folder in ("", "heads", "staging"):
        where = folder or "a home"
        yield _stray(f"a stray file in {where}", folder, harm.holding(b"\0\0\0\1Bud1"))
        yield _stray(f"a stray pipe in {where}", folder, harm.pipe)
        yield _stray(f"a stray link to somebody's folder in {where}", folder, harm.link_to_private_folder)
    yield from _of_names()
    yield from _of_caches()


def _in(
    name: str, kind: str, place: Place, put: harm.Put, elsewhere: dict[str, Right] | None = None
) -> Hostile:
    def without(ground: Ground) -> None:
        harm.away(place(ground))

    return Hostile(
        name, kind, Subject.HOME, lambda ground: put(ground, place(ground)), elsewhere or {}, without
    )


def _stray(name: str, folder: str, put: harm.Put) -> Hostile:
    return _in(name, "strays", lambda ground: ground.home / folder / ".DS_Store", put, _HARMLESS)


def _only(pattern: str) -> Place:
    def place(ground: Ground) -> Path:
        return min(ground.home.glob(pattern))

    return place


_PLACES: Final[dict[str, Place]] = {
    "a head": _only("heads/seed=42.json"),
    "a snapshot's record": _only("snapshots/S2/*/snapshot.json"),
    "a run's record": _only("runs/*/run.json"),
    "a build's record": _only("builds/S2/*.json"),
    "a kept policy": _only("policies/*.yaml"),
    "the run lock": _only("locks/run.lock"),
    "a home": lambda ground: ground.home,
}


def _no_head(ground: Ground) -> None:
    (ground.home / "heads/seed=42.json").unlink()


def _of_names() -> Iterator[Hostile]:
    def head(value: str) -> Callable[[Ground], None]:
        """Every text of a head, its keys too but the topmost."""

        def spoken(one: Any, top: bool = False) -> Any:
            if isinstance(one, dict):
                return {key if top else value: spoken(each) for key, each in one.items()}
            return value if isinstance(one, str) else one

        def plant(ground: Ground) -> None:
            path = ground.home / "heads/seed=42.json"
            harm.put(path, orjson.dumps(spoken(orjson.loads(path.read_bytes()), top=True)))

        return plant

    def unfinished(ground: Ground) -> None:
        """Where a careless writer would write next."""
        for path in list(ground.home.glob("heads/*.json")) + list(ground.home.glob("runs/*/run.json")):
            for ending in (".new", ".tmp", ".staged"):
                path.with_name(path.name + ending).symlink_to(ground.secret)
        (ground.folder / "target.new").symlink_to(ground.private)

    def held(ground: Ground) -> None:
        handle = os.open(ground.home / "locks/run.lock", os.O_RDONLY)
        fcntl.flock(handle, fcntl.LOCK_EX)
        ground.opened.append(handle)

    def holder(ground: Ground) -> None:
        held(ground)
        folder = ground.home / "locks/holders"
        folder.mkdir(exist_ok=True)
        who = {"purpose": harm.WORDS, "pid": 1, "host": harm.WORDS, "since_utc": harm.WORDS}
        harm.put(folder / f"{'a' * 16}.json", orjson.dumps(who))

    yield Hostile(
        "a head that is a path out", "names as paths", Subject.HOME, head("../../private"), without=_no_head
    )
    yield Hostile(
        "a head that is words for a screen", WORDS, Subject.HOME, head(harm.WORDS), without=_no_head
    )
    yield Hostile("links where files would be written next", "links", Subject.HOME, unfinished, _HARMLESS)
    yield Hostile("the run lock held by nobody who is named", "locks", Subject.HOME, held, _UNLOCKED)
    yield Hostile("the run lock held by words for a screen", WORDS, Subject.HOME, holder, _UNLOCKED)


def _of_caches() -> Iterator[Hostile]:
    def digests(ground: Ground) -> Path:
        ground.cache.mkdir()
        return ground.cache / "digests.json"

    for what, put in (*harm.special(every=False).items(), *harm.DOCUMENTS.items()):
        if put not in (harm.with_words, harm.with_many_keys, harm.with_long_name):
            yield _in(f"{what} in place of remembered digests", "caches", digests, put, _HARMLESS)
