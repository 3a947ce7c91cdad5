"""What ``--policies`` changes where it names an overlay: told before the work, and in what ``--json`` prints."""

# ruff: noqa: PLC0415 - heavy imports happen inside the command, so that --help and usage errors are quick

from __future__ import annotations

import json
from collections.abc import Mapping
from itertools import groupby
from pathlib import Path
from typing import Any

from seg3b_assets.cli.reporting import console

SHOWN = 4
LONGEST = 40


def overlay_told(policies: Path, as_json: bool) -> dict[str, Any]:
    """Say what an overlay changes, key by key as far as a person reads.

    Returns:
        {overlay: {folder, base, changes[{policy, key, was, now}]}} to print as JSON, every change in it; empty of a
        folder that is no overlay.

    Raises:
        Seg3BError: of an overlay that cannot be followed.
    """
    from seg3b_assets.policies import overlaid

    found = overlaid(policies)
    if found is None:
        return {}
    if not as_json:
        screen = console()
        screen.print(f"policies  {found.folder}, over {found.base}; keys that differ: {len(found.changes)}")
        for policy_id, changes in groupby(found.changes, key=lambda change: change["policy"]):
            lines = [_line(change) for change in changes]
            rest = f"; {len(lines) - SHOWN} more (--json has them)" if len(lines) > SHOWN else ""
            screen.print(f"  {policy_id}: {', '.join(lines[:SHOWN])}{rest}")
    return {"overlay": found.as_json()}


def _line(change: Mapping[str, Any]) -> str:
    if change["now"] is None:
        return f"{change['key']} taken out"
    if change["was"] is None:
        return f"{change['key']} added"
    return f"{change['key']} {_short(change['was'])} -> {_short(change['now'])}"


def _short(value: Any) -> str:
    text = value if isinstance(value, str) else json.dumps(value)
    return text if len(text) <= LONGEST else f"{text[:LONGEST]}…"
