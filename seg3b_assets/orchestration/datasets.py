"""How a dataset shows in Dagster: its asset specification, drawn from its contract, and where a person reads on.

Description, columns, keys, order and path come from ``contracts/``; parents from ``lineage``; the law from
``docs/laws.md``. Which columns a column is made from is said here, where a table's parents alone do not say it: what
its numbers come from, identity columns and constants aside. A test holds that against the contracts and the parents.
"""

from __future__ import annotations

import inspect
import re
from collections.abc import Iterable, Iterator, Mapping
from functools import cache
from pathlib import Path
from typing import Any, Final

import dagster as dg

from seg3b_assets.contracts import DatasetContract, contract
from seg3b_assets.orchestration.automation import bring_up_to_date_when_stale
from seg3b_assets.orchestration.lineage import StateAssets, code_version, parents
from seg3b_assets.pipeline.keys import runtime_versions
from seg3b_assets.shipped import shipped
from seg3b_assets.states.context import StateSpec
from seg3b_assets.states.registry import states

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


LAWS = shipped("docs/laws.md")
_SECTION = re.compile(r"^## (?P<number>\d+)\. ", re.MULTILINE)


def law(declared: DatasetContract) -> dict[str, Any]:
    """The sections of docs/laws.md that a contract names, to be read on the page; nothing if it names none."""
    numbers = re.findall(r"(?:^|, )(\d+)", declared.schema.get("x-law") or "")
    found = [_laws()[number].text for number in numbers if number in _laws()]
    return {"law": dg.MetadataValue.md("\n\n".join(found))} if found else {}


def source_of(declared: DatasetContract, state: StateSpec | None) -> dict[str, Any]:
    """References the UI opens in an editor: the state's module, the contract's schema, the law's section."""
    return _references(*_code(state), *_contract(declared), *_law_lines(declared))


def policy_file(path: Path) -> dict[str, Any]:
    """The same for a policy."""
    return _references(dg.LocalFileCodeReference(file_path=str(path), line_number=1, label="policy"))


def _references(*found: dg.LocalFileCodeReference) -> dict[str, Any]:
    return {"dagster/code_references": dg.CodeReferencesMetadataValue(code_references=[*found])}


class _Law:
    """A section: its text, and the line it begins at."""

    def __init__(self, text: str, line: int) -> None:
        self.text = text
        self.line = line


@cache
def _laws() -> Mapping[str, _Law]:
    page = LAWS.read_text(encoding="utf-8")
    starts = [(match["number"], match.start()) for match in _SECTION.finditer(page)]
    ends = [*(start for _, start in starts[1:]), len(page)]
    return {
        number: _Law(page[start:end].strip(), page.count("\n", 0, start) + 1)
        for (number, start), end in zip(starts, ends, strict=True)
    }


def _code(state: StateSpec | None) -> Iterator[dg.LocalFileCodeReference]:
    for registered in states():
        if state is not None and registered.spec.name == state.name:
            run = inspect.unwrap(registered.run)
            file, line = inspect.getsourcefile(run), inspect.getsourcelines(run)[1]
            yield dg.LocalFileCodeReference(
                file_path=str(file), line_number=line, label=f"{state.name}, its code"
            )


def _contract(declared: DatasetContract) -> Iterator[dg.LocalFileCodeReference]:
    file = shipped(declared.schema_ref.split("#")[0])
    yield dg.LocalFileCodeReference(file_path=str(file), line_number=1, label="contract")


def _law_lines(declared: DatasetContract) -> Iterator[dg.LocalFileCodeReference]:
    for number in re.findall(r"(?:^|, )(\d+)", declared.schema.get("x-law") or ""):
        if number in _laws():
            line = _laws()[number].line
            yield dg.LocalFileCodeReference(file_path=str(LAWS), line_number=line, label=f"law {number}")


MERCHANTS: Final = "transaction_schema_merchant_ids"
_RULED = (f"{MERCHANTS}.mcc", f"{MERCHANTS}.channel", f"{MERCHANTS}.home_country_iso")
_TRAITS = ("virtual_classification_3B.virtual_mode", "outlet_catalogue.legal_country_iso")
_ANCHOR = ("virtual_settlement_3B.lat_deg", "virtual_settlement_3B.lon_deg")
_PLACED = tuple(f"tile_bounds.{edge}_deg" for edge in ("min_lon", "max_lon", "min_lat", "max_lat"))
_SHARES = (*_TRAITS, *_ANCHOR, "settlement_gazetteer.population", "zone_alloc.zone_site_count")

COLUMNS: Final[Mapping[str, Mapping[str, tuple[str, ...]]]] = {
    "virtual_classification_3B": {
        "merchant_id": (f"{MERCHANTS}.merchant_id",),
        "is_virtual": _RULED,
        "virtual_mode": _RULED,
        "decision_reason": _RULED,
        "rule_id": _RULED,
    },
    "virtual_classification_lineage_3B": {
        "merchant_id": (f"{MERCHANTS}.merchant_id",),
        "rule_id": _RULED,
        "reason_code": _RULED,
    },
    "virtual_settlement_3B": {
        "merchant_id": (f"{MERCHANTS}.merchant_id",),
        "lat_deg": (
            "settlement_gazetteer.lat_deg",
            "settlement_gazetteer.population",
            f"{MERCHANTS}.home_country_iso",
        ),
        "lon_deg": (
            "settlement_gazetteer.lon_deg",
            "settlement_gazetteer.population",
            f"{MERCHANTS}.home_country_iso",
        ),
        "tzid_settlement": ("tz_world.geometry", "tz_world.tzid", "settlement_gazetteer.country_iso"),
        "evidence_url": ("virtual_settlement_coords.evidence_url",),
    },
    "edge_merchant_profile_3B": {
        "merchant_id": ("virtual_classification_3B.merchant_id",),
        "virtual_class": (*_TRAITS, f"{MERCHANTS}.home_country_iso", *_ANCHOR),
        "size_bucket": ("outlet_catalogue.site_order", "zone_alloc.zone_site_count"),
        "settlement_overlap": ("edge_catalogue_3B.edge_weight", "edge_catalogue_3B.country_iso", *_ANCHOR),
        "weighted_distance_km": (
            "edge_catalogue_3B.edge_weight",
            "edge_catalogue_3B.lat_deg",
            "edge_catalogue_3B.lon_deg",
            *_ANCHOR,
        ),
        "merchant_top1_share": ("edge_catalogue_3B.edge_weight",),
        "merchant_hhi": ("edge_catalogue_3B.edge_weight",),
    },
    "edge_catalogue_3B": {
        "merchant_id": ("virtual_classification_3B.merchant_id",),
        "country_iso": (*_SHARES, "world_countries.country_iso"),
        "hrsl_tile_id": ("tile_weights.tile_id", "tile_weights.weight_fp"),
        "lat_deg": (*_PLACED, "world_countries.geom"),
        "lon_deg": (*_PLACED, "world_countries.geom"),
        "tzid_operational": ("tz_world.geometry", "tz_world.tzid"),
        "edge_weight": _SHARES,
    },
    "edge_catalogue_index_3B": {
        "merchant_id": ("edge_catalogue_3B.merchant_id",),
        "edge_count_total": ("edge_catalogue_3B.edge_id",),
        "edge_digest": ("edge_catalogue_3B.edge_digest",),
        "country_mix_summary": ("edge_catalogue_3B.country_iso",),
    },
    "edge_alias_index_3B": {
        "merchant_id": ("edge_catalogue_3B.merchant_id",),
        "edge_count_total": ("edge_catalogue_index_3B.edge_count_total",),
        "alias_table_length": ("edge_catalogue_index_3B.edge_count_total",),
        "merchant_alias_checksum": ("edge_catalogue_3B.edge_weight", "edge_catalogue_3B.edge_id"),
    },
    "virtual_validation_results_3B": {
        "test_id": ("virtual_validation_contract_3B.test_id",),
        "threshold": (
            "virtual_validation_terms_3B.value",
            "virtual_validation_terms_3B.low",
            "virtual_validation_terms_3B.high",
        ),
        "measured": (
            "virtual_validation_terms_3B.metric",
            "edge_catalogue_3B.edge_weight",
            "edge_catalogue_3B.country_iso",
            "virtual_settlement_3B.tzid_settlement",
            "edge_alias_index_3B.merchant_alias_checksum",
        ),
    },
}


def column_lineage(dataset_id: str) -> dict[str, Any]:
    """Metadata with a table's column lineage; empty where its parents say enough."""
    columns = COLUMNS.get(dataset_id)
    if columns is None:
        return {}
    by_column = {name: [_column(parent) for parent in parents] for name, parents in columns.items()}
    return {"dagster/column_lineage": dg.TableColumnLineage(deps_by_column=by_column)}


def made_from(dataset_id: str, column: str) -> str:
    """The same of one column in words; empty where there is nothing to say."""
    parents = COLUMNS.get(dataset_id, {}).get(column, ())
    return f"Made from {', '.join(f'`{parent}`' for parent in parents)}." if parents else ""


def _column(parent: str) -> dg.TableColumnDep:
    dataset, column = parent.rsplit(".", 1)
    return dg.TableColumnDep(asset_key=dataset, column_name=column)
