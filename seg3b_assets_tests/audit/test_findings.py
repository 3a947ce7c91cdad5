"""What counts as the same value in a document."""

from __future__ import annotations

import pytest

from seg3b_assets.audit.findings import same


@pytest.mark.parametrize(
    ("found", "expected"),
    [
        (1, 1),
        (0.5, 0.5),
        ("a", "a"),
        (None, None),
        ({"a": [1, 2]}, {"a": (1, 2)}),
        (True, True),
        (-0.0, -0.0),
    ],
)
def test_alike(found: object, expected: object) -> None:
    assert same(found, expected)


@pytest.mark.parametrize(
    ("found", "expected"),
    [
        (1.0, 1),
        (True, 1),
        (1, True),
        (0, False),
        (-0.0, 0.0),
        (float("nan"), float("nan")),
        (None, 0),
        ("1", 1),
        ([1], [1.0]),
        ([1], [1, 1]),
        ({"a": 1}, {"a": 1.0}),
        ({"a": 1}, {"b": 1}),
        ({"a": {"b": [True]}}, {"a": {"b": [1]}}),
    ],
)
def test_not_alike_though_python_may_call_them_equal(found: object, expected: object) -> None:
    assert not same(found, expected)
