"""Certifying: what is kept, when it is kept again, what a blocked seed and a changed policy do."""

from __future__ import annotations

import io
import shutil
from dataclasses import replace
from pathlib import Path

import orjson
import polars as pl
import pytest

from seg3b_assets.certification import GATE_MATRIX, CertificationRun, SeedsFailedError, certify
from seg3b_assets.certification.evidence import (
    CROSS_SEED_SUMMARY,
    FAILURE_TRACE,
    REFERENCE,
    metrics_file_name,
    plots_file_name,
)
from seg3b_assets.certification.lineages import score_lineage
from seg3b_assets.contracts import contract
from seg3b_assets.laws.errors import Seg3BError
from seg3b_assets.laws.hashing import canonical_json, sha256_hex
from seg3b_assets.pipeline import default_segment
from seg3b_assets.progress import SILENT
from seg3b_assets.realism import METRICS
from seg3b_assets.settings import Settings
from seg3b_assets.store import Store
from seg3b_assets_tests.certification.conftest import SEEDS, Certified, contents, edit

DISTANCE = "settlement_distance_median_km"
DOCUMENTS = [metrics_file_name(seed) for seed in SEEDS]
PLOTS = [plots_file_name(seed) for seed in SEEDS]


def heads(settings: Settings, seed: int = 42) -> dict[str, str]:
    return Store(settings.home, contract).heads(seed)


def executed(run: CertificationRun) -> set[str]:
    return {state for lineage in run.lineages.values() for state in lineage.record.executed}


KINDS = ("cross_seed_summary", "metrics_seed", "plots_seed", "reference")


def test_the_artefacts_are_those_of_the_gates_and_keep_their_contracts(certified: Certified) -> None:
    files = certified.files
    assert set(files) == {
        *DOCUMENTS,
        *PLOTS,
        CROSS_SEED_SUMMARY,
        REFERENCE,
        GATE_MATRIX,
        "certification.json",
    }
    for name in (*DOCUMENTS, *PLOTS, CROSS_SEED_SUMMARY, REFERENCE):
        document = orjson.loads(files[name])
        kind = next(
            kind for kind in ("cross_seed_summary", "metrics_seed", "plots_seed", "reference") if kind in name
        )
        dataset = f"validation_{kind}_3B"
        assert contract(dataset).check_document(document) == []
        assert canonical_json(document) == files[name]
        assert name == contract(dataset).relative_path(document)
    listed = orjson.loads(files.pop("certification.json"))
    assert listed["files"] == {name: sha256_hex(content) for name, content in files.items()}
    assert listed["certification_id"] == certified.run.folder.name


def test_generous_bounds_pass_and_the_run_says_what_the_documents_say(certified: Certified) -> None:
    run = certified.run
    assert (run.verdict, run.passed, run.reused, run.trace_path) == ("PASS_BPLUS", True, False, None)
    assert list(run.metrics) == list(run.lineages) == list(SEEDS)
    assert run.summary.as_json() == orjson.loads(run.summary_path.read_bytes())
    assert (run.summary.required_seeds, run.required, run.scope) == (SEEDS, SEEDS, "policy")
    assert run.as_json()["seeds"] == {"42": "PASS_BPLUS", "31415": "PASS_BPLUS"}
    gates = run.metrics[31415].stretch_gates
    assert run.margins["31415"]["3B-S07"] == gates["3B-S07"].margin
    assert "3B-V12" not in run.margins["31415"]


def test_provenance_names_the_lineage_that_was_run(certified: Certified) -> None:
    for seed, document in certified.run.metrics.items():
        record = certified.run.lineages[seed].record
        provenance = document.provenance
        assert provenance.lineage_id == record.lineage_id
        assert provenance.states == record.keys == heads(certified.settings, seed)
        assert provenance.datasets["edge_catalogue_3B"] == record.published.digest("edge_catalogue_3B")
        policy = certified.settings.policies / "certification.yaml"
        assert provenance.policies["certification"] == sha256_hex(policy.read_bytes())
        assert provenance.blocked is None
        assert document.generated_utc == record.identity.created_utc


def test_the_counterfactual_is_in_the_confidence_layer(certified: Certified) -> None:
    layer = certified.run.summary.confidence.coupling_uplift
    for seed, document in certified.run.metrics.items():
        row = layer.seeds[seed]
        assert row.overlap_coupled == document.value("settlement_overlap_median") and row.overlap_coupled
        assert row.overlap_uncoupled is not None and row.overlap_uncoupled < row.overlap_coupled / 2
        assert row.distance_coupled_km and row.distance_uncoupled_km
        assert row.distance_uncoupled_km > 1.2 * row.distance_coupled_km


def test_the_gate_matrix_has_every_gate_of_every_seed_and_judged_class(certified: Certified) -> None:
    matrix = pl.read_csv(io.BytesIO(certified.files[GATE_MATRIX]))
    assert matrix["seed"].unique().sort().to_list() == sorted(SEEDS)
    for seed, document in certified.run.metrics.items():
        rows = matrix.filter(pl.col("seed") == seed, pl.col("population") == "all_virtual")
        assert set(rows.filter(pl.col("level") == "hard")["gate"]) == document.hard_gates.keys()
        assert set(rows.filter(pl.col("level") == "stretch")["gate"]) == document.stretch_gates.keys()
        [far] = rows.filter(pl.col("gate") == "3B-V07").to_dicts()
        gate = document.hard_gates["3B-V07"]
        assert (far["observed"], far["margin"], far["threshold_high"]) == (
            gate.observed,
            gate.margin,
            gate.threshold,
        )
        assert far["threshold_low"] is None
        judged = certified.run.summary.confidence.class_slices.seeds[seed].judged
        populations = set(matrix.filter(pl.col("seed") == seed)["population"])
        assert populations == {"all_virtual", *(f"virtual_class={name}" for name in judged)}
    assert set(matrix["metric"]) <= METRICS.keys()


def test_the_same_again_is_reused_in_any_order_of_the_seeds(again: Settings, certified: Certified) -> None:
    before = contents(certified.run.folder)
    for seeds in ((31415, 42), (42, 31415)):
        run = certify(again, seeds)
        assert (run.reused, run.certification_id) == (True, certified.run.certification_id)
        assert tuple(run.metrics) == seeds
        assert executed(run) == set()
        assert contents(run.folder) == before


def test_scoring_again_gives_the_same_bytes(again: Settings, certified: Certified) -> None:
    rescored = certify(replace(again, workers=1), SEEDS, recompute=True)
    assert (rescored.reused, contents(rescored.folder)) == (False, certified.files)
    shutil.rmtree(again.home / "certifications")
    anew = certify(again, tuple(reversed(SEEDS)))
    assert (anew.reused, contents(anew.folder)) == (False, certified.files)


def test_an_altered_artefact_is_set_aside_and_written_again(again: Settings, certified: Certified) -> None:
    folder = again.home / "certifications" / certified.run.certification_id
    (folder / CROSS_SEED_SUMMARY).write_bytes(b"{}")
    run = certify(again, SEEDS)
    assert (run.reused, run.folder, contents(run.folder)) == (False, folder, certified.files)
    [kept] = (again.home / "quarantine").iterdir()
    assert contents(kept)[CROSS_SEED_SUMMARY] == b"{}"


def test_what_a_writer_that_died_left_is_removed(again: Settings) -> None:
    left = again.home / "certifications" / f"{'0' * 64}.staged"
    left.mkdir()
    (left / CROSS_SEED_SUMMARY).write_bytes(b"{")
    certify(again, (42,))
    assert not left.exists()


def test_another_bar_scores_again_and_runs_no_state(again: Settings, certified: Certified) -> None:
    edit(again.policies, "certification", {"stretch_gates.3B-S07.threshold": 1.0})
    run = certify(again, SEEDS)
    assert run.certification_id != certified.run.certification_id
    assert (executed(run), run.reused) == (set(), False)
    assert (run.verdict, run.grade_a) == ("PASS_B", False)
    assert {failure.gate for failure in run.summary.ranked_failures} == {"3B-S07"}
    assert run.trace_path is not None and "3B-S07 (stretch), seed 42" in run.trace_path.read_text()


def test_a_seed_that_realism_blocks_is_scored_and_the_other_gets_its_bundle(
    again: Settings, certified: Certified
) -> None:
    before = {seed: heads(again, seed) for seed in SEEDS}
    far, near = _by_distance(certified)
    between = (far[0] + near[0]) / 2
    edit(
        again.policies,
        "virtual_validation",
        {"hard_gates.3B-V07.threshold": between, "families.SETTLEMENT_COHERENCE.by_class": False},
    )
    run = certify(again, SEEDS)
    blocked, other = run.lineages[far[1]], run.lineages[near[1]]
    assert blocked.blocked is not None and blocked.record.flag is None
    assert other.blocked is None and other.record.flag is not None
    assert heads(again, far[1]) == before[far[1]]
    assert heads(again, near[1]) == other.record.keys != before[near[1]]
    document = run.metrics[far[1]]
    assert list(document.provenance.states) == ["S0", "S1", "S2", "S3", "S4"]
    assert str(document.provenance.blocked).startswith("E3B_S4_REALISM_GATE_BLOCKED")
    failed = {gate for gate, found in document.hard_gates.items() if not found.passed}
    assert failed == {"3B-V07", "3B-V12"}
    assert run.as_json()["seeds"] == {str(far[1]): "FAIL_REALISM", str(near[1]): "PASS_BPLUS"}
    assert run.verdict == "FAIL_REALISM"
    assert (run.folder / FAILURE_TRACE).read_text().count("\n## ") == 2
    assert certify(again, SEEDS).reused


def _by_distance(certified: Certified) -> list[tuple[float, int]]:
    found = ((document.value(DISTANCE) or 0.0, seed) for seed, document in certified.run.metrics.items())
    return sorted(found, reverse=True)


def test_a_structural_failure_is_raised_after_every_seed_was_tried(again: Settings, tmp_path: Path) -> None:
    roots = tmp_path / "roots"
    roots.mkdir()
    root = default_segment().upstream_root
    (roots / "seed=42").symlink_to(root(again, 42, SILENT))
    empty = replace(again, home=tmp_path / "empty", upstream=roots)
    with pytest.raises(SeedsFailedError) as raised:
        certify(empty, (9, 42))
    assert list(raised.value.errors) == [9]
    assert list(heads(empty)) == ["S0", "S1", "S2", "S3", "S4", "S5"]
    assert not (empty.home / "certifications").exists()


def test_policies_that_change_under_way_are_noticed(certified: Certified) -> None:
    lineage = certified.run.lineages[42]
    other = {**certified.run.metrics[42].provenance.policies, "certification": "0" * 64}
    with pytest.raises(Seg3BError) as raised:
        score_lineage(certified.settings, default_segment(), other, lineage)
    assert raised.value.code == "E3B_S0_SEALED_INPUT_DIGEST_MISMATCH"
    assert raised.value.detail["policies"] == ["certification"]


def test_policies_not_in_force_are_scored_on_their_own_lineage(again: Settings) -> None:
    before = heads(again)
    edit(again.policies, "edge_topology", {"edge_weights.law": "equal"})
    run = certify(replace(again, configured=False), (42,))
    assert (run.metrics[42].value("top1_share_p50") or 1) < 0.01
    assert heads(again) == before != run.lineages[42].record.keys


def test_a_gate_on_a_metric_that_had_none_is_an_entry_of_the_policy(again: Settings) -> None:
    """Nothing but the policies changes: contract, verdict, matrix and trace have the gate, and it stops S5."""
    gate = {"metric": "virtual_rate", "operator": ">=", "threshold": 0.5, "state": "S1",
            "dataset": "virtual_classification_3B", "fault_domain": "policy"}  # fmt: skip
    band = {
        "metrics": ["settlement_distance_p90_km"],
        "operator": "<=",
        "threshold": 1.0,
        "hard_gates": ["3B-D04"],
    }
    edit(again.policies, "virtual_validation", {"hard_gates.3B-D04": gate})
    edit(again.policies, "certification", {"stretch_gates.3B-S13": band})
    run = certify(again, (42,))
    lineage = run.lineages[42]
    assert lineage.blocked is not None and lineage.record.flag is None
    terms = lineage.record.published.table("virtual_validation_terms_3B")
    assert terms.filter(pl.col("gate_id") == "3B-D04")["metric"].to_list() == ["virtual_rate"]
    document = run.metrics[42]
    failed = {gate for gate, found in document.hard_gates.items() if not found.passed}
    assert failed == {"3B-D04", "3B-V12"}
    assert document.stretch_gates["3B-S13"].state == "S1"
    matrix = pl.read_csv(run.folder / GATE_MATRIX)
    assert {"3B-D04", "3B-S13"} <= set(matrix["gate"])
    assert run.trace_path is not None
    trace = run.trace_path.read_text()
    assert "3B-D04 (hard), seed 42" in trace and "3B-S13 (stretch), seed 42" in trace
    edit(again.policies, "virtual_validation", {"hard_gates.3B-D04.threshold": 0.0001})
    met = certify(again, (42,))
    assert met.lineages[42].blocked is None and met.lineages[42].record.flag is not None
    assert met.metrics[42].hard_gates["3B-D04"].passed is True
