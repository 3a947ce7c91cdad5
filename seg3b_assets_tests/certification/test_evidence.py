"""The certification's documents hold what the gates say they hold, and read as text a person can act on."""

from __future__ import annotations

from dataclasses import replace

import orjson
import pytest

from seg3b_assets.certification.evidence import (
    ReportHeader,
    cross_seed_summary,
    failure_trace,
    metrics_document,
    metrics_file_name,
)
from seg3b_assets.certification.verdict import Certification, certify_scores
from seg3b_assets.realism import score_seed
from seg3b_assets_tests.realism.worlds import SOUND, Shape, enforced, policies

POLICIES = policies()
HEADER = ReportHeader("P5", "2026-03-08T09:10:11.121314Z", {42: {"lineage_id": "ef" * 32}})


def certified(*shapes: Shape) -> Certification:
    seeds = (42, 7, 101)[: len(shapes)]
    scores = [
        score_seed(enforced(shape, seed), POLICIES, workers=1)
        for seed, shape in zip(seeds, shapes, strict=True)
    ]
    return certify_scores(scores, POLICIES)


SOUND_PAIR = certified(SOUND, SOUND)
BROKEN_PAIR = certified(SOUND, replace(SOUND, edges_sigma=0.0, rules=4))


def test_the_metrics_document_has_the_keys_of_the_gates() -> None:
    document = metrics_document(SOUND_PAIR.scores[42], HEADER)
    assert list(document) == [
        "segment",
        "phase",
        "seed",
        "run_id",
        "manifest_fingerprint",
        "parameter_hash",
        "generated_utc",
        "metrics",
        "hard_gates",
        "stretch_gates",
        "hard_pass",
        "stretch_pass",
        "verdict",
        "provenance",
    ]
    assert (document["segment"], document["seed"], document["verdict"]) == ("3B", 42, "PASS_BPLUS")
    assert document["provenance"] == {"lineage_id": "ef" * 32}
    assert document["hard_gates"].keys() == POLICIES.virtual_validation.hard_gates.keys()
    for gate in (*document["hard_gates"].values(), *document["stretch_gates"].values()):
        keys = {
            "metric",
            "state",
            "operator",
            "threshold",
            "observed",
            "pass",
            "miss_abs",
            "miss_pct",
            "margin",
        }
        assert gate.keys() - {"conditions"} == keys
    assert orjson.loads(orjson.dumps(document)) == document
    assert metrics_file_name(42) == "3B_validation_metrics_seed_42.json"


def test_metrics_come_with_what_stands_beside_them() -> None:
    metrics = metrics_document(SOUND_PAIR.scores[42], HEADER)["metrics"]
    assert metrics["realism_block_active_enforced"] is True
    beside = {"top1_share_p10", "top1_share_p90", "top1_country_share_p50", "settlement_unresolved_count"}
    beside |= {"settlement_distance_weighted_median_km", "settlement_distance_p90_km"}
    beside |= {"virtual_rate_by_mcc", "virtual_rate_by_channel", "virtual_rate_by_country"}
    assert beside <= metrics.keys()
    assert metrics["n"]["median_pairwise_js"] == 120 * 119 // 2
    assert metrics["detail"]["median_pairwise_js"] == {"exact": True, "pairs": 7140}
    assert {row["merchants"] for row in metrics["by_virtual_class"].values()} == {40}


def test_the_summary_has_the_keys_of_the_gates() -> None:
    summary = cross_seed_summary(SOUND_PAIR, (42, 7, 101, 202), HEADER)
    assert list(summary) == [
        "segment",
        "phase",
        "generated_utc",
        "required_seeds",
        "selected_seed_run_map",
        "seed_verdicts",
        "cross_seed_checks",
        "confidence",
        "overall",
        "ranked_failures",
    ]
    assert summary["selected_seed_run_map"].keys() == {"42", "7"}
    assert summary["cross_seed_checks"].keys() == {"3B-X01", "3B-X02", "3B-X03"}
    assert summary["overall"] == {
        "all_seed_hard_pass": True,
        "all_seed_stretch_pass": True,
        "pass_b": True,
        "pass_bplus": True,
        "grade_a": False,
        "overall_verdict": "PASS_BPLUS",
    }
    assert orjson.loads(orjson.dumps(summary)) == summary


@pytest.mark.parametrize("certification", [SOUND_PAIR, BROKEN_PAIR, certified(replace(SOUND, rules=4))])
def test_overall_passes_and_the_verdict_say_the_same(certification: Certification) -> None:
    overall = cross_seed_summary(certification, (42,), HEADER)["overall"]
    expected = "PASS_BPLUS" if overall["pass_bplus"] else "PASS_B" if overall["pass_b"] else "FAIL_REALISM"
    assert overall["overall_verdict"] == expected


def test_there_is_no_trace_of_failures_when_nothing_fails() -> None:
    assert failure_trace(SOUND_PAIR, HEADER) is None


def test_the_trace_says_what_failed_by_how_much_and_where_to_look() -> None:
    trace = failure_trace(BROKEN_PAIR, HEADER)
    assert trace is not None and trace.endswith("\n")
    headings = [line for line in trace.splitlines() if line.startswith("## ")]
    assert headings == [
        "## 1. 3B-V01 (hard), seed 7",
        "## 2. 3B-V12 (hard), seed 7",
        "## 3. 3B-S01 (stretch), seed 7",
        "## 4. 3B-S09 (stretch), seed 7",
    ]
    assert "- Observed: 0; bound: >= 0.25; missed by 0.25 (100.00 % of the bound)." in trace
    assert "- Look first: state S2, lane topology, policy:" in trace
    assert "Verdict FAIL_REALISM, phase P5" in trace
    assert "edges_per_merchant_cv over everybody: FAIL" in trace
