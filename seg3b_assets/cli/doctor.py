"""``seg3b doctor``: everything that would stop a run, in one go."""

# ruff: noqa: PLC0415 - heavy imports happen inside the command, so that --help and usage errors are quick
# ruff: noqa: PLR0913 - a command's parameters are its options

from __future__ import annotations

import os
from dataclasses import replace
from typing import TYPE_CHECKING, Annotated, Any

import typer

from seg3b_assets.cli.options import (
    AsJson,
    Debug,
    Gazetteer,
    Home,
    NoDigestCache,
    Policies,
    Upstream,
    Workers,
    parse_seed,
    settings_from,
)
from seg3b_assets.cli.reporting import print_json, reported
from seg3b_assets.locations import is_url
from seg3b_assets.terminal import say

if TYPE_CHECKING:
    from seg3b_assets.settings import Settings


def doctor(
    seed: Annotated[
        list[int] | None,
        typer.Option(
            "--seed",
            parser=parse_seed,
            metavar="UINT64",
            help="World of the upstream root to look at; may be repeated. All that lie there by default.",
        ),
    ] = None,
    home: Home = None,
    policies: Policies = None,
    upstream: Upstream = None,
    gazetteer: Gazetteer = None,
    workers: Workers = None,
    no_digest_cache: NoDigestCache = False,
    as_json: AsJson = False,
    debug: Debug = False,
) -> None:
    """Say everything that would stop a run, and what is odd and allowed. Nothing is written.

    Looks at Python and packages, contracts, policies, the home and its locks, the Dagster instance, the disk; and,
    with an upstream root, at its receipt, gates, datasets, tables, maps, countries and tiles, then goes through S0 to
    S2 in memory. Exit code 0 where nothing stops a run, 2 where something does.

    Example: seg3b doctor --upstream /data/layer1 --seed 42

    With --json: {status STOPS|CLEAR, stops, odd, fine, findings: [{area, severity, code, place, found, remedy, detail,
    seed}], wall_s}.
    """
    with reported(as_json, debug):
        settings = _settings(
            home,
            policies=policies,
            upstream=upstream,
            gazetteer=gazetteer,
            workers=workers,
            digest_cache=not no_digest_cache,
        )
        if seed and settings.upstream is None:
            raise typer.BadParameter(
                "seeds are of an upstream root; name it with --upstream", param_hint="--seed"
            )
        from seg3b_assets.doctor import examine
        from seg3b_assets.doctor.examination import lines
        from seg3b_assets.progress import progress_for_terminal

        found = examine(settings, tuple(seed or ()), progress_for_terminal())
        if as_json:
            print_json(found.as_json())
        else:
            say(*lines(found))
        if found.exit_code:
            raise typer.Exit(found.exit_code)


def _settings(home: str | None, **overrides: Any) -> Settings:
    """As for any command, but that the mirror of a home by URL is not made."""
    named = home or os.environ.get("SEG3B_HOME") or ""
    if not is_url(named):
        return settings_from(home=home, **overrides)
    # Only a home by URL needs the store here, and the packages it needs.
    from seg3b_assets.store.backend import unwritten_home_at

    settings = settings_from(home=".", **overrides)
    try:
        return replace(settings, home=unwritten_home_at(named, settings.cache))
    except ValueError as error:
        raise typer.BadParameter(str(error), param_hint="--home") from error
