"""Refs: the lineages a home keeps by name, ``refs/{name}.json`` = {seed: lineage_id} (storage, retention).

A ref is a pointer for people and for pruning, never an input: no state reads one. Files are replaced whole, so a
reader sees the old pointer or the new one, and two writers of different seeds both win.
"""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Final, Literal, TypeAlias, get_args

import orjson

from seg3b_assets.laws.errors import Seg3BError, fail
from seg3b_assets.laws.hashing import canonical_json
from seg3b_assets.laws.identity import HEX64, UINT64_MAX
from seg3b_assets.store.backend import open_home
from seg3b_assets.store.runs import Runs
from seg3b_assets.store.writing import reported_writes

RefName = Literal["baseline", "candidate", "last_good", "certification"]
REF_NAMES: Final[tuple[RefName, ...]] = get_args(RefName)
FOLDER: Final = "refs"
HEADS: Final = "heads"
"""What is in force goes by this name wherever a ref is named."""

Moves: TypeAlias = Mapping[RefName, Mapping[int, str]]


class Refs:
    """The refs of one home.

    Args:
        home: as the store's; nothing is made until something is written.
    """

    def __init__(self, home: Path) -> None:
        self._home = home
        self._backend = open_home(home)

    def read(self, name: RefName) -> dict[int, str]:
        """Lineage id by seed, in seed order; empty when the ref is absent.

        Raises:
            Seg3BError: INPUT_OPEN_FAILED when the file is not what was written.
        """
        path = _path(name)
        try:
            return self._understood(path, self._backend.read(path))
        except FileNotFoundError:
            return {}
        except OSError as error:
            raise _unreadable(self._backend.place(path), error) from error

    def all(self) -> dict[str, dict[int, str]]:
        """Every ref by name, absent ones empty. Raises as ``read``."""
        return {name: self.read(name) for name in REF_NAMES}

    def move(self, name: RefName, lineages: Mapping[int, str], merge: bool = True) -> bool:
        """Point the ref at these lineages, all at once; moving it where it points already writes nothing.

        Args:
            lineages: lineage id by seed.
            merge: leave the ref's other seeds as they are; False drops them.

        Returns:
            Whether the ref changed.

        Raises:
            Seg3BError: OUTPUT_WRITE_FAILED; INPUT_OPEN_FAILED when the present file cannot be read.
        """
        path = _path(name)

        def moved(content: bytes | None) -> bytes | None:
            current = {} if content is None else self._understood(path, content)
            pointers = {**current, **lineages} if merge else dict(lineages)
            if pointers == current:
                return None
            fresh = canonical_json({str(seed): pointers[seed] for seed in sorted(pointers)})
            _parsed(fresh)
            return fresh

        with reported_writes("S5", self._home / path):
            return self._backend.update(path, "refs", moved)

    def _understood(self, path: str, content: bytes) -> dict[int, str]:
        try:
            return _parsed(content)
        except (ValueError, TypeError, AttributeError) as error:
            raise _unreadable(self._backend.place(path), error) from error


def move_refs(home: Path, moves: Moves) -> tuple[RefName, ...]:
    """Carry the moves out, each ref's at once; refs of other seeds stay. Idempotent.

    A lineage whose record a prune has removed meanwhile is not pinned: a ref to it would keep nothing.

    Returns:
        The refs that changed.

    Raises:
        Seg3BError: OUTPUT_WRITE_FAILED; INPUT_OPEN_FAILED for a ref that cannot be read.
    """
    if not moves:
        return ()
    refs, runs = Refs(home), Runs(home)
    moved: list[RefName] = []
    # Held, so that no prune comes between looking and moving.
    with reported_writes("S5", home), open_home(home).held("refs being moved", "S5"):
        for name, lineages in moves.items():
            kept = {seed: one for seed, one in lineages.items() if runs.read(one) is not None}
            if kept and refs.move(name, kept):
                moved.append(name)
    return tuple(moved)


def _path(name: RefName) -> str:
    if name not in REF_NAMES:
        raise ValueError(f"{name} is not a ref; refs are {', '.join(REF_NAMES)}")
    return f"{FOLDER}/{name}.json"


def _unreadable(place: str, error: Exception) -> Seg3BError:
    return fail(
        "ref_readable",
        place,
        "Remove the file and set the ref again (seg3b refs set); nothing it named was removed.",
        reason=str(error),
    )


def _parsed(content: bytes) -> dict[int, str]:
    """Raises ValueError, TypeError or AttributeError for anything but {seed: lineage_id}."""
    pointers = {int(seed): str(lineage_id) for seed, lineage_id in orjson.loads(content).items()}
    for seed, lineage_id in pointers.items():
        if not 0 <= seed <= UINT64_MAX or not HEX64.fullmatch(lineage_id):
            raise ValueError(f"{seed}: {lineage_id} is not a seed and the id of a lineage")
    return dict(sorted(pointers.items()))
