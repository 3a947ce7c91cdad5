"""Ways to spoil one file: what may lie in its place, and what may be in it."""

from __future__ import annotations

import io
import os
import socket
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any, Final

import numpy as np
import orjson
import pyarrow as pa
import pyarrow.parquet as pq

from seg3b_assets_tests.hostile.ground import Ground

Put = Callable[[Ground, Path], None]
# Would clear a screen, set a title, forge a line and turn text round.
WORDS: Final = "\x1b]0;owned\x07\x1b[2J\nPASS  forged\r\x7f\x9b1m\u202e\u2066\u2028x"
DEEP: Final = 2_500
MANY: Final = 1_000_000


def away(path: Path) -> None:
    """Remove what lies there, file, folder or link."""
    if path.is_dir() and not path.is_symlink():
        for below in sorted(path.rglob("*"), reverse=True):
            below.rmdir() if below.is_dir() and not below.is_symlink() else below.unlink()
        path.rmdir()
    else:
        path.unlink(missing_ok=True)


def put(path: Path, data: bytes) -> None:
    """Other bytes in a file of this ground alone."""
    away(path)
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(data)


def pipe(_: Ground, path: Path) -> None:
    away(path)
    os.mkfifo(path)


def device(_: Ground, path: Path) -> None:
    away(path)
    path.symlink_to("/dev/zero")


def listener(_: Ground, path: Path) -> None:
    """A socket; its address is too long for most folders, so it is made from within."""
    away(path)
    here = os.open(path.parent, os.O_RDONLY)
    with socket.socket(socket.AF_UNIX) as server:
        server.bind(f"/proc/self/fd/{here}/{path.name}"[:107])
    os.close(here)


def link_to_secret(ground: Ground, path: Path) -> None:
    away(path)
    path.symlink_to(ground.secret)


def link_to_private_folder(ground: Ground, path: Path) -> None:
    away(path)
    path.symlink_to(ground.private)


def link_to_itself(_: Ground, path: Path) -> None:
    away(path)
    path.symlink_to(path.name)


def folder_in_itself(_: Ground, path: Path) -> None:
    """A folder with two links to itself: twice as many paths with every level."""
    away(path)
    path.mkdir()
    for name in ("a", "b"):
        (path / name).symlink_to(".")


def moved_out(ground: Ground, path: Path) -> None:
    """What lies there, unchanged, but somebody else's: a link to where it lies now."""
    path.rename(ground.private / path.name)
    path.symlink_to(ground.private / path.name)


def deep_folders(_: Ground, path: Path) -> None:
    """Folders in folders, made from within: no path reaches the last."""
    away(path)
    path.mkdir()
    here = os.open(path, os.O_RDONLY)
    for _step in range(DEEP):
        os.mkdir("d", dir_fd=here)
        below = os.open("d", os.O_RDONLY, dir_fd=here)
        os.close(here)
        here = below
    os.close(here)


def sparse(size: int, head: bytes = b"") -> Put:
    """A file of this size, all but its head a hole."""

    def plant(_: Ground, path: Path) -> None:
        put(path, head)
        with path.open("r+b") as handle:
            handle.truncate(size)

    return plant


def holding(data: bytes) -> Put:
    return lambda _, path: put(path, data)


def nested(_: Ground, path: Path) -> None:
    put(path, b"[" * 5_000_000)


def with_many_keys(_: Ground, path: Path) -> None:
    """The document, and a million keys that nobody knows."""
    document = orjson.loads(path.read_bytes())
    more = {f"unknown-{number}": number for number in range(MANY)}
    put(path, orjson.dumps(document | more if isinstance(document, dict) else [*document, more]))


def with_long_name(_: Ground, path: Path) -> None:
    document = orjson.loads(path.read_bytes())
    put(
        path,
        orjson.dumps(document | {"k" * 10_000_000: 1} if isinstance(document, dict) else {"k": document}),
    )


def with_words(_: Ground, path: Path) -> None:
    """Every text of a document followed by what would command a screen, and such a key."""

    def spoken(value: Any) -> Any:
        if isinstance(value, dict):
            return {key: spoken(one) for key, one in value.items()} | {WORDS: WORDS}
        if isinstance(value, list):
            return [spoken(one) for one in value]
        return value + WORDS if isinstance(value, str) else value

    put(path, orjson.dumps(spoken(orjson.loads(path.read_bytes()))))


def list_bomb(_: Ground, path: Path) -> None:
    """Ten kilobytes that unpack to seven gigabytes: lists of one number, repeated."""
    size, columns = 30_000_000, 30
    same = pa.array(np.full(size, 7, np.int64))
    column = pa.ListArray.from_arrays(pa.array([0, size], pa.int32()), same)
    _packed(path, pa.table({f"c{number}": column for number in range(columns)}))


def row_bomb(_: Ground, path: Path) -> None:
    """Sixty million rows of the file's own columns in some kilobytes: each value the first row's."""
    head = pq.read_table(path).slice(0, 1)
    size = 60_000_000
    out = io.BytesIO()
    with pq.ParquetWriter(out, head.schema, compression="zstd", write_statistics=False) as writer:
        many = pa.table(
            {name: _repeated(head.column(name), 1 << 20) for name in head.column_names}, schema=head.schema
        )
        for _part in range(size >> 20):
            writer.write_table(many, row_group_size=1 << 20)
    put(path, out.getvalue())


def column_bomb(_: Ground, path: Path) -> None:
    """Two hundred columns of four million rows, padded, so that the file is of some size itself."""
    size, columns = 4_000_000, 200
    same = pa.array(np.full(size, 7, np.int64))
    padding = pa.array([os.urandom(size // 8)] + [None] * (size - 1), pa.binary())
    table = pa.table({f"c{number}": same for number in range(columns)} | {"padding": padding})
    _packed(path, table, row_group_size=size)


def lying_footer(_: Ground, path: Path) -> None:
    """A footer that announces two gigabytes of itself."""
    data = path.read_bytes()
    put(path, data[:-8] + (0x7FFFFFF0).to_bytes(4, "little") + b"PAR1")


def thousand_columns(_: Ground, path: Path) -> None:
    """The table, and twenty thousand columns more."""
    table = pq.read_table(path)
    nothing = pa.nulls(table.num_rows, pa.int8())
    more = pa.table({f"more-{number}": nothing for number in range(20_000)})
    _packed(
        path, pa.Table.from_arrays([*table.columns, *more.columns], [*table.column_names, *more.column_names])
    )


SPECIAL: Final[Mapping[str, Put]] = {
    "a pipe": pipe,
    "a link to a device that never ends": device,
    "a socket": listener,
    "a link to itself": link_to_itself,
    "a link to somebody's file": link_to_secret,
    "a folder with two links to itself": folder_in_itself,
}
# For places beside those where all are tried.
FEW: Final = ("a pipe", "a link to a device that never ends", "a link to somebody's file")
BOMBS: Final[Mapping[str, Put]] = {
    "lists that unpack to seven gigabytes": list_bomb,
    "sixty million rows in some kilobytes": row_bomb,
    "two hundred columns of four million rows": column_bomb,
    "a footer of two gigabytes, announced": lying_footer,
    "twenty thousand columns more": thousand_columns,
    "ten gigabytes of nothing": sparse(10 << 30, b"PAR1"),
}
DOCUMENTS: Final[Mapping[str, Put]] = {
    "two gigabytes of nothing": sparse(2 << 30, b"{"),
    "five million brackets": nested,
    "a million unknown keys": with_many_keys,
    "a key of ten million letters": with_long_name,
    "words for a screen in every text": with_words,
}


def _packed(path: Path, table: pa.Table, **options: Any) -> None:
    out = io.BytesIO()
    pq.write_table(table, out, compression="zstd", use_dictionary=True, write_statistics=False, **options)
    put(path, out.getvalue())


def _repeated(column: pa.ChunkedArray, times: int) -> pa.Array:
    return column.combine_chunks().take(pa.array(np.zeros(times, np.int64)))


def special(every: bool) -> Mapping[str, Put]:
    """What is no file: every such thing, or the few that differ most."""
    return SPECIAL if every else {what: SPECIAL[what] for what in FEW}
