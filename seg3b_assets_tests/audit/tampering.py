"""Ways to spoil one dataset of a published tree, leaving the original alone."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
import orjson
import polars as pl

from seg3b_assets.audit import AuditTree
from seg3b_assets.contracts import contract
from seg3b_assets.laws.hashing import canonical_json, indented_json


@dataclass(frozen=True)
class Tampering:
    """A tree to spoil copies of.

    Attributes:
        tree: as published; folder: where spoilt datasets are written, in their contract paths.
    """

    tree: AuditTree
    folder: Path

    def table(self, dataset_id: str, change: Callable[[pl.DataFrame], pl.DataFrame]) -> AuditTree:
        """A tree whose table went through ``change``, order and dtypes kept otherwise."""
        frame = pl.read_parquet(
            sorted(self.tree.datasets[dataset_id].rglob("*.parquet")) or self.tree.datasets[dataset_id]
        )
        target = self._target(dataset_id)
        if contract(dataset_id).format == "parquet_parts":
            target.mkdir()
            change(frame).write_parquet(target / "part-00000.parquet", compression="zstd")
        else:
            change(frame).write_parquet(target, compression="zstd")
        return self._with(dataset_id, target)

    def document(self, dataset_id: str, change: Callable[[Any], Any]) -> AuditTree:
        """A tree whose document went through ``change``; the change may be in place."""
        value = orjson.loads(self.tree.datasets[dataset_id].read_bytes())
        changed = change(value)
        written = indented_json if contract(dataset_id).format == "json_indented" else canonical_json
        return self.data(dataset_id, lambda _: written(value if changed is None else changed))

    def data(self, dataset_id: str, change: Callable[[bytes], bytes]) -> AuditTree:
        """A tree whose file's bytes went through ``change``."""
        target = self._target(dataset_id)
        target.write_bytes(change(self.tree.datasets[dataset_id].read_bytes()))
        return self._with(dataset_id, target)

    def lines(self, dataset_id: str, change: Callable[[list[bytes]], None]) -> AuditTree:
        """A tree whose lines were changed in place; each is without its newline."""

        def rewrite(data: bytes) -> bytes:
            lines = data.splitlines()
            change(lines)
            return b"".join(line + b"\n" for line in lines)

        return self.data(dataset_id, rewrite)

    def event(self, dataset_id: str, line: int, **fields: Any) -> AuditTree:
        """A tree where one line says other things."""

        def change(lines: list[bytes]) -> None:
            lines[line] = canonical_json(orjson.loads(lines[line]) | fields)

        return self.lines(dataset_id, change)

    def then(self, tree: AuditTree) -> Tampering:
        """Spoil something more in a spoilt tree."""
        return replace(self, tree=tree)

    def _target(self, dataset_id: str) -> Path:
        target = self.folder / contract(dataset_id).relative_path(self.tree.identity).rstrip("/")
        target.parent.mkdir(parents=True, exist_ok=True)
        return target

    def _with(self, dataset_id: str, path: Path) -> AuditTree:
        return replace(self.tree, datasets={**self.tree.datasets, dataset_id: path}, published={})


def set_cell(row: int, **values: Any) -> Callable[[pl.DataFrame], pl.DataFrame]:
    """Put values into one row."""

    def change(frame: pl.DataFrame) -> pl.DataFrame:
        at = pl.int_range(pl.len()) == row
        return frame.with_columns(
            pl.when(at).then(pl.lit(value, frame.schema[name])).otherwise(pl.col(name)).alias(name)
            for name, value in values.items()
        )

    return change


def drop_row(row: int) -> Callable[[pl.DataFrame], pl.DataFrame]:
    """Leave one row out."""
    return lambda frame: frame.filter(pl.int_range(pl.len()) != row)


def swap_rows(first: int, second: int) -> Callable[[pl.DataFrame], pl.DataFrame]:
    """Exchange two rows."""

    def change(frame: pl.DataFrame) -> pl.DataFrame:
        order = np.arange(frame.height)
        order[[first, second]] = order[[second, first]]
        return frame[order]

    return change


def flip_byte(position: int) -> Callable[[bytes], bytes]:
    """Change one byte."""

    def change(data: bytes) -> bytes:
        spoilt = bytearray(data)
        spoilt[position] ^= 0x01
        return bytes(spoilt)

    return change
