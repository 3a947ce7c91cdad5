"""docs/faults.md: the table of fault and check, written from the library."""

from __future__ import annotations

from itertools import groupby

from seg3b_assets.audit.verification import verify_specs
from seg3b_assets_tests.faults.library import library

_HEAD = """# Faults we plant

Generated from the fault library by `make faults`, which plants each of these in a small exported run and asks
`seg3b verify` what it finds; do not edit. Unless the fault is about the seal itself, every digest that is a plain
function of bytes (universe hash, routing policy, run summary, bundle, flag, receipt) is put right after it is
planted. In the faults called "and all that follows" a state itself lies, so that everything after it agrees with
the lie. In those "held against upstream" the run was made of a forged world, or an upstream bundle was spoilt, and
`--upstream` names the root that tells. A fault is caught when the check beside it fails and shows an example, and
no check of another kind claims the fault for itself.
"""


def fault_page() -> str:
    """The page, for every fault of the library."""
    faults, laws = list(library().values()), {spec.check_id: spec.law for spec in verify_specs()}
    lines = [_HEAD, f"{len(faults)} faults, {len({fault.check for fault in faults})} checks.", ""]
    ordered = sorted(faults, key=lambda fault: fault.target)
    for target, group in groupby(ordered, key=lambda fault: fault.target):
        lines += [f"## {target}", "", "| fault | check | law |", "|---|---|---|"]
        lines += [
            f"| {fault.name.replace('|', '&#124;')} | `{fault.check}` | {laws[fault.check]} |"
            for fault in group
        ]
        lines.append("")
    return "\n".join(lines)
