"""What the commands share of options: their types, and the settings made from them."""

# ruff: noqa: PLC0415 - settings are imported when a command runs, so that --help is quick

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from seg3b_assets import wording
from seg3b_assets.laws.identity import UINT64_MAX

if TYPE_CHECKING:
    from seg3b_assets.settings import Settings


_SHOWN = 60
# More than any machine has processors, and few enough to start.
MOST_WORKERS = 1024


def parse_seed(given: str | int) -> int:
    text = str(given)  # typer parses a default, too, and that is a number already
    if (number := uint64(text)) is None:
        raise typer.BadParameter(f"{shortened(text)!r} is not an integer from 0 to 2^64-1 ({UINT64_MAX})")
    return number


def uint64(text: str) -> int | None:
    """The number a text writes; None unless it is one from 0 to 2^64-1 in ASCII digits, however long the text."""
    if not text.isascii() or not text.isdigit():
        return None
    digits = text.lstrip("0") or "0"
    # Python refuses to read thousands of digits.
    number = int(digits) if len(digits) <= len(str(UINT64_MAX)) else UINT64_MAX + 1
    return number if number <= UINT64_MAX else None


def shortened(text: str) -> str:
    """A text as a message shows it."""
    return text if len(text) <= _SHOWN else f"{text[:_SHOWN]}… ({wording.number(len(text))} characters)"


Seeds = Annotated[
    list[int],
    typer.Option(
        "--seed", parser=parse_seed, metavar="UINT64", help="Partition to work on; may be repeated."
    ),
]


def seed_list(given: str | None) -> list[int]:
    try:
        return [parse_seed(one.strip()) for one in given.split(",")] if given is not None else []
    except typer.BadParameter as error:
        raise typer.BadParameter(error.message, param_hint="--seeds") from None


Home = Annotated[
    str | None,
    typer.Option(
        metavar="PATH|URL",
        help="Where outputs live: a folder, or s3://bucket/prefix.",
        envvar="SEG3B_HOME",
        show_default=".seg3b",
    ),
]
Policies = Annotated[
    Path | None,
    typer.Option(
        help="Policy folder, or an overlay of one, instead of the configured one; what is in force stays so.",
        exists=True,
        file_okay=False,
    ),
]
Upstream = Annotated[
    Path | None,
    typer.Option(
        help="Upstream root, or a folder of seed=N roots, instead of the configured one.",
        exists=True,
        file_okay=False,
    ),
]
Gazetteer = Annotated[
    Path | None,
    typer.Option(
        help="Folder that `seg3b gazetteer build` wrote, instead of the configured one (SEG3B_GAZETTEER); for upstream "
        "roots that have none of their own.",
        exists=True,
    ),
]
Resolution = Annotated[
    float | None, typer.Option(help="Side of the embedded world's tiles, degrees.", show_default="0.1")
]
Merchants = Annotated[int | None, typer.Option(help="Merchants of the embedded world.", show_default="10000")]
Workers = Annotated[
    int | None,
    typer.Option(min=1, max=MOST_WORKERS, envvar="SEG3B_WORKERS", help="Never changes a byte of an output."),
]
AsJson = Annotated[bool, typer.Option("--json", help="Print one JSON object on standard output.")]
NoDigestCache = Annotated[
    bool, typer.Option("--no-digest-cache", help="Read every input's bytes; trust no remembered digest.")
]
Verbose = Annotated[bool, typer.Option("--verbose", "-v", help="Log the story of the run on standard error.")]
Debug = Annotated[bool, typer.Option("--debug", help="Show a traceback when something fails.")]


def settings_from(**overrides: Any) -> Settings:
    from seg3b_assets.settings import Settings

    try:
        settings = Settings.from_environment(**overrides)
    except ValueError as error:
        raise typer.BadParameter(str(error)) from error
    if overrides.get("gazetteer") and settings.upstream is None:
        raise typer.BadParameter(
            "the embedded world has places of its own; name an --upstream, too", param_hint="--gazetteer"
        )
    return settings


def require_folder_name(path: Path) -> None:
    """A usage error for a path that is no text under the locale, or can be no folder."""
    from seg3b_assets.settings import require_folder

    try:
        require_folder(path)
    except ValueError as error:
        raise typer.BadParameter(str(error)) from error
