"""The maps judged again, and ``input_findings_3B`` made again from them (law section 2, maps).

A border that is none is a finding of the audit, and the rest of it goes on with the borders that are sound. What a
country's tiles are is known only where the surfaces are at hand; an exported tree says it in this document alone.

The gate receipt's notes are made again: where the layer's policies of the root differ from the segment's, zones newer
than 2A's tz database, and what the document says, in that order. Where a sealed file they rest on is not at hand, only
the findings are held against them.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any, Final

import orjson

from seg3b_assets.audit.checks import check
from seg3b_assets.audit.maps import BORDERS, Maps
from seg3b_assets.audit.tree import AuditContext, part_files, read_bounded
from seg3b_assets.contracts.artefact_registry import LAYER_POLICIES, by_own_id, layer_policy_id, sealed_own_id
from seg3b_assets.laws.map_findings import (
    COUNTRY_LEFT_PRIOR,
    MapFinding,
    old_zone_names,
    overlapping_countries,
    rings_round_poles,
)
from seg3b_assets.laws.polygons import geometries
from seg3b_assets.laws.tz_database import newer_zones_note
from seg3b_assets.policies.layer_policies import layer_document, policy_differences

NOTES: Final = "S0.receipt_notes"
_CACHE: Final = "tz_timetable_cache"
# What every sentence about a finding begins with.
_FOUND: Final = re.compile(r"\b(world_countries|tz_world|cdn_country_weights): ")


FINDINGS: Final = "input_findings_3B"
CHECK: Final = "S0.input_findings"
_PRIOR: Final = "cdn_country_weights"
_COUNTRIES, _ZONES = "world_countries", "tz_world"
_NEEDS: Final = ("polygon", "tiles", "zones")
_SURFACES: Final = {
    "tile_weights": re.compile(r"/part-([A-Z]{2})\.parquet$"),
    "tile_index": re.compile(r"/country=([A-Z]{2})/[^/]+$"),
    "tile_bounds": re.compile(r"/country=([A-Z]{2})/[^/]+$"),
}


@check(
    "S0.receipt_notes",
    "§2 maps",
    "the receipt's notes are not what the inputs give cause to note",
    code="INPUT_SCHEMA_MISMATCH",
)
def audit_notes(context: AuditContext, findings: Mapping[str, Any] | None) -> None:
    """The receipt's notes against what they follow from.

    Args:
        findings: the document ``input_findings_3B``, which its own check judges; None where it cannot be read.
    """
    receipt = context.unjudged("s0_gate_receipt_3B")
    if not isinstance(receipt, dict) or findings is None:
        context.findings.skip("the findings or the receipt are not at hand", NOTES)
        return
    told = [
        MapFinding(row["kind"], row["dataset"], row["subject"], tuple(row["others"])).sentence
        for row in findings["findings"]
    ]
    notes, before = receipt.get("notes"), _before_findings(context)
    if before is not None:
        context.findings.equal(NOTES, notes, "; ".join([*before, *told]) or None)
        return
    text, ending = str(notes or ""), "; ".join(told)
    sound = text == ending or text.endswith(f"; {ending}") if told else not _FOUND.search(text)
    context.findings.equal(NOTES, ending if sound else text, ending)


def _before_findings(context: AuditContext) -> list[str] | None:
    """Sentences before the findings'; None where something sealed that they rest on is not at hand."""
    rows = context.unjudged("sealed_inputs_3B")
    try:
        sealed = {sealed_own_id(row) for row in rows}
        policies = [sentence for name in LAYER_POLICIES for sentence in _differences(context, name, sealed)]
        return [*policies, *_newer_zones(context, sealed)]
    except (OSError, ValueError, KeyError, TypeError, AttributeError):
        return None  # whose bytes are not what was sealed is the seal's finding


def _differences(context: AuditContext, policy_id: str, sealed: set[str]) -> list[str]:
    """Raises KeyError, OSError or ValueError for a sealed policy of the layer that cannot be read."""
    own_id = layer_policy_id(policy_id)
    if own_id not in sealed:
        return []
    document = layer_document(context.tree.inputs[own_id])
    return policy_differences(policy_id, by_own_id()[policy_id].logical_id, document, context.tree.policies)


def _newer_zones(context: AuditContext, sealed: set[str]) -> list[str]:
    """Raises KeyError, OSError or ValueError for sealed timetables, or zones, that cannot be read."""
    if _CACHE not in sealed:
        return []
    manifest = orjson.loads(read_bounded(context.tree.inputs[_CACHE] / f"{_CACHE}.json"))
    zones = context.input_table(_ZONES, ["tzid"])
    if zones is None:
        raise KeyError(_ZONES)
    return newer_zones_note(str(manifest["tzdb_release_tag"]), set(zones["tzid"].unique().to_list()))


def left_prior(context: AuditContext) -> frozenset[str]:
    """Countries that left the prior, as the published document says; its own check judges that."""
    document = context.unjudged(FINDINGS)
    try:
        return frozenset(str(code) for code in document["left_prior"])
    except (KeyError, TypeError):
        return frozenset()


@check(
    "S0.input_findings",
    "§2 maps",
    "what countries are without, or what is odd about the maps, was edited",
    code="INPUT_SCHEMA_MISMATCH",
)
def audit_findings(context: AuditContext, maps: Maps | None) -> None:
    """The document, and the receipt's notes of it."""
    document = context.document(FINDINGS)
    if document is None or maps is None or context.findings.failed(BORDERS):
        context.findings.skip("polygons are not at hand, or not all of them are sound", CHECK)
    else:
        _compare(context, document, maps)
    audit_notes(context, document)


def _compare(context: AuditContext, document: Mapping[str, Any], maps: Maps) -> None:
    weights = context.tree.policies.cdn_country_weights
    prior = sorted(row.country_iso for row in weights.countries)
    tiled = _tiled(context)
    if tiled is None:  # an exported tree has no surfaces: what it says of them is taken as said
        tiled = frozenset(prior).difference(document["countries_without"]["tiles"])
    covered = {"polygon": frozenset(maps.countries), "tiles": tiled, "zones": maps.zoned()}
    without = {need: [code for code in prior if code not in covered[need]] for need in _NEEDS}
    left = {
        code: tuple(need for need in _NEEDS if code in without[need])
        for code in prior
        if any(code in without[need] for need in _NEEDS)
    }
    if left and weights.missing_country == "refuse":
        context.findings.equal(CHECK, "a run", "a refusal", key="missing_country")
    findings = [
        *_of_maps(maps),
        *(MapFinding(COUNTRY_LEFT_PRIOR, _PRIOR, code, needs) for code, needs in left.items()),
    ]
    expected = {
        "countries_without": without,
        "left_prior": list(left),
        "findings": [finding.as_json() for finding in sorted(findings)],
    }
    for key, value in expected.items():
        context.findings.equal(CHECK, document[key], value, key=key)


def _of_maps(maps: Maps) -> list[MapFinding]:
    codes = sorted(maps.countries)
    polygons = geometries([maps.countries[code].polygon for code in codes])
    names = [name for name, _ in maps.zone_rows]
    zones = geometries([zone for _, zone in maps.zone_rows])
    return [
        *overlapping_countries(_COUNTRIES, codes, polygons),
        *rings_round_poles(_COUNTRIES, codes, polygons),
        *rings_round_poles(_ZONES, names, zones),
        *old_zone_names(_ZONES, names),
    ]


def _tiled(context: AuditContext) -> frozenset[str] | None:
    """Countries that each of the surfaces has; None where they are not at hand."""
    if not context.tree.has(*_SURFACES):
        return None
    held = [
        {
            found[1]
            for path in part_files(context.tree.inputs[name])
            if (found := pattern.search(path.as_posix()))
        }
        for name, pattern in _SURFACES.items()
    ]
    return frozenset(held[0].intersection(*held[1:]))
