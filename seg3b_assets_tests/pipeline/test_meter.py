"""Peak memory belongs to the stretch it was used in."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from seg3b_assets.pipeline import meter
from seg3b_assets.pipeline.meter import Meter

HUNDRED_MB = 100_000_000


@pytest.mark.skipif(not Path("/proc/self/clear_refs").exists(), reason="the mark can be reset on Linux only")
def test_a_peak_does_not_carry_over_to_the_next_stretch() -> None:
    before = Meter()
    start = before.megabytes()
    held = np.ones(HUNDRED_MB, np.uint8)
    assert before.megabytes() >= start + 95
    del held
    assert Meter().megabytes() < start + 50


def test_where_the_mark_cannot_be_reset_the_process_peak_is_given(monkeypatch, tmp_path: Path) -> None:
    monkeypatch.setattr(meter, "_CLEAR", tmp_path / "no" / "such" / "file")
    assert Meter().megabytes() > 1
