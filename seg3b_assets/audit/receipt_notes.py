"""The gate receipt's notes made again (law section 2): all they say, and nothing else.

In their order: where the layer's policies of the root differ from the segment's, zones newer than 2A's tz database,
and what ``input_findings_3B`` found. Where a sealed file they rest on is not at hand, only the findings are held
against them.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any, Final

import orjson

from seg3b_assets.audit.tree import Desk, read_bounded
from seg3b_assets.contracts.artefact_registry import LAYER_POLICIES, by_own_id, layer_policy_id, sealed_own_id
from seg3b_assets.laws.map_findings import MapFinding
from seg3b_assets.laws.tz_database import newer_zones_note
from seg3b_assets.policies.layer_policies import layer_document, policy_differences

NOTES: Final = "S0.receipt_notes"
_CACHE, _ZONES = "tz_timetable_cache", "tz_world"
# What every sentence about a finding begins with.
_FOUND: Final = re.compile(r"\b(world_countries|tz_world|cdn_country_weights): ")


def audit_notes(desk: Desk, findings: Mapping[str, Any] | None) -> None:
    """The receipt's notes against what they follow from.

    Args:
        findings: the document ``input_findings_3B``, which its own check judges; None where it cannot be read.
    """
    receipt = desk.unjudged("s0_gate_receipt_3B")
    if not isinstance(receipt, dict) or findings is None:
        desk.findings.skip("the findings or the receipt are not at hand", NOTES)
        return
    told = [
        MapFinding(row["kind"], row["dataset"], row["subject"], tuple(row["others"])).sentence
        for row in findings["findings"]
    ]
    notes, before = receipt.get("notes"), _before_findings(desk)
    if before is not None:
        desk.findings.equal(NOTES, notes, "; ".join([*before, *told]) or None)
        return
    text, ending = str(notes or ""), "; ".join(told)
    sound = text == ending or text.endswith(f"; {ending}") if told else not _FOUND.search(text)
    desk.findings.equal(NOTES, ending if sound else text, ending)


def _before_findings(desk: Desk) -> list[str] | None:
    """Sentences before the findings'; None where something sealed that they rest on is not at hand."""
    rows = desk.unjudged("sealed_inputs_3B")
    try:
        sealed = {sealed_own_id(row) for row in rows}
        policies = [sentence for name in LAYER_POLICIES for sentence in _differences(desk, name, sealed)]
        return [*policies, *_newer_zones(desk, sealed)]
    except (OSError, ValueError, KeyError, TypeError, AttributeError):
        return None  # whose bytes are not what was sealed is the seal's finding


def _differences(desk: Desk, policy_id: str, sealed: set[str]) -> list[str]:
    """Raises KeyError, OSError or ValueError for a sealed policy of the layer that cannot be read."""
    own_id = layer_policy_id(policy_id)
    if own_id not in sealed:
        return []
    document = layer_document(desk.tree.inputs[own_id])
    return policy_differences(policy_id, by_own_id()[policy_id].logical_id, document, desk.tree.policies)


def _newer_zones(desk: Desk, sealed: set[str]) -> list[str]:
    """Raises KeyError, OSError or ValueError for sealed timetables, or zones, that cannot be read."""
    if _CACHE not in sealed:
        return []
    manifest = orjson.loads(read_bounded(desk.tree.inputs[_CACHE] / f"{_CACHE}.json"))
    zones = desk.input_table(_ZONES, ["tzid"])
    if zones is None:
        raise KeyError(_ZONES)
    return newer_zones_note(str(manifest["tzdb_release_tag"]), set(zones["tzid"].unique().to_list()))
