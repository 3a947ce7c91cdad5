"""Distributions as text: bins where there is something to divide, one line where there is not."""

import numpy as np

from seg3b_assets.report.gate_evidence import _histogram as histogram
from seg3b_assets.report.markdown import grid_markdown
from seg3b_assets.report.tables import plain_grid


def test_values_that_differ_are_counted_in_bins() -> None:
    shown = histogram(np.array([0.0, 1.0, 1.0, 10.0]), "merchants", "km", bins=2)
    assert [line.split()[-1] for line in shown.splitlines() if " to " in line] == ["3", "1"]


def test_values_that_are_all_alike_take_one_line() -> None:
    assert histogram(np.full(50, 500), "merchants", "edges") == "Merchants by edges: all 50 at 500."
    assert histogram(np.array([]), "merchants", "edges") == "There are no merchants."


def test_a_cell_shows_what_a_stranger_wrote_and_is_no_markup() -> None:
    hostile = "![x](http://elsewhere/a.png) <img src=x> `a`|b\n\x1b[2J\u202e"
    [cell] = grid_markdown(plain_grid(("what",), [(hostile,)])).splitlines()[2:]
    assert cell == "| !\\[x\\](http://elsewhere/a.png) \\<img src=x\\> \\`a\\`\\|b \\\\x1b\\[2J\\\\u202e |"


def test_numbers_stand_right_and_read_as_everywhere() -> None:
    shown = grid_markdown(plain_grid(("what", "how many"), [("a", 1234), ("b", 5)]))
    assert shown.splitlines() == ["| what | how many |", "|---|---:|", "| a | 1,234 |", "| b | 5 |"]
