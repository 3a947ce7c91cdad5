"""What realism is given: whole seeds only, settlements located by polygon."""

from __future__ import annotations

from dataclasses import replace

import polars as pl
import pytest
import shapely

from seg3b_assets.laws.errors import Seg3BError
from seg3b_assets.laws.geography import CountryPolygons
from seg3b_assets.realism import located
from seg3b_assets_tests.realism.worlds import published


@pytest.mark.parametrize(
    ("table", "dataset"),
    [
        ("settlement", "virtual_settlement_3B"),
        ("profile", "edge_merchant_profile_3B"),
        ("edges", "edge_catalogue_3B"),
    ],
)
def test_a_seed_whose_tables_do_not_fit_together_is_refused(table: str, dataset: str) -> None:
    outputs = published()
    missing = getattr(outputs, table).filter(pl.col("merchant_id") != 1005)
    with pytest.raises(Seg3BError) as refused:
        replace(outputs, **{table: missing})
    assert refused.value.code == "E3B_S4_INPUT_SCHEMA_MISMATCH"
    assert refused.value.place == dataset
    assert refused.value.detail == {"virtual_merchants": 120, "in_dataset": 119}


def test_settlements_are_located_by_the_polygon_that_covers_them() -> None:
    squares = [shapely.box(0, 0, 2, 2), shapely.box(2, 0, 4, 2)]
    polygons = CountryPolygons.from_wkb(["AA", "BB"], [shapely.to_wkb(square) for square in squares])
    settlement = pl.DataFrame(
        {"merchant_id": [1, 2, 3, 4], "lon_deg": [1.0, 3.0, 2.0, 9.0], "lat_deg": [1.0, 1.0, 0.0, 1.0]}
    )
    # A point of a common border lies in the first country by code; a point at sea in none.
    assert located(settlement, polygons)["settlement_country"].to_list() == ["AA", "BB", "AA", ""]
