"""Properties: whatever byte, cell or line of a tree is changed, something fails, and nothing crashes or hangs."""

from __future__ import annotations

import tempfile
from pathlib import Path
from typing import Any

import orjson
import polars as pl
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from seg3b_assets.audit.checks import audited_datasets
from seg3b_assets.contracts import contract
from seg3b_assets_tests.faults.edited_tree import Tree
from seg3b_assets_tests.faults.exporting import examine
from seg3b_assets_tests.faults.specimen import Specimen

pytestmark = pytest.mark.e2e

_FEW = settings(
    max_examples=6,
    deadline=None,
    derandomize=True,
    suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow],
)
_TABLES = [name for name in audited_datasets() if contract(name).format in ("parquet", "parquet_parts")]
_LOGS = [
    name for name in audited_datasets() if contract(name).format == "jsonl" and name != "gamma_draw_log_3B"
]


def _failed(specimen: Specimen, tree: Tree) -> list[str]:
    return [result.check_id for result in examine(tree.root, specimen.policies).failed]


@_FEW
@given(st.data())
def test_a_changed_byte_of_any_file_is_found(specimen: Specimen, data: st.DataObject) -> None:
    files = sorted(path for path in specimen.tree.rglob("*") if path.is_file() and path.stat().st_size)
    relative = data.draw(st.sampled_from(files)).relative_to(specimen.tree)
    with tempfile.TemporaryDirectory() as place:
        tree = Tree(specimen.copy(Path(place) / "tree"))
        path = tree.root / relative
        spoilt = bytearray(path.read_bytes())
        at = data.draw(st.integers(0, len(spoilt) - 1))
        spoilt[at] ^= data.draw(st.integers(1, 255))
        tree.replace(path, bytes(spoilt))
        assert _failed(specimen, tree), f"{relative}, byte {at}"


@_FEW
@given(st.data())
def test_a_changed_cell_of_any_table_is_found_with_every_digest_redone(
    specimen: Specimen, data: st.DataObject
) -> None:
    dataset = data.draw(st.sampled_from(_TABLES))
    with tempfile.TemporaryDirectory() as place:
        tree = Tree(specimen.copy(Path(place) / "tree"))
        frame = pl.read_parquet(tree.file(dataset).read_bytes())
        column = data.draw(st.sampled_from(frame.columns))
        row = data.draw(st.integers(0, frame.height - 1))
        other = _other(frame[column][row], frame.schema[column])
        tree.table(dataset, lambda table: _with_cell(table, column, row, other))
        tree.reseal()
        assert _failed(specimen, tree), f"{dataset}.{column}, row {row}"


@_FEW
@given(st.data())
def test_a_changed_value_of_any_line_is_found_with_every_digest_redone(
    specimen: Specimen, data: st.DataObject
) -> None:
    log = data.draw(st.sampled_from(_LOGS))
    with tempfile.TemporaryDirectory() as place:
        tree = Tree(specimen.copy(Path(place) / "tree"))
        lines = tree.file(log).read_bytes().splitlines()
        line = data.draw(st.integers(0, len(lines) - 1))
        value = orjson.loads(lines[line])
        key = data.draw(st.sampled_from(sorted(value)))
        tree.event(log, line, **{key: _other(value[key])})
        tree.reseal()
        assert _failed(specimen, tree), f"{log}, line {line}, {key}"


def _other(value: Any, dtype: Any = None) -> Any:
    """A neighbouring value of the same type."""
    if isinstance(value, bool):
        return not value
    if isinstance(value, str):
        return value[:-1] + ("b" if value.endswith("a") else "a")
    if value is None:
        return {pl.Boolean: True, pl.String: "a"}.get(dtype, 1)
    return value - 1 if value >= 1 else value + 1


def _with_cell(frame: pl.DataFrame, column: str, row: int, value: Any) -> pl.DataFrame:
    here = pl.int_range(pl.len()) == row
    return frame.with_columns(
        pl.when(here).then(pl.lit(value, frame.schema[column])).otherwise(pl.col(column)).alias(column)
    )
