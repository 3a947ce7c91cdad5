"""What a person is told of a stranger's facts: all of it where it is short, and how much more there is where not."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from seg3b_assets.laws.clipping import ENTRIES, TEXT, TOTAL, clipped, clipped_text
from seg3b_assets.laws.errors import Seg3BError
from seg3b_assets.laws.visible_text import json_text, story

SMALL = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False) | st.text(max_size=20),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(max_size=8), inner, max_size=4),
    max_leaves=20,
)
# As JSON shows them, with what a list takes besides.
MOST = 3 * TOTAL


@given(SMALL)
def test_what_is_short_is_told_as_it_is(facts: Any) -> None:
    assert clipped(facts) == facts


def test_a_long_text_says_how_much_more_there_is() -> None:
    assert clipped_text("a" * TEXT) == "a" * TEXT
    assert clipped_text("a" * 200_000) == "a" * TEXT + "… and 199,000 characters more"


def test_long_lists_and_objects_say_how_many_more_there_are() -> None:
    told = clipped({"found": list(range(1_000_000)), "keys": {str(key): key for key in range(1_000_000)}})
    assert told["found"] == [*range(ENTRIES), "and 999,900 more"]
    assert len(told["keys"]) == ENTRIES + 1
    assert told["keys"]["…"] == "and 999,900 more"


def nested(levels: int) -> Any:
    value: Any = "bottom"
    for level in range(levels):
        value = [value] if level % 2 else {"in": value}
    return value


@pytest.mark.parametrize(
    "facts",
    [
        "x" * 16_000_000,
        {"x" * 16_000_000: 0},
        ["\x1b" * 5_000] * 5_000,
        {"\u202e" * 900 + str(at): "\x1b" * 900 for at in range(5_000)},
        [["x" * 900] * 200] * 200,
        [[[[0] * 100] * 100] * 100] * 100,
        nested(100_000),
    ],
    ids=["text", "key", "escapes", "escaped keys", "lists", "numbers", "deep"],
)
def test_whatever_it_is_it_is_some_tens_of_kilobytes(facts: Any) -> None:
    assert len(json_text(clipped({"detail": facts}))) < MOST


def test_an_error_tells_as_much_wherever_it_is_told() -> None:
    long = "k" * 1_000_000
    facts = {"unknown": [long] * 1_000, long: 0}
    error = Seg3BError("S0", "INPUT_SCHEMA_MISMATCH", "keys", f"a.json:{long}", f"Take {long} out.", facts)
    assert len(str(error)) < MOST
    assert len(json_text(error.record())) < MOST
    assert error.detail == facts  # who handles it has it all


def test_a_log_has_no_endless_line(caplog: pytest.LogCaptureFixture) -> None:
    with caplog.at_level("WARNING"):
        story("clipping").warning("found %s", "x" * 1_000_000)
    assert len(caplog.messages[-1]) < 5_000
