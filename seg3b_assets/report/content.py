"""What a report says, before it is written as HTML or Markdown: sections of paragraphs, tables and plots."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field

from seg3b_assets.report.figures import Plot

PASS, FAIL, NOTHING = "pass", "fail", "nothing"
# Before what fails, wherever colour may be missing.
FAIL_MARK = "✗ "


@dataclass(frozen=True)
class Cell:
    """One cell of a table.

    Attributes:
        text: as people read it.
        state: ``pass``, ``fail``, ``nothing`` (nothing to measure), or "" where a cell judges nothing.
        margin: how far inside its bound, as a share of it, negative outside; drawn as a bar.
        code: whether it is an identifier.
        value: what the text tells, as it stands in the document; None where the text is all there is.
    """

    text: str
    state: str = ""
    margin: float | None = None
    code: bool = False
    value: bool | int | float | None = None


def verdict_cell(passed: bool | None) -> Cell:
    """Yes, no, or nothing to measure."""
    if passed is None:
        return Cell("n/a", NOTHING)
    return Cell("pass", PASS) if passed else Cell("FAIL", FAIL)


@dataclass(frozen=True)
class Grid:
    """A table; the first cell of a row names it.

    Attributes:
        caption: what the table holds, for everybody.
        header: one name per column.
        numeric: positions of columns that are numbers.
        note: told below the table.
        folded: whether a reader opens it first; for what is looked up, not read.
        spare: positions of columns that a narrow screen does without.
    """

    caption: str
    header: Sequence[str]
    rows: Sequence[Sequence[Cell | str]]
    numeric: frozenset[int] = frozenset()
    note: str = ""
    folded: bool = False
    spare: frozenset[int] = frozenset()


@dataclass(frozen=True)
class Points:
    """A list of sentences; ``numbered`` where their order matters."""

    items: Sequence[str]
    numbered: bool = False


@dataclass(frozen=True)
class Heading:
    """A heading below the section's own."""

    text: str


Block = str | Heading | Grid | Plot | Points


@dataclass(frozen=True)
class Section:
    """A section.

    Attributes:
        name: anchor, lower-case words with hyphens.
        title: heading.
        blocks: paragraphs (text), lists, tables and plots, in order.
    """

    name: str
    title: str
    blocks: Sequence[Block] = field(default_factory=tuple)

    @property
    def plots(self) -> list[Plot]:
        return [block for block in self.blocks if isinstance(block, Plot)]
