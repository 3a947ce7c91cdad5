"""Distributions as text: bins where there is something to divide, one line where there is not."""

import numpy as np

from seg3b_assets.orchestration.markdown import histogram


def test_values_that_differ_are_counted_in_bins() -> None:
    shown = histogram(np.array([0.0, 1.0, 1.0, 10.0]), "merchants", "km", bins=2)
    assert [line.split()[-1] for line in shown.splitlines() if " to " in line] == ["3", "1"]


def test_values_that_are_all_alike_take_one_line() -> None:
    assert histogram(np.full(50, 500), "merchants", "edges") == "Merchants by edges: all 50 at 500."
    assert histogram(np.array([]), "merchants", "edges") == "There are no merchants."
