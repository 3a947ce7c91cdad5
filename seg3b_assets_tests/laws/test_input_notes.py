"""What S0 noted of the inputs, in a line per kind."""

from __future__ import annotations

from typing import Any

import pytest

from seg3b_assets.laws.input_notes import input_notes
from seg3b_assets.laws.map_findings import MapFinding

LEFT = [
    MapFinding("COUNTRY_LEFT_PRIOR", "cdn_country_weights", f"{c}X", ("polygon", "tiles"))
    for c in "ABCDEFGHIJKLMN"
]
OLD = MapFinding("OLD_ZONE_NAME", "tz_world", "Asia/Calcutta", ("Asia/Kolkata",))
POLE = MapFinding("RING_ROUND_POLE", "world_countries", "AQ", ())
POLICIES = (
    "tz_nudge of the root says epsilon_deg 0.001; tz_nudge.yaml, in force, 0.002; "
    "alias_layout_policy_v1 of the root says quantised_bits 24; alias_layout.yaml, in force, 32"
)
NEWER = "zones newer than 2A's tz database 2021a: America/Coyhaique, Europe/Kyiv"


def notes(before: str, *findings: MapFinding) -> list[tuple[str, int, str]]:
    text = "; ".join([*([before] if before else []), *(one.sentence for one in findings)])
    document = {"findings": [one.as_json() for one in findings]}
    found = input_notes(document, {"notes": text} if text else {})
    return [(one.kind, one.count, one.sentence) for one in found]


def test_each_kind_is_told_once_with_how_many() -> None:
    told = notes(f"{POLICIES}; {NEWER}", *LEFT, OLD, POLE)
    assert [(kind, count) for kind, count, _ in told] == [
        ("LAYER_POLICY_DIFFERS", 2),
        ("ZONES_NEWER", 2),
        ("COUNTRY_LEFT_PRIOR", 14),
        ("RING_ROUND_POLE", 1),
        ("OLD_ZONE_NAME", 1),
    ]
    sentences = [sentence for _, _, sentence in told]
    assert sentences[:2] == [POLICIES, NEWER]
    assert sentences[2].endswith("LX (polygon, tiles) and 2 more")
    assert sentences[3].endswith(": AQ")
    assert sentences[4].endswith(": Asia/Calcutta (Asia/Kolkata)")


@pytest.mark.parametrize(
    ("before", "kinds"), [("", []), (POLICIES, ["LAYER_POLICY_DIFFERS"]), (NEWER, ["ZONES_NEWER"])]
)
def test_notes_without_findings(before: str, kinds: list[str]) -> None:
    assert [kind for kind, _, _ in notes(before)] == kinds


@pytest.mark.parametrize(
    "findings", [None, [], {}, {"findings": 3}, {"findings": [{"kind": 1}]}, {"findings": [7]}]
)
@pytest.mark.parametrize("receipt", [None, [], {}, {"notes": 3}])
def test_what_is_no_document_has_nothing_to_say(findings: Any, receipt: Any) -> None:
    assert input_notes(findings, receipt) == []


def told_by_s1(**report: Any) -> list[tuple[str, int, str]]:
    return [(one.kind, one.count, one.sentence) for one in input_notes({}, {}, report)]


def test_ids_nobody_uses_and_points_outside_their_zones_are_told() -> None:
    counted = {
        "source": "tz_overrides:edges",
        "rows": 4,
        "used": 1,
        "idle": 1,
        "unmatched": 2,
        "examples": ["7", "8"],
    }
    fine = {
        **counted,
        "source": "tz_overrides:merchants",
        "used": 4,
        "idle": 0,
        "unmatched": 0,
        "examples": [],
    }
    point = {
        "row": 3,
        "merchant_id": "9",
        "lat_deg": -77.05,
        "lon_deg": -12.05,
        "tzid_settlement": "America/Lima",
    }
    assert told_by_s1(joined=[counted, fine], warnings=[point] * 7) == [
        (
            "KEYS_UNUSED",
            3,
            "tz_overrides:edges: 1 of 4 rows used; 1 of merchants whom it cannot serve, 2 of nobody: 7, 8",
        ),
        (
            "COORDINATE_OUTSIDE_ZONE",
            7,
            "7 coordinates lie outside the zone beside them: "
            + "; ".join(["row 3, merchant 9 at -77.05, -12.05 (America/Lima)"] * 5)
            + " and 2 more",
        ),
    ]


@pytest.mark.parametrize("broken", [{"joined": [{}]}, {"warnings": [3]}, {"joined": "x", "warnings": None}])
def test_a_report_that_is_none_says_nothing(broken: dict[str, Any]) -> None:
    assert told_by_s1(**broken) == []
