"""What a terminal is given: no control of it, nothing hidden, and JSON that says the same."""

from __future__ import annotations

import logging
import unicodedata

import orjson
import pytest
from hypothesis import given
from hypothesis import strategies as st

from seg3b_assets.laws.errors import Seg3BError
from seg3b_assets.laws.visible_text import json_text, story, visible, visible_lines

JOINERS = "\u200c\u200d"
ANY_TEXT = st.text(st.characters() | st.characters(categories=["Cc", "Cf", "Zl", "Zp", "Cs"]))


def commands(text: str) -> list[str]:
    """Characters that a terminal obeys or hides."""
    return [
        one
        for one in text
        if unicodedata.category(one) in ("Cc", "Zl", "Zp", "Cs") or unicodedata.bidirectional(one) in BIDI
    ]


BIDI = {"LRE", "RLE", "LRO", "RLO", "PDF", "LRI", "RLI", "FSI", "PDI"}


@pytest.mark.parametrize(
    ("text", "shown"),
    [
        ("plain, ä, 漢字, שלום, 👨\u200d👩", "plain, ä, 漢字, שלום, 👨\u200d👩"),
        ("\x1b]0;title\x07\x1b[2J", "\\x1b]0;title\\x07\\x1b[2J"),
        ("one\nPASS  two\r\t", "one\\nPASS  two\\r\\t"),
        ("\x7f\x85\x9b31m", "\\x7f\\x85\\x9b31m"),
        ("\u202efdp.exe\u2066\u061c\u200f", "\\u202efdp.exe\\u2066\\u061c\\u200f"),
        ("\u2028\u2029\ufeff\udcff", "\\u2028\\u2029\\ufeff\\udcff"),
        ("\U000e0041", "\\U000e0041"),
    ],
)
def test_hidden_characters_are_shown_as_escapes_and_no_others(text: str, shown: str) -> None:
    assert visible(text) == shown


@given(ANY_TEXT)
def test_a_visible_text_commands_nothing_and_stays_as_it_is(text: str) -> None:
    shown = visible(text)
    assert not commands(shown)
    assert visible(shown) == shown
    assert commands(visible_lines(text)) == ["\n"] * text.count("\n")


@given(st.dictionaries(ANY_TEXT, ANY_TEXT | st.integers(-(2**63), 2**64 - 1) | st.none()))
def test_json_commands_nothing_and_says_what_the_value_says(value: dict[str, object]) -> None:
    shown = json_text(value)
    assert not commands(shown)
    try:
        said = orjson.dumps(value)
    except TypeError:  # lone surrogates are no JSON text
        return
    assert orjson.loads(shown) == orjson.loads(said)


def test_an_error_about_a_name_that_is_no_text_can_be_made_told_and_logged() -> None:
    error = Seg3BError("S0", "INPUT_OPEN_FAILED", "there", "a\x1b[2J\nb", "Look.", {"found": "\udcff\u202e"})
    assert not commands(str(error))
    assert "a\\x1b[2J\\nb" in str(error)


def test_a_story_is_visible_to_whoever_handles_it(caplog: pytest.LogCaptureFixture) -> None:
    with caplog.at_level(logging.WARNING):
        story("test").warning("S0 finding: %s", "a\x1b[2Jb\nPASS")
    assert caplog.messages == ["S0 finding: a\\x1b[2Jb\\nPASS"]
    assert len(story("test").filters) == 1
