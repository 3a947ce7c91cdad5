"""The maps before anybody uses them: what is refused, all at once and by name, and what is told and allowed."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Any

import orjson
import polars as pl
import pytest
import shapely
from shapely import box

from seg3b_assets.contracts import contract
from seg3b_assets.laws.errors import Seg3BError
from seg3b_assets.states import s0_gate
from seg3b_assets_tests.states.miniature_upstream import Tables, countries, write_root, zones
from seg3b_assets_tests.states.staged import Staged, staged_run

BOWTIE = shapely.Polygon([(0, 44), (4, 48), (4, 44), (0, 48)])


def run(tmp_path: Path, **tables: pl.DataFrame) -> Staged:
    return staged_run(s0_gate, write_root(tmp_path / "upstream", replace(Tables(), **tables)), tmp_path)


def refused(tmp_path: Path, **tables: pl.DataFrame) -> Seg3BError:
    with pytest.raises(Seg3BError) as caught:
        run(tmp_path, **tables)
    return caught.value


def document(staged: Staged, dataset_id: str = "input_findings_3B") -> Any:
    value = orjson.loads(staged.path(dataset_id).read_bytes())
    assert contract(dataset_id).check_document(value) == []
    return value


def test_sound_maps_are_nothing_to_speak_of_but_for_the_priors_countries(tmp_path: Path) -> None:
    staged = run(tmp_path)
    found = document(staged)
    assert {row["kind"] for row in found["findings"]} == {"COUNTRY_LEFT_PRIOR"}
    assert not {"FR", "GB", "MT"} & set(found["left_prior"])
    assert {"DE", "US"} <= set(found["left_prior"])
    assert found["countries_without"]["polygon"] == found["left_prior"]
    notes = document(staged, "s0_gate_receipt_3B")["notes"]
    assert "cdn_country_weights: DE left the prior, being without polygon, tiles, zones" in notes


def test_every_country_that_is_no_border_is_named_in_one_refusal(tmp_path: Path) -> None:
    error = refused(tmp_path, countries=countries(FR=BOWTIE, MT=shapely.Point(14, 35)))
    assert error.code == "E3B_S0_INPUT_SCHEMA_MISMATCH"
    assert [(row["row"], row["fault"]) for row in error.detail["faults"]] == [
        ("FR", "self-crossing"),
        ("MT", "type"),
    ]
    assert error.place == "world_countries.geom: FR, MT"


@pytest.mark.parametrize(
    ("shape", "fault"),
    [
        (box(44, 0, 48, 4), "axes swapped"),
        (box(100, 10, 104, 14), "outside its own tiles"),
        (box(-180, 40, 180, 48), "a ring wider than 180 degrees"),
        (box(0, 0, 445_000, 5_465_442), "coordinates out of range"),
    ],
)
def test_a_country_that_lies_where_its_tiles_do_not_is_named(
    tmp_path: Path, shape: shapely.Geometry, fault: str
) -> None:
    error = refused(tmp_path, countries=countries(FR=shape))
    assert [(row["row"], row["fault"]) for row in error.detail["faults"]] == [("FR", fault)]


def test_zones_are_looked_at_too_and_named_with_their_country(tmp_path: Path) -> None:
    spoilt = zones().with_columns(
        geometry=pl.when(pl.col("country_iso") == "MT")
        .then(pl.lit(shapely.to_wkb(box(35, 14, 36, 15))))
        .when(pl.col("country_iso") == "FR")
        .then(pl.lit(shapely.to_wkb(BOWTIE)))
        .otherwise("geometry")
    )
    error = refused(tmp_path, zones=spoilt)
    assert error.place == "tz_world.geometry: Europe/Paris (FR), Europe/Malta (MT)"
    assert [row["fault"] for row in error.detail["faults"]] == ["self-crossing", "axes swapped"]


def test_zones_that_overlap_are_no_fault_and_old_names_are_told(tmp_path: Path) -> None:
    old = pl.DataFrame(
        {
            "tzid": ["Europe/Paris", "Asia/Calcutta", "GB", "Europe/Malta"],
            "country_iso": ["FR", "FR", "GB", "MT"],
            "geometry": [*zones()["geometry"][:1], *zones()["geometry"].to_list()],
        }
    )
    told = [row for row in document(run(tmp_path, zones=old))["findings"] if row["dataset"] == "tz_world"]
    assert [(row["subject"], row["others"]) for row in told] == [
        ("Asia/Calcutta", ["Asia/Kolkata"]),
        ("GB", ["Europe/London"]),
    ]


@pytest.mark.parametrize(
    ("shapes", "told"),
    [
        ({"FR": box(-6, 44, 4, 55)}, [("FR", ["GB"])]),
        ({"GB": box(0, 44, 4, 48).union(box(-4, 50, 0, 54))}, [("GB", ["FR"])]),
        ({"FR": box(-4, 44, 16, 54)}, [("FR", ["GB"])]),
        ({"FR": box(-4, 34, 16, 54)}, [("FR", ["GB", "MT"])]),
        ({"FR": box(-0.04, 44, 4, 54)}, [("FR", ["GB"])]),  # a hundredth of the smaller one
        (
            {"FR": box(-0.03, 44, 4, 54)},
            [],
        ),  # a sliver: neither a tenth of a degree wide nor a hundredth of it
        ({"FR": box(0, 44, 4, 54)}, []),  # a common border
    ],
)
def test_a_country_that_overlaps_smaller_ones_is_told_once(
    tmp_path: Path, shapes: dict[str, shapely.Geometry], told: list[tuple[str, list[str]]]
) -> None:
    staged = run(tmp_path, countries=countries(**shapes))
    found = [row for row in document(staged)["findings"] if row["kind"] == "COUNTRIES_OVERLAP"]
    assert [(row["subject"], row["others"]) for row in found] == told
    notes = document(staged, "s0_gate_receipt_3B").get("notes", "")
    assert all(f"world_countries: {large} overlaps {', '.join(small)}" in notes for large, small in told)


def test_a_table_of_zones_without_countries_gives_each_country_what_it_meets(tmp_path: Path) -> None:
    anywhere = zones().select("tzid", polygon_id=pl.int_range(pl.len(), dtype=pl.Int32), geometry="geometry")
    found = document(run(tmp_path, zones=anywhere))
    assert not {"FR", "GB", "MT"} & set(found["countries_without"]["zones"])
    error = refused(tmp_path / "less", zones=anywhere[:2])
    assert error.detail["countries"] == {"MT": ["zones"]}


def test_every_home_without_its_maps_is_named_with_what_it_lacks(tmp_path: Path) -> None:
    error = refused(tmp_path, countries=countries()[1:], zones=zones()[:2])
    assert error.validator == "homes_covered"
    assert error.detail["countries"] == {"FR": ["polygon"], "MT": ["zones"]}
    assert error.detail["merchants"] == 27


def test_seats_and_a_prior_that_refuses_are_policies_to_mend(tmp_path: Path) -> None:
    from seg3b_assets.states.s0_gate.findings import _lacking, uncovered_policies  # noqa: PLC0415
    from seg3b_assets_tests.states.s1_classification.test_settlement import SHIPPED  # noqa: PLC0415

    nowhere = dict.fromkeys(("polygon", "tiles", "zones"), frozenset({"IE"}))
    error = next(uncovered_policies(SHIPPED, nowhere))
    assert error.code == "E3B_S0_POLICY_SCHEMA_INVALID"
    seats = {seat.country_iso for rule in SHIPPED.settlement.seat_rules for seat in rule.jurisdictions}
    assert set(error.detail["countries"]) == seats - {"IE"}
    assert _lacking(["IE"], nowhere) == {}
