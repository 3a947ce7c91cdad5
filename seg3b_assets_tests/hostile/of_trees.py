"""Exported trees that mean harm."""

from __future__ import annotations

import os
import shutil
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from threading import Lock
from typing import Final

import orjson
import polars as pl

from seg3b_assets.laws.hashing import canonical_json
from seg3b_assets_tests.faults.forged_whole import forge
from seg3b_assets_tests.faults.specimen import SEED
from seg3b_assets_tests.hostile import harm
from seg3b_assets_tests.hostile.doors import Subject
from seg3b_assets_tests.hostile.ground import Ground
from seg3b_assets_tests.hostile.hostile import WORDS, Hostile, Right

_FORGING: Final = Lock()
Place = Callable[[Ground], Path]
# An earlier export is replaced whole, or left as it is; and what a consumer does not read.
_REPLACED: Final = {"export over it": Right.EITHER}
_UNREAD: Final = {"open_run": Right.GENUINE, "sample --tree": Right.GENUINE}


def tree_inputs() -> Iterator[Hostile]:
    """Of every kind, in every place where it differs."""
    for where, place in _PLACES.items():
        unread = _UNREAD if where in _NOT_CONSUMED else {}
        for what, put in harm.special(where in _EVERY).items():
            yield _in(f"{what} in place of {where}", "no file", place, put, unread)
    for what, put in harm.BOMBS.items():
        yield _in(f"{what}, as settlements", "amplification", _dataset("virtual_settlement_3B"), put, {})
        yield _in(f"{what}, as a part of the edges", "amplification", _dataset("edge_catalogue_3B"), put, {})
    for where in ("the export's receipt", "the sealed inputs", "the routing policy", "the bundle's manifest"):
        unread = _UNREAD if where in _NOT_CONSUMED else {}
        for what, put in harm.DOCUMENTS.items():
            kind = WORDS if put is harm.with_words else "amplification"
            yield _in(f"{what} in {where}", kind, _PLACES[where], put, unread)
    yield from _of_folders()
    yield from _of_seals()
    yield from _of_words()


def _in(name: str, kind: str, place: Place, put: harm.Put, elsewhere: dict[str, Right]) -> Hostile:
    def plant(ground: Ground) -> None:
        put(ground, place(ground))

    return Hostile(name, kind, Subject.TREE, plant, _REPLACED | elsewhere)


def _dataset(dataset_id: str) -> Place:
    return lambda ground: ground.edited_tree.file(dataset_id)


def _member(name: str) -> Place:
    return lambda ground: ground.edited_tree.member(name)


_PLACES: Final[dict[str, Place]] = {
    "the export's receipt": lambda ground: ground.tree / "run_receipt.json",
    "S0's receipt": _dataset("s0_gate_receipt_3B"),
    "the sealed inputs": _dataset("sealed_inputs_3B"),
    "the settlements": _dataset("virtual_settlement_3B"),
    "a part of the edges": _dataset("edge_catalogue_3B"),
    "the alias tables": _dataset("edge_alias_blob_3B"),
    "the routing policy": _dataset("virtual_routing_policy_3B"),
    "a log": _dataset("rng_event_edge_jitter_3B"),
    "the bundle's manifest": _member("s5_manifest_3B.json"),
    "the flag": _member("_passed.flag"),
    "a policy": lambda ground: ground.tree / "inputs/policies/edge_topology.yaml",
    "a file nobody lists": lambda ground: ground.tree / "more",
}
_EVERY: Final = ("the export's receipt", "a part of the edges", "the flag")
_NOT_CONSUMED: Final = ("the export's receipt", "a log", "a policy", "a file nobody lists")


def _of_folders() -> Iterator[Hostile]:
    def whole(
        name: str, kind: str, plant: Callable[[Ground], None], elsewhere: Mapping[str, Right] | None = None
    ) -> Hostile:
        return Hostile(name, kind, Subject.TREE, plant, _REPLACED | (elsewhere or {}))

    def edges(ground: Ground) -> Path:
        return ground.edited_tree.path("edge_catalogue_3B")

    def bundle(ground: Ground) -> Path:
        return ground.edited_tree.path("validation_bundle_3B")

    def many_files(ground: Ground) -> None:
        folder = ground.tree / "data/layer1/3B/more"
        folder.mkdir()
        for number in range(20_000):
            (folder / f"{number}.json").touch()

    # A consumer holds what it reads against the seal, wherever it lies.
    yield whole(
        "the bundle moved out, a link in its place",
        "links",
        lambda ground: harm.moved_out(ground, bundle(ground)),
        _UNREAD,
    )
    yield whole(
        "the edges moved out, a link in their place",
        "links",
        lambda ground: harm.moved_out(ground, edges(ground)),
        _UNREAD,
    )
    yield whole(
        "2,500 folders in one another",
        "amplification",
        lambda ground: harm.deep_folders(ground, edges(ground) / "d"),
    )
    yield whole("20,000 files more", "amplification", many_files, _UNREAD)


def _of_seals() -> Iterator[Hostile]:
    def of_another_run(ground: Ground) -> None:
        path = ground.edited_tree.file("s0_gate_receipt_3B")
        document = orjson.loads(path.read_bytes()) | {"parameter_hash": "0" * 64}
        harm.put(path, canonical_json(document))

    def other_edges(ground: Ground) -> None:
        path = ground.edited_tree.file("edge_catalogue_3B")
        frame = pl.read_parquet(path, glob=False, hive_partitioning=False)
        path.unlink()
        frame.with_columns(pl.col("edge_weight").reverse()).write_parquet(path)

    def one_bit(ground: Ground) -> None:
        path = ground.edited_tree.file("edge_alias_blob_3B")
        data = bytearray(path.read_bytes())
        data[len(data) // 2] ^= 1
        harm.put(path, bytes(data))

    for name, plant in {
        "S0's receipt of another run": of_another_run,
        "other weights of edges": other_edges,
        "one bit of the alias tables": one_bit,
    }.items():
        yield Hostile(name, "not sealed", Subject.TREE, plant, _REPLACED)
    told_by_its_flag = dict.fromkeys(("verify", "open_run", "sample --tree"), Right.NOT_ANCHORED)
    yield Hostile("a tree forged whole", "not anchored", Subject.TREE, _forged, _REPLACED | told_by_its_flag)


def _forged(ground: Ground) -> None:
    """Made once, and then shown by link."""
    specimen = ground.specimen
    place = specimen.folder / "forgery"
    with _FORGING:
        if not place.is_dir():
            place.mkdir()
            settings = specimen.settings(place / "home")
            forge(settings, specimen.upstream, SEED, place)
    shutil.rmtree(ground.tree)
    shutil.copytree(place / "forged", ground.tree, copy_function=os.link)


def _of_words() -> Iterator[Hostile]:
    def named_file(ground: Ground) -> None:
        (ground.tree / "data" / harm.WORDS.replace("/", "")).write_text("more", encoding="utf-8")

    def no_text(ground: Ground) -> None:
        (ground.tree / "data" / "no\udcff\udcfetext").write_text("more", encoding="utf-8")

    for name, plant in {
        "a file named by words for a screen": named_file,
        "a file whose name is no text": no_text,
    }.items():
        yield Hostile(name, WORDS, Subject.TREE, plant, _UNREAD)
