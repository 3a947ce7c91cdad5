"""The page of audit checks and error codes: what ``seg3b verify`` and S5 look for, and what a failure means."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Final

from seg3b_assets.audit.checks import check_specs
from seg3b_assets.audit.findings import CheckSpec
from seg3b_assets.audit.verification import verify_specs
from seg3b_assets.laws.errors import ANY_STATE, OF_STATE
from seg3b_assets.reference.markdown import code, page, table

_INTRO: Final = (
    "What the audit checks: the law behind each check, the error of its kind, and its likely cause. S5 makes those\n"
    "of the first table before it seals; `seg3b verify` makes all of them. Below, every error code of the segment."
)


def check_page() -> str:
    """The page's text."""
    audited = check_specs()
    around = [spec for spec in verify_specs() if spec not in audited]
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
    return page(
        "Audit checks and error codes",
        _INTRO,
        "## Checks of a run\n",
        _checks(audited),
        "## Checks of an exported tree and its bundle\n",
        _checks(around),
        "## Error codes\n",
        codes,
    )


def _checks(specs: Iterable[CheckSpec]) -> str:
    return table(
        ("check", "law", "error", "likely cause"),
        (
            (code(spec.check_id), spec.law, code(f"E3B_S5_{spec.code}"), spec.likely_cause)
            for spec in sorted(specs, key=lambda spec: spec.check_id)
        ),
    )
