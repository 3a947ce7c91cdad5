"""One valid value of each certification document."""

from __future__ import annotations

from typing import Any

from seg3b_assets.contracts import contract
from seg3b_assets.policies.gates import REQUIRED_HARD_GATES, REQUIRED_STRETCH_GATES
from seg3b_assets.realism import METRICS
from seg3b_assets.realism.figure_data import PLOT_FRAMES
from seg3b_assets_tests.contracts.sample_reference import reference_sample
from seg3b_assets_tests.contracts.sample_rows import H32, H64, UTC

# What the document must have; what policies and registry hold besides is allowed, not asked for.
_REQUIRED = contract("validation_metrics_seed_3B").schema["properties"]["metrics"]["required"]
_MEASURED = sorted(METRICS.keys() & set(_REQUIRED))
_YES_OR_NO = {"realism_block_active_enforced": True}
_RATES = [{"value": "5816", "rows": 100, "virtual": 3, "virtual_rate": 0.03}]
_HELD = {"observed": 0.5, "pass": True, "miss_abs": 0.0, "miss_pct": 0.0, "margin": 1.0}
_BOUND = {"metric": "edges_per_merchant_cv", "operator": ">=", "threshold": 0.25}
_GATE = {"state": "S2", **_BOUND, **_HELD}
_FAILURE = {
    "gate": "3B-V01",
    "level": "hard",
    "seed": 42,
    **_GATE,
    "lane": "topology",
    "fault_domain": "policy",
}


def _seeds(record: Any) -> dict[str, Any]:
    return {"42": record, "7": record}


CERTIFICATION: dict[str, Any] = {
    "validation_metrics_seed_3B": {
        "segment": "3B",
        "phase": "P5",
        "seed": 42,
        "run_id": H32,
        "manifest_fingerprint": H64,
        "parameter_hash": H64,
        "generated_utc": UTC,
        "metrics": {
            **dict.fromkeys(_MEASURED, 0.5),
            **_YES_OR_NO,
            "n": {"virtual_rate": 100},
            "detail": {"median_pairwise_js": []},
            "by_virtual_class": {},
            "virtual_rate_by_mcc": _RATES,
            "virtual_rate_by_channel": _RATES,
            "virtual_rate_by_country": _RATES,
        },
        "hard_gates": dict.fromkeys(REQUIRED_HARD_GATES, _GATE),
        "stretch_gates": dict.fromkeys(REQUIRED_STRETCH_GATES, _GATE),
        "hard_pass": True,
        "stretch_pass": True,
        "verdict": "PASS_BPLUS",
        "provenance": {
            "lineage_id": H64,
            "sealed_inputs_digest": H64,
            "states": {"S0": H64},
            "policies": {"certification": H64},
            "datasets": {"edge_catalogue_3B": H64},
            "blocked": None,
        },
    },
    "validation_plots_seed_3B": {
        "segment": "3B",
        "seed": 42,
        "run_id": H32,
        "plots": {name: {key: [] for key in columns} for name, columns in PLOT_FRAMES.items()},
    },
    "validation_cross_seed_summary_3B": {
        "segment": "3B",
        "phase": "P5",
        "generated_utc": UTC,
        "required_seeds": [42, 7],
        "selected_seed_run_map": _seeds(H32),
        "seed_verdicts": _seeds("PASS_BPLUS"),
        "cross_seed_checks": {
            "3B-X01": {
                "metric_cvs": {"top1_share_p50": 0.01},
                "max_cv_b": 0.25,
                "max_cv_bplus": 0.15,
                "pass_b": True,
                "pass_bplus": True,
            },
            "3B-X02": {"virtual_rate_values": _seeds(0.03), "band": [0.02, 0.08], "pass": True},
            "3B-X03": {"all_hard_gates_pass": _seeds(True), "pass": True},
        },
        "confidence": {
            "bootstrap_overlap": {
                "resamples": 2000,
                "level": 0.95,
                "must_exceed": 0.07,
                "seeds": _seeds({"estimate": 0.1, "lower": 0.09, "upper": 0.11, "pass": True}),
                "pass": True,
            },
            "ks_top1_share": {
                "p": 0.01,
                "pairs": [{"seeds": [7, 42], "statistic": 0.1, "p": 0.5, "p_holm": 0.5, "pass": True}],
                "pass": True,
            },
            "coupling_uplift": {
                "overlap_ratio": 2.0,
                "distance_reduction": 0.2,
                "seeds": _seeds({"shown": False, "pass": False}),
                "pass": False,
            },
            "class_slices": {
                "min_class_size": 30,
                "seeds": _seeds(
                    {
                        "merchants": {"OFFSHORE_HUB": 31},
                        "judged": ["OFFSHORE_HUB"],
                        "failed": {"OFFSHORE_HUB": ["3B-D01"]},
                        "pass": False,
                    }
                ),
                "pass": False,
            },
            "contract_rows": {"minimum": 12, "seeds": _seeds({"rows": 54, "pass": True}), "pass": True},
            "pass": False,
        },
        "overall": {
            "all_seed_hard_pass": True,
            "all_seed_stretch_pass": True,
            "pass_b": True,
            "pass_bplus": True,
            "grade_a": False,
            "overall_verdict": "PASS_BPLUS",
        },
        "ranked_failures": [_FAILURE],
    },
    "validation_reference_3B": reference_sample([42, 7]),
    "certification_report_3B": {
        "segment": "3B",
        "version": 1,
        "certification_id": H64,
        "verdict": "PASS_B",
        "grade_a": False,
        "seeds": _seeds("PASS_B"),
        "findings": ["It passes."],
        "actions": [],
        "gates": [
            {
                **_BOUND,
                "gate": "3B-V01",
                "level": "B",
                "pass": True,
                "thinnest_margin": 0.5,
                "seeds": _seeds({"observed": 0.5, "pass": True, "margin": 0.5}),
            }
        ],
        "comparisons": [
            {
                "name": "baseline",
                "source": "The figures of record.",
                "seeds": _seeds("FAIL_REALISM"),
                "metrics": [
                    {
                        "metric": "edges_per_merchant_cv",
                        "unit": "dimensionless",
                        "here": 0.5,
                        "there": 0.0,
                        "change": 0.5,
                        "sense": "better",
                    }
                ],
                "gates_changed": [
                    {
                        "gate": "3B-V01",
                        "level": "B",
                        "metric": "edges_per_merchant_cv",
                        "here": True,
                        "there": False,
                    }
                ],
                "policies": [{"policy": "edge_topology", "key": "a.b", "here": "1", "there": None}],
            }
        ],
        "runtimes": {
            "budget_s": 4500.0,
            "computing_s": 12.5,
            "scoring_s": None,
            "seeds": _seeds(
                {"states": {"S2": {"wall_s": 2.5, "peak_rss_mb": 900.0, "lanes": {"topology": 1.5}}}}
            ),
        },
        "plots": [{"name": "edge-density", "section": "networks", "title": "Edges", "caption": "Many."}],
        "digests": {"3B_validation_gate_matrix.csv": H64},
        "inputs_digest": H64,
        "last_good_before": {"42": H64},
    },
}
