"""The two short installs of the consumer's page: what reading and what verifying a run import, and nothing else.

The packages are found in the code. From a door on (``seg3b_assets.consume`` and ``seg3b sample``; ``seg3b verify``),
imports at the top of a module are followed wherever they lead, imports inside functions only in the door's own modules,
which load what they need when a command runs.
"""

from __future__ import annotations

import ast
import importlib.metadata
import re
import sys
from collections.abc import Iterator, Mapping
from functools import cache
from pathlib import Path
from types import MappingProxyType
from typing import Final

from seg3b_assets.settings import REPOSITORY

_PACKAGE: Final = "seg3b_assets"
_COMMANDS: Final = (f"{_PACKAGE}.cli", f"{_PACKAGE}.cli.options", f"{_PACKAGE}.cli.reporting")
# Read as data, by its resources: the zones of the pinned tz database.
_DATA: Final = frozenset({"tzdata"})
DOORS: Final[Mapping[str, tuple[str, ...]]] = MappingProxyType(
    {
        "read": (*_COMMANDS, f"{_PACKAGE}.consume", f"{_PACKAGE}.cli.sample"),
        "verify": (*_COMMANDS, f"{_PACKAGE}.cli.verify"),
    }
)
_LINE: Final = re.compile(r"(?<=^<!-- install: )(?P<door>\w+)( -->\n```console\n)[^\n]*", re.MULTILINE)


def packages(door: str) -> frozenset[str]:
    """Importable names of everything from elsewhere that a door needs."""
    return _reached(DOORS[door]) | _DATA


def install_line(door: str) -> str:
    """The commands that install it, on one line; versions as this package requires them."""
    required = _requirements()
    distributions = importlib.metadata.packages_distributions()
    names = sorted({_normal(distributions[package][0]) for package in packages(door)})
    # What we do not require ourselves comes with something that we do: pydantic-core with pydantic.
    wanted = " ".join(_quoted(required[name]) for name in names if name in required)
    return f"pip install --no-deps seg3b-assets && pip install {wanted}"


def with_installs(page: str) -> str:
    """A page with its install lines as they should be: those in blocks under ``<!-- install: DOOR -->``."""
    return _LINE.sub(lambda found: f"{found['door']}{found[2]}$ {install_line(found['door'])}", page)


def _requirements() -> dict[str, str]:
    """What the product requires without extras, by normalised name."""
    listed = [line for line in importlib.metadata.requires("seg3b-assets") or () if ";" not in line]
    return {_normal(re.split(r"[<>=!~\[ ]", line, maxsplit=1)[0]): line for line in listed}


def _normal(name: str) -> str:
    return re.sub(r"[-_.]+", "-", name).lower()


def _quoted(requirement: str) -> str:
    return f"'{requirement}'" if re.search(r"[<>]", requirement) else requirement


def _reached(doors: tuple[str, ...]) -> frozenset[str]:
    """Names of other packages in the closure of the doors' imports."""
    waiting, seen, found = [*doors], set[str](), set[str]()
    while waiting:
        module = waiting.pop()
        if module in seen:
            continue
        seen.add(module)
        for name in _imports(module, inside=module in doors):
            if name.split(".")[0] == _PACKAGE:
                waiting.append(name)
            else:
                found.add(name.split(".")[0])
    return frozenset(found)


@cache
def _imports(module: str, inside: bool) -> tuple[str, ...]:
    """Modules that a module of ours imports, its parent packages among them, and no standard ones."""
    file = _file(module)
    if file is None:
        return ()
    tree = ast.parse(file.read_text(encoding="utf-8"))
    parts = module.split(".")
    parents = [".".join(parts[:count]) for count in range(1, len(parts))]
    return (*parents, *_foreign_or_ours(tree.body, inside))


def _foreign_or_ours(body: list[ast.stmt], inside: bool) -> Iterator[str]:
    for node in _statements(body, inside):
        names = [alias.name for alias in node.names]
        if isinstance(node, ast.ImportFrom):
            base = node.module or ""
            names = [base, *(f"{base}.{name}" for name in names if _file(f"{base}.{name}"))]
        yield from (name for name in names if name.split(".")[0] not in sys.stdlib_module_names)


def _statements(body: list[ast.stmt], inside: bool) -> Iterator[ast.Import | ast.ImportFrom]:
    for node in body:
        if isinstance(node, ast.Import | ast.ImportFrom):
            yield node
        elif isinstance(node, ast.If) and "TYPE_CHECKING" in ast.dump(node.test):
            yield from _statements(node.orelse, inside)
        elif inside or not isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef):
            yield from _statements(
                [kid for kid in ast.iter_child_nodes(node) if isinstance(kid, ast.stmt)], inside
            )


def _file(module: str) -> Path | None:
    """The source of a module of ours."""
    if module.split(".", maxsplit=1)[0] != _PACKAGE:
        return None
    path = REPOSITORY.joinpath(*module.split("."))
    candidates = (path.with_suffix(".py"), path / "__init__.py")
    return next((file for file in candidates if file.is_file()), None)
