"""A verification as a person reads it, and as JSON: failed checks in causal order.

One damage fails many checks. Those of values stand on the ground, those over what others judge on higher floors: of the
failed ones, the lowest speak of the fault, and one above follows from them.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from fnmatch import fnmatchcase
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

import orjson

from seg3b_assets.audit.findings import CheckResult
from seg3b_assets.wording import number, seconds

if TYPE_CHECKING:
    from seg3b_assets.audit.verification import Verification

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


_SHOWN = 300
_ANCHORED = {
    (): "nothing outside the tree vouches for it: name its flag with --expect, or its root with --upstream",
    ("upstream",): "anchored in the upstream root",
    ("flag",): "anchored in the flag expected",
    ("upstream", "flag"): "anchored in the upstream root and in the flag expected",
}


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


def as_object(found: Verification, tree: Path, strict: bool, wall_s: float) -> dict[str, Any]:
    """What ``seg3b verify --json`` prints; everything in it is JSON."""
    report, identity = found.report, found.identity
    checks = [_check(result, cause) for result, cause in in_causal_order(report.failed)]
    checks += [_check(result, None) for result in report.checks if result.status != "FAIL"]
    named = ("seed", "run_id", "parameter_hash", "manifest_fingerprint")
    return {
        "status": "PASS" if found.holds(strict) else "FAIL",
        "tree": str(tree),
        "flag": found.flag,
        "anchored_in": list(found.anchors),
        "identity": None if identity is None else {name: getattr(identity, name) for name in named},
        "wall_s": round(wall_s, 3),
        "passed": len(report.checks) - len(report.failed) - len(report.skipped),
        "failed": len(report.failed),
        "skipped": len(report.skipped),
        "checks": checks,
    }


def lines(found: Verification, tree: Path, strict: bool, wall_s: float) -> Iterator[str]:
    """What ``seg3b verify`` prints: one line when all is well, a paragraph per fault otherwise."""
    report, identity = found.report, found.identity
    whose = "nobody's run" if identity is None else f"seed {identity.seed}  run {identity.run_id}"
    verdict = "FAIL" if not found.holds(strict) else "PASS" if found.anchors else "PASS, not anchored"
    yield f"{verdict}  {tree}  {whose}"
    yield f"  flag {found.flag or 'none'}  {_ANCHORED.get(found.anchors, '')}".rstrip()
    for result, cause in in_causal_order(report.failed):
        if cause is None:
            yield f"  FAIL {result.check_id}  {_times(result)}  ({result.spec.law})"
            yield f"       first: {_told(result.example)}"
            yield f"       likely cause: {result.spec.likely_cause}"
    followed = [result for result, cause in in_causal_order(report.failed) if cause is not None]
    if followed:
        yield "  follow from it: " + ", ".join(
            f"{one.check_id} ({number(one.affected_count)})" for one in followed
        )
    reasons: dict[str, list[str]] = {}
    for result in report.skipped:
        reasons.setdefault(str(result.detail.get("reason", "")), []).append(result.check_id)
    for reason, check_ids in reasons.items():
        yield f"  {'FAIL ' if strict else ''}skipped {_listed(check_ids)}: {reason}"
    held = len(report.checks) - len(report.failed) - len(report.skipped)
    told = f"  {held} checks held, {len(report.failed)} failed, {len(report.skipped)} skipped"
    yield f"{told}; {seconds(wall_s)}"


def _listed(check_ids: list[str]) -> str:
    shown = ", ".join(check_ids[:4])
    return shown if len(check_ids) <= 4 else f"{shown} and {len(check_ids) - 4} more"


def _times(result: CheckResult) -> str:
    return f"{number(result.affected_count)} at fault"


def _told(example: Mapping[str, Any] | None) -> str:
    told = ", ".join(f"{key} {_text(value)}" for key, value in (example or {}).items() if value is not None)
    return told or "no example"


def _text(value: Any) -> str:
    text = value if isinstance(value, str) else orjson.dumps(value, default=str).decode("utf-8", "replace")
    text = ascii(text)[1:-1] if not text.isprintable() else text
    return text if len(text) <= _SHOWN else f"{text[:_SHOWN]}…"


def _check(result: CheckResult, cause: str | None) -> dict[str, Any]:
    return {
        "check_id": result.check_id,
        "status": result.status,
        "affected_count": result.affected_count,
        "example": _plain(result.example),
        "law": result.spec.law,
        "likely_cause": result.spec.likely_cause if result.status == "FAIL" else None,
        "follows_from": cause,
        "reason": str(result.detail["reason"]) if "reason" in result.detail else None,
    }


def _plain(value: Any) -> Any:
    """A value JSON can carry: what is no text or number becomes text, and lone surrogates are escaped."""
    if isinstance(value, Mapping):
        return {str(key): _plain(one) for key, one in value.items()}
    if isinstance(value, list | tuple):
        return [_plain(one) for one in value]
    if isinstance(value, str):
        return value.encode("utf-8", "backslashreplace").decode()
    if isinstance(value, int) and not isinstance(value, bool) and not -(2**63) <= value < 2**64:
        return str(value)
    return value if isinstance(value, int | float | bool) or value is None else str(value)
