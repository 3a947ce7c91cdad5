"""The house is not cut finer than a reader can follow: few modules are there for one other module alone."""

from __future__ import annotations

from pathlib import Path

import grimp
import pytest

import seg3b_assets

MOST = 60


def sole_importers(graph: grimp.ImportGraph, package: Path) -> dict[str, str]:
    """Modules that one other module of the package imports and nobody else, by name: which one.

    Imports for type checking count, those of tests do not, and a package's ``__init__`` is no module of its own.
    """
    found = {}
    for module in graph.modules:
        importers = graph.find_modules_that_directly_import(module)
        is_package = (package.parent / module.replace(".", "/")).is_dir()
        if len(importers) == 1 and not is_package:
            found[module] = importers.pop()
    return found


def test_few_modules_have_one_importer() -> None:
    """A reader pays for every file with a hop, and a file that one other imports alone seldom earns it.

    What does: a command of the command line, what ``definitions`` puts together, a part too large for its importer.
    Where this fails, look whether the new module is a part of its importer, or of a sibling that tells the same.
    """
    package = Path(seg3b_assets.__file__).parent
    found = sole_importers(grimp.build_graph("seg3b_assets", cache_dir=None), package)
    assert len(found) <= MOST, "\n".join(
        f"{module} <- {importer}" for module, importer in sorted(found.items())
    )


def test_the_rule_finds(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    package = tmp_path / "small_house"
    files = {
        "__init__.py": "",
        "alone.py": "",
        "typed.py": "",
        "shared.py": "",
        "later.py": "from small_house import room, shared\ndef at_last():\n    from small_house import alone\n",
        "early.py": "from typing import TYPE_CHECKING\nfrom small_house import later, shared\n"
        "if TYPE_CHECKING:\n    from small_house import typed\n",
        "room/__init__.py": "",
        "room/corner.py": "",
    }
    for name, text in files.items():
        (package / name).parent.mkdir(parents=True, exist_ok=True)
        (package / name).write_text(text)
    monkeypatch.syspath_prepend(str(tmp_path))
    graph = grimp.build_graph(package.name, cache_dir=None)
    found = {
        module.removeprefix("small_house."): importer
        for module, importer in sole_importers(graph, package).items()
    }
    assert found == {"alone": "small_house.later", "later": "small_house.early", "typed": "small_house.early"}
