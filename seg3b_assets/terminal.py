"""The one way out to a terminal: standard output, standard error, JSON and logs, with nothing in them that commands it.

No other module prints (a test holds them to it); tables and colours are ``seg3b_assets.screen``'s.
"""

from __future__ import annotations

import codecs
import logging
import re
import sys
import traceback
from typing import Any, Final, TextIO

from seg3b_assets.laws.clipping import LINE, clipped_text
from seg3b_assets.laws.visible_text import json_text, visible, visible_lines

_NOT_ASCII: Final = re.compile(r"[^\x00-\x7f]")


def say(*lines: str) -> None:
    """Print lines on standard output; a line break inside one is shown, not obeyed, and no line is endless."""
    for line in lines:
        _write(sys.stdout, visible(clipped_text(line, LINE)))


def complain(*lines: str) -> None:
    """As ``say``, on standard error."""
    for line in lines:
        _write(sys.stderr, visible(clipped_text(line, LINE)))


def complain_json(prefix: str, value: Any) -> None:
    """Print a value on standard error, as one line of JSON after a prefix; whoever made it has clipped it."""
    _write(sys.stderr, f"{visible(prefix)}{json_text(value, default=str)}")


def say_json(value: Any) -> None:
    """Print a value as one line of JSON on standard output."""
    text = json_text(value)
    is_utf8 = codecs.lookup(sys.stdout.encoding or "utf-8").name == "utf-8"
    _write(sys.stdout, text if is_utf8 else _NOT_ASCII.sub(_escaped, text))


def complain_of(error: BaseException) -> None:
    """Print an error's traceback on standard error."""
    _write(sys.stderr, visible_lines("".join(traceback.format_exception(error)).rstrip("\n")))


def log_to_stderr(verbose: bool) -> None:
    """Have logs told on standard error: the whole story, or warnings only."""
    handler = logging.StreamHandler(sys.stderr)
    handler.setFormatter(_VisibleFormatter("%(message)s"))
    logging.basicConfig(level=logging.INFO if verbose else logging.WARNING, handlers=[handler])


def guard_last_resort() -> None:
    """Whatever libraries warn of where no logging is set up is told as visible as everything else."""
    if logging.lastResort is not None:
        logging.lastResort.setFormatter(_VisibleFormatter("%(message)s"))


def flush() -> None:
    """Have everything printed that was said."""
    sys.stdout.flush()
    sys.stderr.flush()


def _write(stream: TextIO, text: str) -> None:
    if not _takes(stream, text):  # a locale that has no such letters
        text = text.encode(stream.encoding, "backslashreplace").decode(stream.encoding)
    stream.write(f"{text}\n")
    stream.flush()


def _takes(stream: TextIO, text: str) -> bool:
    try:
        text.encode(stream.encoding or "utf-8")
    except UnicodeEncodeError:
        return False
    return True


def _escaped(letter: re.Match[str]) -> str:
    """A letter as JSON writes it in ASCII: one escape, or the two halves of a pair."""
    halves = letter[0].encode("utf-16-be")
    return "".join(f"\\u{halves[at] << 8 | halves[at + 1]:04x}" for at in range(0, len(halves), 2))


class _VisibleFormatter(logging.Formatter):
    def format(self, record: logging.LogRecord) -> str:
        lines = super().format(record)
        return visible_lines(lines) if record.exc_info or record.stack_info else visible(lines)
