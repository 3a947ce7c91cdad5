"""Tables, colours and bars of a terminal, with nothing in them that commands it (see ``seg3b_assets.terminal``).

Texts are made visible when they are given, so that columns are as wide as what is shown; whatever a widget of rich
holds besides, when it is drawn.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

from rich.console import Console, ConsoleOptions, RenderableType
from rich.segment import Segment
from rich.table import Table as RichTable
from rich.text import Text

from seg3b_assets.laws.clipping import LINE, clipped_text
from seg3b_assets.laws.visible_text import visible, visible_lines


class Screen(Console):
    """A console that takes texts as they are: no markup, no highlighting, no line break of a stranger's.

    Args:
        least_width: columns it has at least, whatever the terminal's width.
    """

    def __init__(self, least_width: int = 0, **options: Any) -> None:
        super().__init__(
            **{"soft_wrap": True, "highlight": False, "markup": False, "emoji": False, **options}
        )
        self.width = max(self.width, least_width)

    def print(self, *objects: Any, **options: Any) -> None:
        super().print(*map(_shown, objects), **options)

    def render(self, renderable: RenderableType, options: ConsoleOptions | None = None) -> Iterable[Segment]:
        for segment in super().render(renderable, options):
            text = segment.text if segment.control else visible_lines(segment.text)
            yield segment if text == segment.text else Segment(text, segment.style)


class Table(RichTable):
    """A table without lines, whose cells and headers are visible."""

    def __init__(self, *headers: str, **options: Any) -> None:
        super().__init__(*headers, **{"box": None, "pad_edge": False, **options})

    def add_column(self, header: Any = "", *arguments: Any, **options: Any) -> None:
        super().add_column(_shown(header), *arguments, **options)

    def add_row(self, *cells: Any, **options: Any) -> None:
        super().add_row(*(_shown(cell) for cell in cells), **options)


def styled(text: str, style: str = "") -> Text:
    """A visible text in a style."""
    return Text(visible(text), style=style)


def _shown(cell: Any) -> Any:
    return visible(clipped_text(cell, LINE)) if isinstance(cell, str) else cell
