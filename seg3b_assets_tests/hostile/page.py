"""docs/hostile.md: what is tried at which door, and what is right there, written from the library."""

from __future__ import annotations

from itertools import groupby
from typing import Final

from seg3b_assets_tests.hostile.doors import doors_of
from seg3b_assets_tests.hostile.hostile import MOST_MB, MOST_S, Hostile, Right
from seg3b_assets_tests.hostile.library import library

_HEAD: Final = f"""# Hostile inputs we try

Generated from the library by `make hostile`, which plants each of these in a copy of a small run (its exported tree,
its upstream root, its home, its policies) and brings it to every door there is for it, each in a process of its own; do
not edit. What is right is a refusal by a name (a code, a failed check, a usage error), or where the table says so the
result of the genuine input, byte for byte. Never right: more than {MOST_S} seconds or {MOST_MB} MB, a crash, an error
without a name, a control character or a forged line on the screen, a byte written outside what the door was given to
write to, or somebody's private file in what it wrote or said.
"""


def hostile_page() -> str:
    """The page, for every input of the library."""
    inputs = list(library().values())
    cases = sum(len(hostile.doors) for hostile in inputs)
    lines = [_HEAD, f"{len(inputs)} inputs, {cases} cases.", ""]
    ordered = sorted(inputs, key=lambda hostile: hostile.subject.name)
    for subject, group in groupby(ordered, key=lambda hostile: hostile.subject):
        names = ", ".join(f"`{door.name}`" for door in doors_of(subject))
        lines += [f"## {subject.value[:1].upper()}{subject.value[1:]}", "", f"Doors: {names}.", ""]
        lines += ["| input | kind | as genuine at | otherwise |", "|---|---|---|---|"]
        lines += [_row(hostile) for hostile in group]
        lines.append("")
    return "\n".join(lines)


def _row(hostile: Hostile) -> str:
    rights = {door.name: hostile.right_at(door.name) for door in hostile.doors}
    genuine = ", ".join(name for name, right in rights.items() if right is Right.GENUINE)
    others = [right for right in Right if right not in (Right.GENUINE, Right.REFUSED)]
    otherwise = [
        f"{right.value}: {', '.join(names) if len(names) < len(rights) else 'every door'}"
        for right in others
        if (names := [name for name, found in rights.items() if found is right])
    ]
    return f"| {hostile.name} | {hostile.kind} | {genuine} | {'; '.join(otherwise)} |"
