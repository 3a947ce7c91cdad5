"""``seg3b init``: a folder to work in, outside any checkout."""

# ruff: noqa: PLC0415 - heavy imports happen inside the command, so that --help and usage errors are quick

from __future__ import annotations

import shlex
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Annotated, Final

import typer

from seg3b_assets.cli.env_file import FILE
from seg3b_assets.cli.options import AsJson, Debug, require_folder_name
from seg3b_assets.cli.reporting import print_json, reported
from seg3b_assets.shipped import shipped
from seg3b_assets.terminal import say

_DAGSTER: Final = ("dagster.yaml", "workspace.yaml")
# What no quoting carries through a shell and through the readers of .env files alike.
_UNQUOTABLE: Final = ("'", "\\", "${", "\n", "\r")
# Credentials end up in it.
_PRIVATE: Final = 0o600
_ENV: Final = """\
# What seg3b and Dagster are told in this folder; edit it. seg3b reads it when it is started here; what the environment
# says wins. A shell, and Dagster's own commands, are told with:  set -a; . ./.env; set +a

# Where outputs live: a folder, or s3://bucket/prefix.
SEG3B_HOME='{folder}/.seg3b'
# The policies in force. Those of the installed package are never written to.
SEG3B_POLICIES='{folder}/policies'
# Dagster's history, beside its dagster.yaml.
DAGSTER_HOME='{folder}'

# An upstream root, or a folder of seed=N roots; without it, the embedded world.
# SEG3B_UPSTREAM=
# Where embedded worlds are kept; without it, seg3b in your cache folder.
# SEG3B_CACHE=
# Threads or processes a state may use; without it, the processors at hand.
# SEG3B_WORKERS=
"""


def init(
    folder: Annotated[
        Path, typer.Argument(metavar="DIR", help="Folder to write into; made where it is not there.")
    ],
    as_json: AsJson = False,
    debug: Debug = False,
) -> None:
    """Write policies, Dagster's configuration and a .env to edit; what is there already is kept.

    With --json: {folder, written[…], kept[…]}.
    """
    with reported(as_json, debug):
        require_folder_name(folder)
        target = folder.absolute()
        _require_fit(target)
        written: list[str] = []
        kept: list[str] = []
        for name, content in _files(target).items():
            (written if _write_new(target / name, content) else kept).append(name)
        if as_json:
            print_json({"folder": str(target), "written": written, "kept": kept})
            return
        say(f"{target}: {len(written)} files written")
        for name in kept:
            say(f"  kept as it was: {name}")
        say("next:", f"  cd {shlex.quote(str(target))}", "  seg3b run --seed 42")
        say(f"  set -a; . ./{FILE}; set +a; python -m seg3b_assets.orchestration.ui      # the UI")


def _require_fit(target: Path) -> None:
    found = [text for text in _UNQUOTABLE if text in str(target)]
    if found:
        raise typer.BadParameter(
            f"{str(target)!r} holds {found[0]!r}, which no .env can: take another folder"
        )


def _files(target: Path) -> Mapping[str, bytes]:
    """Content by name relative to the folder."""
    return {
        **dict(_policies()),
        **{name: shipped(name).read_bytes() for name in _DAGSTER},
        FILE: _ENV.format(folder=target).encode(),
    }


def _policies() -> Iterator[tuple[str, bytes]]:
    source = shipped("policies")
    for path in sorted(source.rglob("*.yaml")):
        yield f"policies/{path.relative_to(source).as_posix()}", path.read_bytes()


def _write_new(path: Path, content: bytes) -> bool:
    """Write a file whole unless something is at its place; whether it was written."""
    from seg3b_assets.store.writing import replace_file

    if path.exists() or path.is_symlink():
        return False
    path.parent.mkdir(parents=True, exist_ok=True)
    replace_file(path, content, _PRIVATE if path.name == FILE else 0o666)
    return True
