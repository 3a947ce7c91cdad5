"""The audit over a published run: no alarm, whatever the number of threads; what is lacking is said."""

from __future__ import annotations

from dataclasses import replace

import polars as pl
import pytest

from seg3b_assets.audit import AuditReport, AuditTree, audit
from seg3b_assets.audit.checks import check_specs
from seg3b_assets.audit.contract_outputs import _decided
from seg3b_assets.audit.findings import Findings
from seg3b_assets.audit.tree import AuditContext

CATALOGUE = "edge_catalogue_3B"
INDEX = "edge_catalogue_index_3B"


def test_an_untouched_tree_passes_every_check(clean_report: AuditReport) -> None:
    assert [result.check_id for result in clean_report.failed] == []
    assert [result.check_id for result in clean_report.skipped] == []
    assert {result.check_id for result in clean_report.checks} == {spec.check_id for spec in check_specs()}


def test_the_report_does_not_depend_on_the_number_of_threads(
    tree: AuditTree, clean_report: AuditReport
) -> None:
    assert audit(tree, workers=1) == clean_report


def test_a_published_digest_that_no_longer_holds_is_reported(tree: AuditTree) -> None:
    forged = replace(tree, published={**tree.published, CATALOGUE: "0" * 64})
    assert [result.check_id for result in audit(forged).failed] == ["S5.published_digests"]


def test_a_drawn_settlement_is_reported_where_the_policy_refuses_one(tree: AuditTree) -> None:
    strict = tree.policies.settlement.model_copy(update={"missing_coordinate": "refuse"})
    report = audit(replace(tree, policies=replace(tree.policies, settlement=strict)))
    (found,) = report.failed
    assert found.check_id == "S1.settlement_evidence"
    assert found.affected_count == report.counts["settlements"]


def test_what_the_tree_lacks_is_skipped_and_said_so(tree: AuditTree) -> None:
    bare = replace(
        tree,
        datasets={CATALOGUE: tree.datasets[CATALOGUE], INDEX: tree.datasets[INDEX]},
        inputs={},
        published={},
    )
    report = audit(bare)
    assert report.failed == ()
    assert all(result.detail["reason"] for result in report.skipped)
    assert {"S2.edge_id", "S2.edge_mass", "S2.index_digests"} <= {
        result.check_id for result in report.checks if result.status == "PASS"
    }


@pytest.mark.parametrize(
    ("change", "wrong"),
    [
        ({}, 0),
        ({"status": pl.lit("WARN")}, 1),
        ({"measured": pl.lit(-1.0)}, 1),
        ({"measured": pl.lit(None, pl.Float64)}, 1),
        ({"measured": pl.lit(-1.0), "status": pl.lit("WARN")}, 0),
        ({"measured": pl.lit(None, pl.Float64), "status": pl.lit("NOT_APPLICABLE")}, 0),
    ],
    ids=lambda value: str(sorted(value)) if isinstance(value, dict) else "",
)
def test_a_decision_of_the_contract_is_taken_again_from_its_terms(
    tree: AuditTree, change: dict[str, pl.Expr], wrong: int
) -> None:
    context = AuditContext(tree, Findings(check_specs()), 1)
    names = ("results", "contract", "terms")
    results, contract, terms = (context.table(f"virtual_validation_{name}_3B") for name in names)
    assert results is not None and contract is not None and terms is not None
    one = results.filter(metric="edges_per_merchant_cv", scope="GLOBAL")
    assert one["status"].to_list() == ["PASS"]
    _decided(context, one.with_columns(**change), contract.with_columns(severity=pl.lit("WARNING")), terms)
    [found] = [result for result in context.findings.report().checks if result.check_id == "S4.results"]
    assert found.affected_count == wrong
