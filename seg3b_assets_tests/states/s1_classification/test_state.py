"""S1 from sealed files to staged tables, and what each bad input is called."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import polars as pl
import pytest

from seg3b_assets.contracts import contract
from seg3b_assets.laws.errors import Seg3BError
from seg3b_assets.states import s0_gate, s1_classification
from seg3b_assets_tests.states.miniature_upstream import Tables, gazetteer, merchants, write_root
from seg3b_assets_tests.states.staged import staged_run

HEADER = "merchant_id,lat_deg,lon_deg,evidence_url,coord_source,tzid_settlement,notes\n"
VIRTUAL = merchants(60, mcc=(5816, 7995, 5967))


def code_of(tmp_path: Path, tables: Tables) -> str:
    with pytest.raises(Seg3BError) as caught:
        staged_run(s1_classification, write_root(tmp_path / "upstream", tables), tmp_path)
    assert caught.value.remedy
    return caught.value.code


def test_s0_stages_the_bytes_its_digest_is_of(tmp_path: Path) -> None:
    staged = staged_run(s0_gate, write_root(tmp_path / "upstream"), tmp_path)
    assert staged.digest("sealed_inputs_3B") == staged.identity.sealed_inputs_digest
    assert set(staged.dataset_ids) == set(s0_gate.STATE.writes)


def test_s1_stages_its_tables_and_they_agree(tmp_path: Path) -> None:
    staged = staged_run(s1_classification, write_root(tmp_path / "upstream", Tables(VIRTUAL)), tmp_path)
    tables = ("classification", "classification_lineage", "settlement", "settlement_lineage")
    classified, lineage, settled, countries = (staged.table(f"virtual_{name}_3B") for name in tables)
    assert lineage["rule_id"].to_list() == classified["rule_id"].to_list()
    virtual = classified.filter("is_virtual")
    assert virtual.height
    assert settled["merchant_id"].to_list() == virtual["merchant_id"].to_list()
    assert countries["merchant_id"].to_list() == settled["merchant_id"].to_list()


def test_the_order_of_upstream_rows_does_not_reach_a_byte(tmp_path: Path) -> None:
    digests = []
    for number, crowd in enumerate((VIRTUAL, VIRTUAL.reverse())):
        folder = tmp_path / str(number)
        staged = staged_run(s1_classification, write_root(folder / "upstream", Tables(crowd)), folder)
        digests.append([staged.digest(name) for name in s1_classification.STATE.writes[:-1]])
    assert digests[0] == digests[1]


def test_a_world_without_a_virtual_merchant_is_valid(tmp_path: Path) -> None:
    physical = VIRTUAL.with_columns(mcc=pl.lit(5411, pl.Int32), channel=pl.lit("card_present"))
    staged = staged_run(s1_classification, write_root(tmp_path / "upstream", Tables(physical)), tmp_path)
    assert staged.table("virtual_settlement_3B").equals(contract("virtual_settlement_3B").empty())
    assert staged.table("virtual_classification_3B").height == VIRTUAL.height


@pytest.mark.parametrize(
    "spoil",
    [
        lambda crowd: pl.concat([crowd, crowd[:1]]),
        lambda crowd: crowd.with_columns(channel=pl.lit("by_post")),
        lambda crowd: crowd.with_columns(home_country_iso=pl.lit("fr")),
        lambda crowd: crowd.with_columns(mcc=pl.lit(10_000, pl.Int32)),
        lambda crowd: crowd.with_columns(merchant_id=pl.lit(0, pl.UInt64)),
    ],
    ids=["twice", "channel", "country", "mcc", "zero"],
)
def test_a_bad_merchant_table_is_an_invalid_reference(
    tmp_path: Path, spoil: Callable[[pl.DataFrame], pl.DataFrame]
) -> None:
    assert code_of(tmp_path, Tables(spoil(VIRTUAL))) == "E3B_S1_MERCHANT_REF_INVALID"


def test_a_merchant_table_without_a_column_is_a_schema_mismatch(tmp_path: Path) -> None:
    assert code_of(tmp_path, Tables(VIRTUAL.drop("mcc"))) == "E3B_S1_INPUT_SCHEMA_MISMATCH"


@pytest.mark.parametrize(
    ("column", "value"), [("lat_deg", 91.0), ("lon_deg", -180.5), ("lat_deg", float("nan"))]
)
def test_a_settlement_outside_the_world_is_refused(tmp_path: Path, column: str, value: float) -> None:
    places = gazetteer(12).with_columns(pl.lit(value).alias(column))
    assert code_of(tmp_path, Tables(VIRTUAL, places)) == "E3B_S1_SETTLEMENT_COORD_INVALID"


@pytest.mark.parametrize(
    ("row", "code"),
    [
        ("{id},95.0,2.0,urn:x,register,Europe/Paris,", "E3B_S1_SETTLEMENT_COORD_INVALID"),
        ("{id},45.0,181.0,urn:x,register,Europe/Paris,", "E3B_S1_SETTLEMENT_COORD_INVALID"),
        ("{id},45.0,2.0,urn:x,register,Europe/Nowhere,", "E3B_S1_TZID_INVALID"),
        ("{id},45.0,2.0,urn:x,register,not a zone,", "E3B_S1_TZID_INVALID"),
        ("{id},north,2.0,urn:x,register,Europe/Paris,", "E3B_S1_INPUT_SCHEMA_MISMATCH"),
        ("{id},1,2,urn:x,a,UTC,\n{id},1,2,urn:x,a,UTC,", "E3B_S1_SETTLEMENT_COORD_INVALID"),
        ("{id},45.0,2.0,urn:x,register,Europe/Paris,a \x1b[2J note", "E3B_S1_INPUT_SCHEMA_MISMATCH"),
        ('{id},45.0,2.0,urn:x,register,Europe/Paris,"a ""note"""', "E3B_S1_INPUT_SCHEMA_MISMATCH"),
        ('{id},45.0,2.0,urn:x,register,Europe/Paris,"two\nlines"', "E3B_S1_INPUT_SCHEMA_MISMATCH"),
        ("{id},45.0,2.0,urn:x,register\t,Europe/Paris,", "E3B_S1_INPUT_SCHEMA_MISMATCH"),
    ],
)
def test_a_bad_ingested_row_is_named_by_what_is_wrong(tmp_path: Path, row: str, code: str) -> None:
    probe = staged_run(
        s1_classification, write_root(tmp_path / "probe/upstream", Tables(VIRTUAL)), tmp_path / "p"
    )
    merchant = probe.table("virtual_settlement_3B")["merchant_id"][0]
    assert code_of(tmp_path, Tables(VIRTUAL, coordinates=HEADER + row.format(id=merchant) + "\n")) == code


def test_a_note_that_cannot_be_published_is_refused_where_it_is_written(tmp_path: Path) -> None:
    rows = "7,1.5,103.5,urn:x,register,Asia/Singapore,fine\n8,1.5,103.5,urn:x,register,Asia/Singapore,a \x1b[2J\n"
    root = write_root(tmp_path / "upstream", Tables(VIRTUAL, coordinates=HEADER + rows))
    with pytest.raises(Seg3BError) as refused:
        staged_run(s1_classification, root, tmp_path)
    assert refused.value.place.endswith("virtual_settlement_coords.csv, line 3")
    assert refused.value.place.startswith("virtual_settlement_coords.notes in ")
    assert "\x1b" not in str(refused.value)


def test_ingested_coordinates_reach_the_table(tmp_path: Path) -> None:
    probe = staged_run(
        s1_classification, write_root(tmp_path / "probe/upstream", Tables(VIRTUAL)), tmp_path / "p"
    )
    merchant = probe.table("virtual_settlement_3B")["merchant_id"][0]
    row = f"{merchant},1.5,103.5,https://registry.example/7,register,Asia/Singapore,\n"
    root = write_root(tmp_path / "upstream", Tables(VIRTUAL, coordinates=HEADER + row))
    table = staged_run(s1_classification, root, tmp_path).table("virtual_settlement_3B")
    assert table.filter(pl.col("tz_source") == "INGEST").select(
        "merchant_id", "lat_deg", "lon_deg"
    ).rows() == [(merchant, 1.5, 103.5)]
