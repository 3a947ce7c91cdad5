"""How numbers read: decided in ``wording``, and written by hand nowhere that a person is told something."""

from __future__ import annotations

import ast
import math
import re
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from seg3b_assets.settings import REPOSITORY
from seg3b_assets.wording import apart, change, margin, number, seconds, size, wall

PRODUCT = REPOSITORY / "seg3b_assets"
TELLING = ("bench", "cli", "doctor", "orchestration", "pipeline")
NUMERIC = re.compile(r"[+ ]?,|[+ ]?,?\.\d+[efg%]?$|[+ ]?[efg%]$")
# What is no telling of a figure: tags that programs read, and draws shown to the digit they are compared by.
AS_THEY_ARE = {
    ("orchestration/run_log.py", "g"),
    ("orchestration/run_log.py", ".1f"),
    ("cli/sample.py", ".6f"),
}


def formats(path: Path) -> set[str]:
    """The number formats of a module's f-strings."""
    found = {
        part.value
        for node in ast.walk(ast.parse(path.read_text()))
        if isinstance(node, ast.FormattedValue) and isinstance(node.format_spec, ast.JoinedStr)
        for part in node.format_spec.values
        if isinstance(part, ast.Constant)
    }
    return {str(one) for one in found if NUMERIC.match(str(one))}


def test_whoever_tells_a_person_formats_no_number_by_hand() -> None:
    modules = [
        path
        for one in TELLING
        for path in ([PRODUCT / one] if one.endswith(".py") else (PRODUCT / one).rglob("*.py"))
    ]
    by_hand = {(path.relative_to(PRODUCT).as_posix(), one) for path in modules for one in formats(path)}
    assert by_hand == AS_THEY_ARE


@pytest.mark.parametrize(
    ("value", "told"),
    [
        (True, "yes"),
        (None, "n/a"),
        (math.inf, "n/a"),
        (-12345, "−12,345"),
        (0.12345, "0.123"),
        (99.96, "100"),
        (999.6, "1,000"),
        (12345.6, "12,346"),
        (0.00023456, "2.3e−4"),
    ],
)
def test_numbers_read(value: float | None, told: str) -> None:
    assert number(value) == told


@given(st.floats(-1e12, 1e12), st.floats(-1e12, 1e12))
def test_two_figures_that_differ_read_differently(one: float, other: float) -> None:
    shown = apart(one, other)
    assert (shown[0] != shown[1]) == (one != other)


def test_two_figures_have_no_more_digits_than_that_takes() -> None:
    assert apart(0.5, 0.25) == ("0.5", "0.25")
    assert apart(0.123401, 0.123409) == ("0.1234", "0.12341")
    assert apart(1234.25, 1234.5) == ("1,234.2", "1,234.5")
    assert apart(None, 0.5) == ("n/a", "0.5")


def test_changes_margins_durations_and_sizes_read() -> None:
    assert [change(one) for one in (0.25, -0.25, 0, None)] == ["+0.25", "−0.25", "0", "n/a"]
    assert [margin(one) for one in (0.123, -0.4, None)] == ["+12%", "−40%", "n/a"]
    assert [seconds(one) for one in (0.44, 59.94, 90, None)] == ["0.4 s", "59.9 s", "1.5 min", "not recorded"]
    assert [wall(one) for one in (0.0003, 0.287, 22.33, None)] == ["0", "0.29", "22.3", "n/a"]
    assert [size(one) for one in (0, 999, 1500, 212_400_000, 61_771_000_000)] == [
        "0 bytes",
        "999 bytes",
        "1.5 kB",
        "212.4 MB",
        "61.8 GB",
    ]
