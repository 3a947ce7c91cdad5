"""Whether an anchor, ``dataset.column``, is a real column of a real dataset (law section 6)."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from typing import Final

import polars as pl

from seg3b_assets.contracts import all_contracts, contract
from seg3b_assets.laws.errors import fail
from seg3b_assets.policies import VirtualRoutingFields
from seg3b_assets.states.s4_contract.declarations import DeclaredTest, schema_anchor

ROUTED_FROM: Final = ("S1", "S2", "S3")
FIELD_TYPES: Final = {
    "tzid_settlement_field": pl.String,
    "tzid_operational_field": pl.String,
    "ip_country_field": pl.String,
    "ip_latitude_field": pl.Float64,
    "ip_longitude_field": pl.Float64,
}


def column_type(anchor: str) -> pl.DataType | None:
    """The dtype behind an anchor; None when no contract has the column."""
    dataset, _, column = anchor.partition(".")
    declared = all_contracts().get(dataset)
    if declared is None or not declared.is_table:
        return None
    return {**declared.polars_schema, **declared.optional_columns}.get(column)


def check_tests(tests: Sequence[DeclaredTest]) -> None:
    """Every dataset, field and join key a test names exists.

    Raises:
        Seg3BError: ``TEST_BINDING_INVALID``.
    """
    known = all_contracts()
    for test in tests:
        unresolved = [field for field in test.fields if column_type(field) is None]
        unresolved += [name for name in test.datasets if name not in known]
        unresolved += [field for field in test.fields if field not in unresolved and not _anchored(field)]
        holders = Counter(field.split(".")[1] for field in test.fields)
        unresolved += [key for key in test.join_keys if holders[key] < 2]
        if unresolved:
            raise fail(
                "anchor_resolves",
                f"virtual_validation_contract_3B:{test.test_id}",
                "Name datasets of the dictionary, columns of their contracts, and keys two of them share.",
                metric=test.measure.metric,
                unresolved=unresolved,
            )


def _anchored(field: str) -> bool:
    """Whether what the layer publishes of the dataset has the column, too."""
    try:
        return bool(schema_anchor(field))
    except ValueError:
        return False


def bound_source(policy: VirtualRoutingFields, field: str) -> tuple[str, str]:
    """The dataset and column that fill an event field.

    Args:
        field: one of ``FIELD_TYPES``.

    Raises:
        Seg3BError: ``FIELD_BINDING_INVALID`` when the segment publishes no such column of the right type.
    """
    key = source_key(field)
    anchor: str = getattr(policy, key)
    dataset, _, column = anchor.partition(".")
    found = column_type(anchor)
    if found == FIELD_TYPES[field] and contract(dataset).producer in ROUTED_FROM:
        return dataset, column
    raise fail(
        "field_resolves",
        f"virtual_routing_fields.yaml:{key}",
        "Bind the field to a published column of S1 to S3, as edge_catalogue_3B.lat_deg.",
        value=anchor,
        found=str(found),
        expected=str(FIELD_TYPES[field]),
    )


def source_key(field: str) -> str:
    """The policy's key for where a field's value comes from: ``ip_country_field`` to ``ip_country_source``."""
    return f"{field.removesuffix('_field')}_source"
