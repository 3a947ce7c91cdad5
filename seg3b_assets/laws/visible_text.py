"""Text of strangers as a terminal may be given it: what would command the terminal, or hide, is shown as an escape.

A name, a reason, a key or a path may hold an escape sequence that clears the screen, a line break that begins a line
of its own ("PASS …"), or a control that turns the reading order round. Everything a person sees goes through
``visible`` at the printer (``seg3b_assets.terminal``, ``seg3b_assets.screen``), logs through ``story``, JSON through
``json_text``. Values themselves are never changed: outputs, documents and comparisons hold what was given.

Escaped are the C0 and C1 controls with tab, line feed and DEL; the line and paragraph separators; the marks,
embeddings and isolates of the bidirectional algorithm; other invisible format characters, tags among them; and
surrogates without a partner, as Python reads bytes of a file name that are no UTF-8. The joiners U+200C and U+200D
stay: words of several languages are spelled with them.
"""

from __future__ import annotations

import logging
import re
from collections.abc import Callable, Mapping
from typing import Any, Final

import orjson

from seg3b_assets.laws.clipping import LINE, clipped_text

_HIDDEN: Final = re.compile(
    "[\x00-\x1f\x7f-\x9f\xad\u061c\u180e\u200b\u200e\u200f\u2028-\u202e\u2060-\u206f\ufeff\ufff9-\ufffb"
    "\ud800-\udfff\U000e0000-\U000e0fff]"
)
_HIDDEN_IN_A_LINE_OF_SEVERAL: Final = re.compile(_HIDDEN.pattern.replace("\x00-\x1f", "\x00-\x09\x0b-\x1f"))
_SURROGATE: Final = re.compile("[\ud800-\udfff]")
_SHORT: Final = {"\t": "\\t", "\n": "\\n", "\r": "\\r"}
_STORIES: Final = "seg3b"


def visible(text: str) -> str:
    """A text on one line, its hidden characters as ``\\n``, ``\\x1b``, ``\\u202e``; itself where it has none."""
    return _HIDDEN.sub(_escape, text)


def visible_lines(text: str) -> str:
    """As ``visible``, line feeds being kept: for text whose lines are ours, such as a usage message or a traceback."""
    return _HIDDEN_IN_A_LINE_OF_SEVERAL.sub(_escape, text)


def json_text(value: Any, default: Callable[[Any], Any] | None = None) -> str:
    """A value as JSON that a terminal may be given; parsed, it is what ``orjson`` would have made of the value.

    Lone surrogates, which no JSON text in UTF-8 can carry, are escaped as ``visible`` does.

    Args:
        default: makes JSON of what is none, as for ``orjson.dumps``.
    """
    try:
        content = orjson.dumps(value, default=default)
    except TypeError:
        content = orjson.dumps(_without_surrogates(value), default=default)
    return _HIDDEN.sub(_json_escape, content.decode())


def story(name: str) -> logging.Logger:
    """The logger ``seg3b.{name}``; whoever handles its records, Dagster too, gets visible text."""
    logger = logging.getLogger(f"{_STORIES}.{name}")
    if _show not in logger.filters:
        logger.addFilter(_show)
    return logger


def _show(record: logging.LogRecord) -> bool:
    record.msg, record.args = visible(clipped_text(record.getMessage(), LINE)), None
    return True


def _escape(found: re.Match[str]) -> str:
    character = found.group()
    code = ord(character)
    if character in _SHORT:
        return _SHORT[character]
    return f"\\x{code:02x}" if code < 0x100 else f"\\u{code:04x}" if code < 0x10000 else f"\\U{code:08x}"


def _json_escape(found: re.Match[str]) -> str:
    units = found.group().encode("utf-16-be")
    return "".join(f"\\u{units[at]:02x}{units[at + 1]:02x}" for at in range(0, len(units), 2))


def _without_surrogates(value: Any) -> Any:
    if isinstance(value, str):
        return _SURROGATE.sub(_escape, value)
    if isinstance(value, Mapping):
        return {_without_surrogates(key): _without_surrogates(one) for key, one in value.items()}
    if isinstance(value, list | tuple):
        return [_without_surrogates(one) for one in value]
    return value
