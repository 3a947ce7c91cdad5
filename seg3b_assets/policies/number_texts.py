"""Texts that were meant as numbers: what keeps each from being one, and the number to write instead."""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Callable, Sequence
from typing import Final

_MINUS: Final = str.maketrans({"\N{MINUS SIGN}": "-", "\N{EN DASH}": "-"})
_PLAIN: Final = re.compile(r"[+-]?(0|[1-9][0-9]*)(\.[0-9]+)?([eE][+-]?[0-9]+)?")
# What a text looks like, what keeps it from being a number, and the number.
_SHAPES: Final[Sequence[tuple[re.Pattern[str], str, Callable[[re.Match[str]], str]]]] = (
    (_PLAIN, "it holds characters that only look like digits, signs or spaces", lambda found: found[0]),
    (
        re.compile(r"([+-]?)0+([0-9]+(?:\.[0-9]+)?)"),
        "a number has no leading zero",
        lambda found: found[1] + found[2],
    ),
    (
        re.compile(r"0[xX][0-9a-fA-F]{1,16}|0[oO][0-7]{1,22}|0[bB][01]{1,64}"),
        "a number is written in decimal digits",
        lambda found: str(int(found[0], 0)),
    ),
    (
        re.compile(r"[+-]?[0-9]{1,3}(?:[_ '][0-9]{3})+"),
        "digits are not grouped",
        lambda found: re.sub(r"[_ ']", "", found[0]),
    ),
    (
        re.compile(r"[+-]?[0-9]+,[0-9]+"),
        "the decimal sign is a point",
        lambda found: found[0].replace(",", "."),
    ),
)
_LONGEST: Final = 40


def meant_number(text: str) -> tuple[str, str] | None:
    """Why a text is no number, and the number it seems to mean; None where it means none.

    >>> meant_number("0742")
    ('a number has no leading zero', '742')
    """
    if len(text) > _LONGEST:
        return None
    if _PLAIN.fullmatch(text):
        return "in quotes it is text", text
    plain = unicodedata.normalize("NFKC", text).translate(_MINUS).strip()
    for shape, why, number in _SHAPES:
        if found := shape.fullmatch(plain):
            return why, number(found)
    return None
