"""Faults of S3's outputs: blob, index, universe hash, gamma log."""

from __future__ import annotations

import struct
from collections.abc import Callable, Iterator
from typing import Any

import polars as pl

from seg3b_assets.laws.hashing import sha256_hex
from seg3b_assets_tests.faults import edits
from seg3b_assets_tests.faults.edited_tree import UNIVERSE, Tree
from seg3b_assets_tests.faults.fault import Fault, edited

BLOB = "edge_alias_blob_3B"
INDEX = "edge_alias_index_3B"
GAMMA = "gamma_draw_log_3B"
_BYTES = ("S3.alias_checksum", "S3.blob_digest")
_TABLE = ("S3.alias_distribution", "S3.alias_table", "S3.alias_range", "S4.results")


def alias_faults() -> Iterator[Fault]:
    """Blob, index, universe hash and gamma log."""
    yield from _blob()
    yield from _resealed_blob()
    yield from _index()
    yield from _universe()
    yield from _gamma()


def _data(change: edits.Bytes) -> Callable[[Tree], None]:
    return lambda tree: tree.data(BLOB, change)


def _blob() -> Iterator[Fault]:
    """The blob alone: the index's checksums no longer hold."""
    bounds = ("S3.alias_bounds", *_BYTES, *_TABLE, "S3.alias_header", "S3.alias_padding")
    yield edited(
        BLOB, "a bit of the blob", "S3.alias_checksum", _data(edits.flip_bit(20)), ("S3.blob_digest", *_TABLE)
    )
    yield edited(
        BLOB,
        "the last bit of the blob",
        "S3.blob_digest",
        _data(edits.flip_bit(-1, 7)),
        ("S3.alias_checksum", "S3.alias_padding", *_TABLE),
    )
    yield edited(
        BLOB,
        "bytes behind the blob",
        "S3.alias_bounds",
        _data(lambda blob: blob + b"\0" * 8),
        (*bounds, "S3.alias_rows"),
    )
    yield edited(
        BLOB, "a blob cut short", "S3.alias_bounds", _data(lambda blob: blob[:-8]), (*bounds, "S3.alias_rows")
    )
    yield edited(
        BLOB,
        "a blob cut by one byte",
        "S3.alias_bounds",
        _data(lambda blob: blob[:-1]),
        (*bounds, "S3.alias_rows"),
    )
    yield edited(BLOB, "an empty blob", "S3.alias_bounds", _data(edits.nothing), (*bounds, "S3.alias_rows"))
    yield edited(BLOB, "no blob", "tree.datasets", _gone(BLOB), ("S4.results",))
    yield edited(
        BLOB, "a blob of big-endian words", "S3.alias_header", _data(_big_endian), (*_BYTES, *_TABLE)
    )


def _big_endian(blob: bytes) -> bytes:
    words = struct.unpack(f"<{len(blob) // 4}I", blob)
    return struct.pack(f">{len(words)}I", *words)


def _gone(dataset: str) -> Callable[[Tree], None]:
    def plant(tree: Tree) -> None:
        tree.touched.add(dataset)
        tree.file(dataset).unlink()

    return plant


def _resealed_blob() -> Iterator[Fault]:  # noqa: C901 - a small function per way to spoil a slice
    """The blob with every checksum and digest over it redone."""

    def spoilt(change: Callable[[bytearray, int], None]) -> Callable[[Tree], None]:
        def plant(tree: Tree) -> None:
            blob = bytearray(tree.file(BLOB).read_bytes())
            index = pl.read_parquet(tree.file(INDEX).read_bytes())
            change(blob, int(index["alias_table_length"][0]))
            tree.data(BLOB, lambda _: bytes(blob))
            tree.table(INDEX, lambda frame: _checksums_redone(frame, bytes(blob)))

        return plant

    def word(offset: int, value: int) -> Callable[[bytearray, int], None]:
        return lambda blob, slots: struct.pack_into("<I", blob, offset, value)

    def near(offset: int, by: int) -> Callable[[bytearray, int], None]:
        def change(blob: bytearray, slots: int) -> None:
            (value,) = struct.unpack_from("<I", blob, offset)
            struct.pack_into("<I", blob, offset, value + by if value + by < 2**32 else value - by)

        return change

    def columns(blob: bytearray, slots: int) -> None:
        """All probabilities first, all aliases after, instead of pairs."""
        words = struct.unpack_from(f"<{2 * slots}I", blob, 16)
        struct.pack_into(f"<{2 * slots}I", blob, 16, *words[0::2], *words[1::2])

    def uniform(blob: bytearray, slots: int) -> None:
        for slot in range(slots):
            struct.pack_into("<2I", blob, 16 + 8 * slot, 2**32 - 1, slot)

    def swapped(blob: bytearray, slots: int) -> None:
        """The first two slots exchanged: the same probabilities for the wrong edges."""
        first, second = blob[16:24], blob[24:32]
        blob[16:24], blob[24:32] = second, first

    sealed = "with its checksums redone"
    cases: dict[str, tuple[Callable[[bytearray, int], None], str, tuple[str, ...]]] = {
        "a slice's length": (word(0, 3), "S3.alias_header", _TABLE),
        "a slice's probability bits": (word(4, 16), "S3.alias_header", _TABLE),
        "a slice's reserved word": (word(8, 1), "S3.alias_header", _TABLE),
        "an alias out of range": (word(20, 2**32 - 1), "S3.alias_range", _TABLE),
        "an alias just out of range": (
            lambda blob, slots: struct.pack_into("<I", blob, 20, slots),
            "S3.alias_range",
            _TABLE,
        ),
        "a probability of zero": (word(16, 0), "S3.alias_range", _TABLE),
        "a probability off by one": (near(16, 1), "S3.alias_table", _TABLE),
        "a probability off by a thousandth": (near(16, 2**22), "S3.alias_distribution", _TABLE),
        "columns for pairs": (columns, "S3.alias_range", _TABLE),
        "a uniform table": (uniform, "S3.alias_distribution", _TABLE),
        "two slots exchanged": (swapped, "S3.alias_distribution", _TABLE),
    }
    for name, (change, check, also) in cases.items():
        yield edited(BLOB, f"{name}, {sealed}", check, spoilt(change), also)


def _checksums_redone(frame: pl.DataFrame, blob: bytes) -> pl.DataFrame:
    sums = [
        sha256_hex(blob[offset : offset + length]) if scope == "MERCHANT" else None
        for scope, offset, length in frame.select(
            "scope", "blob_offset_bytes", "blob_length_bytes"
        ).iter_rows()
    ]
    return edits.set_cell(-1, blob_sha256_hex=sha256_hex(blob))(
        frame.with_columns(merchant_alias_checksum=pl.Series(sums, dtype=pl.String))
    )


def _index() -> Iterator[Fault]:
    def change(name: str, check: str, alter: edits.Change, *also: str) -> Fault:
        return edited(INDEX, name, check, lambda tree: tree.table(INDEX, alter), also)

    slices = ("S3.alias_header", "S3.alias_padding", "S3.alias_checksum", *_TABLE)
    bounds, rows, own = "S3.alias_bounds", "S3.alias_rows", f"S3.{INDEX}.contract"
    yield change("an alias offset", bounds, edits.set_cell(3, blob_offset_bytes=8), *slices)
    yield change("a negative offset", own, edits.set_cell(3, blob_offset_bytes=-8), bounds, *slices)
    yield change("a huge offset", bounds, edits.set_cell(3, blob_offset_bytes=2**62), *slices)
    yield change("a huge table", bounds, edits.set_cell(3, alias_table_length=2**60), rows, *slices)
    yield change("offsets exchanged", bounds, edits.cells_exchanged("blob_offset_bytes", 2, 3), *slices)
    yield change("an alias length", bounds, edits.add_to("blob_length_bytes", 3, 8), "S4.results")
    yield change("an edge count", rows, edits.add_to("edge_count_total", 3, 1))
    yield change(
        "an alias checksum", "S3.alias_checksum", edits.set_cell(3, merchant_alias_checksum="0" * 64)
    )
    yield change("the blob's digest", "S3.blob_digest", edits.set_cell(-1, blob_sha256_hex="0" * 64))
    yield change("the blob's size", rows, edits.add_to("blob_length_bytes", -1, 8))
    yield change("the number of all slots", rows, edits.add_to("edge_count_total", -1, 1))
    yield change("an alias row dropped", rows, edits.drop_row(3), bounds, *slices)
    yield change("an alias row of another merchant", rows, edits.set_cell(0, merchant_id=1), *_TABLE)
    yield change("another layout", own, edits.set_cell(3, alias_layout_version="2B.alias.blob.v2"))
    yield change("a universe hash in the alias index", own, edits.set_cell(-1, universe_hash="0" * 64))
    yield change("a note in the alias index", "S3.notes", edits.set_cell(3, notes="seen"))


def _universe() -> Iterator[Fault]:
    def said(name: str, check: str, fields: dict[str, Any], *also: str) -> Fault:
        return edited(
            UNIVERSE, name, check, lambda tree: tree.document(UNIVERSE, lambda value: value | fields), also
        )

    for name in ("cdn_weights", "edge_alias_index", "edge_catalogue_index", "virtual_rules"):
        yield said(
            f"the digest of {name}",
            "S3.universe_components",
            {f"{name}_digest": "0" * 64},
            "S3.universe_hash",
            "S4.universe_binding",
        )
    yield said("the universe hash", "S3.universe_hash", {"universe_hash": "0" * 64})
    yield said("a universe of other parameters", f"S3.{UNIVERSE}.identity", {"parameter_hash": "0" * 64})
    yield edited(
        UNIVERSE,
        "a component forged, its hash and all bindings redone",
        "S3.universe_components",
        _component_forged,
    )


def _component_forged(tree: Tree) -> None:
    def change(value: dict[str, Any]) -> dict[str, Any]:
        value = value | {"virtual_rules_digest": "0" * 64}
        names = ("cdn_weights", "edge_alias_index", "edge_catalogue_index", "virtual_rules")
        raw = b"".join(bytes.fromhex(value[f"{name}_digest"]) for name in names)
        return value | {"universe_hash": sha256_hex(raw)}

    tree.document(UNIVERSE, change)


def _gamma() -> Iterator[Fault]:
    empty = "S3.gamma_log_empty"
    yield edited(GAMMA, "something in the gamma log", empty, lambda tree: tree.data(GAMMA, lambda _: b"{}\n"))
    yield edited(GAMMA, "a newline in the gamma log", empty, lambda tree: tree.data(GAMMA, lambda _: b"\n"))
    yield edited(GAMMA, "no gamma log", "tree.datasets", _gone(GAMMA))
