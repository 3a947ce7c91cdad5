"""S0: verify the upstream gates and seal every input (law section 2).

``seal`` runs before every plan or run, because each state's key holds the digest of what it sealed; ``run``
writes the two documents of a sealing.
"""

from __future__ import annotations

from seg3b_assets.states.context import StateContext, StateSpec
from seg3b_assets.states.s0_gate.seal import SealedWorld, seal
from seg3b_assets.states.s0_gate.upstream import resolve_upstream

__all__ = ["STATE", "SealedWorld", "resolve_upstream", "run", "seal"]

STATE = StateSpec(
    name="S0",
    code_version="2.1.0",
    reads=(),
    writes=("sealed_inputs_3B", "s0_gate_receipt_3B", "input_findings_3B"),
    objective="verify the four upstream gates and seal every input of the segment",
)


def run(context: StateContext) -> None:
    """Write ``sealed_inputs_3B``, ``s0_gate_receipt_3B`` and ``input_findings_3B``; the gates were ``seal``'s.

    Raises:
        Seg3BError: what ``findings.input_findings`` raises: borders that are none, countries without their maps.
    """
    from seg3b_assets.states.s0_gate.findings import input_findings, noted  # noqa: PLC0415 - geometry

    with context.lanes("maps"):
        findings = input_findings(context)
    with context.lanes("publish"):
        context.out.document("sealed_inputs_3B", context.inputs.rows)
        context.out.document("s0_gate_receipt_3B", noted(context.inputs.receipt, findings))
        context.out.document("input_findings_3B", findings)
