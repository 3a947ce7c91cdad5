"""The page of audit checks and error codes: what ``seg3b verify`` and S5 look for, and what a failure means."""

from __future__ import annotations

from typing import Final

from seg3b_assets.audit.checks import check_specs
from seg3b_assets.laws.errors import ANY_STATE, OF_STATE
from seg3b_assets.reference.markdown import code, page, table

_INTRO: Final = (
    "What the audit checks, in S5 and in `seg3b verify`: the law behind each check, the error a failure raises in\n"
    "S5, and its likely cause. Below, every error code of the segment."
)


def check_page() -> str:
    """The page's text."""
    checks = table(
        ("check", "law", "error", "likely cause"),
        (
            (code(spec.check_id), spec.law, code(f"E3B_S5_{spec.code}"), spec.likely_cause)
            for spec in sorted(check_specs(), key=lambda spec: spec.check_id)
        ),
    )
    codes = table(
        ("state", "codes"),
        (
            ("any", ", ".join(code(f"E3B_S{{n}}_{name}") for name in sorted(ANY_STATE))),
            *(
                (state, ", ".join(code(f"E3B_{state}_{name}") for name in sorted(names)))
                for state, names in OF_STATE.items()
                if names
            ),
        ),
    )
    return page("Audit checks and error codes", _INTRO, "## Checks\n", checks, "## Error codes\n", codes)
