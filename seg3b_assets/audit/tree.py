"""What is audited: datasets and inputs by id, read from disk and judged by their contracts.

A dataset the tree lacks is not an error here; whoever asked for the audit decides what may be missing.
Reading never raises for what it finds: an unreadable file is a finding of its dataset.

Tables whose footers are not believed: which values lie between which costs a liar nothing to say.

A reader with a filter passes over a row that a footer hides.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Final

import orjson
import polars as pl

from seg3b_assets.audit.checks import dataset_check
from seg3b_assets.audit.findings import Findings
from seg3b_assets.contracts import DatasetContract, Violation, contract
from seg3b_assets.contracts.geotables import declared_geometry
from seg3b_assets.foreign.reading import UnreadableTableError
from seg3b_assets.foreign.tables import parquet_file, read_frame, told
from seg3b_assets.foreign.text_tables import read_text_frame
from seg3b_assets.laws.hashing import canonical_json, indented_json, path_digest
from seg3b_assets.laws.identity import RunIdentity
from seg3b_assets.laws.plain_files import MAX_DOCUMENT_BYTES, files_below, read_plain
from seg3b_assets.policies import PolicySet

# The steps of a footer's path that stand between a list and its elements.
_STEPS_OF_A_LIST: Final = 2


def read_table(files: Sequence[Path], columns: Sequence[str] | None = None) -> pl.DataFrame:
    """The rows of one table's files, in their order.

    Raises:
        UnreadableTableError: whatever the reader makes of the bytes, its panics too.
    """
    parts = [read_frame(path, columns) for path in files]
    if not parts:
        raise UnreadableTableError("there is no file of it")
    with told():
        # A part may have its columns in another order, or in other types that the contract takes.
        return pl.concat([part.select(parts[0].columns).cast(parts[0].schema) for part in parts])


def footer_violations(files: Sequence[Path], frame: pl.DataFrame, codec: str | None) -> list[Violation]:
    """What the footers say that the rows do not, and pages packed otherwise than asked for.

    Args:
        files: of one table, in order.
        frame: their rows.
        codec: the contract's, as a footer names it; None where any will do.

    Raises:
        UnreadableTableError: a footer that cannot be read.
    """
    found: list[Violation] = []
    start = 0
    for path in files:
        with told(), parquet_file(path, ()) as table:
            metadata = table.metadata
            for group in range(metadata.num_row_groups):
                part = metadata.row_group(group)
                rows = frame.slice(start, part.num_rows)
                start += part.num_rows
                for at in range(part.num_columns):
                    found += _chunk_violations(part.column(at), rows, path.name, codec)
    return found


def _chunk_violations(chunk: Any, rows: pl.DataFrame, file: str, codec: str | None) -> Iterator[Violation]:
    name = str(chunk.path_in_schema)
    values = _leaf(rows, name)
    if values is None:
        return
    if codec not in (None, chunk.compression):
        yield Violation("codec", name, 1, {"file": file, "value": chunk.compression}, f"packed as {codec}")
    if not chunk.is_stats_set:
        return
    said, flat = chunk.statistics, name in rows.columns
    # What counts as a null inside a list is the writer's: an empty list is one to some.
    if flat and said.has_null_count and said.null_count != values.null_count():
        example = {"file": file, "said": said.null_count, "value": values.null_count()}
        yield Violation("statistics", name, 1, example, "as empty as its footer says")
    if said.has_min_max:
        yield from _outside(name, values, said.min, said.max, file)


def _leaf(rows: pl.DataFrame, path: str) -> pl.Series | None:
    """The values of a footer's column: of a plain one, or of a leaf inside structs and lists; None for others."""
    name, *steps = path.split(".")
    if name not in rows.columns:
        return None
    values = rows[name]
    while steps:
        if isinstance(values.dtype, pl.List):
            values, steps = values.drop_nulls().explode(), steps[_STEPS_OF_A_LIST:]
        elif isinstance(values.dtype, pl.Struct):
            step, *steps = steps
            values = values.struct.field(step)
        else:
            return None
    return None if values.dtype.is_nested() else values


def _outside(name: str, values: pl.Series, low: Any, high: Any, file: str) -> Iterator[Violation]:
    """Values that a reader with a filter would never see. A footer's text may be cut short, and still bounds."""
    smallest, largest = values.min(), values.max()
    if isinstance(smallest, float) and not math.isfinite(smallest):
        return
    for said, found, holds in ((low, smallest, _at_most), (high, largest, _at_least)):
        if found is not None and not holds(said, found):
            example = {"file": file, "said": said, "value": found}
            yield Violation("statistics", name, 1, example, "within what its footer says")


def _at_most(said: Any, found: Any) -> bool:
    return type(said) is type(found) and bool(said <= found)


def _at_least(said: Any, found: Any) -> bool:
    return type(said) is type(found) and bool(said >= found)


IDENTITY_FIELDS = ("seed", "manifest_fingerprint", "parameter_hash", "run_id")
_ORDER_RULES = {"sort": "order", "unique": "unique"}
# What an input's columns can break so that nobody can reckon with them.
_UNUSABLE: Final = frozenset({"missing_column", "dtype", "null"})


@dataclass(frozen=True)
class AuditTree:
    """A run's outputs and inputs on disk.

    Attributes:
        identity: who the run says it is; the audit derives run_id from the sealed bytes.
        datasets: path by dataset id: a file, or the folder of part files.
        inputs: path by sealed logical id, of those at hand.
        policies: the policies in force, loaded.
        published: digest by dataset id as its state recorded it; empty when nobody kept a record.
        digest_of: how a sealed input is hashed; a caller with a digest cache gives its own.
        excerpt: the tiles an exported tree carries in place of the sealed surfaces.
        versions: code version of the states that ran, by state, where they are known.
        surface_sealed: whether surfaces at hand are the sealed ones, as far as anybody has looked.
    """

    identity: RunIdentity
    datasets: Mapping[str, Path]
    inputs: Mapping[str, Path]
    policies: PolicySet
    published: Mapping[str, str] = field(default_factory=dict)
    digest_of: Callable[[Path], str] = path_digest
    excerpt: Path | None = None
    versions: Mapping[str, str] = field(default_factory=dict)
    surface_sealed: bool = True

    def has(self, *logical_ids: str) -> bool:
        """Whether all these inputs are at hand."""
        return all(logical_id in self.inputs for logical_id in logical_ids)


@dataclass(frozen=True)
class AuditContext:
    """What every part of the audit works on: the tree, and the findings it writes to.

    Attributes:
        workers: threads that may run at once.
    """

    tree: AuditTree
    findings: Findings
    workers: int

    def table(self, dataset_id: str) -> pl.DataFrame | None:
        """A table as its columns lie on disk; None when it cannot be read as declared."""
        declared = contract(dataset_id)
        aspects = ("contract", "identity", "unique", "order")
        if not self._present(declared, aspects):
            return None
        files = part_files(self.tree.datasets[dataset_id])
        try:
            frame = read_table(files)
            violations = declared.check_frame(frame)
            violations += footer_violations(files, frame, declared.schema.get("x-codec"))
        except UnreadableTableError as error:
            self._unreadable(dataset_id, error)
            return None
        self._judge(dataset_id, violations)
        self._identity_of_rows(declared, frame)
        sound = all(frame.schema.get(name) == dtype for name, dtype in declared.polars_schema.items())
        if not sound or any(violation.rule == "null" for violation in violations):
            return None
        return frame.select(list(declared.polars_schema))

    def document(self, dataset_id: str) -> Any:
        """A JSON document; None when it cannot be read as declared."""
        declared = contract(dataset_id)
        if not self._present(declared, ("contract", "identity")):
            return None
        try:
            data = read_bounded(self.tree.datasets[dataset_id])
            value = orjson.loads(data)
        except (OSError, ValueError) as error:
            self._unreadable(dataset_id, error)
            return None
        violations = declared.check_document(value)
        written = indented_json if declared.format == "json_indented" else canonical_json
        if not violations and written(value) != data:
            # Also how a repeated key shows: the parser keeps one of the two.
            violations = [Violation("canonical", "", 1, None, "in canonical JSON, every key once")]
        self._judge(dataset_id, violations)
        self._identity_of_document(declared, value)
        return None if violations and violations[0].rule != "canonical" else value

    def lawfully_without(self, logical_id: str) -> bool:
        """Whether an optional input is not at hand because S0 sealed none."""
        rows = self.unjudged("sealed_inputs_3B")
        known = isinstance(rows, list) and all(isinstance(row, dict) for row in rows)
        return known and all(row.get("logical_id") != logical_id for row in rows)

    def unjudged(self, dataset_id: str) -> Any:
        """A document that another check judges; None where there is none."""
        path = self.tree.datasets.get(dataset_id)
        try:
            return None if path is None else orjson.loads(read_bounded(path))
        except (OSError, ValueError):
            return None

    def frame(self, dataset_id: str, path: Path, check_id: str) -> pl.DataFrame | None:
        """A table that is no state's output, judged by its contract under one check; None unless it keeps it."""
        declared = contract(dataset_id)
        try:
            table = read_table([path])
        except UnreadableTableError as error:
            self.findings.fail(check_id, 1, {"dataset": dataset_id, "reason": str(error)})
            return None
        violations = declared.check_frame(table)
        for violation in violations:
            self.findings.fail(check_id, violation.count, {"dataset": dataset_id, **violation.record()})
        if violations:
            return None
        self.findings.ok(check_id)
        return declared.conform(table)

    def input_table(self, logical_id: str, columns: list[str]) -> pl.DataFrame | None:
        """Columns of a sealed table, by contract dtypes; None when it is not at hand, unreadable, or of columns that no
        run could have been made of.

        Its bytes are judged by its seal, so nothing is reported here.
        """
        if logical_id not in self.tree.inputs:
            return None
        declared, path = contract(logical_id), self.tree.inputs[logical_id]
        dtypes = {**declared.optional_columns, **declared.polars_schema}
        try:
            frame = read_text_frame(path) if declared.format == "csv" else read_table(part_files(path))
            frame, refused = declared_geometry(declared, frame, part_files(path))
            if refused:
                return None
            present = [name for name in columns if name in frame.columns]
            frame = frame.select(present)
            if declared.format == "csv":
                frame = frame.cast({name: dtypes[name] for name in present})
            wanted = [name for name in columns if name in present or name in declared.polars_schema]
            if any(found.rule in _UNUSABLE for found in declared.check_frame(frame, wanted)):
                return None
            return frame.cast({name: dtypes[name] for name in present})
        except (UnreadableTableError, pl.exceptions.PolarsError):
            return None

    def _present(self, declared: DatasetContract, aspects: tuple[str, ...]) -> bool:
        if declared.id in self.tree.datasets:
            return True
        self.findings.skip("not in the tree", *(dataset_check(declared.id, aspect) for aspect in aspects))
        return False

    def _unreadable(self, dataset_id: str, error: Exception) -> None:
        self.findings.fail(
            dataset_check(dataset_id, "contract"), 1, {"dataset": dataset_id, "reason": str(error)[:200]}
        )

    def _judge(self, dataset_id: str, violations: list[Violation]) -> None:
        aspects = ["contract"]
        if contract(dataset_id).is_table:
            aspects += ["unique", "order"]
        for violation in violations:
            self.findings.fail(
                dataset_check(dataset_id, _ORDER_RULES.get(violation.rule, "contract")),
                violation.count,
                {
                    "dataset": dataset_id,
                    "column": violation.column,
                    "rule": violation.rule,
                    "found": violation.example,
                    "expected": violation.expected,
                },
            )
        self.findings.ok(*(dataset_check(dataset_id, aspect) for aspect in aspects))

    def _identity_of_rows(self, declared: DatasetContract, frame: pl.DataFrame) -> None:
        check_id = dataset_check(declared.id, "identity")
        self.path_identity(declared.id)
        for name in IDENTITY_FIELDS:
            if name not in declared.polars_schema or name not in frame.columns:
                continue
            expected = getattr(self.tree.identity, name)
            try:
                foreign = frame[name].ne_missing(pl.Series([expected], dtype=declared.polars_schema[name]))
            except pl.exceptions.PolarsError:
                continue  # a column of another type is its contract's finding
            if foreign.any():
                row = int(foreign.arg_true()[0])
                example = {"row": row, "column": name, "expected": expected, "found": frame[name][row]}
                self.findings.fail(check_id, int(foreign.sum()), {"dataset": declared.id, **example})

    def _identity_of_document(self, declared: DatasetContract, value: Any) -> None:
        check_id = dataset_check(declared.id, "identity")
        self.path_identity(declared.id)
        rows = value if isinstance(value, list) else [value]
        for row in rows:
            if not isinstance(row, dict):
                continue
            for name in IDENTITY_FIELDS:
                expected = getattr(self.tree.identity, name)
                if name in row and row[name] != expected:
                    example = {"key": name, "expected": expected, "found": row[name]}
                    self.findings.fail(check_id, 1, {"dataset": declared.id, **example})

    def path_identity(self, dataset_id: str) -> None:
        """The dataset lies where its contract and the identity say."""
        declared, check_id = contract(dataset_id), dataset_check(dataset_id, "identity")
        expected = declared.relative_path(self.tree.identity).rstrip("/")
        found = self.tree.datasets[declared.id].as_posix()
        if f"/{found}".endswith(f"/{expected}"):
            self.findings.ok(check_id)
        else:
            self.findings.fail(check_id, 1, {"dataset": declared.id, "expected": expected, "found": found})


def path_digests(context: AuditContext, dataset_ids: list[str]) -> dict[str, str]:
    """Digest of each dataset on disk, by file or folder law; what cannot be read is left out."""

    def digest(dataset_id: str) -> str | None:
        path = context.tree.datasets[dataset_id]
        is_document = contract(dataset_id).format in ("json", "json_indented")
        try:
            if is_document and path.stat().st_size > MAX_DOCUMENT_BYTES:
                return None  # no document is: not worth a minute's hashing
            return path_digest(path)
        except OSError:
            return None

    with ThreadPoolExecutor(context.workers) as pool:
        found = zip(dataset_ids, pool.map(digest, dataset_ids), strict=True)
        return {dataset_id: value for dataset_id, value in found if value is not None}


def read_bounded(path: Path) -> bytes:
    """A small file's bytes. Raises OSError for one that cannot be read, or that no document is as large as."""
    return read_plain(path)


def part_files(path: Path) -> list[Path]:
    """The parquet files of a dataset, in path order."""
    if not path.is_dir():
        return [path]
    return [path / name for name in files_below(path) if name.endswith(".parquet")]
