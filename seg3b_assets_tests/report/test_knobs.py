"""A knob that is named is the right one, and turning it by what is said leads where is said."""

from __future__ import annotations

import re
from dataclasses import replace
from typing import Any

import polars as pl
import pytest

from seg3b_assets.certification.documents import Failure
from seg3b_assets.report.material import ReportMaterial
from seg3b_assets.report.summary_section import actions, knob
from seg3b_assets_tests.realism.worlds import SOUND
from seg3b_assets_tests.report.material import FLAT, material

SEED = 42


@pytest.fixture(scope="module")
def shown() -> ReportMaterial:
    return material((SOUND, FLAT))


def failure(metric: str, observed: Any, threshold: Any, **more: Any) -> Failure:
    bounds = {"operator": "range" if isinstance(threshold, list) else "<=", "threshold": threshold}
    missed = {"pass": False, "miss_abs": 1.0, "miss_pct": 1.0, "margin": -0.01}
    place = {"gate": "3B-D01", "level": "hard", "state": "S1", "lane": "settlement", "fault_domain": "policy"}
    return Failure.of(
        {"metric": metric, "observed": observed, "seed": SEED, **bounds, **missed, **place, **more}
    )


def told(shown: ReportMaterial, found: Failure, **frames: pl.DataFrame) -> str:
    plots = {SEED: {**shown.plots[SEED], **frames}}
    return knob(replace(shown, plots=plots), found)


def factor(sentence: str) -> float:
    found = re.search(r"(?:Multiply|by) .*?\bby ([0-9.]+)", sentence) or re.search(r"by ([0-9.]+)", sentence)
    assert found, sentence
    return float(found[1].rstrip("."))


def groups(*rows: tuple[int, str, int, int]) -> pl.DataFrame:
    return pl.DataFrame(rows, schema=["mcc", "channel", "rows", "virtual"], orient="row")


@pytest.mark.parametrize("virtual", [3, 12, 150, 400])
def test_a_rate_outside_its_band_is_brought_to_its_middle(shown: ReportMaterial, virtual: int) -> None:
    frame = groups((5411, "card_present", 500, 0), (5815, "card_not_present", 500, virtual))
    sentence = told(
        shown, failure("virtual_rate", virtual / 1000, [0.02, 0.08]), virtual_rate_by_mcc_channel=frame
    )
    assert "policies/mcc_channel_rules.yaml" in sentence and "MCC 5815 card_not_present" in sentence
    assert virtual * factor(sentence) == pytest.approx(50, rel=0.01)


def test_a_rate_that_no_propensity_reaches_asks_for_rules(shown: ReportMaterial) -> None:
    frame = groups(
        (4900, "card_not_present", 300, 0), (5411, "card_present", 690, 0), (5815, "card_not_present", 10, 9)
    )
    sentence = told(shown, failure("virtual_rate", 0.009, [0.02, 0.08]), virtual_rate_by_mcc_channel=frame)
    assert sentence.startswith("Even at propensity 1 the rules reach 1")
    assert "MCC 4900 (30" in sentence and "5411" not in sentence


def test_a_world_without_online_merchants_is_told_so(shown: ReportMaterial) -> None:
    frame = groups((5411, "card_present", 690, 0))
    sentence = told(shown, failure("virtual_rate", 0.0, [0.02, 0.08]), virtual_rate_by_mcc_channel=frame)
    assert "no card_not_present merchants" in sentence


def test_rules_at_work_are_counted(shown: ReportMaterial) -> None:
    frame = groups((4900, "card_not_present", 300, 0), (5815, "card_not_present", 10, 9))
    sentence = told(shown, failure("active_rule_id_count", 2, 5), virtual_rate_by_mcc_channel=frame)
    assert sentence.startswith("3 more rules must find merchants") and "MCC 4900" in sentence


@pytest.mark.parametrize(("top", "rest", "bound"), [(50, 50, 0.25), (90, 10, 0.18), (30, 70, 0.25)])
def test_a_zones_share_is_brought_to_its_bound(
    shown: ReportMaterial, top: int, rest: int, bound: float
) -> None:
    zones = pl.DataFrame({"tzid_settlement": ["Europe/Dublin", "Asia/Tokyo"], "merchants": [top, rest]})
    found = failure("settlement_tzid_top1_share", top / (top + rest), bound)
    sentence = told(shown, found, settlement_zones=zones)
    assert "Europe/Dublin" in sentence and "policies/settlement.yaml" in sentence
    left = top * factor(sentence)
    assert left / (left + rest) == pytest.approx(bound, rel=0.02)


def test_one_zone_for_all_asks_for_seats_elsewhere(shown: ReportMaterial) -> None:
    zones = pl.DataFrame({"tzid_settlement": ["Europe/Dublin"], "merchants": [9]})
    sentence = told(shown, failure("settlement_tzid_top1_share", 1.0, 0.25), settlement_zones=zones)
    assert sentence.startswith("Every merchant settles in Europe/Dublin")


@pytest.mark.parametrize("metric", ["settlement_unique_coord_ratio", "settlement_duplicate_exposure"])
def test_shared_places_name_their_capacity(shown: ReportMaterial, metric: str) -> None:
    points = pl.DataFrame({"lon_deg": [1.0, 2.0], "lat_deg": [1.0, 2.0], "merchants": [5, 1]})
    sentence = told(shown, failure(metric, 0.3, 0.2), settlement_points=points)
    assert "1 place holds more than one" in sentence and factor(sentence) == 0.25


@pytest.mark.parametrize(
    "found",
    [
        failure("edges_per_merchant_cv", 0.1, 0.25),
        failure("virtual_rate", None, [0.02, 0.08]),
        failure("virtual_rate", 0.1, [0.02, 0.08], seed=None),
        failure("virtual_rate", 0.1, 0.2, statistic="cv_over_seeds"),
    ],
)
def test_what_a_mix_cannot_cause_has_no_knob(shown: ReportMaterial, found: Failure) -> None:
    assert knob(shown, found) == ""


def test_the_report_says_it_beside_the_gate(shown: ReportMaterial) -> None:
    worst = failure("settlement_tzid_top1_share", 0.5, 0.25)
    zones = pl.DataFrame({"tzid_settlement": ["Europe/Dublin", "Asia/Tokyo"], "merchants": [5, 5]})
    plots = {seed: {**frames, "settlement_zones": zones} for seed, frames in shown.plots.items()}
    summary = shown.summary.model_copy(update={"ranked_failures": (worst,)})
    first = next(actions(replace(shown, plots=plots, summary=summary)))
    assert (
        first.startswith("D01 (hard) fails on seed 42")
        and "5 of 10 merchants settle in Europe/Dublin" in first
    )
