"""Where a person reads on from an asset's page: the law it obeys, its contract, the code that makes it."""

from __future__ import annotations

import inspect
import re
from collections.abc import Iterator, Mapping
from functools import cache
from pathlib import Path
from typing import Any

import dagster as dg

from seg3b_assets.contracts import DatasetContract
from seg3b_assets.shipped import shipped
from seg3b_assets.states.context import StateSpec
from seg3b_assets.states.registry import states

LAWS = shipped("docs/laws.md")
_SECTION = re.compile(r"^## (?P<number>\d+)\. ", re.MULTILINE)


def law(declared: DatasetContract) -> dict[str, Any]:
    """The sections of docs/laws.md that a contract names, to be read on the page; nothing if it names none."""
    numbers = re.findall(r"(?:^|, )(\d+)", declared.schema.get("x-law") or "")
    found = [_laws()[number].text for number in numbers if number in _laws()]
    return {"law": dg.MetadataValue.md("\n\n".join(found))} if found else {}


def source_of(declared: DatasetContract, state: StateSpec | None) -> dict[str, Any]:
    """References the UI opens in an editor: the state's module, the contract's schema, the law's section."""
    return _references(*_code(state), *_contract(declared), *_law_lines(declared))


def policy_file(path: Path) -> dict[str, Any]:
    """The same for a policy."""
    return _references(dg.LocalFileCodeReference(file_path=str(path), line_number=1, label="policy"))


def _references(*found: dg.LocalFileCodeReference) -> dict[str, Any]:
    return {"dagster/code_references": dg.CodeReferencesMetadataValue(code_references=[*found])}


class _Law:
    """A section: its text, and the line it begins at."""

    def __init__(self, text: str, line: int) -> None:
        self.text = text
        self.line = line


@cache
def _laws() -> Mapping[str, _Law]:
    page = LAWS.read_text(encoding="utf-8")
    starts = [(match["number"], match.start()) for match in _SECTION.finditer(page)]
    ends = [*(start for _, start in starts[1:]), len(page)]
    return {
        number: _Law(page[start:end].strip(), page.count("\n", 0, start) + 1)
        for (number, start), end in zip(starts, ends, strict=True)
    }


def _code(state: StateSpec | None) -> Iterator[dg.LocalFileCodeReference]:
    for registered in states():
        if state is not None and registered.spec.name == state.name:
            run = inspect.unwrap(registered.run)
            file, line = inspect.getsourcefile(run), inspect.getsourcelines(run)[1]
            yield dg.LocalFileCodeReference(
                file_path=str(file), line_number=line, label=f"{state.name}, its code"
            )


def _contract(declared: DatasetContract) -> Iterator[dg.LocalFileCodeReference]:
    file = shipped(declared.schema_ref.split("#")[0])
    yield dg.LocalFileCodeReference(file_path=str(file), line_number=1, label="contract")


def _law_lines(declared: DatasetContract) -> Iterator[dg.LocalFileCodeReference]:
    for number in re.findall(r"(?:^|, )(\d+)", declared.schema.get("x-law") or ""):
        if number in _laws():
            line = _laws()[number].line
            yield dg.LocalFileCodeReference(file_path=str(LAWS), line_number=line, label=f"law {number}")
