"""Peak memory belongs to the stretch it was used in."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

from seg3b_assets.pipeline.record import Meter

# In a process of its own: in one that has freed memory before, a hundred megabytes may cost nothing new.
STRETCHES = """
import numpy as np
from seg3b_assets.pipeline.record import Meter
before = Meter()
start = before.megabytes()
held = np.ones(100_000_000, np.uint8)
print(before.megabytes() - start)
del held
print(Meter().megabytes() - start)
"""


@pytest.mark.skipif(not Path("/proc/self/clear_refs").exists(), reason="the mark can be reset on Linux only")
def test_a_peak_does_not_carry_over_to_the_next_stretch() -> None:
    told = subprocess.run(
        [sys.executable, "-c", STRETCHES], capture_output=True, text=True, check=True
    ).stdout
    during, after = (float(line) for line in told.split())
    assert during >= 95
    assert after < 50


def test_where_the_mark_cannot_be_reset_the_process_peak_is_given(monkeypatch, tmp_path: Path) -> None:
    monkeypatch.setattr("seg3b_assets.pipeline.record._CLEAR", tmp_path / "no" / "such" / "file")
    assert Meter().megabytes() > 1
