"""The page on the audit's independence says of every function that states and audit share why, and what holds it."""

from __future__ import annotations

import ast
import re
from collections import defaultdict
from pathlib import Path

import grimp

from seg3b_assets.audit.checks import audited_datasets, check_specs
from seg3b_assets.settings import REPOSITORY

PACKAGE = REPOSITORY / "seg3b_assets"
PAGE = REPOSITORY / "docs" / "independence.md"
# Contracts and policies are read by both, and compute nothing of a run.
LAW_FLOORS = ("laws", "realism")


def imported(folder: Path) -> dict[str, set[str]]:
    """By "module.function" of laws and realism, the files of a folder that import it; constants left out."""
    found: dict[str, set[str]] = defaultdict(set)
    for path in folder.rglob("*.py"):
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
            module = getattr(node, "module", None) if isinstance(node, ast.ImportFrom) else None
            if module and module.split(".")[:1] == ["seg3b_assets"] and module.split(".")[1] in LAW_FLOORS:
                for alias in node.names:
                    if not alias.name.isupper():
                        found[f"{module.removeprefix('seg3b_assets.')}.{alias.name}"].add(path.stem)
    return found


def shared() -> set[str]:
    """What the audit takes from modules that a state, too, reaches, however many imports away."""
    graph = grimp.build_graph("seg3b_assets")
    by_states = set().union(
        *(graph.find_upstream_modules(module) for module in graph.find_descendants("seg3b_assets.states"))
    )
    return {
        name for name in imported(PACKAGE / "audit") if f"seg3b_assets.{name.rpartition('.')[0]}" in by_states
    }


def tables() -> list[list[list[str]]]:
    """The page's tables: rows of cells, head and rule left out."""
    found: list[list[list[str]]] = [[]]
    for line in PAGE.read_text(encoding="utf-8").splitlines():
        if line.startswith("|"):
            found[-1].append([cell.strip() for cell in line.strip("|").split("|")])
        elif found[-1]:
            found.append([])
    return [table[2:] for table in found if table]


def named(cell: str) -> list[str]:
    return re.findall(r"`([^`]+)`", cell)


def test_the_table_of_shared_functions_is_the_import_graphs() -> None:
    told = [name for row in tables()[1] for name in named(row[0])]
    assert sorted(told) == sorted(shared())
    assert all(why and held for _, why, held in tables()[1])


def test_what_holds_a_shared_function_exists() -> None:
    checks = {spec.check_id for spec in check_specs()}
    for _, _, held in tables()[1]:
        for name in named(held):
            assert name in checks or (REPOSITORY / "seg3b_assets_tests" / name).exists(), name


def test_every_dataset_has_its_routes_and_every_check_named_is_one() -> None:
    checks, rows = {spec.check_id for spec in check_specs()}, tables()[0]
    assert sorted(name for row in rows for name in named(row[0])) == sorted(audited_datasets())
    for row in rows:
        assert set(named(row[2])) <= checks, row
        assert row[1] and row[2]


def test_alias_apportionment_and_zones_are_not_shared() -> None:
    """Where a shared fault would hide, nothing is shared: whoever shares again has nine faults to answer for."""
    modules = {name.rpartition(".")[0] for name in imported(PACKAGE / "audit")}
    assert modules.isdisjoint({"laws.alias", "laws.apportionment", "laws.zones"})
