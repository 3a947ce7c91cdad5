"""An export read with the tools people have, by the recipes of the consumer's page: every id and weight the same."""

from __future__ import annotations

import re
import shutil
import subprocess
from pathlib import Path
from typing import Any

import orjson
import polars as pl
import pytest

from seg3b_assets.settings import REPOSITORY
from seg3b_assets_tests.end_to_end.installation import Installation

COLUMNS = ("merchant_id", "edge_id", "edge_weight")
Rows = list[tuple[Any, ...]]


@pytest.fixture(scope="module")
def folder(finished: Installation, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder in which ``exports/seed-42`` is what the page says."""
    place = tmp_path_factory.mktemp("reader")
    finished.seg3b("export", "heads", str(place / "exports" / "seed-42"), "--seed", "42", "--json").passed()
    return place


def edges(folder: Path) -> Rows:
    files = sorted((folder / "exports/seed-42/data/layer1/3B/edge_catalogue").rglob("*.parquet"))
    return sorted(pl.read_parquet(files, glob=False, hive_partitioning=False).select(COLUMNS).rows())


def index_ids(folder: Path) -> list[int | None]:
    [file] = (folder / "exports/seed-42/data/layer1/3B/edge_alias_index").rglob("*.parquet")
    return pl.read_parquet(file, glob=False, hive_partitioning=False)["merchant_id"].to_list()


def recipe(name: str, language: str = "python") -> str:
    page = (REPOSITORY / "docs" / "consumer.md").read_text(encoding="utf-8")
    found = re.search(rf"^<!-- recipe: {name} -->\n```{language}\n(.*?)^```$", page, re.MULTILINE | re.DOTALL)
    assert found is not None
    return found[1]


def rows_of(table: Any) -> list[dict[str, Any]]:
    """What a recipe's table holds, whatever kind it is."""
    if hasattr(table, "to_pylist"):
        return list(table.to_pylist())
    if hasattr(table, "fetchall"):
        return [dict(zip(table.columns, row, strict=True)) for row in table.fetchall()]
    return list(table.to_dict("records"))


def whole(value: Any) -> int | None:
    """An id as the reader has it: an integer, or a null; a float is what must not be."""
    if value is None or str(value) in ("<NA>", "None"):
        return None
    assert not isinstance(value, float), value
    return int(value)


@pytest.mark.parametrize("name", ["pandas", "pyarrow", "duckdb", "fastparquet"])
def test_the_recipe_reads_every_id_and_weight(
    name: str, folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(folder)
    scope: dict[str, Any] = {}
    exec(recipe(name), scope)
    found = sorted(
        (whole(row["merchant_id"]), *(row[one] for one in COLUMNS[1:])) for row in rows_of(scope["edges"])
    )
    assert found == edges(folder)
    assert {whole(row["seed"]) for row in rows_of(scope["edges"])} == {42}
    assert [whole(row["merchant_id"]) for row in rows_of(scope["index"])] == index_ids(folder)
    assert max(one for one in index_ids(folder) if one) > 2**53


def test_json_has_each_id_exactly_and_as_text(finished: Installation, folder: Path) -> None:
    printed = finished.seg3b("sample", "--tree", str(folder / "exports/seed-42"), "--json").passed()
    assert [str(one["merchant_id"]) for one in printed["merchants"]] == [
        one["merchant_id_text"] for one in printed["merchants"]
    ]
    assert {one["merchant_id"] for one in printed["merchants"]} == {row[0] for row in edges(folder)}
    first = printed["merchants"][0]["merchant_id_text"]
    drawn = finished.seg3b(
        "sample", first, "-n", "1", "--tree", str(folder / "exports/seed-42"), "--json"
    ).passed()
    assert (str(drawn["merchant_id"]), drawn["merchant_id_text"]) == (first, first)


@pytest.mark.e2e
def test_jq_reads_every_id(finished: Installation, folder: Path, tmp_path: Path) -> None:
    printed = finished.seg3b("sample", "--tree", str(folder / "exports/seed-42"), "--json").passed()
    (tmp_path / "printed.json").write_bytes(orjson.dumps(printed))
    command = ["jq", "-r", ".merchants[].merchant_id_text", "printed.json"]
    said = subprocess.run(command, cwd=tmp_path, capture_output=True, text=True, check=True).stdout
    assert {int(line) for line in said.split()} == {row[0] for row in edges(folder)}


@pytest.mark.e2e
def test_javascript_reads_every_id_and_weight(folder: Path, tmp_path: Path) -> None:
    if shutil.which("node") is None:
        pytest.skip("there is no Node here")
    install = [
        "npm",
        "install",
        "--silent",
        "--no-audit",
        "--no-fund",
        "hyparquet@1.33.0",
        "hyparquet-compressors@1.1.2",
    ]
    subprocess.run(install, cwd=tmp_path, check=True, timeout=300)
    program = REPOSITORY / "docs" / "examples" / "read_parquet.mjs"
    command = ["node", str(program), str(folder / "exports" / "seed-42")]
    said = subprocess.run(command, cwd=tmp_path, capture_output=True, text=True, check=True).stdout
    found = [orjson.loads(line) for line in said.splitlines()]
    assert sorted((int(row["merchant_id"]), row["edge_id"], row["edge_weight"]) for row in found) == edges(
        folder
    )


@pytest.mark.spark
def test_spark_reads_every_id_and_weight(folder: Path) -> None:
    from pyspark.sql import SparkSession  # noqa: PLC0415 - a group of its own

    builder = SparkSession.builder.master("local[1]").config("spark.ui.enabled", "false")
    spark = builder.config("spark.driver.memory", "1g").getOrCreate()
    try:
        scope = {"spark": spark, "data": folder / "exports/seed-42/data/layer1/3B"}
        exec(recipe("spark", "text"), scope)
        read = [tuple(row) for row in scope["edges"].select(*COLUMNS).collect()]
    finally:
        spark.stop()
    assert sorted((int(merchant), edge, weight) for merchant, edge, weight in read) == edges(folder)
