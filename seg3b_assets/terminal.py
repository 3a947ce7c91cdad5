"""The one way out to a terminal: standard output, standard error, JSON and logs, with nothing in them that commands it.

No other module prints (a test holds them to it); tables and colours are ``seg3b_assets.screen``'s.
"""

from __future__ import annotations

import logging
import sys
import traceback
from typing import Any, TextIO

from seg3b_assets.laws.visible_text import json_text, visible, visible_lines


def say(*lines: str) -> None:
    """Print lines on standard output; a line break inside one is shown, not obeyed."""
    for line in lines:
        _write(sys.stdout, visible(line))


def complain(*lines: str) -> None:
    """As ``say``, on standard error."""
    for line in lines:
        _write(sys.stderr, visible(line))


def say_json(value: Any) -> None:
    """Print a value as one line of JSON on standard output."""
    _write(sys.stdout, json_text(value))


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
    stream.write(f"{text}\n")
    stream.flush()


class _VisibleFormatter(logging.Formatter):
    def format(self, record: logging.LogRecord) -> str:
        lines = super().format(record)
        return visible_lines(lines) if record.exc_info or record.stack_info else visible(lines)
