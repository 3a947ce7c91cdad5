"""Roots whose borders GeoPandas itself wrote, of fewer countries than the policy names, on four seeds."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import orjson
import polars as pl
import pytest
import shapely

from seg3b_assets.realism.policy_reading import load_policies
from seg3b_assets_tests.end_to_end.installation import SEED, Installation
from seg3b_assets_tests.end_to_end.refusals import refused_upstream
from seg3b_assets_tests.end_to_end.stranger import coordinates_of, with_ids_of_its_own, without_gazetteer
from seg3b_assets_tests.end_to_end.upstream_copies import SURFACES, UpstreamCopy

pytestmark = pytest.mark.e2e

LACKING = 9
# What GeoPandas is asked to write besides its defaults, by seed: every variant meets a whole run.
WRITTEN: dict[int, dict[str, Any]] = {
    42: {},
    7: {"write_covering_bbox": True},
    101: {"schema_version": "1.0.0", "index": False},
    202: {"schema_version": "1.1.0", "compression": "gzip", "write_covering_bbox": True},
}


def by_geopandas(upstream: UpstreamCopy, dataset: str, geometry: str, *left_out: str, **options: Any) -> None:
    """Write the table as ``GeoDataFrame.to_parquet`` does, its geometry called ``geometry``."""
    path = upstream.file(dataset)
    table = pl.read_parquet(path, glob=False)
    columns = {name: table[name].to_list() for name in table.columns if name not in {geometry, *left_out}}
    shapes = shapely.from_wkb(table[geometry].to_list())
    path.unlink()
    import geopandas  # noqa: PLC0415 - in the group of the slow tests, while make test collects this file too

    geopandas.GeoDataFrame(columns, geometry=shapes, crs="EPSG:4326").to_parquet(path, **options)


def without_countries(upstream: UpstreamCopy, policies: Path) -> list[str]:
    """Take polygon and tiles of nine countries of the prior away, none of them a merchant's home or a seat."""
    merchants = pl.read_parquet(upstream.file("transaction_schema_merchant_ids"), glob=False)
    shipped = load_policies(policies)
    seats = {seat.country_iso for rule in shipped.settlement.seat_rules for seat in rule.jurisdictions}
    prior = {row.country_iso for row in shipped.cdn_country_weights.countries}
    gone = sorted(prior - seats - set(merchants["home_country_iso"]))[:LACKING]
    assert len(gone) == LACKING
    path = upstream.file("world_countries")
    kept = pl.read_parquet(path, glob=False).filter(~pl.col("country_iso").is_in(gone))
    path.unlink()
    kept.write_parquet(path)
    for surface in SURFACES:
        for country in gone:
            upstream.file(surface, country).unlink()
    return gone


def document(tree: Path, name: str) -> Any:
    return orjson.loads(next(tree.rglob(f"{name}.json")).read_bytes())


@pytest.mark.parametrize("seed", WRITTEN)
def test_borders_that_geopandas_wrote_run_are_exported_and_verified(
    finished: Installation,
    empty: Installation,
    root_of: Callable[[int], Path],
    policies: Path,
    tmp_path: Path,
    seed: int,
) -> None:
    if seed != SEED:
        finished.run(seed=seed).passed()
    upstream = UpstreamCopy.of(root_of(seed), tmp_path / "upstream")
    without_gazetteer(upstream)
    gone = without_countries(upstream, policies)
    with_ids_of_its_own(upstream)
    by_geopandas(upstream, "world_countries", "geom", **WRITTEN[seed])
    by_geopandas(upstream, "tz_world", "geometry", "country_iso", **WRITTEN[seed])
    upstream.coordinates(coordinates_of(finished, seed))
    upstream.seal()

    said = empty.run("--upstream", str(upstream.path), seed=seed).passed()
    assert [(one["kind"], one["count"]) for one in said["input_notes"]][:1] == [
        ("COUNTRY_LEFT_PRIOR", LACKING)
    ]
    tree = tmp_path / "tree"
    empty.seg3b("export", said["run_id"], str(tree), "--upstream", str(upstream.path), "--json").passed()
    for options in ((), ("--upstream", str(upstream.path))):
        assert empty.seg3b("verify", str(tree), *options, "--json").passed()["failed"] == 0

    found = document(tree, "input_findings_3B")
    assert found["left_prior"] == found["countries_without"]["polygon"] == gone
    left = [row["subject"] for row in found["findings"] if row["kind"] == "COUNTRY_LEFT_PRIOR"]
    assert left == gone
    notes = document(tree, "s0_gate_receipt_3B")["notes"]
    assert [notes.count(f"cdn_country_weights: {code} left the prior") for code in gone] == [1] * LACKING
    edges = pl.read_parquet(sorted(tree.rglob("edge_catalogue/**/*.parquet")), glob=False)
    assert edges.height > 1000
    assert not set(edges["country_iso"]) & set(gone)


@pytest.mark.parametrize("dataset", ["world_countries", "tz_world"])
def test_a_geoarrow_encoding_is_refused_by_its_name(
    installation: Installation, upstream: UpstreamCopy, dataset: str
) -> None:
    geometry = {"world_countries": "geom", "tz_world": "geometry"}[dataset]
    by_geopandas(upstream, dataset, geometry, geometry_encoding="geoarrow")
    upstream.seal()
    error = refused_upstream(installation, upstream)
    assert error["code"] == "E3B_S0_INPUT_SCHEMA_MISMATCH"
    assert dataset in error["place"]
    assert error["detail"]["found"] == "multipolygon; expected geometry as WKB, well-known binary"
