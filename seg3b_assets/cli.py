"""The command line: ``seg3b run``, ``seg3b certify``, ``seg3b plan``, ``seg3b world build``.

Exit codes: 0 pass, 1 realism fail, 2 usage, 3 structural error. A failure prints its code, the place and the
remedy on standard error, and the same as JSON on standard output with ``--json``. No domain arithmetic here,
and no dagster.
"""

# ruff: noqa: PLC0415 - heavy imports happen inside the commands, so that --help and usage errors are quick
# ruff: noqa: PLR0913 - a command's parameters are its options

from __future__ import annotations

import logging
import sys
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import orjson
import typer

from seg3b_assets.laws.errors import Seg3BError
from seg3b_assets.laws.identity import UINT64_MAX

if TYPE_CHECKING:
    from rich.console import Console

    from seg3b_assets.pipeline import RunRecord
    from seg3b_assets.settings import Settings

EXIT_REALISM, EXIT_USAGE, EXIT_STRUCTURAL, EXIT_INTERRUPTED = 1, 2, 3, 130
_DEFECT = "This is a defect of seg3b; run again with --debug and report the traceback."

app = typer.Typer(
    name="seg3b",
    help="Segment 3B: virtual merchants, their settlement anchors, edges and alias tables, with evidence.",
    no_args_is_help=True,
    add_completion=False,
    pretty_exceptions_enable=False,
)
world_app = typer.Typer(help="The embedded upstream world.", no_args_is_help=True)
app.add_typer(world_app, name="world")


def _seed(given: str | int) -> int:
    text = str(given)  # typer parses a default, too, and that is a number already
    if not text.isascii() or not text.isdigit() or int(text) > UINT64_MAX:
        raise typer.BadParameter(f"{text!r} is not an integer from 0 to 2^64-1 ({UINT64_MAX})")
    return int(text)


Seeds = Annotated[
    list[int],
    typer.Option("--seed", parser=_seed, metavar="UINT64", help="Partition to work on; may be repeated."),
]


def _seed_list(given: str | None) -> list[int]:
    try:
        return [_seed(one.strip()) for one in given.split(",")] if given is not None else []
    except typer.BadParameter as error:
        raise typer.BadParameter(error.message, param_hint="--seeds") from None


Home = Annotated[
    Path | None, typer.Option(help="Where outputs live.", envvar="SEG3B_HOME", show_default=".seg3b")
]
Policies = Annotated[
    Path | None,
    typer.Option(
        help="Policy folder instead of the configured one; what is in force stays so.",
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
Resolution = Annotated[
    float | None, typer.Option(help="Side of the embedded world's tiles, degrees.", show_default="0.1")
]
Merchants = Annotated[int | None, typer.Option(help="Merchants of the embedded world.", show_default="10000")]
Workers = Annotated[
    int | None, typer.Option(min=1, envvar="SEG3B_WORKERS", help="Never changes a byte of an output.")
]
AsJson = Annotated[bool, typer.Option("--json", help="Print one JSON object on standard output.")]
NoDigestCache = Annotated[
    bool, typer.Option("--no-digest-cache", help="Read every input's bytes; trust no remembered digest.")
]
Verbose = Annotated[bool, typer.Option("--verbose", "-v", help="Log the story of the run on standard error.")]
Debug = Annotated[bool, typer.Option("--debug", help="Show a traceback when something fails.")]


@app.command()
def run(
    context: typer.Context,
    seed: Seeds,
    home: Home = None,
    policies: Policies = None,
    upstream: Upstream = None,
    world_resolution: Resolution = None,
    world_merchants: Merchants = None,
    workers: Workers = None,
    recompute: Annotated[
        bool, typer.Option("--recompute", help="Compute every state again and compare the bytes.")
    ] = False,
    promote: Annotated[
        bool, typer.Option("--promote", help="Put the result in force also for other policies or upstream.")
    ] = False,
    no_digest_cache: NoDigestCache = False,
    as_json: AsJson = False,
    verbose: Verbose = False,
    debug: Debug = False,
) -> None:
    """Bring seeds up to date from S0 to S5: reuse what is published, compute what is not.

    With --json and one seed: {seed, run_id, lineage_id, total_wall_s, states{S0..S5: {key, digest, wall_s,
    peak_rss_mb, reused}}, counts, flag, bundle_dir}; with several: {seeds: {seed: that, or {error}}}.
    """
    _log_to_stderr(verbose)
    with _reported(as_json, debug):
        settings = _settings(
            home=home,
            policies=policies,
            upstream=upstream,
            resolution_deg=world_resolution,
            merchants=world_merchants,
            workers=workers,
            digest_cache=not no_digest_cache,
            promote=promote,
        )
        from seg3b_assets.pipeline import SeedRun
        from seg3b_assets.progress import progress_for_terminal

        progress = progress_for_terminal()

        def run_one(one: int) -> RunRecord:
            return SeedRun(settings, one, context.obj, progress).run(recompute=recompute)

        _each_seed(seed, run_one, as_json, debug)


@app.command()
def certify(
    context: typer.Context,
    seeds: Annotated[
        str | None,
        typer.Option(metavar="UINT64,…", help="Seeds to certify together.", show_default="the policy's"),
    ] = None,
    home: Home = None,
    policies: Policies = None,
    upstream: Upstream = None,
    world_resolution: Resolution = None,
    world_merchants: Merchants = None,
    workers: Workers = None,
    recompute: Annotated[
        bool, typer.Option("--recompute", help="Score again even what is kept, and compare the bytes.")
    ] = False,
    no_digest_cache: NoDigestCache = False,
    as_json: AsJson = False,
    verbose: Verbose = False,
    debug: Debug = False,
) -> None:
    """Bring seeds up to date, hold them against the gates, judge them together, and keep the evidence.

    Exit codes: 0 PASS_B or PASS_BPLUS, 1 FAIL_REALISM, 3 a seed failed for another reason. With --json:
    {verdict, grade_a, seeds{seed: verdict}, cross_seed, confidence, margins{seed: {gate: margin}},
    summary_path, wall_s}, or {error, seeds{seed: {error}}}.
    """
    _log_to_stderr(verbose)
    wanted = _seed_list(seeds)
    with _reported(as_json, debug):
        settings = _settings(
            home=home,
            policies=policies,
            upstream=upstream,
            resolution_deg=world_resolution,
            merchants=world_merchants,
            workers=workers,
            digest_cache=not no_digest_cache,
        )
        from seg3b_assets.certification import SeedsFailedError
        from seg3b_assets.certification import certify as certify_seeds
        from seg3b_assets.certification.presentation import WIDTH, show_certification
        from seg3b_assets.progress import progress_for_terminal

        try:
            run = certify_seeds(settings, wanted, context.obj, progress_for_terminal(), recompute)
        except SeedsFailedError as failed:
            _report_seeds(failed.errors, as_json, debug)
            raise typer.Exit(EXIT_STRUCTURAL) from failed
        _print_json(run.as_json()) if as_json else show_certification(run, _console(WIDTH))
        if not run.passed:
            raise typer.Exit(EXIT_REALISM)


@app.command()
def plan(
    context: typer.Context,
    seed: Annotated[
        list[int] | None,
        typer.Option("--seed", parser=_seed, metavar="UINT64", help="Seed to plan; may be repeated."),
    ] = None,
    every: Annotated[bool, typer.Option("--all", help="The certification seeds, as without --seed.")] = False,
    home: Home = None,
    policies: Policies = None,
    upstream: Upstream = None,
    world_resolution: Resolution = None,
    world_merchants: Merchants = None,
    no_digest_cache: NoDigestCache = False,
    as_json: AsJson = False,
    debug: Debug = False,
) -> None:
    """Say what is FRESH, STALE or MISSING, and why. The home is not changed.

    With --json: {seeds: {seed: {states: {S0..S5: {status, causes: [{kind, id, was, now}]}}}}}.
    """
    with _reported(as_json, debug):
        settings = _settings(
            home=home,
            policies=policies,
            upstream=upstream,
            resolution_deg=world_resolution,
            merchants=world_merchants,
            digest_cache=not no_digest_cache,
        )
        from seg3b_assets.pipeline import default_segment
        from seg3b_assets.pipeline import plan as plan_seed
        from seg3b_assets.pipeline.presentation import show_plan
        from seg3b_assets.progress import progress_for_terminal

        segment = context.obj or default_segment()
        seeds = seed or []
        if every or not seeds:
            seeds = [*seeds, *segment.load_policies(settings.policies).certification.seeds]
        progress = progress_for_terminal()
        plans = [plan_seed(settings, one, segment, progress) for one in dict.fromkeys(seeds)]
        if as_json:
            _print_json({"seeds": {str(planned.seed): planned.as_json() for planned in plans}})
            return
        for planned in plans:
            show_plan(planned, _console())


@world_app.command("build")
def build_world(
    seed: Seeds = [42],  # noqa: B006 - typer reads it, nothing changes it
    resolution: Resolution = None,
    merchants: Merchants = None,
    as_json: AsJson = False,
    debug: Debug = False,
) -> None:
    """Build the embedded world of a seed in the cache; what is there already is kept.

    With --json: {worlds: {seed: {root, merchants, countries, tiles, …}}}.
    """
    with _reported(as_json, debug):
        settings = _settings(resolution_deg=resolution, merchants=merchants)
        from seg3b_assets.progress import progress_for_terminal
        from seg3b_assets.world import describe_world, ensure_world

        progress = progress_for_terminal()
        roots = {one: ensure_world(one, settings.recipe, settings.cache, progress) for one in seed}
        worlds = {str(one): {"root": str(root), **describe_world(root)} for one, root in roots.items()}
        if as_json:
            _print_json({"worlds": worlds})
            return
        for one, world in worlds.items():
            counts = ", ".join(
                f"{world[name]:,} {name}" for name in ("merchants", "outlets", "countries", "places", "tiles")
            )
            typer.echo(f"seed {one}: {counts}\n  {world['root']}")


def _settings(**overrides: Any) -> Settings:
    from seg3b_assets.settings import Settings

    try:
        return Settings.from_environment(**overrides)
    except ValueError as error:
        raise typer.BadParameter(str(error)) from error


def _each_seed(seeds: Sequence[int], run_one: Callable[[int], RunRecord], as_json: bool, debug: bool) -> None:
    """Run the seeds one after another; with several, a failing one does not stop the others."""
    from seg3b_assets.pipeline.presentation import show_run

    wanted = list(dict.fromkeys(seeds))
    if len(wanted) == 1:
        record = run_one(wanted[0])
        _print_json(record.as_json()) if as_json else show_run(record, _console())
        return
    printed: dict[str, Any] = {}
    worst = 0
    for one in wanted:
        try:
            record = run_one(one)
        except Seg3BError as error:
            if debug:
                raise
            printed[str(one)] = {"error": error.record()}
            worst = max(worst, _exit_code(error))
            _show_error(error, f"seed {one}: ")
            continue
        printed[str(one)] = record.as_json()
        if not as_json:
            show_run(record, _console())
    if as_json:
        _print_json({"seeds": printed})
    if worst:
        raise typer.Exit(worst)


@contextmanager
def _reported(as_json: bool, debug: bool) -> Iterator[None]:
    """Turn failures of a command into its exit code and its message."""
    try:
        yield
    except Seg3BError as error:
        if debug:
            raise
        if as_json:
            _print_json({"error": error.record()})
        _show_error(error)
        raise typer.Exit(_exit_code(error)) from error
    except (typer.Exit, typer.Abort, typer.BadParameter):
        raise
    except Exception as error:
        if debug:
            raise
        defect = {"code": "INTERNAL", "place": type(error).__name__, "remedy": _DEFECT, "detail": str(error)}
        if as_json:
            _print_json({"error": defect})
        typer.echo(f"INTERNAL {type(error).__name__}: {error}\n  remedy: {_DEFECT}", err=True)
        raise typer.Exit(EXIT_STRUCTURAL) from error
    except KeyboardInterrupt as interrupt:
        typer.echo("interrupted; published states are kept", err=True)
        raise typer.Exit(EXIT_INTERRUPTED) from interrupt


def _exit_code(error: Seg3BError) -> int:
    return EXIT_REALISM if error.name == "REALISM_GATE_BLOCKED" else EXIT_STRUCTURAL


def _show_error(error: Seg3BError, prefix: str = "") -> None:
    typer.echo(f"{prefix}{error.code} ({error.validator})", err=True)
    typer.echo(f"  where:  {error.place}", err=True)
    typer.echo(f"  remedy: {error.remedy}", err=True)
    if error.detail:
        typer.echo(f"  detail: {orjson.dumps(error.detail, default=str).decode()}", err=True)


def _report_seeds(errors: Mapping[int, Seg3BError], as_json: bool, debug: bool) -> None:
    """Several seeds' failures: the first as the error, and all by seed."""
    first = next(iter(errors.values()))
    if debug:
        raise first
    if as_json:
        seeds = {str(seed): {"error": error.record()} for seed, error in errors.items()}
        _print_json({"error": first.record(), "seeds": seeds})
    for seed, error in errors.items():
        _show_error(error, f"seed {seed}: ")


def _print_json(value: Any) -> None:
    typer.echo(orjson.dumps(value).decode())


def _log_to_stderr(verbose: bool) -> None:
    level = logging.INFO if verbose else logging.WARNING
    logging.basicConfig(level=level, format="%(message)s", stream=sys.stderr)


def _console(least_width: int = 0) -> Console:
    from rich.console import Console

    console = Console(soft_wrap=True, highlight=False, markup=False)
    console.width = max(console.width, least_width)
    return console


if __name__ == "__main__":
    app()
