"""Whether one seed is believable: metrics of its published outputs, gates, how sure they are.

One registry of metrics serves asset checks, S4's contract results and certification alike. Thresholds are
read from policies; nothing here changes an output.
"""

from seg3b_assets.realism.confidence import CouplingMedians
from seg3b_assets.realism.gates import FAIL_REALISM, PASS_B, PASS_BPLUS, Condition, GateResult
from seg3b_assets.realism.measurement import Measurement, Metric
from seg3b_assets.realism.metrics import SeedMetrics, measure
from seg3b_assets.realism.outputs import SeedOutputs, located, read_outputs, with_countries
from seg3b_assets.realism.registry import METRICS
from seg3b_assets.realism.scoring import SeedScore, score_seed

__all__ = [
    "FAIL_REALISM",
    "METRICS",
    "PASS_B",
    "PASS_BPLUS",
    "Condition",
    "CouplingMedians",
    "GateResult",
    "Measurement",
    "Metric",
    "SeedMetrics",
    "SeedOutputs",
    "SeedScore",
    "located",
    "measure",
    "read_outputs",
    "score_seed",
    "with_countries",
]
