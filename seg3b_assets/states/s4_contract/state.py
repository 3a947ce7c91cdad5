"""S4 from policies and published artefacts to staged outputs."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import TYPE_CHECKING, Any

import polars as pl

from seg3b_assets.contracts import contract
from seg3b_assets.laws.errors import Seg3BError
from seg3b_assets.states.s4_contract.bindings import FIELD_TYPES, bound_source, check_tests
from seg3b_assets.states.s4_contract.declarations import DeclaredTest, declare_tests
from seg3b_assets.states.s4_contract.routing_policy import routing_bindings, routing_policy

if TYPE_CHECKING:
    from seg3b_assets.policies import PolicySet
    from seg3b_assets.states.context import StateContext


def run(context: StateContext) -> None:
    """Write the routing policy and its bindings, the validation contract, its terms and results, and the run summary.

    Contract and terms are whole before anything is measured, and what runs reads them as they are written.

    S4 measures whatever the posture is, so that a bad one is known in full; S5 is where it stops.

    Raises:
        Seg3BError: ``FIELD_BINDING_INVALID``, ``TEST_BINDING_INVALID``, ``TEST_THRESHOLD_INVALID``,
            ``VALIDATION_POLICY_INVALID``.
    """
    with context.lanes("routing_policy"):
        universe = context.published.document("edge_universe_hash_3B")["universe_hash"]
        routing = routing_policy(context.identity, context.policies, universe)
        bindings = routing_bindings(context.identity, context.policies)
    with context.lanes("contract"):
        tests = declare_tests(context.policies.virtual_validation)
        check_tests(tests)
        rows = contract_table(tests, context.identity.manifest_fingerprint)
        terms = terms_table(tests, context.identity.manifest_fingerprint)
    with context.lanes("contract_run"):
        results = measured(context, rows, terms)
    with context.lanes("publish"):
        context.out.document("virtual_routing_policy_3B", routing)
        context.out.document("virtual_routing_bindings_3B", bindings)
        context.out.table("virtual_validation_contract_3B", rows)
        context.out.table("virtual_validation_terms_3B", terms)
        context.out.table("virtual_validation_results_3B", results)
        context.out.document("s4_run_summary_3B", run_summary(context, routing))


def measured(context: StateContext, rows: pl.DataFrame, terms: pl.DataFrame) -> pl.DataFrame:
    """``virtual_validation_results_3B``: the contract run on what S1 to S3 published."""
    from seg3b_assets.realism import read_outputs  # noqa: PLC0415 - scipy, only when S4 computes
    from seg3b_assets.realism.contract_run import run_contract  # noqa: PLC0415 - scipy, only when S4 computes

    outputs = read_outputs(context.identity, context.published, context.inputs)
    return run_contract(outputs, rows, terms, context.policies, context.workers)


def policy_errors(policies: PolicySet) -> Iterator[Seg3BError]:
    """What of valid policies ``run`` would refuse, whatever the world: bindings and tests that mean nothing."""
    for field in FIELD_TYPES:
        try:
            bound_source(policies.virtual_routing_fields, field)
        except Seg3BError as error:
            yield error
    try:
        check_tests(declare_tests(policies.virtual_validation))
    except Seg3BError as error:
        yield error


def contract_table(tests: Sequence[DeclaredTest], manifest_fingerprint: str) -> pl.DataFrame:
    """``virtual_validation_contract_3B``: a row per test, ascending test_id."""
    schema = contract("virtual_validation_contract_3B").polars_schema
    return pl.DataFrame([test.row(manifest_fingerprint) for test in tests], schema=schema).sort("test_id")


def terms_table(tests: Sequence[DeclaredTest], manifest_fingerprint: str) -> pl.DataFrame:
    """``virtual_validation_terms_3B``: the terms of each test, ascending test_id."""
    schema = contract("virtual_validation_terms_3B").polars_schema
    return pl.DataFrame([test.terms(manifest_fingerprint) for test in tests], schema=schema).sort("test_id")


def run_summary(context: StateContext, routing: dict[str, Any]) -> dict[str, Any]:
    """The document ``s4_run_summary_3B``."""
    identity = context.identity
    return {
        "manifest_fingerprint": identity.manifest_fingerprint,
        "parameter_hash": identity.parameter_hash,
        "status": "PASS",
        "cdn_key_digest": routing["cdn_key_digest"],
        "routing_policy_version": routing["routing_policy_version"],
        "virtual_validation_digest": context.inputs.digest("virtual_validation"),
    }
