"""What realism is given: whole seeds only, settlements located by polygon."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Any

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


@dataclass(frozen=True)
class Lineage:
    """What S1 of one lineage published."""

    tables: dict[str, pl.DataFrame]

    def has(self, dataset_id: str) -> bool:
        return dataset_id in self.tables

    def table(self, dataset_id: str, columns: list[str]) -> pl.DataFrame:
        return self.tables[dataset_id].select(columns)


def test_settlements_are_where_s1_settled_them_and_by_polygon_in_a_lineage_that_does_not_say() -> None:
    squares = [shapely.box(0, 0, 2, 2), shapely.box(2, 0, 4, 2)]
    polygons = CountryPolygons.from_wkb(["AA", "BB"], [shapely.to_wkb(square) for square in squares])
    points = {"merchant_id": [1, 2, 3, 4], "lon_deg": [1.0, 3.0, 2.0, 9.0], "lat_deg": [1.0, 1.0, 0.0, 1.0]}
    whence = {"tzid_settlement": "Europe/Paris", "coord_source_id": "settlement_gazetteer"}
    settlement = pl.DataFrame({**points, **whence})
    before: Any = Lineage({"virtual_settlement_3B": settlement})
    # A point of a common border lies in the first country by code; a point at sea in none.
    assert located(before, polygons)["settlement_country"].to_list() == ["AA", "BB", "AA", ""]
    said = pl.DataFrame({"merchant_id": [1, 2, 3, 4], "settlement_country_iso": ["BB", "BB", None, "AA"]})
    since: Any = Lineage({**before.tables, "virtual_settlement_lineage_3B": said})
    assert located(since, polygons)["settlement_country"].to_list() == ["BB", "BB", "", "AA"]
