"""What S0 and S1 had to say of a run's inputs, in a line per kind, for people; whether it is true is for the audit."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final

from seg3b_assets.laws.joined_keys import OUTSIDE_ZONE
from seg3b_assets.laws.map_findings import (
    COUNTRIES_OVERLAP,
    COUNTRY_LEFT_PRIOR,
    OLD_ZONE_NAME,
    RING_ROUND_POLE,
    MapFinding,
)

ZONES_NEWER: Final = "ZONES_NEWER"
LAYER_POLICY_DIFFERS: Final = "LAYER_POLICY_DIFFERS"
KEYS_UNUSED: Final = "KEYS_UNUSED"
_WHAT: Final[Mapping[str, str]] = {
    COUNTRY_LEFT_PRIOR: "countries left the prior, each being without",
    COUNTRIES_OVERLAP: "countries overlap others",
    RING_ROUND_POLE: "polygons have a ring round a pole",
    OLD_ZONE_NAME: "zones have an old name",
}
_SHOWN: Final = 12
_SHOWN_ROWS: Final = 5
_WARNINGS: Final = "warnings"
_SHOWN_TEXT: Final = 400
_NEWER: Final = re.compile(r"(?:^|; )(zones newer than 2A's tz database [^;]*)$")
_DIFFERS: Final = " of the root says "


@dataclass(frozen=True)
class InputNote:
    """Everything of one kind.

    Attributes:
        kind: of ``laws.map_findings``, or of this module.
        count: countries, zones or values it is about.
        sentence: in words, with the first of them.
    """

    kind: str
    count: int
    sentence: str

    def as_json(self) -> dict[str, Any]:
        return {"kind": self.kind, "count": self.count, "sentence": self.sentence}


def input_notes(findings: object, receipt: object, report: object = None) -> list[InputNote]:
    """A note per kind: policies first, then zones, then maps, as the receipt has them; then what people wrote.

    Args:
        findings: the document ``input_findings_3B``. receipt: ``s0_gate_receipt_3B``. report: ``s1_run_report_3B``.
            Of anything else, nothing.
    """
    rows = _rows(findings)
    text = receipt.get("notes") if isinstance(receipt, Mapping) else None
    before = _before(text if isinstance(text, str) else "", rows)
    newer = _NEWER.search(before)
    policies = before[: newer.start()] if newer else before
    found = []
    if count := policies.count(_DIFFERS):
        found.append(InputNote(LAYER_POLICY_DIFFERS, count, _short(policies)))
    if newer:
        found.append(InputNote(ZONES_NEWER, newer[1].count(",") + 1, _short(newer[1])))
    of_maps = [_of_kind(kind, rows) for kind in _WHAT if any(row.kind == kind for row in rows)]
    return [*found, *of_maps, *_written(report)]


def _written(report: object) -> list[InputNote]:
    """What nobody uses of the ids that people wrote, and points outside the zones beside them."""
    found: list[InputNote] = []
    try:
        found += [
            InputNote(KEYS_UNUSED, one["rows"] - one["used"], _unused(one))
            for one in _members(report, "joined")
            if one["used"] < one["rows"]
        ]
        if outside := _members(report, _WARNINGS):
            named = [
                f"row {one['row']}, merchant {one['merchant_id']} at {one['lat_deg']:g}, {one['lon_deg']:g} "
                f"({one['tzid_settlement']})"
                for one in outside[:_SHOWN_ROWS]
            ]
            more = f" and {len(outside) - _SHOWN_ROWS} more" if len(outside) > _SHOWN_ROWS else ""
            text = f"{len(outside)} coordinates lie outside the zone beside them: {'; '.join(named)}{more}"
            found.append(InputNote(OUTSIDE_ZONE, len(outside), text))
    except (KeyError, TypeError, ValueError):
        return []
    return found


def _members(report: object, key: str) -> list[Any]:
    listed = report.get(key) if isinstance(report, Mapping) else None
    return listed if isinstance(listed, list) else []


def _unused(one: Mapping[str, Any]) -> str:
    examples = f": {', '.join(map(str, one['examples']))}" if one["examples"] else ""
    return (
        f"{one['source']}: {one['used']} of {one['rows']} rows used; {one['idle']} of merchants whom it cannot serve, "
        f"{one['unmatched']} of nobody{examples}"
    )


def _rows(findings: object) -> list[MapFinding]:
    listed = findings.get("findings") if isinstance(findings, Mapping) else None
    try:
        rows = [
            MapFinding(
                str(row["kind"]), str(row["dataset"]), str(row["subject"]), tuple(map(str, row["others"]))
            )
            for row in (listed if isinstance(listed, list) else ())
        ]
    except (KeyError, TypeError):
        return []
    return [row for row in rows if row.kind in _WHAT]


def _before(notes: str, rows: Sequence[MapFinding]) -> str:
    """The notes without the findings that end them."""
    told = "; ".join(row.sentence for row in rows)
    return notes.removesuffix(told).removesuffix("; ") if told else notes


def _of_kind(kind: str, rows: Sequence[MapFinding]) -> InputNote:
    ours = [row for row in rows if row.kind == kind]
    named = [
        f"{row.subject} ({', '.join(row.others)})" if row.others else row.subject for row in ours[:_SHOWN]
    ]
    more = f" and {len(ours) - _SHOWN} more" if len(ours) > _SHOWN else ""
    return InputNote(kind, len(ours), f"{len(ours)} {_WHAT[kind]}: {', '.join(named)}{more}")


def _short(text: str) -> str:
    return text if len(text) <= _SHOWN_TEXT else f"{text[:_SHOWN_TEXT]}..."
