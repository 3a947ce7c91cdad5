"""A root as a stranger has it: no gazetteer, GeoParquet borders under other names, zones without countries, ids of
its own; run, exported and verified, and what it lacks said by name."""

from __future__ import annotations

import shutil
from dataclasses import replace
from pathlib import Path

import orjson
import polars as pl
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from seg3b_assets.pipeline.borders import with_gazetteer
from seg3b_assets_tests.end_to_end.installation import Installation
from seg3b_assets_tests.end_to_end.refusals import refused_upstream
from seg3b_assets_tests.end_to_end.stranger import coordinates_of, with_ids_of_its_own, without_gazetteer
from seg3b_assets_tests.end_to_end.upstream_copies import UpstreamCopy


def as_geopandas_writes(upstream: UpstreamCopy, dataset: str, geometry: str, *left_out: str) -> None:
    """The table's geometry as a geoarrow.wkb column called ``geometry``, with a covering and a kilobyte of PROJJSON."""
    path = upstream.file(dataset)
    table = pq.ParquetFile(path).read().drop_columns(list(left_out))
    crs = {"id": {"authority": "OGC", "code": "CRS84"}, "remarks": "x" * 1000}
    kind = {"ARROW:extension:name": "geoarrow.wkb", "ARROW:extension:metadata": orjson.dumps({"crs": crs})}
    at = table.schema.get_field_index(geometry)
    field = pa.field("geometry", pa.binary(), metadata=kind)
    table = table.set_column(at, field, table.column(at).cast(pa.binary()))
    box = dict.fromkeys(("xmin", "ymin", "xmax", "ymax"), 0.0)
    table = table.append_column("bbox", pa.array([box] * table.num_rows))
    covering = {"bbox": {edge: ["bbox", edge] for edge in box}}
    column = {"encoding": "WKB", "geometry_types": [], "crs": crs, "covering": covering}
    geo = {"version": "1.1.0", "primary_column": "geometry", "columns": {"geometry": column}}
    path.unlink()
    pq.write_table(table.replace_schema_metadata({"geo": orjson.dumps(geo)}), path)


def test_a_root_without_a_gazetteer_says_what_a_merchant_without_a_coordinate_needs(
    installation: Installation, upstream: UpstreamCopy
) -> None:
    error = refused_upstream(installation, without_gazetteer(upstream))
    assert error["code"] == "E3B_S1_SETTLEMENT_COORD_MISSING"
    assert "seg3b gazetteer build" in error["remedy"]
    assert error["detail"]["merchants"] > 5


def test_a_root_of_a_strangers_making_runs_is_exported_and_verified(
    finished: Installation, empty: Installation, upstream: UpstreamCopy, tmp_path: Path
) -> None:
    without_gazetteer(upstream)
    with_ids_of_its_own(upstream)
    as_geopandas_writes(upstream, "world_countries", "geom")
    as_geopandas_writes(upstream, "tz_world", "geometry", "country_iso")
    upstream.coordinates(coordinates_of(finished))
    upstream.seal()
    said = empty.run("--upstream", str(upstream.path)).passed()
    tree = tmp_path / "tree"
    empty.seg3b("export", said["run_id"], str(tree), "--upstream", str(upstream.path), "--json").passed()
    for options in ((), ("--upstream", str(upstream.path))):
        verified = empty.seg3b("verify", str(tree), *options, "--json").passed()
        assert verified["failed"] == 0
    summary = orjson.loads(next(tree.rglob("s2_summary_3B.json")).read_bytes())
    assert summary["tile_ids_on_raster"] is False
    assert len(summary["country_centroids"]) > 200
    assert summary["tz_source_counts"]["POLYGON"] == summary["edges_total"]


def test_a_gazetteer_of_ones_own_stands_in_for_the_one_that_is_missing(
    finished: Installation, empty: Installation, upstream: UpstreamCopy, tmp_path: Path
) -> None:
    places = shutil.copytree(upstream.dataset("settlement_gazetteer"), tmp_path / "places")
    without_gazetteer(upstream)
    given = empty
    given.run("--upstream", str(upstream.path), "--gazetteer", str(places)).passed()
    columns = ["merchant_id", "lat_deg", "lon_deg", "tzid_settlement"]
    found = [
        pl.read_parquet(next(one.home.rglob("virtual_settlement/**/*.parquet")), columns=columns, glob=False)
        for one in (finished, given)
    ]
    assert found[0].equals(found[1])
    named = replace(empty, variables={**empty.variables, "SEG3B_GAZETTEER": str(places)})
    again = named.run("--upstream", str(upstream.path)).passed()
    assert all(state["reused"] for state in again["states"].values())


def test_the_embedded_world_takes_no_other_places(empty: Installation, tmp_path: Path) -> None:
    refused = empty.run("--gazetteer", str(tmp_path))
    assert refused.exit_code == 2
    assert "--upstream" in refused.stderr


def test_a_root_with_its_own_gazetteer_is_left_alone(upstream: UpstreamCopy, tmp_path: Path) -> None:
    assert with_gazetteer(upstream.path, tmp_path / "nowhere", tmp_path / "cache") == upstream.path


@pytest.mark.parametrize("there", [False, True])
def test_a_gazetteer_that_is_not_there_is_named(upstream: UpstreamCopy, tmp_path: Path, there: bool) -> None:
    from seg3b_assets.laws.errors import Seg3BError  # noqa: PLC0415

    folder = tmp_path / "places"
    if there:
        folder.mkdir()
    with pytest.raises(Seg3BError) as caught:
        with_gazetteer(without_gazetteer(upstream).path, folder, tmp_path / "cache")
    assert caught.value.code == "E3B_S0_INPUT_OPEN_FAILED"
    assert "SEG3B_GAZETTEER" in caught.value.remedy


def test_a_country_without_tiles_leaves_the_prior_or_stops_the_run_as_the_policy_says(
    finished: Installation, empty: Installation, upstream: UpstreamCopy, edited_policies: Path
) -> None:
    merchants = pl.read_parquet(upstream.file("transaction_schema_merchant_ids"), glob=False)
    used = pl.read_parquet(finished.path("edge_catalogue_3B") / "*.parquet")["country_iso"].unique()
    # Countries that edges stood in, and nobody's home or seat.
    gone = sorted(
        set(used) & {"BD", "ET", "TZ", "UG", "SD", "MM", "CD"} - set(merchants["home_country_iso"])
    )[:2]
    assert gone
    for country in gone:
        upstream.remove("tile_bounds", country)
    left = empty.run("--upstream", str(upstream.path)).passed()
    assert left["counts"]["edges"] > 1000
    [found] = empty.home.glob("snapshots/S0/*/data/layer1/3B/input_findings/*/input_findings_3B.json")
    document = orjson.loads(found.read_bytes())
    assert document["left_prior"] == document["countries_without"]["tiles"] == gone
    edges = pl.read_parquet(
        sorted(empty.home.glob("snapshots/S2/*/data/layer1/3B/edge_catalogue/**/*.parquet")), glob=False
    )
    assert not set(edges["country_iso"]) & set(gone)
    policy = edited_policies / "cdn_country_weights.yaml"
    policy.write_text(policy.read_text().replace("missing_country: drop", "missing_country: refuse"))
    error = empty.run("--upstream", str(upstream.path), "--policies", str(edited_policies)).error
    assert error["code"] == "E3B_S0_POLICY_SCHEMA_INVALID"
    assert error["detail"]["countries"] == {country: ["tiles"] for country in gone}
