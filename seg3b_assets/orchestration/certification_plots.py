"""Figures of the certification report on the certification's page: drawn once, for the report, and shown again.

A page of Dagster shows an image only if it is part of the text, so each figure is an image of its own, with the
report's light colours. Figures of more than a few dozen kilobytes stay in the report.
"""

from __future__ import annotations

import base64
import html
import re
from pathlib import Path
from typing import Any, Final

import dagster as dg

SHOWN: Final = ("merchant-distributions", "edge-distance", "settlement-overlap-country", "bootstrap-overlap")
_COLOURS: Final = re.compile(r":root\{color-scheme:light;[^}]*\}")
_MARKDOWN: Final = str.maketrans({"[": "(", "]": ")", "\n": " "})


def figures(report: Path) -> dict[str, Any]:
    """Markdown by figure title, of those a report's page has; nothing of a figure that had nothing to draw."""
    page = report.read_text(encoding="utf-8")
    colours = _COLOURS.search(page)
    found = {}
    for name in SHOWN:
        figure = re.search(rf'<figure[^>]* id="{name}"[^>]*>.*?</figure>', page, re.DOTALL)
        svg = re.search(r"<svg .*?</svg>", figure[0], re.DOTALL) if figure else None
        if figure and svg and colours:
            title, caption = _words(figure[0], "h3"), _words(figure[0], "figcaption")
            image = base64.b64encode(_alone(svg[0], colours[0]).encode()).decode()
            found[f"plot: {title}"] = dg.MetadataValue.md(
                f"![{title}](data:image/svg+xml;base64,{image})\n\n{caption}"
            )
    return found


def _words(figure: str, tag: str) -> str:
    """The text of the figure's first such element."""
    element = re.search(rf"<{tag}\b[^>]*>(.*?)</{tag}>", figure, re.DOTALL)
    text = re.sub(r"<[^>]+>", "", element[1]) if element else ""
    return html.unescape(text).translate(_MARKDOWN).strip()


def _alone(svg: str, colours: str) -> str:
    """The same as a document: its size, and the colours its parts are named by, on a white ground."""
    box = re.search(r'viewBox="0 0 ([\d.]+) ([\d.]+)"', svg)
    assert box is not None
    width, height = (1.4 * float(side) for side in box.groups())
    head = f'<svg xmlns="http://www.w3.org/2000/svg" width="{width:.0f}" height="{height:.0f}" '
    style = f"<style>{colours} svg{{background:#fff;font-family:sans-serif}}</style>"
    opening, rest = svg.removeprefix("<svg ").split(">", 1)
    return f"{head}{opening}>{style}{rest}"
