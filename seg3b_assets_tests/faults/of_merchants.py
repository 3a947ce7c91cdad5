"""Faults of S1's tables: who is virtual and why, and where it is settled."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any

import numpy as np
import polars as pl

from seg3b_assets.laws.hashing import sha256_json
from seg3b_assets_tests.faults import edits
from seg3b_assets_tests.faults.edited_tree import Tree
from seg3b_assets_tests.faults.fault import Fault, edited, forged
from seg3b_assets_tests.faults.forgery import Forgery

CLASSIFICATION = "virtual_classification_3B"
LINEAGE = "virtual_classification_lineage_3B"
SETTLEMENT = "virtual_settlement_3B"
COUNTRIES = "virtual_settlement_lineage_3B"

_S1 = "seg3b_assets.states.s1_classification"
# Networks are recomputed from where a merchant ought to be settled, not from where the lie puts it.
_SEATED = ("S2.country_counts", "S2.profile_class", "S2.profile_guards")


def merchant_faults() -> Iterator[Fault]:
    """Classification and settlement."""
    yield from _classification()
    yield from _lineage()
    yield from _settlement()
    yield from _settlement_lineage()
    yield from _forged()


def _classification() -> Iterator[Fault]:
    def cells(row: int, **values: Any) -> Callable[[Tree], None]:
        return lambda tree: tree.table(CLASSIFICATION, edits.set_cell(row, **values))

    results = "S4.results"
    digest = "S1.classification_digest"
    yield edited(
        CLASSIFICATION,
        "a merchant dropped",
        "S1.merchant_set",
        lambda tree: tree.table(CLASSIFICATION, edits.drop_row(5)),
        (results,),
    )
    yield edited(
        CLASSIFICATION,
        "a rule that does not exist",
        "S1.rule_lineage",
        cells(5, rule_id="NO_SUCH_RULE"),
        (f"S1.{CLASSIFICATION}.contract", "S1.decision", digest, results),
    )
    yield edited(
        CLASSIFICATION,
        "a rule's version",
        "S1.rule_lineage",
        cells(5, rule_version="9.9.9"),
        ("S1.decision", digest, results),
    )
    yield edited(
        CLASSIFICATION,
        "a source policy's version",
        "S1.rule_lineage",
        cells(5, source_policy_version="9.9.9"),
        (results,),
    )
    yield edited(
        CLASSIFICATION, "a decision turned", "S1.decision", _turned, (digest, "S1.settlement_set", results)
    )
    yield edited(
        CLASSIFICATION,
        "a reason",
        "S1.decision",
        cells(5, decision_reason="OVERRIDE_ACCEPT"),
        (f"S1.{CLASSIFICATION}.contract", results),
    )
    yield edited(CLASSIFICATION, "a row digest zeroed", digest, cells(5, classification_digest="0" * 64))
    yield edited(
        CLASSIFICATION,
        "two row digests exchanged",
        digest,
        lambda tree: tree.table(CLASSIFICATION, _exchanged("classification_digest")),
    )
    yield edited(
        CLASSIFICATION,
        "a digest in capitals",
        f"S1.{CLASSIFICATION}.contract",
        lambda tree: tree.table(
            CLASSIFICATION,
            lambda frame: edits.set_cell(5, classification_digest=frame["classification_digest"][5].upper())(
                frame
            ),
        ),
        (digest,),
    )
    yield edited(CLASSIFICATION, "a note nobody wrote", "S1.notes", cells(5, notes="seen and approved"))


def _lineage() -> Iterator[Fault]:
    def change(name: str, alter: edits.Change, *also: str, check: str = "S1.lineage") -> Fault:
        return edited(LINEAGE, name, check, lambda tree: tree.table(LINEAGE, alter), also)

    own = f"S1.{LINEAGE}.contract"
    yield change("a rule's priority", _raised("rule_priority"))
    yield change("a rule's propensity", _where("propensity", 0.123456789))
    yield change("a draw just below the propensity", _draw_at_the_propensity)
    yield change("a draw off by one ulp", _next_draw)
    yield change("a draw that was never made", _draw_made_up)
    yield change("a draw left out", _where("propensity_draw", None))
    yield change("a reason of another rule", _where("reason_code", "NO_SUCH_REASON"))
    yield change("rules passed over", edits.add_to("rules_passed_over", 5, 1))
    yield change("a rule's decision", _decision_turned)
    yield change("another rule in the lineage", edits.set_cell(5, rule_id="NO_SUCH_RULE"), own)
    yield change("a merchant's lineage dropped", edits.drop_row(5), check="S1.lineage_set")


def _settlement_lineage() -> Iterator[Fault]:
    def change(name: str, alter: edits.Change, *also: str, check: str = "S1.settlement_lineage") -> Fault:
        return edited(COUNTRIES, name, check, lambda tree: tree.table(COUNTRIES, alter), also)

    own = f"S1.{COUNTRIES}.contract"
    yield change("a merchant settled in another country", edits.set_cell(2, settlement_country_iso="AQ"))
    yield change("a merchant settled at another place", edits.set_cell(2, place_id="GN:1"))
    yield change("an anchor said to be ingested", edits.set_cell(2, decided_by="HOME", place_id=None))
    yield change("a merchant settled nowhere", edits.set_cell(2, settlement_country_iso=None), own)
    yield change("a merchant's country dropped", edits.drop_row(2), check="S1.settlement_lineage_set")


def _raised(column: str) -> edits.Change:
    return lambda frame: edits.add_to(column, int(frame[column].is_not_null().arg_true()[0]), 1)(frame)


def _where(column: str, value: Any) -> edits.Change:
    """Another value in the first row that has one."""
    return lambda frame: edits.set_cell(int(frame[column].is_not_null().arg_true()[0]), **{column: value})(
        frame
    )


def _draw_at_the_propensity(frame: pl.DataFrame) -> pl.DataFrame:
    row = int(frame["propensity_draw"].is_not_null().arg_true()[0])
    return edits.set_cell(row, propensity_draw=float(np.nextafter(frame["propensity"][row], 0.0)))(frame)


def _next_draw(frame: pl.DataFrame) -> pl.DataFrame:
    row = int(frame["propensity_draw"].is_not_null().arg_true()[0])
    return edits.next_float("propensity_draw", row)(frame)


def _draw_made_up(frame: pl.DataFrame) -> pl.DataFrame:
    ruled = (frame["decision_reason"] == "RULE_MATCH") & frame["propensity_draw"].is_null()
    return edits.set_cell(int(ruled.arg_true()[0]), propensity_draw=0.5)(frame)


def _decision_turned(frame: pl.DataFrame) -> pl.DataFrame:
    row = int((frame["decision"] == "virtual").arg_true()[0])
    return edits.set_cell(row, decision="hybrid")(frame)


def _turned(tree: Tree) -> None:
    def change(frame: pl.DataFrame) -> pl.DataFrame:
        row = int(frame["is_virtual"].not_().arg_true()[0])
        return edits.set_cell(row, is_virtual=True, virtual_mode="VIRTUAL_ONLY")(frame)

    tree.table(CLASSIFICATION, change)


def _exchanged(column: str) -> edits.Change:
    def change(frame: pl.DataFrame) -> pl.DataFrame:
        first, second = frame[column][4], frame[column][5]
        return edits.set_cell(5, **{column: first})(edits.set_cell(4, **{column: second})(frame))

    return change


def _settlement() -> Iterator[Fault]:
    def cells(row: int, **values: Any) -> Callable[[Tree], None]:
        return lambda tree: tree.table(SETTLEMENT, edits.set_cell(row, **values))

    moved = (
        "S1.settlement_coordinate",
        "S1.settlement_place",
        "S1.settlement_coord_digest",
        "S1.settlement_country",
        "S1.settlement_zone",
        "S2.profile_class",
        "S2.profile_metrics",
        "S4.results",
        "S2.country_counts",
        "S2.edge_weight",
        "S2.profile_guards",
    )
    point, digest = "S1.settlement_coordinate", "S1.settlement_coord_digest"
    yield edited(
        SETTLEMENT,
        "a settlement dropped",
        "S1.settlement_set",
        lambda tree: tree.table(SETTLEMENT, edits.drop_row(2)),
        ("S2.merchant_set", "S2.profile_class", "S2.profile_metrics", "S4.results", *moved),
    )
    yield edited(
        SETTLEMENT, "a settlement in the gulf of Guinea", point, cells(2, lat_deg=0.5, lon_deg=0.5), moved
    )
    yield edited(
        SETTLEMENT,
        "a settlement off by one ulp",
        point,
        lambda tree: tree.table(SETTLEMENT, edits.next_float("lat_deg", 2)),
        moved,
    )
    yield edited(
        SETTLEMENT, "a settlement at another's place", "S1.settlement_place", _at_anothers_place, moved
    )
    yield edited(
        SETTLEMENT,
        "longitude and latitude exchanged",
        point,
        lambda tree: tree.table(
            SETTLEMENT,
            lambda frame: edits.set_cell(
                2, lat_deg=max(-90.0, min(90.0, frame["lon_deg"][2])), lon_deg=frame["lat_deg"][2]
            )(frame),
        ),
        moved,
    )
    yield edited(
        SETTLEMENT,
        "a latitude that is no number",
        f"S1.{SETTLEMENT}.contract",
        cells(2, lat_deg=float("nan")),
        (point, *moved),
    )
    yield edited(
        SETTLEMENT,
        "a latitude beyond the pole",
        f"S1.{SETTLEMENT}.contract",
        cells(2, lat_deg=90.5),
        (point, *moved),
    )
    yield edited(
        SETTLEMENT, "a settlement's id", "S1.settlement_site_id", cells(2, settlement_site_id="0" * 16)
    )
    yield edited(
        SETTLEMENT,
        "two settlements' ids exchanged",
        "S1.settlement_site_id",
        lambda tree: tree.table(SETTLEMENT, _exchanged("settlement_site_id")),
    )
    yield edited(SETTLEMENT, "a settlement's digest", digest, cells(2, settlement_coord_digest="0" * 64))
    yield edited(
        SETTLEMENT,
        "a settlement's zone",
        "S1.settlement_zone",
        cells(2, tzid_settlement="Antarctica/Vostok"),
        ("S4.results",),
    )
    yield edited(
        SETTLEMENT,
        "an unreal zone",
        f"S1.{SETTLEMENT}.contract",
        cells(2, tzid_settlement="Moon/Tycho"),
        ("S1.settlement_zone", "S4.results"),
    )
    yield edited(
        SETTLEMENT,
        "a settlement said to be ingested",
        "S1.settlement_zone",
        cells(2, tz_source="INGEST"),
        ("S1.settlement_source", f"S1.{SETTLEMENT}.contract"),
    )
    yield edited(
        SETTLEMENT,
        "a settlement's source",
        "S1.settlement_source",
        cells(2, coord_source_id="somewhere"),
        ("S2.summary",),
    )
    yield edited(
        SETTLEMENT,
        "evidence for what was drawn",
        "S1.settlement_source",
        cells(2, evidence_url="https://example.org/registry"),
    )
    yield edited(
        SETTLEMENT, "zone policies of another run", "S1.tz_policy_digest", cells(2, tz_policy_digest="0" * 64)
    )


def _at_anothers_place(tree: Tree) -> None:
    """With the digest that belongs to the other place: only the country gives it away."""

    def change(frame: pl.DataFrame) -> pl.DataFrame:
        other = next(row for row in range(frame.height) if frame["lat_deg"][row] != frame["lat_deg"][2])
        values = {name: frame[name][other] for name in ("lat_deg", "lon_deg", "tzid_settlement")}
        return edits.set_cell(2, **values)(frame)

    tree.table(SETTLEMENT, change)


def _forged() -> Iterator[Fault]:
    """S1 lies and everything after it follows."""
    yield forged(
        SETTLEMENT,
        "a settlement moved to another place of its country, and all that follows",
        "S1.settlement_place",
        Forgery(functions={f"{_S1}.anchors:CountryPlaces.assign": _last_place_for_the_first}),
        ("S1.settlement_lineage",),
    )
    yield forged(
        SETTLEMENT,
        "settlements drawn without regard to capacity",
        "S1.settlement_place",
        Forgery(functions={f"{_S1}.anchors:CountryPlaces.assign": _first_attempt_only}),
        ("S1.settlement_lineage",),
    )
    yield forged(
        SETTLEMENT,
        "every merchant seated at home",
        "S1.settlement_coordinate",
        Forgery(functions={f"{_S1}.gazetteer:legal_countries": _all_at_home}),
        (
            "S1.settlement_country",
            "S1.settlement_zone",
            "S1.settlement_place",
            "S1.settlement_lineage",
            *_SEATED,
        ),
    )
    yield forged(
        CLASSIFICATION,
        "a merchant declared virtual, and all that follows",
        "S1.decision",
        Forgery(functions={f"{_S1}.state:classification_tables": _one_more_virtual}),
        ("S1.classification_digest", "S1.settlement_place", "S1.settlement_lineage_set", *_SEATED),
    )


def _last_place_for_the_first(true: Any) -> Any:
    def assign(places: Any, stream: Any, merchants: Any, max_attempts: int) -> Any:
        chosen = true(places, stream, merchants, max_attempts).copy()
        last = places.capacity.shape[0] - 1
        chosen[0] = last if chosen[0] != last else 0
        return chosen

    return assign


def _first_attempt_only(true: Any) -> Any:
    def assign(places: Any, stream: Any, merchants: Any, max_attempts: int) -> Any:
        # With one merchant a place the capacities do not bind: take the second attempt to see a difference.
        return places.picks(stream, merchants, range(1, 2))[:, 0]

    return assign


def _all_at_home(true: Any) -> Any:
    def legal(merchants: pl.DataFrame, *_: Any) -> Any:
        return merchants["home_country_iso"].to_numpy().astype("U2")

    return legal


def _one_more_virtual(true: Any) -> Any:
    def tables(merchants: pl.DataFrame, policies: Any, identity: Any) -> tuple[pl.DataFrame, pl.DataFrame]:
        frame, lineage = true(merchants, policies, identity)
        row = int(np.flatnonzero(~frame["is_virtual"].to_numpy())[0])
        facts = merchants.row(row, named=True)
        digest = sha256_json(
            {name: facts[name] for name in ("merchant_id", "mcc", "channel", "home_country_iso")}
            | {name: frame[name][row] for name in ("rule_id", "rule_version")}
            | {
                "seed": identity.seed,
                "decision": "virtual",
                "policy_sha256": policies.files["mcc_channel_rules"].sha256,
            }
        )
        declared = edits.set_cell(
            row, is_virtual=True, virtual_mode="VIRTUAL_ONLY", classification_digest=digest
        )
        return declared(frame), lineage

    return tables
