"""The dataset dictionary: every dataset by id, where it lies, in what form and order, who makes and reads it.

``contracts/dataset_dictionary.yaml`` names the datasets, ``contracts/*.schema.json`` their shapes. Loading
reads the dictionary alone; a schema is read and compiled when its dataset is first touched.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cache, cached_property
from pathlib import Path
from string import Formatter
from types import MappingProxyType
from typing import Any, Final, Literal, TypeAlias, cast

import polars as pl
import yaml

from seg3b_assets.contracts.frames import FramePlan
from seg3b_assets.contracts.nested import dtype_name
from seg3b_assets.contracts.schemas import CONTRACTS_FOLDER, Schema, check_document, read_schema
from seg3b_assets.contracts.violations import Violation
from seg3b_assets.laws.path_names import is_one_name

Format: TypeAlias = Literal[
    "parquet", "parquet_parts", "json", "json_indented", "jsonl", "binary", "csv", "flag", "directory"
]
DICTIONARY_FILE: Final = "dataset_dictionary.yaml"
DICTIONARY_SCHEMA: Final = "dataset_dictionary.schema.json"
UPSTREAM: Final = "upstream"
TABULAR: Final[frozenset[str]] = frozenset({"parquet", "parquet_parts", "jsonl", "csv"})


@dataclass(frozen=True)
class DatasetContract:
    """What a dataset promises.

    Attributes:
        id: dataset id, the asset's key too.
        path: template relative to a tree's root; a folder ends in a slash.
        files: which files of a folder are the dataset's, ``*`` where there is no restriction.
        format: how the bytes are laid out.
        keys: columns that identify a row, unique together.
        sort: order of the rows, nulls last; ``-name`` descends.
        partitions: names of the path's partition folders.
        producer: ``S0`` … ``S5``, ``certification``, ``upstream`` or ``export``.
        consumers: who reads it.
        status: ``active``, ``planned`` (not produced yet) or ``optional`` (may be absent upstream).
        schema_file: its schema's file name in the contracts folder.
        description: one line.
    """

    id: str
    path: str
    files: str
    format: Format
    keys: tuple[str, ...]
    sort: tuple[str, ...]
    partitions: tuple[str, ...]
    producer: str
    consumers: tuple[str, ...]
    status: str
    schema_file: str
    description: str

    @cached_property
    def schema(self) -> Schema:
        """The JSON Schema as its file has it: of a row, a line, or the document."""
        return read_schema(self.schema_file)

    @property
    def title(self) -> str:
        """The dataset's name for people."""
        return str(self.schema["title"])

    @property
    def schema_ref(self) -> str:
        """How records refer to the schema: ``contracts/NAME.schema.json``."""
        return f"contracts/{self.schema_file}"

    @property
    def geometry(self) -> str | None:
        """The column that holds the rows' geometry as WKB; None for a table without one."""
        name = self.schema.get("x-geometry")
        return None if name is None else str(name)

    @property
    def is_table(self) -> bool:
        """Whether the schema is of a row: parquet, JSON lines and CSV."""
        return self.format in TABULAR

    def relative_path(self, identity: object, **tokens: object) -> str:
        """The path with its tokens filled in.

        Args:
            identity: a mapping, or an object with attributes, that holds the tokens of a run.
            tokens: others, such as ``version`` and ``vintage``; they win.

        Raises:
            ValueError: naming the token that has no value, or one that is no name of one folder.
        """
        return self.path.format_map(self._values(self.path, identity, tokens))

    def _values(self, template: str, identity: object, tokens: Mapping[str, object]) -> dict[str, object]:
        values = {}
        for _, token, _, _ in Formatter().parse(template):
            if token is None:
                continue
            held = identity.get(token) if isinstance(identity, Mapping) else getattr(identity, token, None)
            value = tokens.get(token, held)
            if value is None:
                raise ValueError(f"the path of {self.id} needs {token}")
            if not is_one_name(str(value)):
                raise ValueError(f"the path of {self.id} takes no {token} like {str(value)[:80]!r}")
            values[token] = value
        return values

    @cached_property
    def _plan(self) -> FramePlan:
        if not self.is_table:
            raise TypeError(f"{self.id} is not a table: its format is {self.format}")
        fixed_order = self.producer != UPSTREAM and self.format != "jsonl"
        return FramePlan.compile(self.schema, self.keys, self.sort, fixed_order=fixed_order)

    @property
    def polars_schema(self) -> dict[str, pl.DataType]:
        """Required columns and their dtypes, in declared order; fit for ``read_ndjson(schema=…)``."""
        return {column.name: column.dtype for column in self._plan.columns if column.required}

    @property
    def optional_columns(self) -> dict[str, pl.DataType]:
        """Columns an upstream table may have beside the required ones."""
        return {column.name: column.dtype for column in self._plan.columns if not column.required}

    def describe_columns(self) -> list[tuple[str, str, str | None, str, bool]]:
        """(name, dtype, unit, description, nullable) per column, for documentation and lineage."""
        return [
            (column.name, dtype_name(column.dtype), column.unit, column.description, column.nullable)
            for column in self._plan.columns
        ]

    def empty(self) -> pl.DataFrame:
        """A table of the required columns without rows."""
        return pl.DataFrame(schema=self.polars_schema)

    def conform(self, frame: pl.DataFrame) -> pl.DataFrame:
        """The frame's declared columns in declared order and dtypes; accepted dtypes are cast.

        Undeclared columns are dropped, so check the frame first.

        Raises:
            polars.exceptions.InvalidOperationError: when a value does not fit.
        """
        return frame.select(
            pl.col(column.name).cast(column.dtype)
            for column in self._plan.columns
            if column.name in frame.columns
        )

    def check_frame(self, frame: pl.DataFrame, columns: Sequence[str] | None = None) -> list[Violation]:
        """Everything wrong with a table; empty when it keeps the contract.

        Args:
            frame: columns and dtypes as ``polars_schema`` has them.
            columns: check a projection: only these columns are expected, and keys and order only when they
                are all among them.

        Raises:
            TypeError: when the dataset is not a table.
        """
        return self._plan.check(frame, columns)

    def check_structure(self, frame: pl.DataFrame) -> list[Violation]:
        """What of a table's columns and types is wrong, values aside; ``conform`` takes a table without such faults.

        Raises:
            TypeError: when the dataset is not a table.
        """
        return self._plan.structure(frame)

    def check_document(self, value: Any) -> list[Violation]:
        """Everything wrong with a document, or with one line of JSON lines; empty when it is valid."""
        return check_document(self.schema_file, value)


def contract(dataset_id: str) -> DatasetContract:
    """The contract of a dataset.

    Raises:
        KeyError: when the dictionary has no such dataset.
    """
    contracts = all_contracts()
    if dataset_id not in contracts:
        raise KeyError(f"no dataset {dataset_id} in {DICTIONARY_FILE}")
    return contracts[dataset_id]


@cache
def all_contracts() -> Mapping[str, DatasetContract]:
    """Every contract by dataset id, in the dictionary's order.

    Raises:
        ValueError: when the dictionary does not have the shape its own schema gives.
    """
    path = CONTRACTS_FOLDER / DICTIONARY_FILE
    entries = _read_dictionary(path)
    return MappingProxyType({entry["id"]: _contract(entry) for entry in entries})


def _read_dictionary(path: Path) -> list[dict[str, Any]]:
    loader = getattr(yaml, "CSafeLoader", yaml.SafeLoader)
    dictionary = yaml.load(path.read_bytes(), Loader=loader)
    violations = check_document(DICTIONARY_SCHEMA, dictionary)
    if violations:
        raise ValueError(f"{path.name}: {violations[0].record()}")
    return cast(list[dict[str, Any]], dictionary["datasets"])


def _contract(entry: Mapping[str, Any]) -> DatasetContract:
    return DatasetContract(
        id=entry["id"],
        path=entry["path"],
        files=entry.get("files", "*"),
        format=entry["format"],
        keys=tuple(entry.get("keys", ())),
        sort=tuple(entry.get("sort", ())),
        partitions=tuple(entry["partitions"]),
        producer=entry["producer"],
        consumers=tuple(entry["consumers"]),
        status=entry.get("status", "active"),
        schema_file=entry["schema"],
        description=entry["description"],
    )
