"""Column checks: a frame with one fault is refused by the rule it breaks, and by no other."""

from __future__ import annotations

from collections.abc import Iterator
from itertools import pairwise
from typing import Any

import polars as pl
import pytest
from hypothesis import given
from hypothesis import strategies as st

from seg3b_assets.contracts import Violation, contract, require_frame
from seg3b_assets.contracts.columns import Column
from seg3b_assets.contracts.frames import FramePlan
from seg3b_assets.laws.errors import Seg3BError
from seg3b_assets_tests.contracts.sample_rows import H64, MERCHANT, ROWS, UTC


def frame_of(dataset_id: str, *changes: dict[str, Any]) -> pl.DataFrame:
    """The sample row once per change, each with its change."""
    schema = contract(dataset_id).polars_schema
    rows = [{**ROWS[dataset_id], **change} for change in changes or ({},)]
    return pl.DataFrame(rows, schema=schema)


def found(violations: list[Violation]) -> set[tuple[str, str]]:
    return {(violation.rule, violation.column) for violation in violations}


def wrong_values(column: Column) -> Iterator[tuple[str, Any]]:
    """(rule, value) pairs: a value that breaks that constraint of the column."""
    integer = column.dtype.is_integer()
    for keyword, bound in column.constraints:
        match keyword:
            case "const" if isinstance(bound, str):
                yield keyword, bound + "x"
            case "const":
                yield keyword, bound + 1
            case "enum":
                yield keyword, "NO_SUCH_VALUE"
            case "minimum" if not (integer and bound - 1 < (0 if column.dtype == pl.UInt64() else -(2**63))):
                yield keyword, bound - 1
            case "maximum" if not integer or bound < 2**63 - 1:
                yield keyword, bound + 1
            case "exclusiveMinimum" | "exclusiveMaximum":
                yield keyword, float(bound)
            case "pattern":
                yield keyword, '"\n'
    if column.dtype == pl.Float64():
        yield from (("finite", value) for value in (float("nan"), float("inf"), float("-inf")))


FAULTS = [
    pytest.param(dataset_id, column.name, rule, value, id=f"{dataset_id}-{column.name}-{rule}-{value!r:.20}")
    for dataset_id in ROWS
    for column in contract(dataset_id)._plan.columns
    for rule, value in wrong_values(column)
]


@pytest.mark.parametrize("dataset_id", ROWS)
def test_the_sample_row_passes(dataset_id: str) -> None:
    assert contract(dataset_id).check_frame(frame_of(dataset_id)) == []


@pytest.mark.parametrize(("dataset_id", "column", "rule", "value"), FAULTS)
def test_a_wrong_value_is_found_where_it_is(dataset_id: str, column: str, rule: str, value: Any) -> None:
    violations = contract(dataset_id).check_frame(frame_of(dataset_id, {column: value}))
    assert (rule, column) in found(violations)
    assert {violation.column for violation in violations} == {column}
    assert all(violation.count == 1 and violation.example["row"] == 0 for violation in violations)


@pytest.mark.parametrize("dataset_id", ROWS)
def test_null_is_refused_exactly_where_the_schema_has_no_null(dataset_id: str) -> None:
    for name, _, _, _, nullable in contract(dataset_id).describe_columns():
        violations = contract(dataset_id).check_frame(frame_of(dataset_id, {name: None}))
        assert (("null", name) in found(violations)) is not nullable


@pytest.mark.parametrize("dataset_id", ROWS)
def test_missing_unknown_and_mistyped_columns_are_named(dataset_id: str) -> None:
    this = contract(dataset_id)
    frame = frame_of(dataset_id)
    for name, dtype in this.polars_schema.items():
        assert ("missing_column", name) in found(this.check_frame(frame.drop(name)))
        other = pl.lit("another") if dtype != pl.String() else pl.col(name).cast(pl.Binary())
        assert found(this.check_frame(frame.with_columns(other.alias(name)))) == {("dtype", name)}
    assert found(this.check_frame(frame.with_columns(surprise=1))) == {("unknown_column", "surprise")}


def test_columns_of_an_output_stand_in_declared_order() -> None:
    frame = frame_of("edge_catalogue_3B")
    violations = contract("edge_catalogue_3B").check_frame(frame.select(reversed(frame.columns)))
    assert [violation.rule for violation in violations] == ["column_order"]
    trace = frame_of("rng_trace_log_3B")
    assert contract("rng_trace_log_3B").check_frame(trace.select(sorted(trace.columns))) == []


def test_a_zone_must_be_in_the_pinned_database_and_a_timestamp_must_exist() -> None:
    zone = contract("edge_catalogue_3B").check_frame(
        frame_of("edge_catalogue_3B", {}, {"edge_id": "d" * 16, "tzid_operational": "Europe/Atlantis"})
    )
    assert found(zone) == {("format", "tzid_operational")}
    assert zone[0].example == {"row": 1, "value": "Europe/Atlantis"}
    stamp = UTC.replace("-01-02", "-02-30")
    assert found(
        contract("rng_audit_log_3B").check_frame(frame_of("rng_audit_log_3B", {"ts_utc": stamp}))
    ) == {("format", "ts_utc")}


def test_a_fault_in_a_constant_column_counts_every_row() -> None:
    changes = [{"edge_id": f"{i:016x}", "manifest_fingerprint": H64.upper()} for i in range(5)]
    violations = contract("edge_catalogue_3B").check_frame(frame_of("edge_catalogue_3B", *changes))
    assert found(violations) == {("pattern", "manifest_fingerprint")}
    assert violations[0].count == 5


def test_a_fault_in_the_middle_is_counted_and_located() -> None:
    changes: list[dict[str, Any]] = [{"edge_id": f"{i:016x}"} for i in range(9)]
    for i in (3, 7):
        changes[i]["edge_weight"] = 0.0
    (violation,) = contract("edge_catalogue_3B").check_frame(frame_of("edge_catalogue_3B", *changes))
    assert (violation.rule, violation.count) == ("exclusiveMinimum", 2)
    assert violation.example == {"row": 3, "value": 0.0}
    assert violation.expected == "above 0"


CONSEQUENCES = [
    ("edge_catalogue_index_3B", {"merchant_id": None}, ("then_type", "merchant_id")),
    (
        "edge_catalogue_index_3B",
        {"edge_catalogue_digest_global": H64},
        ("then_type", "edge_catalogue_digest_global"),
    ),
    ("edge_alias_index_3B", {"blob_length_bytes": 16}, ("then_minimum", "blob_length_bytes")),
    ("virtual_classification_3B", {"is_virtual": False}, ("then_const", "is_virtual")),
    ("virtual_settlement_lineage_3B", {"place_id": None}, ("then_type", "place_id")),
    (
        "virtual_settlement_lineage_3B",
        {"settlement_country_iso": None},
        ("then_type", "settlement_country_iso"),
    ),
    ("virtual_settlement_lineage_3B", {"decided_by": "HOME"}, ("then_type", "place_id")),
    ("virtual_classification_lineage_3B", {"rule_priority": None}, ("then_type", "rule_priority")),
    ("virtual_classification_lineage_3B", {"propensity": None}, ("then_type", "propensity")),
    ("virtual_settlement_3B", {"tz_source": "INGEST"}, ("then_type", "evidence_url")),
    ("rng_event_edge_jitter_3B", {"accepted": False}, ("then_type", "tz_resolution")),
    ("virtual_validation_results_3B", {"measured": None}, ("then_type", "measured")),
    ("virtual_validation_results_3B", {"scope": "PER_CLASS"}, ("then_type", "virtual_class")),
    ("virtual_validation_terms_3B", {"value": None}, ("then_type", "value")),
    ("virtual_validation_terms_3B", {"low": 0.5}, ("then_type", "low")),
]


@pytest.mark.parametrize(("dataset_id", "change", "expected"), CONSEQUENCES)
def test_columns_that_depend_on_another_are_held_to_it(
    dataset_id: str, change: dict[str, Any], expected: tuple[str, str]
) -> None:
    assert found(contract(dataset_id).check_frame(frame_of(dataset_id, change))) == {expected}
    row = {**ROWS[dataset_id], **change}
    assert contract(dataset_id).check_document(row) != [], "documents and columns must agree"


GLOBAL_ROW = {
    "scope": "GLOBAL",
    "merchant_id": None,
    "blob_offset_bytes": None,
    "alias_table_length": None,
    "merchant_alias_checksum": None,
    "blob_sha256_hex": H64,
}


def test_the_global_row_ends_an_index() -> None:
    index = contract("edge_alias_index_3B")
    first, last = {"merchant_id": 1}, {"merchant_id": MERCHANT}
    assert index.check_frame(frame_of(index.id, first, last, GLOBAL_ROW)) == []
    assert found(index.check_frame(frame_of(index.id, first, GLOBAL_ROW, last))) == {("sort", "merchant_id")}
    twice = index.check_frame(frame_of(index.id, first, GLOBAL_ROW, GLOBAL_ROW))
    assert found(twice) == {("unique", "scope,merchant_id")}


def test_a_descending_key_puts_tile_assignments_before_jitters() -> None:
    trace = contract("rng_trace_log_3B")
    rows = [
        {"substream_label": label, "events_total": n}
        for label in ("edge_tile_assign", "edge_jitter")
        for n in (1, 2)
    ]
    assert trace.check_frame(frame_of(trace.id, *rows)) == []
    (violation,) = trace.check_frame(frame_of(trace.id, *reversed(rows)))
    assert (violation.rule, violation.count) == ("sort", 3)
    assert "substream_label descending" in violation.expected


ROW_SCHEMA = {
    "properties": {
        "a": {"type": ["integer", "null"], "x-dtype": "i64", "description": "A."},
        "b": {"type": "string", "x-dtype": "str", "description": "B."},
    },
    "required": ["a", "b"],
}


@given(
    st.lists(st.tuples(st.none() | st.integers(-2, 2), st.text("aåZ", max_size=2)), max_size=8),
    st.booleans(),
)
def test_order_and_uniqueness_agree_with_python(rows: list[tuple[int | None, str]], presorted: bool) -> None:
    def rank(row: tuple[int | None, str]) -> tuple[bool, int, bytes]:
        return row[0] is None, row[0] or 0, row[1].encode()

    rows = sorted(rows, key=rank) if presorted else rows
    frame = pl.DataFrame(rows, schema={"a": pl.Int64, "b": pl.String}, orient="row")
    plan = FramePlan.compile(ROW_SCHEMA, ("a", "b"), ("a", "b"), fixed_order=True)
    rules = {violation.rule: violation for violation in plan.check(frame)}
    disorder = sum(rank(second) < rank(first) for first, second in pairwise(rows))
    assert (rules["sort"].count if "sort" in rules else 0) == disorder
    assert (rules["unique"].count if "unique" in rules else 0) == len(rows) - len(set(rows))


def test_upstream_dtypes_that_fit_are_accepted_and_cast() -> None:
    merchants = contract("transaction_schema_merchant_ids")
    frame = pl.DataFrame(
        {"mcc": [4814], "merchant_id": [7], "channel": ["card_present"], "home_country_iso": ["NO"]},
        schema_overrides={"mcc": pl.Int64, "merchant_id": pl.Int64},
    )
    assert merchants.check_frame(frame) == []
    assert merchants.conform(frame).schema == pl.Schema(merchants.polars_schema)
    negative = merchants.check_frame(frame.with_columns(merchant_id=pl.lit(-7, pl.Int64)))
    assert [(violation.rule, violation.example["value"]) for violation in negative] == [("dtype", -7)]
    assert found(merchants.check_frame(frame.with_columns(pl.col("mcc").cast(pl.Float64)))) == {
        ("dtype", "mcc")
    }


def test_an_optional_upstream_column_may_be_there_but_is_held_to_its_schema() -> None:
    weights = contract("tile_weights")
    frame = pl.DataFrame({"tile_id": [1, 2], "weight_fp": [3, 7], "dp": [1, 1]}, schema=weights.polars_schema)
    assert weights.check_frame(frame) == []
    assert weights.check_frame(frame.with_columns(country_iso=pl.lit("NO"))) == []
    assert found(weights.check_frame(frame.with_columns(country_iso=pl.lit("no")))) == {
        ("pattern", "country_iso")
    }


def test_a_projection_is_checked_by_its_columns_alone() -> None:
    catalogue = contract("edge_catalogue_3B")
    frame = frame_of(catalogue.id, {"merchant_id": 2}, {"merchant_id": 1, "lat_deg": 91.0})
    some = ["merchant_id", "edge_id", "lat_deg"]
    assert found(catalogue.check_frame(frame.select(some), columns=some)) == {
        ("sort", "merchant_id,edge_id"),
        ("maximum", "lat_deg"),
    }
    assert found(catalogue.check_frame(frame.select("lat_deg"), columns=["lat_deg"])) == {
        ("maximum", "lat_deg")
    }
    assert ("unknown_column", "edge_id") in found(
        catalogue.check_frame(frame.select(some), columns=["lat_deg"])
    )


@pytest.mark.parametrize("tiles", [[1, 2, 2], [2, 1, 2], [2, 2, 1]])
def test_keys_are_unique_whether_the_rows_are_in_order_or_not(tiles: list[int]) -> None:
    index = contract("tile_index")
    (violation,) = index.check_frame(pl.DataFrame({"tile_id": tiles}, schema=index.polars_schema))
    assert (violation.rule, violation.column, violation.count) == ("unique", "tile_id", 1)
    assert violation.example["value"] == {"tile_id": 2}
    assert index.check_frame(pl.DataFrame({"tile_id": [3, 1, 2]}, schema=index.polars_schema)) == []


@pytest.mark.parametrize(
    "definition",
    [
        {"type": "string", "x-dtype": "str", "multipleOf": 2},
        {"anyOf": [{"type": "string", "x-dtype": "str"}, {"type": "integer", "x-dtype": "i64"}]},
        {"$ref": "urn:seg3b:contract:types:1#/$defs/no_such_type"},
    ],
)
def test_a_schema_that_promises_what_nobody_checks_is_refused(definition: dict[str, Any]) -> None:
    schema = {"properties": {"a": {**definition, "description": "A."}}, "required": ["a"]}
    with pytest.raises(ValueError, match=r"no column check|anyOf must be|does not name"):
        FramePlan.compile(schema, (), (), fixed_order=True)


def test_a_required_frame_raises_with_the_findings_as_data() -> None:
    catalogue = contract("edge_catalogue_3B")
    good = frame_of(catalogue.id)
    assert (
        require_frame(catalogue, good, state="S2", name="EDGE_CATALOGUE_SCHEMA_VIOLATION", place="x") is good
    )
    with pytest.raises(Seg3BError) as raised:
        require_frame(
            catalogue,
            frame_of(catalogue.id, {"lat_deg": 91.0, "country_iso": "nor"}),
            state="S2",
            name="EDGE_CATALOGUE_SCHEMA_VIOLATION",
            place="part-00000.parquet",
        )
    error = raised.value
    assert error.code == "E3B_S2_EDGE_CATALOGUE_SCHEMA_VIOLATION"
    assert error.place == "part-00000.parquet:country_iso"
    assert error.detail["dataset_id"] == "edge_catalogue_3B"
    assert {(each["rule"], each["column"]) for each in error.detail["violations"]} == {
        ("pattern", "country_iso"),
        ("maximum", "lat_deg"),
    }
    assert "contracts/edge_catalogue_3B.schema.json" in error.remedy
