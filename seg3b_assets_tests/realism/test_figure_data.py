"""The frames behind the plots: recounted by another route, and whole."""

from __future__ import annotations

import math
from collections import Counter
from dataclasses import replace

import numpy as np
import polars as pl
import pytest
import shapely

from seg3b_assets.certification.evidence import plots_document
from seg3b_assets.contracts import contract
from seg3b_assets.laws.geography import CountryPolygons, haversine_km
from seg3b_assets.realism import figure_data as edge_plots
from seg3b_assets.realism import score_seed
from seg3b_assets.realism.figure_data import PLOT_FRAMES, PlotFrames, land_outline, plot_frames, read_frames
from seg3b_assets.realism.population import population_of, published_tables
from seg3b_assets_tests.realism.worlds import SOUND, enforced, policies

SEED = enforced(replace(SOUND, shared_points=(3, 2)))


@pytest.fixture(scope="module")
def frames() -> PlotFrames:
    tables = published_tables(SEED)
    return plot_frames(SEED, population_of(SEED, tables, policies().virtual_validation.pair_sample), tables)


def test_every_frame_has_its_columns_and_survives_the_document(frames: PlotFrames) -> None:
    document = plots_document(score_seed(SEED, policies(), workers=1))
    assert contract("validation_plots_seed_3B").check_document(document) == []
    again = read_frames(document["plots"])
    assert list(again) == list(frames) == list(PLOT_FRAMES)
    for name, frame in frames.items():
        assert frame.schema == PLOT_FRAMES[name]
        assert frame.equals(again[name])


def test_settlements_are_counted_by_point_zone_and_country(frames: PlotFrames) -> None:
    settlement = SEED.settlement
    points = Counter(settlement.select("lon_deg", "lat_deg").rows())
    assert sorted(frames["settlement_points"]["merchants"]) == sorted(points.values())
    assert Counter(points.values())[3] == Counter(points.values())[2] == 1
    zones = Counter(settlement["tzid_settlement"])
    assert dict(frames["settlement_zones"].rows()) == zones
    assert frames["settlement_zones"]["merchants"].is_sorted(descending=True)
    own = frames["merchants"].join(settlement, on="merchant_id").group_by("settlement_country")
    medians = own.agg(pl.col("settlement_overlap").median(), merchants=pl.len())
    both = frames["settlement_countries"].join(medians, left_on="country_iso", right_on="settlement_country")
    assert both.height == medians.height
    assert both["merchants"].equals(both["merchants_right"], check_names=False)
    assert np.allclose(both["overlap_p50"], both["settlement_overlap"], atol=1e-9)


def test_a_merchants_facts_are_those_of_its_edges(frames: PlotFrames) -> None:
    facts = frames["merchants"].row(7, named=True)
    own = SEED.edges.filter(pl.col("merchant_id") == facts["merchant_id"])
    by_country: Counter[str] = Counter()
    for country, weight in own.select("country_iso", "edge_weight").rows():
        by_country[country] += weight
    assert facts["edges"] == facts["alias_length"] == own.height
    assert facts["countries"] == len(by_country)
    assert facts["top1_share"] == pytest.approx(own["edge_weight"].max(), abs=1e-9)
    assert facts["top1_country_share"] == pytest.approx(max(by_country.values()), abs=1e-9)
    entropy = -sum(share * math.log(share) for share in by_country.values())
    assert facts["country_entropy_nats"] == pytest.approx(entropy, abs=1e-9)
    profile = frames["merchant_profiles"].filter(pl.col("merchant") == 7)["share"]
    ranked = sorted(by_country.values(), reverse=True)
    assert profile.to_list() == pytest.approx(ranked[: profile.len()], abs=1e-6)


def test_the_country_profile_averages_over_merchants(frames: PlotFrames) -> None:
    profile = frames["country_profile"]
    assert profile["mean_share"].sum() == pytest.approx(1.0, abs=1e-7)
    assert profile["edges"].sum() == SEED.edges.height
    heaviest = profile.row(0, named=True)
    own = SEED.edges.filter(pl.col("country_iso") == heaviest["country_iso"])
    assert heaviest["merchants"] == own["merchant_id"].n_unique()
    mean = own["edge_weight"].sum() / SEED.settlement.height
    assert heaviest["mean_share"] == pytest.approx(mean, abs=1e-9)


def test_the_bins_hold_every_edge_once(frames: PlotFrames) -> None:
    for name in ("edge_density", "edge_distances", "edge_decoding", "edge_decoding_errors"):
        assert frames[name]["edges"].sum() == SEED.edges.height
    assert frames["edge_distances"]["weight"].sum() == pytest.approx(1.0, abs=1e-7)
    joined = SEED.edges.join(SEED.settlement, on="merchant_id", suffix="_home")
    columns = ("lon_deg", "lat_deg", "lon_deg_home", "lat_deg_home")
    distance = haversine_km(*(joined[name].to_numpy() for name in columns))
    counted = np.histogram(distance, np.arange(frames["edge_distances"].height + 1) * 250)[0]
    assert frames["edge_distances"]["edges"].to_list() == counted.tolist()


def test_a_weight_that_decodes_lies_on_the_diagonal(frames: PlotFrames) -> None:
    decoding = frames["edge_decoding"]
    assert (decoding["weight_bin"] - decoding["decoded_bin"]).abs().max() in (0, 1)
    assert frames["edge_decoding_errors"]["decade"].max() < -9
    assert edge_plots.log_bin(np.array([1.0, 0.1, 0.0999, 1e-12])).tolist() == [0, -10, -11, -120]


def test_cells_of_the_density_have_one_area() -> None:
    corners = pl.DataFrame({"lon_deg": [-180.0, 180.0, 0.0], "lat_deg": [-90.0, 90.0, 0.0]})
    found = edge_plots.density(corners).rows()
    assert found == [(0, 0, 1), (60, 36, 1), (119, 71, 1)]


def test_the_land_is_closed_rings_without_specks() -> None:
    square = shapely.box(0, 0, 10, 10).segmentize(0.5)
    specks = shapely.box(20, 20, 20.5, 20.5)
    land = land_outline(CountryPolygons({"AA": shapely.MultiPolygon([square, specks])}))
    assert land["ring"].unique().to_list() == [0]
    assert land.row(0) == land.row(-1)
    assert land.height == 5
    assert land_outline(None).is_empty()
