"""Which failed check speaks of the fault and which only follow from it.

An edited row changes digests of rows, those change digests of tables, and so on up to the flag. Checks stand on
floors by what they are computed over; of the failed ones, the lowest speak of the fault, and one above
follows from them.
"""

from __future__ import annotations

from collections.abc import Sequence
from fnmatch import fnmatchcase
from typing import Final

from seg3b_assets.audit.findings import CheckResult

# From the ground up; a check that matches none stands on the ground.
_FLOORS: Final = (
    # What a row or a merchant adds up to, once its values are wrong.
    (
        "S0.receipt_*",
        "S1.classification_digest",
        "S1.settlement_coord_digest",
        "S1.settlement_set",
        "S2.edge_digest",
        "S2.sampling_rank",
        "S2.profile_metrics",
        "S2.profile_budget",
        "S2.summary",
        "S2.precheck",
        "S2.*.accounting",
        "S3.alias_distribution",
        "S3.alias_table",
        "tree.datasets",
        "tree.tile_excerpt_used",
    ),
    ("S2.index_*", "S3.alias_checksum", "S3.alias_rows"),
    ("S2.index_global", "S3.blob_digest"),
    ("S3.universe_components",),
    ("S3.universe_hash", "S4.universe_binding"),
    ("S4.results",),
    ("S4.run_summary",),
    ("S0.run_id", "S5.examination"),
    ("S?.run_report",),
    ("S5.published_digests",),
    ("S5.manifest",),
    (
        "S5.structural_summary",
        "S5.rng_summary",
        "S5.digest_summary",
        "S5.realism_results",
        "S5.carried",
        "S5.audit",
    ),
    ("S5.bundle_index",),
    ("S5.flag",),
    ("S5.run_report",),
    ("tree.files", "tree.states"),
)


def floor(check_id: str) -> int:
    """0 for a check of values themselves, higher for one over what others judge."""
    found = [
        at for at, patterns in enumerate(_FLOORS, 1) if any(fnmatchcase(check_id, one) for one in patterns)
    ]
    return max(found, default=0)


def in_causal_order(failed: Sequence[CheckResult]) -> list[tuple[CheckResult, str | None]]:
    """Failed checks, those that speak of the fault first, each with the check it follows from, if any."""
    ranked = sorted(failed, key=lambda result: (floor(result.check_id), result.check_id))
    if not ranked:
        return []
    root = ranked[0].check_id
    return [(one, root if floor(one.check_id) > floor(root) else None) for one in ranked]
