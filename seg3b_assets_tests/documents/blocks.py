"""The code blocks of a Markdown document, and how each is run.

A comment line right above a block says what is special about it:

    <!-- fails with 1 -->     the last command must exit with this code
    <!-- in the background --> started, waited for until it answers on a port, and stopped at the end
    <!-- CI runs this -->      what CI does around these tests; not run again inside them
    <!-- in the recipe -->     run after the change above it, in a copy of its own (test_recipes)
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from pathlib import Path

RUN_LANGUAGES = ("sh", "python")
CI_RUNS_IT = "CI runs this"
IN_RECIPE = "in the recipe"
_BLOCK = re.compile(
    r"(?:^<!-- (?P<note>[^\n]*?) -->\n)?^```(?P<language>\w*)\n(?P<body>.*?)^```$", re.MULTILINE | re.DOTALL
)


@dataclass(frozen=True)
class Block:
    """One fenced block.

    Attributes:
        line: of its first line of code in the document.
        note: the comment above it, "" where there is none.
    """

    document: str
    line: int
    language: str
    body: str
    note: str

    @property
    def exit_code(self) -> int:
        """What running it must end with."""
        return int(self.note.removeprefix("fails with ")) if self.note.startswith("fails with ") else 0

    @property
    def in_background(self) -> bool:
        return self.note == "in the background"


def blocks(path: Path) -> list[Block]:
    """Every block of a document that is run as it stands, in order."""
    return [
        block
        for block in every_block(path.name, path.read_text(encoding="utf-8"))
        if block.language in RUN_LANGUAGES and block.note not in (CI_RUNS_IT, IN_RECIPE)
    ]


def every_block(document: str, text: str) -> list[Block]:
    """Every block of a text, in order."""
    return [
        Block(
            document,
            text.count("\n", 0, found.start("body")) + 1,
            found["language"],
            found["body"],
            found["note"] or "",
        )
        for found in _BLOCK.finditer(text)
    ]
