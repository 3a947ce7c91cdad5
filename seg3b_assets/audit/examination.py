"""The audit from end to end: one tree in, one report out (law section 7).

Trusts nothing but the laws: whatever a state published is derived again from inputs, policies and identity,
and compared with the bytes on disk. Shares no code with the states; its caller decides what a failure means.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass
from functools import partial
from typing import TypeVar

import numpy as np
import polars as pl

from seg3b_assets.audit.alias_blob import audit_alias, audit_gamma_log, audit_universe
from seg3b_assets.audit.anchors import expected_settlements
from seg3b_assets.audit.catalogue import (
    altered_merchants,
    audit_index,
    audit_part_files,
    audit_rows,
    ledger_matches,
    witness_counts,
)
from seg3b_assets.audit.checks import audited_datasets, check, check_specs, dataset_check
from seg3b_assets.audit.classification import audit_classification, audit_lineage, read_merchants
from seg3b_assets.audit.contract_outputs import (
    audit_bindings,
    audit_results,
    audit_routing,
    audit_run_summary,
)
from seg3b_assets.audit.contract_rows import audit_contract
from seg3b_assets.audit.evidence import audit_evidence, audit_rng_row
from seg3b_assets.audit.findings import AuditReport, Findings
from seg3b_assets.audit.input_findings import audit_findings
from seg3b_assets.audit.ledger import EdgeLedger, read_ledger
from seg3b_assets.audit.maps import Maps, read_maps
from seg3b_assets.audit.networks import audit_networks
from seg3b_assets.audit.placement import Placement, audit_placement, recompute_placement
from seg3b_assets.audit.profile import (
    MerchantData,
    audit_precheck,
    audit_profile,
    audit_summary,
    located_settlements,
    merchant_facts,
)
from seg3b_assets.audit.run_reports import audit_joined, audit_run_reports, audit_warnings
from seg3b_assets.audit.sealing import audit_seal
from seg3b_assets.audit.settlement import audit_settlement, audit_settlement_lineage
from seg3b_assets.audit.surface import audit_excerpt
from seg3b_assets.audit.tree import AuditContext, AuditTree, path_digests
from seg3b_assets.contracts import contract
from seg3b_assets.realism import with_countries

_T = TypeVar("_T")


@dataclass(frozen=True)
class _Tables:
    """What several parts of the audit look at; None where it cannot be read."""

    classification: pl.DataFrame | None
    settlement: pl.DataFrame | None
    catalogue: pl.DataFrame | None
    index: pl.DataFrame | None
    profile: pl.DataFrame | None
    merchants: pl.DataFrame | None
    maps: Maps | None
    countries: pl.DataFrame | None


def audit(tree: AuditTree, workers: int = 2) -> AuditReport:
    """Check everything the laws say about a tree.

    Args:
        tree: datasets, inputs, policies and identity.
        workers: threads at once; never changes a result.
    """
    context = AuditContext(tree, Findings(check_specs()), workers)
    examine(context)
    return context.findings.report()


def examine(context: AuditContext) -> None:
    """Every check of ``check_specs``, to the context's findings."""
    tables = _read(context)
    measured = _measured(tables)
    with ThreadPoolExecutor(1) as aside:
        # Bound by the interpreter, while the main line is bound by geometry and hashing in native code.
        rest = aside.submit(_audit_documents, context, tables, measured)
        _audit_edges(context, tables)
        rest.result()
    with examining(context, "published digests"):
        _published(context)
    with examining(context, "run reports"):
        audit_joined(context, tables.classification, tables.merchants)
        audit_warnings(context, tables.classification, tables.maps)
        audit_run_reports(context)
    with examining(context, "datasets that nothing else reads"):
        _read_the_rest(context)
    if not context.findings.failed("S5.examination"):
        context.findings.ok("S5.examination")


def _read(context: AuditContext) -> _Tables:
    names = (
        "virtual_classification_3B",
        "virtual_settlement_3B",
        "edge_catalogue_3B",
        "edge_catalogue_index_3B",
        "edge_merchant_profile_3B",
    )
    with ThreadPoolExecutor(context.workers) as pool:
        maps = pool.submit(_read_or_told, context, "maps", read_maps)
        tables = (
            pool.submit(_read_or_told, context, name, partial(AuditContext.table, dataset_id=name))
            for name in names
        )
        classification, settlement, catalogue, index, profile = (table.result() for table in [*tables])
        merchants, borders = _read_or_told(context, "merchants", read_merchants), maps.result()
    countries = None
    with examining(context, "countries of settlements"):
        countries = expected_settlements(context, merchants, borders)
    return _Tables(classification, settlement, catalogue, index, profile, merchants, borders, countries)


def _read_the_rest(context: AuditContext) -> None:
    """What no recomputation looks at is held to its contract all the same: schema, keys, order, identity."""
    for dataset_id in audited_datasets():
        declared = contract(dataset_id)
        # A log's lines are diagnosed where its law is.
        if declared.format == "jsonl" or context.findings.reached(dataset_check(dataset_id, "contract")):
            continue
        if declared.is_table:
            context.table(dataset_id)
        elif declared.format in ("json", "json_indented"):
            context.document(dataset_id)


def _read_or_told(context: AuditContext, part: str, read: Callable[[AuditContext], _T | None]) -> _T | None:
    """What is read; None, and a finding, where reading it breaks."""
    with examining(context, part):
        return read(context)
    return None


def _audit_documents(
    context: AuditContext, tables: _Tables, measured: dict[str, pl.DataFrame | None]
) -> None:
    """Everything that is not about where edges lie."""
    with examining(context, "seal"):
        audit_seal(context)
    with examining(context, "classification"):
        audit_classification(context, tables.classification, tables.merchants)
        audit_lineage(context, context.table("virtual_classification_lineage_3B"), tables.merchants)
    with examining(context, "notes"):
        _notes(context, tables)
    with examining(context, "alias tables"):
        audit_alias(context, tables.catalogue)
        audit_gamma_log(context)
    universe: str | None = None
    with examining(context, "universe hash"):
        universe = audit_universe(context)
    with examining(context, "routing policy"):
        audit_routing(context, universe)
        audit_bindings(context)
    with examining(context, "contract"):
        audit_contract(context)
        audit_run_summary(context)
    with examining(context, "contract results"):
        audit_results(context, measured)
    with examining(context, "generator row"):
        audit_rng_row(context, context.tree.versions.get("S2"))


@check(
    "S5.examination",
    "§7 audit",
    "what lies there is nothing a state writes: it broke the auditor",
    code="BUNDLE_CONTENT_MISMATCH",
)
@contextmanager
def examining(context: AuditContext, part: str) -> Iterator[None]:
    """Whatever breaks an auditor is a finding: no tree may stop the audit of the rest of it.

    What is no number is a finding of its column, and nothing to warn of when sums go through it.
    """
    try:
        with np.errstate(all="ignore"):
            yield
    except (Exception, pl.exceptions.PanicException) as error:
        example = {"part": part, "reason": f"{type(error).__name__}: {error}"[:300]}
        context.findings.fail("S5.examination", 1, example)


def _measured(tables: _Tables) -> dict[str, pl.DataFrame | None]:
    """What the contract is measured from, the settlements with the country each lies in."""
    names = ("merchants", "classification", "profile", "catalogue")
    settlement = None
    if tables.settlement is not None and tables.countries is not None:
        countries = tables.countries.select("merchant_id", settlement_country_iso="country")
        settlement = with_countries(tables.settlement, countries)
    return {name: getattr(tables, name) for name in names} | {"settlement": settlement}


def _audit_edges(context: AuditContext, tables: _Tables) -> None:
    maps, catalogue = tables.maps, tables.catalogue
    with examining(context, "maps"):
        audit_findings(context, maps)
    with examining(context, "settlement"):
        audit_settlement(
            context, tables.settlement, tables.classification, tables.merchants, maps, tables.countries
        )
    with examining(context, "settlement lineage"):
        lineage = context.table("virtual_settlement_lineage_3B")
        audit_settlement_lineage(context, lineage, tables.countries)
    if catalogue is None:
        return
    with examining(context, "edges"):
        digests = audit_rows(context, catalogue)
        with examining(context, "edge index"):
            audit_index(context, catalogue, tables.index, digests)
            audit_part_files(context, catalogue.height)
        ledger = read_ledger(context, catalogue, altered_merchants(catalogue, digests), _witnesses(tables))
        ledger_matches(context, ledger, tables.settlement)
        with examining(context, "merchant profile"):
            audit_profile(context, tables.profile, catalogue, _merchant_data(tables))
        placement = recompute_placement(context, ledger, maps)
        if placement is not None and maps is not None:
            audit_placement(context, catalogue, ledger, placement, maps)
        audit_excerpt(context, ledger, placement)
        with examining(context, "networks"):
            facts = _facts(context, ledger, tables)
            audit_networks(context, ledger, placement, catalogue, tables.profile, facts)
        _audit_totals(context, ledger, placement, tables)
        audit_evidence(context, ledger, placement)


@check("S1.notes", "§3 classification", "a note stands where S1 writes none")
@check("S2.notes", "§4 index", "a note stands where S2 writes none")
@check("S3.notes", "§5 index", "a note stands where S3 writes none")
def _notes(context: AuditContext, tables: _Tables) -> None:
    """Columns for notes stay empty; a settlement's are those of the ingested coordinates."""
    for check_id, frame in (
        ("S1.notes", tables.classification),
        ("S2.notes", tables.index),
        ("S3.notes", context.table("edge_alias_index_3B")),
    ):
        if frame is None:
            context.findings.skip("not in the tree, or unreadable", check_id)
            continue
        written = frame["notes"].is_not_null().to_numpy()
        context.findings.rows(
            check_id,
            written,
            lambda row, frame=frame: {  # type: ignore[misc]
                "merchant_id": frame["merchant_id"][row],
                "found": frame["notes"][row][:200],
            },
        )


def _facts(context: AuditContext, ledger: EdgeLedger, tables: _Tables) -> pl.DataFrame | None:
    """Settlement and class of the merchants that have edges; None where one of them has none."""
    data = _merchant_data(tables)
    if data is None:
        return None
    ids = pl.Series("merchant_id", ledger.merchants)
    facts = merchant_facts(context, ids, located_settlements(data), data)
    if facts is None:
        return None
    placed = facts.select(pl.all_horizontal(pl.col("lon_deg", "lat_deg").is_finite().fill_null(False)))
    return facts if placed.to_series().all() else None


def _audit_totals(
    context: AuditContext, ledger: EdgeLedger, placement: Placement | None, tables: _Tables
) -> None:
    summary = context.document("s2_summary_3B")
    audit_summary(context, summary, ledger, placement, tables.profile, tables.settlement)
    audit_precheck(context, context.document("tile_surface_partition_precheck_3B"), ledger)


def _witnesses(tables: _Tables) -> dict[str, pl.DataFrame]:
    counted = {
        "index": witness_counts(tables.index, "edge_count_total"),
        "profile": witness_counts(tables.profile, "edge_budget"),
    }
    return {name: frame for name, frame in counted.items() if frame is not None}


def _merchant_data(tables: _Tables) -> MerchantData | None:
    if tables.classification is None or tables.settlement is None:
        return None
    if tables.merchants is None or tables.countries is None:
        return None
    return MerchantData(tables.classification, tables.settlement, tables.merchants, tables.countries)


@check(
    "S5.published_digests",
    "§7 evidence",
    "bytes changed after the state that wrote them published them",
    code="DIGEST_COMPONENT_MISMATCH",
)
def _published(context: AuditContext) -> None:
    """The digest of every dataset's bytes, against what its state recorded when it published them."""
    digests = context.findings.digests
    digests.update(path_digests(context, [name for name in context.tree.datasets if name not in digests]))
    if not context.tree.published:
        context.findings.skip("nobody kept a record of the digests", "S5.published_digests")
        return
    for dataset_id, published in context.tree.published.items():
        recomputed = digests.get(dataset_id, "0" * 64)
        context.findings.compare_digest(f"published.{dataset_id}", published, recomputed)
        context.findings.equal("S5.published_digests", recomputed, published, dataset=dataset_id)
