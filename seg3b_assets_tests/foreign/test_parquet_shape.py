"""What a parquet file will unpack to, as its pages say, whoever wrote it; and files that say what is not so."""

from __future__ import annotations

import io
import random
from collections.abc import Callable
from pathlib import Path
from typing import Any

import duckdb
import fastparquet
import numpy as np
import polars as pl
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from seg3b_assets.foreign.parquet_shape import CompactReader, NotParquetError, ThriftError, parquet_shape
from seg3b_assets.foreign.reading import UnreadableTableError
from seg3b_assets.foreign.tables import count_rows, read_arrow, read_frame, read_schema
from seg3b_assets_tests.hostile.mutated_footers import row_groups_many_times

ROWS = 5_000
FRAME = pl.DataFrame(
    {
        "id": pl.Series(range(ROWS), dtype=pl.UInt64),
        "code": pl.Series([f"C{row % 7}" for row in range(ROWS)]),
        "share": pl.Series(np.linspace(0, 1, ROWS)),
        "maybe": pl.Series([None if row % 3 else row for row in range(ROWS)], dtype=pl.Int32),
        "is_so": pl.Series([row % 2 == 0 for row in range(ROWS)]),
    }
)
NESTED = pa.table(
    {
        "id": pa.array(range(100), pa.uint64()),
        "terms": pa.array([{"low": 1.0, "names": ["a"] * (row % 4)} for row in range(100)]),
        "pairs": pa.array([[(1, 2)] * (row % 3) for row in range(100)], pa.map_(pa.int64(), pa.int64())),
        "fixed": pa.array([b"0123456789abcdef"] * 100, pa.binary(16)),
        "money": pa.array([1] * 100, pa.decimal128(20, 0)),
    }
)


def by_arrow(**options: Any) -> Callable[[Path], None]:
    return lambda path: pq.write_table(FRAME.to_arrow(), path, **options)


def by_duckdb(path: Path) -> None:
    duckdb.sql(f"copy (select * from FRAME) to '{path}' (format parquet, row_group_size 2048)")


WRITERS: dict[str, Callable[[Path], None]] = {
    "polars": FRAME.write_parquet,
    "polars, small groups": lambda path: FRAME.write_parquet(path, row_group_size=700, statistics=False),
    "polars, unpacked": lambda path: FRAME.write_parquet(path, compression="uncompressed"),
    "arrow": by_arrow(),
    "arrow, second pages": by_arrow(data_page_version="2.0", compression="zstd", data_page_size=1024),
    "arrow, no dictionaries": by_arrow(use_dictionary=False, compression="none", write_page_index=True),
    "arrow, checksums": by_arrow(write_page_checksum=True, compression="brotli"),
    "duckdb": by_duckdb,
    "fastparquet": lambda path: fastparquet.write(str(path), FRAME.to_pandas(), row_group_offsets=1000),
}


@pytest.mark.parametrize("write", WRITERS.values(), ids=WRITERS)
def test_every_writers_files_are_weighed_and_read(tmp_path: Path, write: Callable[[Path], None]) -> None:
    path = tmp_path / "part.parquet"
    write(path)
    with path.open("rb") as file:
        shape = parquet_shape(file)
        some = parquet_shape(file, ["id", "code"])
    assert (shape.rows, shape.columns, shape.size) == (ROWS, tuple(FRAME.columns), path.stat().st_size)
    assert (shape.values, some.values) == (5 * ROWS, 2 * ROWS)
    metadata = pq.read_metadata(path)
    chunks = [
        metadata.row_group(group).column(at)
        for group in range(metadata.num_row_groups)
        for at in range(metadata.num_columns)
    ]
    # The chunks' totals count page headers, too.
    assert shape.unpacked <= sum(chunk.total_uncompressed_size for chunk in chunks) + 40 * ROWS
    assert some.weight < shape.weight <= 2_000_000
    assert count_rows(path) == ROWS
    assert read_frame(path, ["code", "id"]).equals(
        FRAME.select("code", "id").cast({"id": read_schema(path)["id"]})
    )
    assert read_arrow(path, ["id"]).num_rows == ROWS


def test_nested_columns_are_counted_by_their_leaves(tmp_path: Path) -> None:
    pq.write_table(NESTED, tmp_path / "x", data_page_size=512)
    with (tmp_path / "x").open("rb") as file:
        shape = parquet_shape(file)
    assert (shape.rows, shape.columns) == (100, ("id", "terms", "pairs", "fixed", "money"))
    assert [leaf.repeated for leaf in shape.leaves] == [False, False, True, True, True, False, False]
    assert shape.leaves[-2].width == 16


def test_an_empty_table_is_one(tmp_path: Path) -> None:
    FRAME[:0].write_parquet(tmp_path / "x")
    assert count_rows(tmp_path / "x") == 0
    assert read_frame(tmp_path / "x").schema == FRAME.schema


def one_list(path: Path) -> None:
    same = pa.ListArray.from_arrays(pa.array([0, 1 << 25], pa.int32()), pa.array(np.full(1 << 25, 7)))
    pq.write_table(pa.table({"c": same}), path, compression="zstd")


def many_rows(path: Path) -> None:
    pq.write_table(pa.table({"c": pa.array(np.full(1 << 25, 7))}), path, compression="zstd")


def many_columns(path: Path) -> None:
    pq.write_table(pa.table({f"c{at}": pa.array([1]) for at in range(600)}), path)


def one_page(path: Path) -> None:
    pages = pa.table({"c": pa.array([b"\0" * (200 << 20)])})
    pq.write_table(pages, path, compression="zstd", use_dictionary=False)


@pytest.mark.parametrize("bomb", [one_list, many_rows, many_columns, one_page])
def test_a_small_file_that_unpacks_to_much_is_refused_unread(
    tmp_path: Path, bomb: Callable[[Path], None]
) -> None:
    bomb(tmp_path / "x")
    for read in (read_frame, read_arrow):
        with pytest.raises(UnreadableTableError, match=r"unpacked, in|columns; no table has"):
            read(tmp_path / "x")


def altered(data: bytes, seed: int) -> bytes:
    """A few bytes exchanged, more often in the footer."""
    draw, changed = random.Random(seed), bytearray(data)
    for _ in range(draw.randint(1, 4)):
        end = len(data) if draw.random() < 0.3 else 600
        changed[-draw.randint(1, min(end, len(data)))] = draw.randrange(256)
    return bytes(changed[: draw.randint(1, len(data))] if draw.random() < 0.1 else changed)


def test_altered_files_are_read_or_refused_and_nothing_else(tmp_path: Path) -> None:
    path, refused = tmp_path / "x", 0
    FRAME[:200].write_parquet(path)
    data = path.read_bytes()
    for seed in range(600):
        path.write_bytes(altered(data, seed))
        try:
            read_frame(path)
        except UnreadableTableError:
            refused += 1
    assert 100 < refused < 600


@pytest.mark.parametrize(
    ("old", "new"),
    [(b"PAR1", b"PAR2"), (b"PAR1", b"PARE")],
)
def test_what_does_not_begin_and_end_as_parquet_is_none(old: bytes, new: bytes) -> None:
    whole = io.BytesIO()
    FRAME[:10].write_parquet(whole)
    for data in (whole.getvalue().replace(old, new, 1), whole.getvalue()[:-4] + new, b"", b"PAR1PAR1"):
        with pytest.raises(NotParquetError):
            parquet_shape(io.BytesIO(data))


def test_a_footer_longer_than_its_file_is_none() -> None:
    data = b"PAR1" + b"\0" * 20 + (1 << 30).to_bytes(4, "little") + b"PAR1"
    with pytest.raises(NotParquetError, match="footer of 1073741824"):
        parquet_shape(io.BytesIO(data))


# The chance of these is to repeat them more than twice.
@pytest.mark.parametrize(
    "number", [number for number in range(9) if random.Random(number).choice((2, 100, 20_000)) > 2]
)
def test_row_groups_of_the_same_pages_are_looked_at_once(tmp_path: Path, number: int) -> None:
    FRAME.write_parquet(tmp_path / "x", row_group_size=700)
    data = row_groups_many_times((tmp_path / "x").read_bytes(), random.Random(number))
    with pytest.raises(NotParquetError, match=r"its columns overlap|announces a footer|values"):
        parquet_shape(io.BytesIO(data))


def test_columns_of_another_type_in_a_group_than_in_the_schema_are_no_file(tmp_path: Path) -> None:
    """pyarrow ends the process over such a one."""
    FRAME[:200].write_parquet(tmp_path / "x", compression="uncompressed")
    data = (tmp_path / "x").read_bytes()
    first = data.rindex(b"\x15\x04\x19")  # ColumnMetaData: type INT64, a list of encodings
    for kind in (0, 2, 8, 10, 12):  # as zigzag: BOOLEAN, INT32, FLOAT, DOUBLE, BYTE_ARRAY
        (tmp_path / "x").write_bytes(data[: first + 1] + bytes((kind,)) + data[first + 2 :])
        for read in (read_schema, count_rows, read_arrow):
            with pytest.raises(UnreadableTableError, match="in a group, 2 in the schema"):
                read(tmp_path / "x")


def test_a_footer_of_more_values_than_any_file_has_is_none() -> None:
    with pytest.raises(ThriftError, match="more than 524288 values"):
        CompactReader(b"\x19\xfc\xff\xff\x7f" + b"\0" * (1 << 22) * 2).struct()


@pytest.mark.parametrize(
    "data",
    [
        b"",
        b"\x19\xff\xff\xff\xff\x0f",  # a list longer than its bytes
        b"\x18\xff\xff\xff\xff\xff\xff\xff\xff\xff\xff\x01",  # a length of eleven bytes
        b"\x1c" * 100,  # structs without end
        b"\x19" * 5000,  # lists of lists
        b"\x1b" + b"\x01\xbb" * 5000,  # maps of maps
        b"\x1c" + b"\x19\x1c" * 5000,  # lists of structs of lists
        b"\x1a" * 100_000,  # sets of sets
        b"\x1d\x00",  # a type that is none
        b"\x1b\x7f",  # a map longer than its bytes
    ],
)
def test_bytes_that_are_no_struct_are_told(data: bytes) -> None:
    with pytest.raises(ThriftError):
        CompactReader(data).struct()
