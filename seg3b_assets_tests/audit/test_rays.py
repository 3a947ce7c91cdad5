"""Ray casting agrees with the geometry library wherever a point is clear of the rings."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import polars as pl
import shapely
from hypothesis import given
from hypothesis import strategies as st

from seg3b_assets.audit import AuditTree, audit
from seg3b_assets.audit.findings import Findings
from seg3b_assets.audit.maps import read_maps
from seg3b_assets.audit.rays import crossings
from seg3b_assets.audit.tree import Desk
from seg3b_assets.audit.tree_checks import verify_specs

RING = shapely.Polygon([(0, 0), (10, 0), (10, 10), (0, 10)], [[(2, 2), (8, 2), (8, 8), (2, 8)]])
TWO = shapely.MultiPolygon([RING, shapely.Polygon([(4, 4), (6, 4), (5, 6)])])


@given(st.lists(st.tuples(st.floats(-1, 11), st.floats(-1, 11)), min_size=1, max_size=40))
def test_holes_and_parts_are_told_apart(points: list[tuple[float, float]]) -> None:
    lon, lat = np.array(points).T
    inside, clear = crossings(TWO, lon, lat)
    expected = shapely.intersects_xy(TWO, lon, lat)
    np.testing.assert_array_equal(inside[clear], expected[clear])


def test_a_point_on_the_ring_is_left_out() -> None:
    _, clear = crossings(RING, np.array([0.0, 5.0, 10.0]), np.array([5.0, 2.0, 10.0]))
    assert not clear.any()


def test_real_countries_and_their_zones_agree(tree: AuditTree) -> None:
    maps = read_maps(Desk(tree, Findings(verify_specs()), 1))
    assert maps is not None
    places = pl.read_parquet(sorted(tree.inputs["settlement_gazetteer"].glob("*.parquet"))).filter(
        pl.col("country_iso").is_in(["NO", "ID", "RU"])
    )
    for (iso,), rows in places.group_by("country_iso"):
        lon, lat = (rows[name].to_numpy()[:200] for name in ("lon_deg", "lat_deg"))
        polygon = maps.countries.by_country[str(iso)]
        inside, clear = crossings(polygon, lon, lat)
        np.testing.assert_array_equal(inside[clear], maps.countries.covers(str(iso), lon, lat)[clear])
        assert clear.mean() > 0.95


def test_a_library_that_takes_every_point_is_found_out(tree: AuditTree, monkeypatch) -> None:  # type: ignore[no-untyped-def]
    """Rejected attempts that the library would take are still rejected by rays, and the log says so."""
    monkeypatch.setattr(
        "seg3b_assets.audit.rays._in_countries", lambda maps, country, lon, lat: (lon > 999, lon < 999)
    )
    report = audit(replace(tree))
    assert [result.check_id for result in report.failed if "published" not in result.check_id] == [
        "S2.edge_in_country"
    ]
    [found] = report.failed
    assert found.example is not None and found.example["route"] == "ray casting"
