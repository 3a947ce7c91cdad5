"""``seg3b verify``: an exported tree, judged from its bytes."""

# ruff: noqa: PLC0415 - heavy imports happen inside the command, so that --help and usage errors are quick
# ruff: noqa: PLR0913 - a command's parameters are its options

from __future__ import annotations

import time
from collections.abc import Iterator, Mapping
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, Final

import typer

from seg3b_assets.cli.options import AsJson, Debug, Workers, require_folder_name, settings_from
from seg3b_assets.cli.reporting import print_json, reported
from seg3b_assets.cli.strangers import apart, flag_from
from seg3b_assets.doors import EXIT_STRUCTURAL
from seg3b_assets.terminal import say
from seg3b_assets.wording import number, seconds

if TYPE_CHECKING:
    from seg3b_assets.audit.findings import CheckResult
    from seg3b_assets.audit.verification import Verification

_SHOWN: Final = 300
_ANCHORED: Final = {
    (): "nothing outside the tree vouches for it: name its flag with --expect, or its root with --upstream",
    ("upstream",): "anchored in the upstream root",
    ("flag",): "anchored in the flag expected",
    ("upstream", "flag"): "anchored in the upstream root and in the flag expected",
}


def verify(
    tree: Annotated[
        Path, typer.Argument(metavar="DIR", help="Root of the tree.", exists=True, file_okay=False)
    ],
    upstream: Annotated[
        Path | None,
        typer.Option(help="Upstream root, for what the tree does not carry.", exists=True, file_okay=False),
    ] = None,
    policies: Annotated[
        Path | None,
        typer.Option(
            help="Policies of a tree that carries none; used if they are the sealed ones.",
            exists=True,
            file_okay=False,
            show_default="the configured ones",
        ),
    ] = None,
    expect: Annotated[
        str | None,
        typer.Option(
            metavar="FLAG", help="The flag it must have, from elsewhere: its 64 digits, or its whole line."
        ),
    ] = None,
    strict: Annotated[bool, typer.Option("--strict", help="Fail where a check was skipped.")] = False,
    workers: Workers = None,
    as_json: AsJson = False,
    debug: Debug = False,
) -> None:
    """Check an exported run, ours or anybody's, against the laws: every byte that can be recomputed is.

    Needs no store. What the tree lacks is skipped and listed. Exit code 0 when everything holds, 3 when not.
    A tree that holds agrees with itself. That it is the run you mean, only something outside it says: --expect, or
    --upstream; without either it is "PASS, not anchored".
    With --json: {status, tree, flag, anchored_in[upstream, flag], identity, wall_s, passed, failed, skipped,
    checks[{check_id, status, affected_count, example, law, likely_cause, follows_from, reason}]}; failed checks come
    first, the one that speaks of the fault before those that follow from it.
    """
    with reported(as_json, debug):
        settings = settings_from(policies=policies, workers=workers)
        require_folder_name(tree)
        flag = flag_from(expect)
        apart(tree)
        from seg3b_assets.audit.verification import verify as verify_tree

        started = time.perf_counter()
        found: Verification = verify_tree(
            tree,
            settings.policies,
            upstream,
            settings.workers,
            flag,
            replace(settings, upstream=upstream).reach,
        )
        wall_s = time.perf_counter() - started
        if as_json:
            print_json(as_object(found, tree, strict, wall_s))
        else:
            for line in lines(found, tree, strict, wall_s):
                say(line)
        if not found.holds(strict):
            raise typer.Exit(EXIT_STRUCTURAL)


def as_object(found: Verification, tree: Path, strict: bool, wall_s: float) -> dict[str, Any]:
    """What ``seg3b verify --json`` prints; everything in it is JSON."""
    from seg3b_assets.audit.checks import in_causal_order

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
    from seg3b_assets.audit.checks import in_causal_order

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
    import orjson

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
