"""``seg3b verify``: an exported tree, judged from its bytes."""

# ruff: noqa: PLC0415 - heavy imports happen inside the command, so that --help and usage errors are quick
# ruff: noqa: PLR0913 - a command's parameters are its options

from __future__ import annotations

import time
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from seg3b_assets.cli.options import AsJson, Debug, Workers, require_folder_name, settings_from
from seg3b_assets.cli.reporting import print_json, reported
from seg3b_assets.cli.strangers import apart, flag_from
from seg3b_assets.doors import EXIT_STRUCTURAL
from seg3b_assets.terminal import say

if TYPE_CHECKING:
    from seg3b_assets.audit.verification import Verification


def verify(
    tree: Annotated[
        Path, typer.Argument(metavar="DIR", help="Root of the tree.", exists=True, file_okay=False)
    ],
    upstream: Annotated[
        Path | None,
        typer.Option(help="Upstream root, for what the tree does not carry.", exists=True, file_okay=False),
    ] = None,
    policies: Annotated[
        Path | None,
        typer.Option(
            help="Policies of a tree that carries none; used if they are the sealed ones.",
            exists=True,
            file_okay=False,
            show_default="the configured ones",
        ),
    ] = None,
    expect: Annotated[
        str | None,
        typer.Option(
            metavar="FLAG", help="The flag it must have, from elsewhere: its 64 digits, or its whole line."
        ),
    ] = None,
    strict: Annotated[bool, typer.Option("--strict", help="Fail where a check was skipped.")] = False,
    workers: Workers = None,
    as_json: AsJson = False,
    debug: Debug = False,
) -> None:
    """Check an exported run, ours or anybody's, against the laws: every byte that can be recomputed is.

    Needs no store. What the tree lacks is skipped and listed. Exit code 0 when everything holds, 3 when not.
    A tree that holds agrees with itself. That it is the run you mean, only something outside it says: --expect, or
    --upstream; without either it is "PASS, not anchored".
    With --json: {status, tree, flag, anchored_in[upstream, flag], identity, wall_s, passed, failed, skipped,
    checks[{check_id, status, affected_count, example, law, likely_cause, follows_from, reason}]}; failed checks come
    first, the one that speaks of the fault before those that follow from it.
    """
    with reported(as_json, debug):
        settings = settings_from(policies=policies, workers=workers)
        require_folder_name(tree)
        flag = flag_from(expect)
        apart(tree)
        from seg3b_assets.audit.presentation import as_object, lines
        from seg3b_assets.audit.verification import verify as verify_tree

        started = time.perf_counter()
        found: Verification = verify_tree(
            tree,
            settings.policies,
            upstream,
            settings.workers,
            flag,
            replace(settings, upstream=upstream).reach,
        )
        wall_s = time.perf_counter() - started
        if as_json:
            print_json(as_object(found, tree, strict, wall_s))
        else:
            for line in lines(found, tree, strict, wall_s):
                say(line)
        if not found.holds(strict):
            raise typer.Exit(EXIT_STRUCTURAL)
