"""Faults of tables as such, the same for every one: rows, columns and types, generated from the contracts."""

from __future__ import annotations

from collections.abc import Callable, Iterator

import polars as pl

from seg3b_assets.audit.checks import audited_datasets
from seg3b_assets.contracts import DatasetContract, contract
from seg3b_assets_tests.faults import edits
from seg3b_assets_tests.faults.edited_tree import Tree
from seg3b_assets_tests.faults.fault import Fault, edited
from seg3b_assets_tests.faults.implied import of_bytes, of_rows

# The check that misses the rows of a table that has none; nothing does of a table that nothing recomputes.
_EMPTY = {
    "virtual_classification_3B": "S1.merchant_set",
    "virtual_classification_lineage_3B": "S1.lineage_set",
    "virtual_settlement_3B": "S1.settlement_set",
    "virtual_settlement_lineage_3B": "S1.settlement_lineage_set",
    "edge_catalogue_3B": "S2.edge_sequence",
    "edge_catalogue_index_3B": "S2.index_merchants",
    "edge_merchant_profile_3B": "S2.profile_set",
    "edge_alias_index_3B": "S3.alias_rows",
    "virtual_validation_contract_3B": "S4.families",
    "virtual_validation_terms_3B": "S4.terms_set",
    "virtual_validation_results_3B": "S4.results",
}


def table_faults() -> Iterator[Fault]:
    """Structural faults of every audited table."""
    for dataset in audited_datasets():
        if contract(dataset).format in ("parquet", "parquet_parts"):
            declared = contract(dataset)
            yield from _shapes(declared)
            yield from _rows(declared)
            yield from _strangers(declared)
            yield from _files(declared)


def _shapes(declared: DatasetContract) -> Iterator[Fault]:
    dataset, key = declared.id, declared.keys[-1]
    first = next(iter(declared.polars_schema))
    shapes: dict[str, edits.Change] = {
        "a column more": edits.with_extra_column,
        f"without {key}": edits.lacking(key),
        "columns in another order": edits.columns_swapped,
        f"{key} of another type": edits.retype(key, pl.Binary() if _is_text(declared, key) else pl.String()),
        f"no {first} in a row": edits.set_cell(0, **{first: None}),
    }
    own = f"{declared.producer}.{dataset}.contract"
    identity = f"{declared.producer}.{dataset}.identity"
    for name, change in shapes.items():
        yield edited(
            dataset, f"{dataset}: {name}", own, _change(dataset, change), (*of_bytes(dataset), identity)
        )


def _rows(declared: DatasetContract) -> Iterator[Fault]:
    dataset, state = declared.id, declared.producer
    also = of_rows(dataset)
    faults = [
        ("a row twice", f"{state}.{dataset}.unique", edits.repeat_row(1)),
        ("two rows exchanged", f"{state}.{dataset}.order", edits.swap_rows(0, 1)),
    ]
    if dataset in _EMPTY:
        faults.append(("no rows", _EMPTY[dataset], edits.no_rows))
    for name, check, change in faults:
        yield edited(dataset, f"{dataset}: {name}", check, _change(dataset, change), also)


def _strangers(declared: DatasetContract) -> Iterator[Fault]:
    dataset = declared.id
    check = f"{declared.producer}.{dataset}.identity"
    also = (*of_rows(dataset), "S2.edge_digest") if dataset == "edge_catalogue_3B" else of_rows(dataset)
    for column, value in (("manifest_fingerprint", "0" * 64), ("seed", 43)):
        if column in declared.polars_schema:
            change = edits.set_cell(1, **{column: value})
            yield edited(
                dataset, f"{dataset}: another {column} in a row", check, _change(dataset, change), also
            )


def _is_text(declared: DatasetContract, column: str) -> bool:
    return declared.polars_schema[column] == pl.String()


def _change(dataset: str, change: edits.Change) -> Callable[[Tree], None]:
    return lambda tree: tree.table(dataset, change)


def _files(declared: DatasetContract) -> Iterator[Fault]:
    """The right rows in a file that misleads whoever reads it otherwise than whole."""
    dataset = declared.id
    ways = {"a footer whose bounds hide rows": edits.bounds_hiding_rows}
    if "x-codec" in declared.schema:
        ways["packed by another codec"] = edits.packed_otherwise
    for name, change in ways.items():
        yield edited(
            dataset,
            f"{dataset}: {name}",
            f"{declared.producer}.{dataset}.contract",
            lambda tree, change=change: tree.data(dataset, change),
            of_bytes(dataset),
        )
