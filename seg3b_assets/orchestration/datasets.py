"""How a dataset shows in Dagster: its asset specification, drawn from its contract.

Description, columns, keys, order and path come from ``contracts/``; parents from ``lineage``; nothing is
typed in twice.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

import dagster as dg

from seg3b_assets.contracts import DatasetContract, contract
from seg3b_assets.orchestration.automation import bring_up_to_date_when_stale
from seg3b_assets.orchestration.column_lineage import made_from
from seg3b_assets.orchestration.documentation import law, source_of
from seg3b_assets.orchestration.lineage import StateAssets, code_version, parents
from seg3b_assets.pipeline.keys import runtime_versions

OWNERS = ["team:segment-3b"]
KINDS = {
    "parquet": {"polars", "parquet"},
    "parquet_parts": {"polars", "parquet"},
    "json": {"json"},
    "json_indented": {"json"},
    "jsonl": {"json"},
    "binary": {"binary"},
    "csv": {"csv"},
    "flag": {"text"},
    "directory": {"folder"},
}


def state_dataset(dataset_id: str, state: StateAssets) -> dg.AssetSpec:
    """The asset of a dataset the segment publishes."""
    declared = contract(dataset_id)
    return dg.AssetSpec(
        key=dataset_id,
        deps=list(parents()[dataset_id]),
        description=declared.description,
        code_version=code_version(state.spec.code_version, runtime_versions()),
        automation_condition=bring_up_to_date_when_stale(),
        owners=OWNERS,
        kinds=KINDS[declared.format],
        metadata=contract_metadata(declared) | source_of(declared, state.spec),
    )


def contract_metadata(declared: DatasetContract) -> dict[str, Any]:
    """What a contract says: title, format, path, schema, law, keys, order, consumers, columns."""
    facts: dict[str, Any] = {
        "title": declared.title,
        "format": declared.format,
        "path template": declared.path,
        "contract": declared.schema_ref,
        "keys": ", ".join(declared.keys),
        "order": ", ".join(declared.sort),
        "consumers": ", ".join(declared.consumers),
    }
    shown = {name: value for name, value in facts.items() if value} | law(declared)
    if declared.is_table:
        shown["dagster/column_schema"] = dg.TableSchema(columns=list(_columns(declared)))
    return shown


def _columns(declared: DatasetContract) -> Iterable[dg.TableColumn]:
    for name, dtype, unit, description, nullable in declared.describe_columns():
        told = [description, f"Unit: {unit}." if unit else "", made_from(declared.id, name)]
        yield dg.TableColumn(
            name=name,
            type=dtype.lower(),
            description=" ".join(filter(None, told)),
            constraints=dg.TableColumnConstraints(nullable=nullable, unique=declared.keys == (name,)),
        )
