"""``seg3b report``: the certification report, written again."""

# ruff: noqa: PLC0415 - heavy imports happen inside the command, so that --help and usage errors are quick

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from seg3b_assets.cli.options import AsJson, Debug, Home, Policies, settings_from
from seg3b_assets.cli.reporting import print_json, reported
from seg3b_assets.terminal import say


def report(
    certification: Annotated[
        str,
        typer.Option(
            metavar="ID|latest",
            help="Which certification: the start of its id, or the policy's written last.",
        ),
    ] = "latest",
    out: Annotated[
        Path | None,
        typer.Option(
            metavar="FILE",
            help="Also put a copy here, as .html, .json, .md, or .csv (the gates by seed).",
        ),
    ] = None,
    home: Home = None,
    policies: Policies = None,
    as_json: AsJson = False,
    debug: Debug = False,
) -> None:
    """Write a kept certification's report again, from its documents and the home's records; nothing is scored.

    With --json: {certification_id, verdict, grade_a, report_path, json_path, markdown_path, out_path, reused}.
    """
    with reported(as_json, debug):
        settings = settings_from(home=home, policies=policies)
        from seg3b_assets.certification.archive import certification_named
        from seg3b_assets.report.written import FORMS, copy_to, write_report

        if out is not None and out.suffix not in FORMS:
            raise typer.BadParameter(f"{out.name} ends in none of {', '.join(FORMS)}", param_hint="--out")
        kept = certification_named(settings.home, certification)
        written = write_report(settings, kept)
        copied = None if out is None else copy_to(written, out.absolute())
        if as_json:
            print_json(
                {
                    "certification_id": written.document["certification_id"],
                    "verdict": written.document["verdict"],
                    "grade_a": written.document["grade_a"],
                    "report_path": str(written.html),
                    "json_path": str(written.json),
                    "markdown_path": str(written.markdown),
                    "out_path": None if copied is None else str(copied),
                    "reused": written.reused,
                }
            )
            return
        seeds = ", ".join(str(seed) for seed in sorted(kept.lineages))
        say(f"of         {kept.certification_id[:12]}, seeds {seeds}")
        grade = "grade A" if written.document["grade_a"] else "not grade A"
        say(f"verdict    {written.document['verdict']}, {grade}")
        say(f"report     {written.html if copied is None else copied}")
