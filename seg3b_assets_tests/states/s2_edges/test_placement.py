"""Every edge lands inside its country and its tile; every zone follows the rule that names it."""

from __future__ import annotations

import numpy as np
import pytest
import shapely

from seg3b_assets.laws.errors import Seg3BError
from seg3b_assets.laws.geography import CountryPolygons
from seg3b_assets.laws.randomness import EDGE_JITTER, Stream, jitter_index, unit_interval
from seg3b_assets.states.s2_edges.placement import place, resolve_zones
from seg3b_assets_tests.states.s2_edges import toy_world

STREAM = Stream.of(toy_world.WORLD, EDGE_JITTER)


def test_every_accepted_point_is_covered_and_every_rejected_one_is_not() -> None:
    edges = toy_world.slots()
    attempts = place(edges, toy_world.tiles(edges), toy_world.polygons(), STREAM, 64)
    in_aa = edges.country[attempts.edge] == 0
    covered = np.where(
        in_aa,
        shapely.intersects_xy(toy_world.AA, attempts.lon, attempts.lat),
        shapely.intersects_xy(toy_world.ZZ, attempts.lon, attempts.lat),
    )
    assert (covered == attempts.accepted).all()
    assert np.bincount(attempts.edge[attempts.accepted], minlength=edges.total).tolist() == [1] * edges.total
    assert (~attempts.accepted).any()


def test_a_tile_across_the_antimeridian_yields_points_on_both_sides() -> None:
    edges = toy_world.slots()
    attempts = place(edges, toy_world.tiles(edges), toy_world.polygons(), STREAM, 64)
    lon = attempts.lon[edges.country[attempts.edge] == 1]
    assert (np.abs(lon) >= 178).all()
    assert (lon > 0).any() and (lon < 0).any()
    assert (lon > -180).all()


def test_attempts_are_ordered_consecutive_and_at_their_own_address() -> None:
    edges = toy_world.slots()
    attempts = place(edges, toy_world.tiles(edges), toy_world.polygons(), STREAM, 64)
    first = np.append(True, attempts.edge[1:] != attempts.edge[:-1])
    assert (attempts.attempt[first] == 1).all()
    assert (np.diff(attempts.attempt)[~first[1:]] == 1).all()
    assert (np.diff(attempts.edge) >= 0).all()
    words = STREAM.words(
        edges.merchant_id[attempts.edge], jitter_index(edges.address[attempts.edge], attempts.attempt)
    )
    assert (unit_interval(words[0]) == attempts.u_lon).all()
    assert (unit_interval(words[1]) == attempts.u_lat).all()


def test_an_edge_alone_lands_where_it_lands_among_others() -> None:
    many = toy_world.slots()
    one = toy_world.slots(merchants=1)
    among = place(many, toy_world.tiles(many), toy_world.polygons(), STREAM, 64)
    alone = place(one, toy_world.tiles(one), toy_world.polygons(), STREAM, 64)
    mine = among.edge < one.total
    assert (among.lon[mine] == alone.lon).all()
    assert (among.lat[mine] == alone.lat).all()


def test_exhaustion_names_merchant_tile_and_country() -> None:
    edges = toy_world.slots(merchants=2, budget=10)
    nowhere = shapely.box(50, 50, 51, 51)
    polygons = CountryPolygons.from_wkb(["AA", "ZZ"], [shapely.to_wkb(nowhere), shapely.to_wkb(toy_world.ZZ)])
    with pytest.raises(Seg3BError) as caught:
        place(edges, toy_world.tiles(edges), polygons, STREAM, 5)
    assert caught.value.code == "E3B_S2_JITTER_RESAMPLE_EXHAUSTED"
    assert {
        "merchant_id": 97,
        "tile_id": 7,
        "country_iso": "AA",
        "attempts": 5,
    }.items() <= caught.value.detail.items()


def test_zone_rules_polygon_nudge_override_and_failure() -> None:
    country = np.array(["AA", "AA", "ZZ", "ZZ"])
    # inside one zone; on the line two zones share; in a gap one nudge from a zone; in a gap out of reach
    lon, lat = np.array([1.0, 2.0, -180.0, 179.7]), np.array([1.0, 1.0, 0.0, 0.0])
    tzid, source = toy_world.zones({"ZZ": "Pacific/Tongatapu"}).resolve(country, lon, lat)
    assert tzid.tolist() == ["Europe/Paris", "Europe/Berlin", "Pacific/Fiji", "Pacific/Tongatapu"]
    assert source.tolist() == ["POLYGON", "NUDGE", "POLYGON", "OVERRIDE"]
    assert toy_world.zones().resolve(country, lon, lat)[1].tolist()[3] == ""


def test_a_point_no_rule_can_place_in_a_zone_is_an_error() -> None:
    edges = toy_world.slots(merchants=1, budget=10)
    lon = np.where(edges.country == 0, 1.0, 179.9)
    lat = np.where(edges.country == 0, 1.0, 0.0)
    with pytest.raises(Seg3BError) as caught:
        resolve_zones(edges, lon, lat, toy_world.zones(), workers=2)
    assert caught.value.code == "E3B_S2_TZ_RESOLUTION_FAILED"
    assert "tz_overrides.yaml" in caught.value.remedy


def test_a_zone_the_tz_database_does_not_know_is_an_error() -> None:
    edges = toy_world.slots(merchants=1, budget=10)
    lon = np.where(edges.country == 0, 1.0, 179.9)
    lat = np.where(edges.country == 0, 1.0, 0.0)
    with pytest.raises(Seg3BError) as caught:
        resolve_zones(edges, lon, lat, toy_world.zones({"ZZ": "Mars/Olympus"}), workers=1)
    assert caught.value.code == "E3B_S2_TZ_ASSET_INVALID"
