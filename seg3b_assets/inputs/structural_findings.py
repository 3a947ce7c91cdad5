"""Whether what is published keeps its contract, and whether datasets of one lineage agree.

Looks at the bytes on disk, not at what a state remembers of them. A finding is data: it says how many rows
are at fault and shows some. The audit of S5 goes further, into every value; this is what a person wants to
see beside the asset. The evidence logs are not read here: the audit reads each of their lines.
"""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

import numpy as np
import orjson
import polars as pl

from seg3b_assets.contracts import Violation, contract
from seg3b_assets.inputs.published import Published
from seg3b_assets.laws.alias_slices import parse_slices
from seg3b_assets.laws.errors import Seg3BError
from seg3b_assets.laws.hashing import file_digest
from seg3b_assets.laws.snapping import MASS_UNITS

SHOWN: Final = 8
KEY_RULES: Final = frozenset({"unique", "sort"})
BUNDLE: Final = "validation_bundle_3B"
INDEX: Final = "index.json"


@dataclass(frozen=True)
class Finding:
    """What a structural check found.

    Attributes:
        passed: nothing is at fault.
        told: one sentence.
        examples: header and rows of what is at fault, some of it.
        facts: figures to show beside it.
    """

    passed: bool
    told: str
    header: Sequence[str] = ()
    examples: Sequence[Sequence[Any]] = ()
    facts: tuple[tuple[str, int | float | str], ...] = ()


class Reading:
    """One look at a lineage: what several checks ask of the same bytes is found out once.

    Args:
        published: the lineage.
    """

    def __init__(self, published: Published) -> None:
        self.published = published
        self._violations: dict[str, tuple[list[Violation], str]] = {}

    def violations(self, dataset_id: str) -> tuple[list[Violation], str]:
        """Everything wrong with a dataset, and how large it is."""
        if dataset_id not in self._violations:
            self._violations[dataset_id] = _violations(self.published, dataset_id)
        return self._violations[dataset_id]


Look = Callable[[Reading], Finding]


def schema_of(dataset_id: str) -> Look:
    """Columns, types and every rule on values of a table; the schema of a document, or of a listing."""

    def look(reading: Reading) -> Finding:
        violations, size = reading.violations(dataset_id)
        return _from_violations([found for found in violations if found.rule not in KEY_RULES], size)

    return look


def keys_of(dataset_id: str) -> Look:
    """Unique keys, rows in the contract's order."""

    def look(reading: Reading) -> Finding:
        violations, size = reading.violations(dataset_id)
        return _from_violations([found for found in violations if found.rule in KEY_RULES], size)

    return look


def weights_sum_to_one(reading: Reading) -> Finding:
    """Every merchant's weights, as integer multiples of 1e-12, sum to exactly 1."""
    published = reading.published
    weights = published.table("edge_catalogue_3B", ["merchant_id", "edge_weight"])
    masses = weights.with_columns(
        mass=(pl.col("edge_weight") * MASS_UNITS).round().cast(pl.Int64, strict=False)
    )
    sums = masses.group_by("merchant_id").agg(edges=pl.len(), mass=pl.col("mass").sum())
    wrong = sums.filter(pl.col("mass") != MASS_UNITS).sort("merchant_id")
    rows = [(merchant, edges, mass / MASS_UNITS) for merchant, edges, mass in wrong.head(SHOWN).iter_rows()]
    told = f"The weights of {sums.height - wrong.height} of {sums.height} merchants sum to 1."
    return Finding(wrong.is_empty(), told, ("merchant_id", "edges", "sum of weights"), rows)


def index_agrees_with_catalogue(reading: Reading) -> Finding:
    """Edge counts per merchant, and the GLOBAL row's total, against the catalogue."""
    published = reading.published
    edges = published.table("edge_catalogue_3B", ["merchant_id"])
    columns = ["scope", "merchant_id", "edge_count_total", "edge_count_total_all_merchants"]
    index = published.table("edge_catalogue_index_3B", columns)
    total = index.filter(pl.col("scope") == "GLOBAL")["edge_count_total_all_merchants"].to_list()
    return _counts(edges, index, total)


def tables_agree_with_catalogue_and_blob(reading: Reading) -> Finding:
    """The alias index against the catalogue's counts, and every slice it names against the blob."""
    published = reading.published
    edges = published.table("edge_catalogue_3B", ["merchant_id"])
    index = published.table("edge_alias_index_3B")
    overall = index.filter(pl.col("scope") == "GLOBAL")
    counted = _counts(edges, index, overall["edge_count_total"].to_list())
    if not counted.passed:
        return counted
    path = published.path("edge_alias_blob_3B")
    named, found = overall["blob_sha256_hex"].to_list(), file_digest(path)
    if named != [found]:
        return Finding(
            False, "The blob's bytes are not the ones the index names.", ("named", "found"), [(named, found)]
        )
    merchant_id, lengths = np.unique_counts(edges["merchant_id"].to_numpy())
    try:
        parse_slices(path.read_bytes(), index, merchant_id, lengths.astype(np.int64))
    except Seg3BError as error:
        return Finding(
            False, f"The blob does not parse: {error.validator}.", ("detail",), [(str(error.detail),)]
        )
    return Finding(True, f"{counted.told} All slices parse, and the blob's digest is the one named.")


def results_answer_the_contract(reading: Reading) -> Finding:
    """One result per contract row, of the same metric and severity."""
    published = reading.published
    columns = ["test_id", "metric", "severity"]
    terms = published.table("virtual_validation_terms_3B", ["test_id", "metric"])
    rows_asked = published.table("virtual_validation_contract_3B", ["test_id", "severity"])
    declared = rows_asked.join(terms, on="test_id", how="left").select(columns)
    answered = published.table("virtual_validation_results_3B", [*columns, "status"])
    unanswered = declared.join(answered, on=columns, how="anti").select("test_id", "metric")
    undeclared = answered.join(declared, on=columns, how="anti").select("test_id", "metric")
    wrong = pl.concat([unanswered, undeclared])
    told = f"{declared.height - unanswered.height} of {declared.height} contract rows have their result."
    rows = wrong.head(SHOWN).rows()
    return Finding(wrong.is_empty() and answered.height == declared.height, told, ("test_id", "metric"), rows)


def flag_seals_the_bundle(reading: Reading) -> Finding:
    """The digest in the flag is the one of the bundle's members, the index left out."""
    published = reading.published
    digest = hashlib.sha256()
    members = [path for path in _members(published) if path.name != INDEX]
    for path in members:
        digest.update(path.read_bytes())
    named = published.path("passed_flag_3B").read_bytes().removeprefix(b"sha256_hex = ").strip().decode()
    told = f"The flag names the digest of the bundle's {len(members)} members."
    if named == digest.hexdigest():
        return Finding(True, told)
    return Finding(False, "The flag names another digest.", ("named", "found"), [(named, digest.hexdigest())])


def _members(published: Published) -> list[Path]:
    """Files of the bundle, by name, as published: what else lies beside them is nobody's."""
    return sorted(published.files(BUNDLE))


def _counts(edges: pl.DataFrame, index: pl.DataFrame, total: list[int | None]) -> Finding:
    """Edges per merchant in the catalogue and in an index."""
    counted = edges.group_by("merchant_id").agg(edges=pl.len().cast(pl.Int64))
    listed = index.filter(pl.col("scope") == "MERCHANT").select("merchant_id", "edge_count_total")
    both = counted.join(listed, on="merchant_id", how="full", coalesce=True).sort("merchant_id")
    wrong = both.filter(pl.col("edges").ne_missing(pl.col("edge_count_total")))
    if wrong.is_empty() and total == [edges.height]:
        return Finding(True, f"{listed.height} merchants and {edges.height} edges, as in the catalogue.")
    told = (
        f"{wrong.height} merchants differ; the GLOBAL row counts {total} edges, the catalogue {edges.height}."
    )
    return Finding(False, told, ("merchant_id", "in the catalogue", "in the index"), wrong.head(SHOWN).rows())


def _violations(published: Published, dataset_id: str) -> tuple[list[Violation], str]:
    """Everything wrong with a dataset, and how large it is."""
    declared = contract(dataset_id)
    if declared.is_table:
        frame = pl.read_parquet(published.files(dataset_id), glob=False)
        return declared.check_frame(frame), f"{frame.height} rows"
    if declared.format == "directory":
        names = [path.name for path in _members(published)]
        return declared.check_document(
            [*names, published.path("passed_flag_3B").name]
        ), f"{len(names)} members"
    path = _document_path(published, dataset_id)
    return declared.check_document(orjson.loads(path.read_bytes())), "The document"


def _document_path(published: Published, dataset_id: str) -> Path:
    """A document's file; a member's inside the bundle."""
    if published.has(dataset_id):
        return published.path(dataset_id)
    return published.path(BUNDLE) / Path(contract(dataset_id).path).name


def _from_violations(violations: list[Violation], size: str) -> Finding:
    if not violations:
        return Finding(True, f"{size}: nothing breaks the contract.")
    rows = [
        (found.rule, found.column, found.count, str(found.example), found.expected)
        for found in violations[:SHOWN]
    ]
    return Finding(
        False,
        f"{size}: {len(violations)} rules of the contract do not hold.",
        ("rule", "where", "count", "example", "expected"),
        rows,
    )
