"""The contract's results re-audited (law section 6): measured again, and compared row by row.

The metrics are realism's, one registry for everybody; what is not taken on trust is that the published
table is what they gave. A tree damaged too far to be measured is the other checks' finding.
"""

from __future__ import annotations

from typing import Any, Final

import polars as pl

from seg3b_assets.audit.findings import same
from seg3b_assets.audit.tree import Desk
from seg3b_assets.laws.errors import Seg3BError
from seg3b_assets.laws.plain_files import MAX_BLOB_BYTES, read_plain
from seg3b_assets.realism import SeedOutputs, run_contract

RESULTS: Final = "virtual_validation_results_3B"
CONTRACT: Final = "virtual_validation_contract_3B"
TERMS: Final = "virtual_validation_terms_3B"
CHECK: Final = "S4.results"


def audit_results(desk: Desk, tables: dict[str, pl.DataFrame | None]) -> None:
    """Run the contract again.

    Args:
        tables: merchants, classification, settlement (located), profile and catalogue; None where unreadable.
    """
    published, contract, terms = desk.table(RESULTS), desk.table(CONTRACT), desk.table(TERMS)
    index, blob = desk.table("edge_alias_index_3B"), _blob(desk)
    if published is None or contract is None or terms is None:
        return
    if index is None or blob is None or any(frame is None for frame in tables.values()):
        desk.findings.skip("a dataset it is measured from is missing or unreadable", CHECK)
        return
    frames = {name: frame for name, frame in tables.items() if frame is not None}
    try:
        outputs = SeedOutputs(
            identity=desk.tree.identity,
            merchants=frames["merchants"],
            classification=frames["classification"],
            settlement=frames["settlement"],
            profile=frames["profile"],
            edges=frames["catalogue"],
            alias_index=index,
            alias_blob=blob,
        )
        again = run_contract(outputs, contract, terms, desk.tree.policies, desk.workers)
    except (Seg3BError, OSError, ValueError, LookupError, pl.exceptions.PolarsError) as error:
        desk.findings.skip(f"the tree cannot be measured: {str(error)[:160]}", CHECK)
        return
    _compare(desk, published, again)


def _compare(desk: Desk, published: pl.DataFrame, again: pl.DataFrame) -> None:
    found = {row["test_id"]: row for row in published.iter_rows(named=True)}
    expected = {row["test_id"]: row for row in again.iter_rows(named=True)}
    wrong = [
        test
        for test in sorted(found.keys() | expected.keys())
        if not same(found.get(test), expected.get(test))
    ]
    if not wrong:
        desk.findings.ok(CHECK)
        return
    first = wrong[0]
    desk.findings.fail(CHECK, len(wrong), _difference(first, found.get(first), expected.get(first)))


def _difference(
    test_id: str, found: dict[str, Any] | None, expected: dict[str, Any] | None
) -> dict[str, Any]:
    if found is None or expected is None:
        return {"test_id": test_id, "found": found and "a row", "expected": expected and "a row"}
    column = next(name for name in expected if not same(found[name], expected[name]))
    return {"test_id": test_id, "column": column, "found": found[column], "expected": expected[column]}


def _blob(desk: Desk) -> bytes | None:
    path = desk.tree.datasets.get("edge_alias_blob_3B")
    try:
        return read_plain(path, MAX_BLOB_BYTES) if path else None
    except OSError:
        return None
