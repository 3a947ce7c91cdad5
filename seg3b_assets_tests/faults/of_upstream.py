"""Faults no tree gives away: runs of a forged world, and worlds whose gates do not hold. Upstream's root tells."""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import orjson
import polars as pl
import shapely

from seg3b_assets.laws.hashing import canonical_json
from seg3b_assets_tests.faults import edits
from seg3b_assets_tests.faults.edited_tree import Tree
from seg3b_assets_tests.faults.fault import Fault, edited, forged, true_root, unfaithful
from seg3b_assets_tests.faults.forgery import Forgery
from seg3b_assets_tests.faults.lies import changed, lie

_S0 = "seg3b_assets.states.s0_gate"
_INPUTS, _GATES, _TILES = "S0.upstream_inputs", "S0.upstream_gates", "tree.tile_excerpt_sealed"
_TOLD = "held against upstream"


def upstream_faults() -> Iterator[Fault]:
    """Forged worlds, spoilt gates, forged excerpts, a gate that lies."""
    yield from _worlds()
    yield from _gates()
    yield from _excerpts()
    yield from _lies()


def _put(path: Path, data: bytes) -> None:
    path.unlink()
    path.write_bytes(data)


def _table(pattern: str, change: edits.Change) -> Callable[[Path], None]:
    def alter(root: Path) -> None:
        path = sorted(root.glob(pattern))[0]
        frame = change(pl.read_parquet(path.read_bytes()))
        path.unlink()
        frame.write_parquet(path)

    return alter


def _worlds() -> Iterator[Fault]:
    spatial = "reference/spatial"
    cases: tuple[tuple[str, str, str, Callable[[Path], None], tuple[str, ...]], ...] = (
        (
            "transaction_schema_merchant_ids",
            "a merchant's trade",
            _INPUTS,
            _table(
                "reference/layer1/transaction_schema_merchant_ids/*/*.parquet", edits.set_cell(7, mcc=5816)
            ),
            (),
        ),
        (
            "settlement_gazetteer",
            "a place's people",
            _INPUTS,
            _table(f"{spatial}/settlement_gazetteer/*/*.parquet", edits.set_cell(7, population=10**7)),
            (),
        ),
        (
            "world_countries",
            "a country's border",
            _INPUTS,
            _table(f"{spatial}/world_countries/*/*.parquet", _shrunk),
            (),
        ),
        (
            "tile_weights",
            "the weights of two tiles exchanged",
            _TILES,
            _table("data/layer1/1B/tile_weights/*/part-US.parquet", _heaviest_first),
            ("S0.sealed_digests",),
        ),
        (
            "tile_bounds",
            "tiles cut smaller",
            _TILES,
            _table("data/layer1/1B/tile_bounds/*/country=US/*.parquet", _cut),
            ("S0.sealed_digests",),
        ),
        ("run_receipt", "a world dated later", _INPUTS, _dated, ()),
        (
            "segment_1A_gate",
            "a bundle and its flag written again",
            _INPUTS,
            _bundle_again,
            ("S0.sealed_digests",),
        ),
    )
    for target, name, check, world, also in cases:
        fault = forged(target, f"{name}, a run made of it, {_TOLD}", check, Forgery(world=world), also)
        yield replace(fault, upstream=true_root)


def _shrunk(frame: pl.DataFrame) -> pl.DataFrame:
    row = int((frame["country_iso"] == "DE").arg_true()[0])
    smaller = shapely.from_wkb(frame["geom"][row]).buffer(-0.01)
    return edits.set_cell(row, geom=shapely.to_wkb(smaller))(frame)


def _heaviest_first(frame: pl.DataFrame) -> pl.DataFrame:
    heaviest = int(frame["weight_fp"].arg_max() or 0)
    other = 0 if heaviest else 1
    return edits.cells_exchanged("weight_fp", heaviest, other)(frame)


def _cut(frame: pl.DataFrame) -> pl.DataFrame:
    return frame.with_columns(max_lon_deg=pl.col("max_lon_deg") - 0.001)


def _dated(root: Path) -> None:
    path = root / "run_receipt.json"
    receipt = orjson.loads(path.read_bytes())
    _put(path, canonical_json(receipt | {"created_utc": "2031-01-01T00:00:00.000000Z"}))


def _bundle(root: Path, segment: str) -> Path:
    return next(iter(root.glob(f"data/layer1/{segment}/validation/*")))


def _bundle_again(root: Path) -> None:
    folder = _bundle(root, "1A")
    _put(folder / "validation_summary_1A.json", b"{}")
    listed = sorted(entry["path"] for entry in orjson.loads((folder / "index.json").read_bytes()))
    digest = hashlib.sha256(b"".join((folder / path).read_bytes() for path in listed)).hexdigest()
    _put(folder / "_passed.flag", f"sha256_hex = {digest}\n".encode())


def _gates() -> Iterator[Fault]:
    def member(segment: str) -> Callable[[Path], None]:
        def alter(root: Path) -> None:
            path = _bundle(root, segment) / f"validation_summary_{segment}.json"
            _put(path, path.read_bytes() + b" ")

        return alter

    def index(segment: str, change: Callable[[Any], Any]) -> Callable[[Path], None]:
        def alter(root: Path) -> None:
            path = _bundle(root, segment) / "index.json"
            value = orjson.loads(path.read_bytes())
            changed = change(value)
            _put(path, canonical_json(value if changed is None else changed))

        return alter

    for segment in ("1A", "1B", "2A", "3A"):
        target = f"segment_{segment}_gate"
        yield unfaithful(target, f"a member of {segment}'s bundle edited, {_TOLD}", _GATES, member(segment))
        yield unfaithful(
            target,
            f"a file more in {segment}'s bundle, {_TOLD}",
            _GATES,
            lambda root, segment=segment: _bundle(root, segment).joinpath("more.json").write_bytes(b"{}"),
        )
        yield unfaithful(
            target,
            f"no index in {segment}'s bundle, {_TOLD}",
            _GATES,
            lambda root, segment=segment: (_bundle(root, segment) / "index.json").unlink(),
        )
    cases: tuple[tuple[str, str, Callable[[Any], Any]], ...] = (
        ("1A", "a member left out of its index", lambda listed: listed.pop()),
        ("1B", "a member listed twice", lambda listed: listed.append(listed[0])),
        ("1B", "a path out of its bundle", lambda listed: listed[0].update(path="../x.json")),
        ("2A", "a digest of its index", lambda value: value["files"][0].update(sha256_hex="0" * 64)),
        ("3A", "a digest of its index", lambda value: value["members"][0].update(sha256_hex="0" * 64)),
        ("3A", "another world in its index", lambda value: value.update(manifest_fingerprint="0" * 64)),
        ("3A", "members under each other's names", _names_exchanged),
    )
    for segment, name, change in cases:
        yield unfaithful(
            f"segment_{segment}_gate", f"{segment}: {name}, {_TOLD}", _GATES, index(segment, _nothing(change))
        )


def _nothing(change: Callable[[Any], Any]) -> Callable[[Any], None]:
    """The change in place, whatever it returns."""

    def changed_in_place(value: Any) -> None:
        change(value)

    return changed_in_place


def _names_exchanged(index: dict[str, Any]) -> None:
    first, second = index["members"][:2]
    first["logical_id"], second["logical_id"] = second["logical_id"], first["logical_id"]


def _excerpts() -> Iterator[Fault]:
    def excerpt(change: edits.Change) -> Callable[[Tree], None]:
        def plant(tree: Tree) -> None:
            path = tree.root / "inputs/tile_excerpt.parquet"
            frame = change(pl.read_parquet(path.read_bytes()))
            path.unlink()
            frame.write_parquet(path)

        return plant

    # Every edge's draw falls where it fell: the tile takes in a gap that no draw met.
    for name, change in (("that takes in its neighbour", _gap_taken), ("a hair wider", _a_hair_wider)):
        fault = edited("tile_excerpt", f"a tile {name}, {_TOLD}", _TILES, excerpt(change))
        yield replace(fault, upstream=true_root)


def _gap_taken(frame: pl.DataFrame) -> pl.DataFrame:
    row = int((frame["weight_before"] > 0).arg_true()[0])
    before, own = frame["weight_before"][row], frame["weight_fp"][row]
    return edits.set_cell(row, weight_before=before - 1, weight_fp=own + 1)(frame)


def _a_hair_wider(frame: pl.DataFrame) -> pl.DataFrame:
    return edits.set_cell(3, max_lon_deg=frame["max_lon_deg"][3] + 1e-9)(frame)


def _lies() -> Iterator[Fault]:
    paths, seal = "S0.sealed_paths", f"{_S0}.inventory:_sealed"
    yield lie("a sealed input of another role", paths, seal, changed(_with_row("world_countries", role="x")))
    yield lie(
        "a gate of another segment",
        paths,
        seal,
        changed(_with_row("validation_passed_flag_2A", owner_segment="3A")),
    )
    yield lie("1A's gate for 1B's", paths, f"{_S0}.seal:verify_bundle", _first_gate_again)
    yield lie(
        "a gate that never passed",
        "S0.receipt_gates",
        f"{_S0}.seal:gate_receipt",
        changed(_with_gate("segment_1A", sha256_hex="0" * 64)),
    )
    yield lie(
        "a world dated by the clock",
        "tree.identity",
        f"{_S0}.seal:read_receipt",
        changed(lambda world: replace(world, created_utc="2031-01-01T00:00:00.000000Z")),
    )


def _with_row(logical_id: str, **fields: str) -> Callable[[Any], Any]:
    def change(sealed: Any) -> Any:
        if sealed.row["logical_id"] != logical_id:
            return sealed
        return replace(sealed, row={**sealed.row, **fields})

    return change


def _with_gate(segment: str, **fields: str) -> Callable[[Any], Any]:
    def change(receipt: Any) -> Any:
        gates = receipt["upstream_gates"]
        return {**receipt, "upstream_gates": {**gates, segment: {**gates[segment], **fields}}}

    return change


def _first_gate_again(true: Any) -> Any:
    def verify_bundle(segment: str, folder: Path, world: Any) -> Any:
        asked = folder if segment != "1B" else folder.parents[2] / "1A" / "validation" / folder.name
        return replace(true("1A" if segment == "1B" else segment, asked, world), segment=segment)

    return verify_bundle
