"""Faults of what people write by hand: coordinates and overrides, and what a run says it used of them."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import polars as pl

from seg3b_assets_tests.faults.fault import Fault, forged
from seg3b_assets_tests.faults.forgery import Forgery

REPORT = "s1_run_report_3B"
SETTLEMENT = "virtual_settlement_3B"
NOBODY = 2**64 - 1
_SETTLING = "seg3b_assets.states.s1_classification.settlement"
_PAST = '"2026-10-31"'  # the embedded world was made on 2026-11-01
_PARIS = "48.8566,2.3522,https://example.org/seat,REGISTER,Europe/Paris,"

Joined = list[dict[str, Any]]


def joined_faults() -> Iterator[Fault]:
    """Used and unmatched keys told otherwise; anchors drawn where the policy refuses to draw."""
    yield from _told()
    yield from _drawn()


def _told() -> Iterator[Fault]:
    def told(name: str, change: Callable[[Joined], Joined | None], check: str = "S1.run_report") -> Fault:
        report = f"{check[:2].lower()}_run_report_3B"

        def lie(document: dict[str, Any]) -> dict[str, Any]:
            rows = [dict(row) for row in document.get("joined", [])]
            changed = change(rows)
            return document | {"joined": rows if changed is None else changed}

        return forged(
            report,
            name,
            check,
            Forgery(writes={report: lie}, world=with_coordinates, policies=with_overrides),
        )

    yield told("one row more is said to be used", _told_of("virtual_settlement_coords", used=1))
    yield told(
        "an id that is nobody's is said to be idle",
        _told_of("virtual_settlement_coords", idle=1, unmatched=-1),
    )
    yield told("rows left out of the count", _told_of("virtual_settlement_coords", rows=-1, idle=-1))
    yield told(
        "an id that is nobody's is not shown",
        lambda rows: _row(rows, "virtual_settlement_coords").update(examples=[]),
    )
    yield told(
        "a budget in vain is said to be used",
        _told_of("edge_topology:budget.merchants", used=1, unmatched=-1),
    )
    yield told(
        "an expired budget is said to be in force",
        _told_of("edge_topology:budget.merchants", expired=-1, rows=1, used=1),
    )
    yield told("a list of overrides is not spoken of", lambda rows: rows[:-1])
    yield told(
        "a list that nobody wrote is spoken of",
        lambda rows: [*rows, rows[-1] | {"source": "tz_overrides:edges"}],
    )
    yield told("nothing is said of what was used", lambda rows: [])
    yield told("another state says what was used of lists", lambda rows: [], "S2.s2_run_report_3B.contract")


def _told_of(source: str, **more: int) -> Callable[[Joined], None]:
    """Counts of a source raised by so many."""

    def change(rows: Joined) -> None:
        row = _row(rows, source)
        row.update({name: row[name] + by for name, by in more.items()})

    return change


def _row(rows: Joined, source: str) -> dict[str, Any]:
    return next(row for row in rows if row["source"] == source)


def _drawn() -> Iterator[Fault]:
    for name, world in (
        ("anchors drawn where the policy refuses to, in a world without coordinates", None),
        ("some anchors drawn where the policy refuses to", with_half_the_coordinates),
    ):
        forgery = Forgery(
            functions={f"{_SETTLING}:_require_none": _required_of_nobody}, world=world, policies=refusing
        )
        yield forged(SETTLEMENT, name, "S1.settlement_evidence", forgery)


def _required_of_nobody(true: Any) -> Any:
    return lambda missing, sources: None


def merchant_ids(world: Path) -> list[int]:
    """Ids of all merchants of a world, ascending."""
    [path] = world.glob("reference/layer1/transaction_schema_merchant_ids/*/*.parquet")
    return sorted(pl.read_parquet(path.read_bytes())["merchant_id"].to_list())


def with_coordinates(world: Path) -> None:
    """Give the world a coordinates file: all merchants have their seat in Paris, and so has somebody unknown."""
    _write_coordinates(world, [*merchant_ids(world), NOBODY])


def with_half_the_coordinates(world: Path) -> None:
    """Give the world a coordinates file of every second merchant."""
    _write_coordinates(world, merchant_ids(world)[::2])


def _write_coordinates(world: Path, merchants: list[int]) -> None:
    path = world / "artefacts/virtual/virtual_settlement_coords.csv"
    path.parent.mkdir(parents=True, exist_ok=True)
    header = "merchant_id,lat_deg,lon_deg,evidence_url,coord_source,tzid_settlement,notes"
    path.write_text("\n".join([header, *(f"{one},{_PARIS}" for one in merchants), ""]))


def with_overrides(policies: Path, world: Path) -> None:
    """Set budgets and routing modes by hand: for all merchants, for nobody, and until a day that is past."""
    first, second, *_ = merchant_ids(world)
    budgets = f"""  merchants:
    - {{merchant_id: {first}, edges: 77, reason: A contract says so}}
    - {{merchant_id: {second}, edges: 78, reason: A contract said so, expires: {_PAST}}}
    - {{merchant_id: {NOBODY}, edges: 79, reason: Nobody knows}}
"""
    modes = f"overrides:\n  - {{merchant_id: {first}, mode: hybrid, notes: Opens shops}}\n"
    _put(policies / "edge_topology.yaml", "  merchants: []\n", budgets)
    _put(policies / "virtual_routing_fields.yaml", "overrides: []\n", modes)


def refusing(policies: Path, _: Path) -> None:
    """Let the policy refuse a merchant without a coordinate."""
    _put(policies / "settlement.yaml", "missing_coordinate: draw\n", "missing_coordinate: refuse\n")


def _put(path: Path, old: str, new: str) -> None:
    text = path.read_text(encoding="utf-8")
    if text.count(old) != 1:
        raise ValueError(f"{path.name} no longer has one {old!r}")
    path.write_text(text.replace(old, new), encoding="utf-8")
