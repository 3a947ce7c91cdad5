"""The figures of record that ship with the package are what the baseline pack certifies to."""

from __future__ import annotations

from pathlib import Path

import orjson
import pytest

from seg3b_assets.certification import certify
from seg3b_assets.certification.baseline_of_record import figures
from seg3b_assets.certification.references import BASELINE_POLICIES, OF_RECORD
from seg3b_assets.settings import Settings


@pytest.mark.soak
def test_the_baseline_pack_certifies_to_the_figures_of_record(tmp_path: Path) -> None:
    settings = Settings.from_environment(home=tmp_path / "home", policies=BASELINE_POLICIES)
    run = certify(settings)
    assert figures(run.metrics) == orjson.loads(OF_RECORD.read_bytes())


def test_they_are_the_flat_posture() -> None:
    for seed, found in orjson.loads(OF_RECORD.read_bytes())["seeds"].items():
        assert found["verdict"] == "FAIL_REALISM", seed
        assert found["metrics"]["edges_per_merchant_cv"] == found["metrics"]["median_pairwise_js"] == 0
        assert found["metrics"]["top1_share_p50"] == 0.002
        # Traffic that knows nothing of the settlement: as far away as people are from one another, which is less than
        # the quarter of the Earth's circumference between two points taken anywhere.
        assert 7_500 < found["metrics"]["settlement_distance_median_km"] < 10_007.5
