"""Faults of numbers as such: a fraction of nothing, a zero below zero, what is no number. From the contracts.

JSON Schema takes 5.0 for an integer and Python takes -0.0 for zero; canonical JSON and a table's bytes do not.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from typing import Any, Final

import orjson
import polars as pl

from seg3b_assets.audit.checks import audited_datasets
from seg3b_assets.contracts import DatasetContract, contract
from seg3b_assets.laws.hashing import canonical_json
from seg3b_assets_tests.faults import edits
from seg3b_assets_tests.faults.edited_tree import Tree
from seg3b_assets_tests.faults.fault import Fault, edited
from seg3b_assets_tests.faults.implied import of_bytes, of_rows

_RECEIPT = "run_receipt.json"
_WITHOUT_INTEGERS = (
    "sealed_inputs_3B",
    "edge_universe_hash_3B",
    "virtual_routing_policy_3B",
    "s4_run_summary_3B",
    "virtual_routing_bindings_3B",
)
_LANES: Final[Mapping[str, str]] = {
    "rng_audit_log_3B": "rng_audit",
    "rng_trace_log_3B": "trace",
    "rng_event_edge_tile_assign_3B": "tile_assign",
    "rng_event_edge_jitter_3B": "jitter",
}

_PLACED = ("S2.edge_in_country", "S2.edge_in_tile", "S2.edge_point")
_SETTLED = ("S1.settlement_country", "S1.settlement_place", "S1.settlement_zone")
# Checks that compute the column's value themselves, and so see that it is another.
_RECOMPUTED: Final[Mapping[tuple[str, str], tuple[str, ...]]] = {
    ("virtual_settlement_3B", "lat_deg"): _SETTLED,
    ("virtual_settlement_3B", "lon_deg"): _SETTLED,
    ("edge_catalogue_3B", "lat_deg"): _PLACED,
    ("edge_catalogue_3B", "lon_deg"): _PLACED,
    ("edge_catalogue_3B", "edge_weight"): ("S2.edge_weight",),
    ("edge_merchant_profile_3B", "edge_scale"): ("S2.profile_draws",),
    ("edge_merchant_profile_3B", "alpha"): ("S2.profile_draws",),
}


def number_faults() -> Iterator[Fault]:
    """Numbers of every audited document, log and table, and of the export's receipt."""
    for dataset in audited_datasets():
        declared = contract(dataset)
        if declared.format in ("json", "json_indented") and dataset not in _WITHOUT_INTEGERS:
            yield from _of_document(declared)
        elif dataset in _LANES:
            yield from _of_log(dataset, _LANES[dataset])
        elif declared.format in ("parquet", "parquet_parts"):
            yield from _of_table(declared)
    yield from _of_receipt()


def _own(declared: DatasetContract) -> str:
    return f"{declared.producer}.{declared.id}.contract"


def _of_document(declared: DatasetContract) -> Iterator[Fault]:
    def plant(tree: Tree) -> None:
        tree.document(declared.id, _first_integer_as_float)

    also = (*of_bytes(declared.id), f"{declared.producer}.{declared.id}.identity", "tree.identity")
    yield edited(declared.id, f"{declared.id}: an integer written as a float", _own(declared), plant, also)


def _of_log(dataset: str, lane: str) -> Iterator[Fault]:
    def alter(line: bytes) -> bytes:
        return canonical_json(_first_integer_as_float(orjson.loads(line)))

    def plant(tree: Tree) -> None:
        tree.lines(dataset, edits.line_edited(0, alter))

    yield edited(dataset, f"{dataset}: an integer written as a float", f"S2.{lane}.schema", plant)


def _of_table(declared: DatasetContract) -> Iterator[Fault]:
    floats = [name for name, dtype in declared.polars_schema.items() if dtype == pl.Float64()]
    for column in floats:
        yield edited(
            declared.id,
            f"{declared.id}: {column} is no number",
            _own(declared),
            _cell(declared.id, column, float("nan")),
            (*of_rows(declared.id), *_RECOMPUTED.get((declared.id, column), ())),
        )


def _cell(dataset: str, column: str, value: float) -> Callable[[Tree], None]:
    return lambda tree: tree.table(dataset, edits.set_cell(0, **{column: value}))


def _of_receipt() -> Iterator[Fault]:
    def receipt(change: Callable[[dict[str, Any]], Any]) -> Callable[[Tree], None]:
        def plant(tree: Tree) -> None:
            tree.touched.add(_RECEIPT)
            path = tree.root / _RECEIPT
            value = orjson.loads(path.read_bytes())
            change(value)
            tree.replace(path, canonical_json(value))

        return plant

    yield edited(
        _RECEIPT,
        "a size in the receipt written as a float",
        "tree.receipt",
        receipt(lambda value: value["files"][3].update(size_bytes=float(value["files"][3]["size_bytes"]))),
        ("tree.files",),
    )
    for state in ("S0", "S2", "S5"):
        yield edited(
            _RECEIPT,
            f"the digest of what {state} published",
            "tree.states",
            receipt(lambda value, state=state: value["states"][state].update(digest="0" * 64)),
        )


def _first_integer_as_float(value: Any) -> Any:
    """The document with its first integer, in the order of its keys, replaced."""
    found, _ = _replaced(value)
    return found


def _replaced(value: Any) -> tuple[Any, bool]:
    if isinstance(value, dict):
        for key in sorted(value):
            value[key], done = _replaced(value[key])
            if done:
                return value, True
    elif isinstance(value, list):
        for at, inner in enumerate(value):
            value[at], done = _replaced(inner)
            if done:
                return value, True
    elif isinstance(value, int) and not isinstance(value, bool):
        return float(value), True
    return value, False
