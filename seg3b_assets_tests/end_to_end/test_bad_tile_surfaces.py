"""Tile surfaces with a hole or a contradiction: each keeps its name, and nothing of S2 is published."""

from __future__ import annotations

from typing import Any

import orjson
import polars as pl
import pytest

from seg3b_assets_tests.end_to_end.installation import Installation
from seg3b_assets_tests.end_to_end.refusals import refused_upstream
from seg3b_assets_tests.end_to_end.upstream_copies import Change, UpstreamCopy


@pytest.fixture(scope="session")
def country(finished: Installation) -> str:
    """A country some edge needs."""
    precheck = orjson.loads(finished.path("tile_surface_partition_precheck_3B").read_bytes())
    required: list[str] = precheck["required"]
    return required[len(required) // 2]


def refused(installation: Installation, upstream: UpstreamCopy, failure: str) -> dict[str, Any]:
    error = refused_upstream(installation, upstream)
    assert error["code"] == "E3B_S2_TILE_SURFACE_INVALID"
    assert (error["validator"], error["detail"]["failure"]) == (failure, failure)
    return error


def first_row(column: str, value: pl.Expr) -> Change:
    """Put a value into the first row, others and dtype kept."""

    def change(frame: pl.DataFrame) -> pl.DataFrame:
        chosen = pl.when(pl.int_range(pl.len()) == 0).then(value).otherwise(pl.col(column))
        return frame.with_columns(chosen.cast(frame.schema[column]).alias(column))

    return change


@pytest.mark.parametrize("surface", ["tile_weights", "tile_index", "tile_bounds"])
def test_a_country_that_is_a_home_or_a_seat_is_missing(
    installation: Installation, upstream: UpstreamCopy, surface: str
) -> None:
    """One that is neither leaves the prior and is named; of these S0 says which they are, all at once."""
    upstream.remove(surface, "US")
    error = refused_upstream(installation, upstream)
    assert error["code"].startswith("E3B_S0_")
    assert "US" in str(error["detail"])


@pytest.mark.parametrize(
    "change",
    [
        first_row("dp", pl.col("dp") - 1),
        first_row("weight_fp", pl.col("weight_fp") + 1),
    ],
    ids=["two of them", "sum off by one"],
)
def test_weights_that_contradict_their_decimal_places(
    installation: Installation, upstream: UpstreamCopy, country: str, change: Change
) -> None:
    upstream.change("tile_weights", change, country)
    error = refused(installation, upstream, "dp_mismatch")
    assert error["detail"]["country"] == country


@pytest.mark.parametrize(
    ("surface", "failure"),
    [("tile_bounds", "tile_bounds_missing_ids"), ("tile_index", "tile_id_not_in_index")],
)
def test_a_weighted_tile_that_another_surface_lacks(
    installation: Installation, upstream: UpstreamCopy, country: str, surface: str, failure: str
) -> None:
    tile = pl.read_parquet(upstream.file(surface, country), hive_partitioning=False)["tile_id"][0]
    upstream.change(surface, lambda frame: frame[1:], country)
    error = refused(installation, upstream, failure)
    assert error["detail"] | {"country": country, "count": 1, "tile_id": tile} == error["detail"]


def test_weights_that_are_all_zero(installation: Installation, upstream: UpstreamCopy, country: str) -> None:
    upstream.change("tile_weights", lambda frame: frame.with_columns(pl.col("weight_fp") * 0), country)
    assert country in refused(installation, upstream, "tile_weights_zero_sum")["place"]


def test_weight_files_whose_names_carry_no_country(
    installation: Installation, upstream: UpstreamCopy, country: str
) -> None:
    names = ["part-00000.parquet", "part-unknown.parquet", "part-xx.parquet"]
    for name in names:
        stray = upstream.dataset("tile_weights") / name
        upstream.write(stray, upstream.file("tile_weights", country).read_bytes())
    upstream.seal()
    assert refused(installation, upstream, "unresolved")["detail"]["files"] == names


def test_a_negative_weight_breaks_the_tables_contract(
    installation: Installation, upstream: UpstreamCopy, country: str
) -> None:
    upstream.change("tile_weights", first_row("weight_fp", pl.lit(-1)), country)
    error = refused_upstream(installation, upstream)
    assert error["code"] == "E3B_S2_INPUT_SCHEMA_MISMATCH"
    assert "weight_fp" in error["place"]


def test_a_truncated_weight_file_is_named(
    installation: Installation, upstream: UpstreamCopy, country: str
) -> None:
    cut = upstream.truncate("tile_weights", country)
    error = refused_upstream(installation, upstream)
    assert error["code"] == "E3B_S2_INPUT_OPEN_FAILED"
    assert error["place"] == str(cut)
