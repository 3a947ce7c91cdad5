"""Documents: closed at every depth, keys and order of their arrays held, findings located."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import orjson
import pytest

from seg3b_assets.contracts import all_contracts, contract, require_document
from seg3b_assets.laws.errors import Seg3BError
from seg3b_assets.policies.gates import REQUIRED_HARD_GATES, REQUIRED_STRETCH_GATES
from seg3b_assets.realism import METRICS
from seg3b_assets_tests.contracts.sample_documents import DOCUMENTS
from seg3b_assets_tests.contracts.sample_rows import H64, ROWS

LINES = {name: row for name, row in ROWS.items() if contract(name).format == "jsonl"}
VALID = {**DOCUMENTS, **LINES}
OBJECTS_OF_FREE_KEYS = {
    "edges_by_country",
    "attempt_histogram",
    "rows_by_test_type",
    "counts",
    # certification: by metric, state, policy, dataset, class, seed
    "n",
    "detail",
    "states",
    "policies",
    "datasets",
    "metric_cvs",
    "merchants",
    "failed",
    "seeds",
    "seed_verdicts",
    "selected_seed_run_map",
    "virtual_rate_values",
    "all_hard_gates_pass",
    # the report: by lane, file, seed
    "lanes",
    "digests",
    # the reference tier: by table, gate
    "yardsticks",
    "gates",
    "pooled",
    "last_good_before",
}


def objects(value: Any, pointer: str = "") -> Iterator[tuple[str, dict[str, Any]]]:
    """Every object of a document with its JSON pointer."""
    if isinstance(value, dict):
        yield pointer, value
    items = value.items() if isinstance(value, dict) else enumerate(value) if isinstance(value, list) else ()
    for key, below in items:
        yield from objects(below, f"{pointer}/{key}")


def fresh(value: Any) -> Any:
    """A copy that shares nothing, not even what the sample itself repeats."""
    return orjson.loads(orjson.dumps(value))


def test_every_document_has_a_sample() -> None:
    documents = {each.id for each in all_contracts().values() if not each.is_table}
    assert documents == DOCUMENTS.keys()


@pytest.mark.parametrize("dataset_id", VALID)
def test_the_sample_is_valid(dataset_id: str) -> None:
    assert contract(dataset_id).check_document(VALID[dataset_id]) == []


@pytest.mark.parametrize("dataset_id", VALID)
def test_an_unknown_key_fails_at_every_depth(dataset_id: str) -> None:
    for position, (pointer, _) in enumerate(objects(VALID[dataset_id])):
        broken = fresh(VALID[dataset_id])
        list(objects(broken))[position][1]["Surprise!"] = 1
        (violation,) = contract(dataset_id).check_document(broken)
        assert violation.rule == "additionalProperties"
        assert violation.column == f"{pointer}/Surprise!"


@pytest.mark.parametrize("dataset_id", VALID)
def test_a_missing_key_is_named_at_every_depth(dataset_id: str) -> None:
    for position, (pointer, node) in enumerate(objects(VALID[dataset_id])):
        if pointer.rpartition("/")[2] in OBJECTS_OF_FREE_KEYS:
            continue
        for key in node.keys() - {"mime", "notes", "accepted", "expected_accepted", "joined"}:
            broken = fresh(VALID[dataset_id])
            del list(objects(broken))[position][1][key]
            found = {(each.rule, each.column) for each in contract(dataset_id).check_document(broken)}
            assert ("required", f"{pointer}/{key}") in found


def metrics_document(**parts: dict[str, Any]) -> dict[str, Any]:
    document: dict[str, Any] = fresh(DOCUMENTS["validation_metrics_seed_3B"])
    for part, added in parts.items():
        document[part] |= added
    return document


def test_a_metrics_document_asks_for_the_laws_gates_and_holds_those_a_policy_adds() -> None:
    declared = contract("validation_metrics_seed_3B").schema["properties"]
    assert tuple(declared["hard_gates"]["required"]) == REQUIRED_HARD_GATES
    assert tuple(declared["stretch_gates"]["required"]) == REQUIRED_STRETCH_GATES
    gate = DOCUMENTS["validation_metrics_seed_3B"]["hard_gates"]["3B-V01"]
    more = metrics_document(
        hard_gates={"3B-V13": gate, "3B-D77": gate},
        stretch_gates={"3B-S13": gate, "3B-V01": gate},
        metrics={"edges_on_islands": 0.5, "by_virtual_class": {"OFFSHORE_HUB": None}},
    )
    by_class = {"merchants": 3, **dict.fromkeys(METRICS, 0.5), "edges_on_islands": None}
    more["metrics"]["by_virtual_class"] = {"OFFSHORE_HUB": by_class}
    assert contract("validation_metrics_seed_3B").check_document(more) == []


@pytest.mark.parametrize(
    ("part", "added"),
    [
        ("hard_gates", {"3B-S13": {}}),
        ("hard_gates", {"3B-X01": {}}),
        ("stretch_gates", {"3B-S013": {}}),
        ("hard_gates", {"3B-V13": {}}),
        ("metrics", {"Edges": 1.0}),
        ("metrics", {"edges_on_islands": "many"}),
        ("metrics", {"virtual_rate_by_zone": 1.0}),
    ],
)
def test_a_metrics_document_holds_nothing_else(part: str, added: dict[str, Any]) -> None:
    assert contract("validation_metrics_seed_3B").check_document(metrics_document(**{part: added}))


def test_sealed_inputs_are_unique_by_logical_id_and_sorted() -> None:
    sealed = contract("sealed_inputs_3B")
    first, second = DOCUMENTS["sealed_inputs_3B"]
    (repeated,) = sealed.check_document([first, first])
    assert (repeated.rule, "edge_topology" in repeated.expected) == ("x-unique-by", True)
    (unsorted,) = sealed.check_document([second, first])
    assert unsorted.rule == "x-sorted-by"


def test_order_and_keys_hold_inside_a_document_too() -> None:
    index = fresh(DOCUMENTS["validation_bundle_index_3B"])
    index["members"] = [{**index["members"][0], "path": path} for path in ("b.json", "a.json", "b.json")]
    violations = contract("validation_bundle_index_3B").check_document(index)
    assert {(each.rule, each.column) for each in violations} == {
        ("x-unique-by", "/members"),
        ("x-sorted-by", "/members"),
    }


def test_an_integer_is_written_as_one() -> None:
    summary = fresh(DOCUMENTS["s2_summary_3B"])
    summary["edges_total"] = float(summary["edges_total"])
    summary["attempt_histogram"] = {"1": 3.0}
    (found,) = contract("s2_summary_3B").check_document(summary)
    assert (found.rule, found.count, found.expected) == ("type", 2, "an integer, written without a fraction")
    assert found.column in ("/edges_total", "/attempt_histogram/1")


def test_equal_faults_are_one_violation_with_a_count() -> None:
    sealed = [{**entry, "sha256_hex": "short"} for entry in DOCUMENTS["sealed_inputs_3B"]]
    (violation,) = contract("sealed_inputs_3B").check_document(sealed)
    assert (violation.rule, violation.column, violation.count) == ("pattern", "/0/sha256_hex", 2)
    assert violation.example == "short"


@pytest.mark.parametrize(
    ("dataset_id", "key", "value", "rule"),
    [
        ("run_receipt", "seed", 2**64, "maximum"),
        ("run_receipt", "seed", -1, "minimum"),
        ("run_receipt", "seed", True, "type"),
        ("run_receipt", "created_utc", "2026-02-30T00:00:00.000000Z", "format"),
        ("run_receipt", "created_utc", "2026-01-01T00:00:00Z", "pattern"),
        ("run_receipt", "manifest_fingerprint", H64 + "\n", "pattern"),
        ("s2_summary_3B", "edges_by_country", {"NOR": 1}, "additionalProperties"),
        ("s2_summary_3B", "attempt_histogram", {"65": 1}, "additionalProperties"),
        ("s4_run_summary_3B", "status", "FAIL", "const"),
        ("virtual_routing_policy_3B", "overrides", [], "minItems"),
        ("rng_event_edge_jitter_3B", "draws", 2, "type"),
        ("rng_event_edge_jitter_3B", "tz_resolution", None, "type"),
    ],
)
def test_a_wrong_value_is_found_by_its_keyword(dataset_id: str, key: str, value: Any, rule: str) -> None:
    violations = contract(dataset_id).check_document({**VALID[dataset_id], key: value})
    assert {each.rule for each in violations} >= {rule}
    assert all(each.column.startswith(f"/{key}") for each in violations)


@pytest.mark.parametrize("path", ["/abs", "a/../b", "..", "a\\b", "c:d", "a//b", "ünï", "./a", ""])
def test_a_path_that_leaves_its_folder_or_ascii_is_refused(path: str) -> None:
    index = {"files": [{"path": path, "sha256_hex": H64}]}
    assert contract("validation_index_2A").check_document(index) != []


@pytest.mark.parametrize("path", ["index.json", "_passed.flag", "a/.b/c..d", "seed=42/x-1+2.json"])
def test_an_ordinary_relative_path_is_accepted(path: str) -> None:
    index = {"files": [{"path": path, "sha256_hex": H64}]}
    assert contract("validation_index_2A").check_document(index) == []


@pytest.mark.parametrize("text", [f"sha256_hex = {H64}", f"sha256_hex = {H64}\n\n", f"sha256_hex={H64}\n"])
def test_a_flag_is_78_bytes_and_no_other(text: str) -> None:
    assert contract("passed_flag_3B").check_document(text) != []


def test_no_line_is_valid_in_the_gamma_draw_log() -> None:
    assert contract("gamma_draw_log_3B").check_document({}) != []


def test_a_required_document_raises_with_the_pointer_as_place() -> None:
    receipt = contract("run_receipt")
    value = DOCUMENTS["run_receipt"]
    assert require_document(receipt, value, state="S0", name="INPUT_SCHEMA_MISMATCH", place="p") is value
    with pytest.raises(Seg3BError) as raised:
        require_document(
            receipt,
            {**value, "seed": "42"},
            state="S0",
            name="INPUT_SCHEMA_MISMATCH",
            place="run_receipt.json",
        )
    assert raised.value.code == "E3B_S0_INPUT_SCHEMA_MISMATCH"
    assert raised.value.place == "run_receipt.json:/seed"
    assert raised.value.detail["violations"][0]["rule"] == "type"
