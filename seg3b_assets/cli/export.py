"""``seg3b export``: runs as plain contract trees."""

# ruff: noqa: PLC0415 - heavy imports happen inside the command, so that --help and usage errors are quick
# ruff: noqa: PLR0913 - a command's parameters are its options

from __future__ import annotations

from typing import Annotated

import typer

from seg3b_assets.cli.options import AsJson, Debug, Home, Upstream, parse_seed, settings_from
from seg3b_assets.cli.reporting import print_json, reported
from seg3b_assets.terminal import say
from seg3b_assets.wording import number, size


def export(
    target: Annotated[
        str,
        typer.Argument(
            metavar="RUN|REF",
            help="heads, a ref (baseline, candidate, last_good, certification), a run, a lineage or a certification: "
            "its name or id, or the start of it.",
        ),
    ],
    dest: Annotated[
        str,
        typer.Argument(
            metavar="DEST",
            help="Folder to make, or s3://bucket/prefix; an earlier export of the same is kept.",
        ),
    ],
    seed: Annotated[
        list[int] | None,
        typer.Option(
            "--seed",
            parser=parse_seed,
            metavar="UINT64",
            help="Only this seed; may be repeated. All if none.",
        ),
    ] = None,
    force: Annotated[
        bool,
        typer.Option("--force", help="Replace an earlier export together with what was put into it since."),
    ] = False,
    home: Home = None,
    upstream: Upstream = None,
    as_json: AsJson = False,
    debug: Debug = False,
) -> None:
    """Write a run as a plain tree of files: data, logs, reports, and the inputs an auditor needs.

    One run becomes DEST itself, several become DEST/seed=N each. The same run always gives the same bytes;
    `seg3b verify` checks a tree without this store. With --json: {exports[{seed, run_id, lineage_id, path, files,
    bytes, written}]}.
    """
    with reported(as_json, debug):
        from seg3b_assets.locations import is_url, object_url

        try:
            dest = object_url(dest) if is_url(dest) else dest
        except ValueError as error:
            raise typer.BadParameter(str(error), param_hint="DEST") from error
        settings = settings_from(home=home, upstream=upstream)
        from seg3b_assets.certification.targets import UnknownTargetError, runs_named
        from seg3b_assets.contracts import contract
        from seg3b_assets.pipeline.exporting import export as export_lineages
        from seg3b_assets.progress import progress_for_terminal
        from seg3b_assets.store import Store

        try:
            runs = runs_named(Store(settings.home, contract), target, tuple(seed or ()))
        except UnknownTargetError as error:
            raise typer.BadParameter(str(error)) from error
        exports = export_lineages(settings, runs, dest, progress_for_terminal(), force)
        if as_json:
            print_json({"exports": [one.as_json() for one in exports]})
            return
        for one in exports:
            told = "" if one.written else "  (there already, unchanged)"
            say(
                f"seed {one.run.seed}  lineage {one.run.lineage_id[:12]}  {number(one.files)} files, "
                f"{size(one.bytes)}  {one.place}{told}"
            )
