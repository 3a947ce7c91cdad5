"""The run report of a state that passed (law section 8): what it was bound to and what it published.

Part of the state's snapshot, so without a clock and without a host; how long a state took is in the run record. A
state that fails publishes nothing, and no report either.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from seg3b_assets.contracts import contract
from seg3b_assets.contracts.artefact_registry import published_id

if TYPE_CHECKING:
    from seg3b_assets.states.context import StateContext, StateSpec


def publish_run_report(context: StateContext, spec: StateSpec, **more: Any) -> None:
    """Stage the state's run report, after everything else it publishes; ``more`` are members of this state's."""
    context.out.document(f"{spec.name.lower()}_run_report_3B", {**run_report(context, spec), **more})


def run_report(context: StateContext, spec: StateSpec) -> dict[str, Any]:
    """The document ``sN_run_report_3B`` over what has been staged so far."""
    identity = context.identity
    policies = [row for row in context.inputs.rows if row["artefact_kind"] == "policy"]
    outputs = [
        {
            "logical_id": published_id(name),
            "path": contract(name).relative_path(identity),
            "sha256_hex": record.digest,
            "size_bytes": record.bytes,
            "rows": record.rows,
        }
        for name, record in context.out.outputs.items()
    ]
    return {
        "layer": "layer1",
        "segment": "3B",
        "state": spec.name,
        "manifest_fingerprint": identity.manifest_fingerprint,
        "parameter_hash": identity.parameter_hash,
        "run_id": identity.run_id,
        "seed": identity.seed,
        "status": "PASS",
        "sealed_inputs_digest": identity.sealed_inputs_digest,
        "policies": {str(row["logical_id"]): str(row["sha256_hex"]) for row in policies},
        "outputs": sorted(outputs, key=lambda row: str(row["logical_id"]).encode()),
    }
