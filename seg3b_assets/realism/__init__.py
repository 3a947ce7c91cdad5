"""Whether the segment is believable: metrics of published outputs, gates, confidence, certification.

One registry of metrics serves asset checks, S4's contract results and certification alike. Thresholds are
read from policies; nothing here changes an output.
"""

from seg3b_assets.realism.artefacts import (
    CROSS_SEED_SUMMARY,
    FAILURE_TRACE,
    ReportHeader,
    cross_seed_summary,
    failure_trace,
    metrics_document,
    metrics_file_name,
    plots_document,
    plots_file_name,
)
from seg3b_assets.realism.certify import Certification, certify, certify_scores
from seg3b_assets.realism.confidence import CouplingMedians
from seg3b_assets.realism.contract_run import blocking_failures, run_contract
from seg3b_assets.realism.gates import FAIL_REALISM, PASS_B, PASS_BPLUS, Condition, GateResult
from seg3b_assets.realism.measurement import Measurement, Metric
from seg3b_assets.realism.metrics import SeedMetrics, measure
from seg3b_assets.realism.outputs import SeedOutputs, located, read_outputs, with_countries
from seg3b_assets.realism.registry import METRICS
from seg3b_assets.realism.scoring import SeedScore, score_seed

__all__ = [
    "CROSS_SEED_SUMMARY",
    "FAILURE_TRACE",
    "FAIL_REALISM",
    "METRICS",
    "PASS_B",
    "PASS_BPLUS",
    "Certification",
    "Condition",
    "CouplingMedians",
    "GateResult",
    "Measurement",
    "Metric",
    "ReportHeader",
    "SeedMetrics",
    "SeedOutputs",
    "SeedScore",
    "blocking_failures",
    "certify",
    "certify_scores",
    "cross_seed_summary",
    "failure_trace",
    "located",
    "measure",
    "metrics_document",
    "metrics_file_name",
    "plots_document",
    "plots_file_name",
    "read_outputs",
    "run_contract",
    "score_seed",
    "with_countries",
]
