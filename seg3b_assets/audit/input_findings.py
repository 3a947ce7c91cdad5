"""The maps judged again, and ``input_findings_3B`` made again from them (law section 2, maps).

A border that is none is a finding of the audit, and the rest of it goes on with the borders that are sound. What a
country's tiles are is known only where the surfaces are at hand; an exported tree says it in this document alone.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any, Final

from seg3b_assets.audit.maps import BORDERS, Maps
from seg3b_assets.audit.receipt_notes import audit_notes
from seg3b_assets.audit.tree import Desk, part_files
from seg3b_assets.laws.map_findings import (
    COUNTRY_LEFT_PRIOR,
    MapFinding,
    old_zone_names,
    overlapping_countries,
    rings_round_poles,
)
from seg3b_assets.laws.polygons import geometries

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


def left_prior(desk: Desk) -> frozenset[str]:
    """Countries that left the prior, as the published document says; its own check judges that."""
    document = desk.unjudged(FINDINGS)
    try:
        return frozenset(str(code) for code in document["left_prior"])
    except (KeyError, TypeError):
        return frozenset()


def audit_findings(desk: Desk, maps: Maps | None) -> None:
    """The document, and the receipt's notes of it."""
    document = desk.document(FINDINGS)
    if document is None or maps is None or desk.findings.failed(BORDERS):
        desk.findings.skip("polygons are not at hand, or not all of them are sound", CHECK)
    else:
        _compare(desk, document, maps)
    audit_notes(desk, document)


def _compare(desk: Desk, document: Mapping[str, Any], maps: Maps) -> None:
    weights = desk.tree.policies.cdn_country_weights
    prior = sorted(row.country_iso for row in weights.countries)
    tiled = _tiled(desk)
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
        desk.findings.equal(CHECK, "a run", "a refusal", key="missing_country")
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
        desk.findings.equal(CHECK, document[key], value, key=key)


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


def _tiled(desk: Desk) -> frozenset[str] | None:
    """Countries that each of the surfaces has; None where they are not at hand."""
    if not desk.tree.has(*_SURFACES):
        return None
    held = [
        {
            found[1]
            for path in part_files(desk.tree.inputs[name])
            if (found := pattern.search(path.as_posix()))
        }
        for name, pattern in _SURFACES.items()
    ]
    return frozenset(held[0].intersection(*held[1:]))
