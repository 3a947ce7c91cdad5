"""What commands share that read a stranger's tree: the flag to expect of it, and a child to read it in."""

# ruff: noqa: PLC0415 - heavy imports happen inside the command, so that --help and usage errors are quick

from __future__ import annotations

import re
from pathlib import Path
from typing import Final

import typer

from seg3b_assets.cli.options import shortened

_FLAG: Final = re.compile(r"(?:sha256_hex = )?([0-9a-f]{64})")


def flag_from(text: str | None) -> str | None:
    """The digest of the flag that --expect names."""
    if text is None:
        return None
    if not (found := _FLAG.fullmatch(text.strip())):
        reason = (
            f"{shortened(text)!r} is no flag: 64 lower-case hex digits, or a line `sha256_hex = ` and these"
        )
        raise typer.BadParameter(reason, param_hint="--expect")
    return found[1]


def apart(tree: Path) -> None:
    """Go on in a child whose memory is watched; the parent ends as the child does.

    Raises:
        typer.Exit: in the parent. Seg3BError: INPUT_OPEN_FAILED where reading the tree ended the child.
    """
    from seg3b_assets.foreign.reading import LIMIT, ReaderEndedError, memory_limit, part
    from seg3b_assets.laws.errors import fail
    from seg3b_assets.laws.plain_files import bytes_below

    try:
        limit = memory_limit(bytes_below(tree))
    except ValueError as error:
        raise typer.BadParameter(str(error)) from error
    try:
        code = part(limit)
    except ReaderEndedError as error:
        raise fail(
            "reader_memory",
            str(tree),
            f"Take none of it if it is a stranger's; if it is large and yours, allow more megabytes with {LIMIT}.",
            reason=str(error),
            limit_mb=None if limit is None else limit >> 20,
        ) from error
    if code is not None:
        raise typer.Exit(code)
