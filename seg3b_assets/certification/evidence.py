"""The files of a certification, by name: documents, checked against their contracts, and the gate matrix.

Pure: the same scores and lineages give the same bytes. The times in the documents are the upstream receipts'.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from typing import Any, Final

from seg3b_assets.certification.lineages import SeedLineage
from seg3b_assets.certification.matrix import GATE_MATRIX, gate_matrix, matrix_bytes
from seg3b_assets.contracts import contract, require_document
from seg3b_assets.laws.hashing import canonical_json
from seg3b_assets.policies import PolicySet
from seg3b_assets.realism import (
    CROSS_SEED_SUMMARY,
    FAILURE_TRACE,
    Certification,
    ReportHeader,
    cross_seed_summary,
    failure_trace,
    metrics_document,
    metrics_file_name,
    plots_document,
    plots_file_name,
)

PHASE: Final = "P5"
METRICS_CONTRACT: Final = "validation_metrics_seed_3B"
PLOTS_CONTRACT: Final = "validation_plots_seed_3B"
SUMMARY_CONTRACT: Final = "validation_cross_seed_summary_3B"


def policy_digests(policies: PolicySet) -> dict[str, str]:
    """SHA-256 by policy id, the unsealed certification policy included."""
    return {policy_id: file.sha256 for policy_id, file in policies.files.items()}


def evidence(
    certification: Certification, lineages: Mapping[int, SeedLineage], policies: PolicySet
) -> dict[str, bytes]:
    """Bytes by file name; the failure trace only where a gate fails.

    Raises:
        Seg3BError: ``OUTPUT_WRITE_FAILED`` for a document that breaks its contract.
    """
    digests = policy_digests(policies)
    header = ReportHeader(
        PHASE,
        max(lineage.identity.created_utc for lineage in lineages.values()),
        {seed: lineage.provenance(digests) for seed, lineage in lineages.items()},
    )
    files = {
        metrics_file_name(seed): _document(
            METRICS_CONTRACT,
            metrics_document(score, replace(header, generated_utc=score.identity.created_utc)),
        )
        for seed, score in certification.scores.items()
    }
    files |= {
        plots_file_name(seed): _document(PLOTS_CONTRACT, plots_document(score))
        for seed, score in certification.scores.items()
    }
    summary = cross_seed_summary(certification, policies.certification.seeds, header)
    files[CROSS_SEED_SUMMARY] = _document(SUMMARY_CONTRACT, summary)
    files[GATE_MATRIX] = matrix_bytes(gate_matrix(certification))
    trace = failure_trace(certification, header)
    if trace is not None:
        files[FAILURE_TRACE] = trace.encode()
    return files


def _document(dataset_id: str, value: dict[str, Any]) -> bytes:
    require_document(contract(dataset_id), value, state="S5", name="OUTPUT_WRITE_FAILED", place=dataset_id)
    return canonical_json(value)
