"""A figure to an SVG that belongs to the page: its colours are the page's, its text is text, its bytes are fixed.

Matplotlib draws with stand-in colours which become CSS variables here, so that one drawing is legible on
light, on dark and on paper. What varies between runs or machines (dates, ids, the last digits of
coordinates) is taken out.
"""

from __future__ import annotations

import io
import re
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from typing import Any, Final

import matplotlib as mpl
from matplotlib.axes import Axes
from matplotlib.backends.backend_svg import FigureCanvasSVG
from matplotlib.figure import Figure

# Points of the page's text column; half leaves a gutter between two.
WIDE: Final = 680.0
HALF: Final = 332.0

INK: Final = "#010101"
MUTED: Final = "#020202"
GRID: Final = "#030303"
LAND: Final = "#040404"
SURFACE: Final = "#050505"
GATE: Final = "#060606"
SERIES: Final = tuple(f"#0a0a0{number}" for number in range(1, 7))
RAMP: Final = tuple(f"#0b0b0{number}" for number in range(1, 8))
BAR: Final = RAMP[3]
DASHES: Final[Sequence[Any]] = (
    "-",
    (0, (5, 1.5)),
    (0, (1.5, 1.2)),
    (0, (6, 1.5, 1.5, 1.5)),
    (0, (3, 1)),
    "-",
)
MARKERS: Final = "osD^vP"

_VARIABLES: Final = {
    INK: "--ink",
    MUTED: "--muted",
    GRID: "--grid",
    LAND: "--land",
    SURFACE: "--surface",
    GATE: "--gate",
    **{colour: f"--series-{number}" for number, colour in enumerate(SERIES, 1)},
    **{colour: f"--ramp-{number}" for number, colour in enumerate(RAMP, 1)},
}
_STYLE: Final[Any] = {
    "svg.fonttype": "none",
    "path.simplify": False,
    "font.family": "DejaVu Sans",
    "font.size": 8.5,
    "axes.titlesize": 9,
    "axes.titleweight": "bold",
    "axes.titlelocation": "left",
    "axes.titlecolor": INK,
    "axes.labelsize": 8.5,
    "axes.labelcolor": MUTED,
    "axes.edgecolor": GRID,
    "axes.facecolor": "none",
    "axes.linewidth": 0.8,
    "axes.spines.top": False,
    "axes.spines.right": False,
    "axes.axisbelow": True,
    "axes.unicode_minus": True,
    "figure.facecolor": "none",
    "text.color": INK,
    "xtick.color": GRID,
    "ytick.color": GRID,
    "xtick.labelcolor": MUTED,
    "ytick.labelcolor": MUTED,
    "xtick.labelsize": 8,
    "ytick.labelsize": 8,
    "xtick.major.size": 3,
    "ytick.major.size": 0,
    "xtick.minor.size": 0,
    "ytick.minor.size": 0,
    "grid.color": GRID,
    "grid.linewidth": 0.6,
    "lines.linewidth": 1.5,
    "legend.frameon": False,
    "legend.fontsize": 8.5,
    "legend.handlelength": 1.8,
    "legend.borderpad": 0,
    "savefig.transparent": True,
}
_HEAD = re.compile(r"^.*?(?=<svg )", re.DOTALL)
_OPENING = re.compile(r"<svg [^>]*>", re.DOTALL)
_NOISE = re.compile(r"<metadata>.*?</metadata>|<!--.*?-->|<g id=\"[^\"]*\"(?=[ />])", re.DOTALL)
_LONG_NUMBER = re.compile(r"(\d+\.\d\d)\d+")
_STEP = re.compile(r"\s*\n(?=[MLQCz\"])")
_FONT = re.compile(r"font: ([\d.]+)px [^;\"]*")
_FONT_FAMILY = re.compile(r"font-family: [^;\"]*;? ?")
_NO_TURN = re.compile(r" transform=\"rotate\(-0 [^)]*\)\"")
_EMPTY = re.compile(r"<defs>\s*</defs>|<g\s*/>")
_BLANK = re.compile(r">\s+<")


@contextmanager
def drawing() -> Iterator[None]:
    """The report's style, for everything drawn within."""
    with mpl.rc_context(_STYLE):
        yield


def figure(width: float, height: float, left: float = 44, right: float = 10, **edges: float) -> Figure:
    """An empty figure.

    Args:
        width, height, left, right: points; ``edges`` may have ``top`` and ``bottom``, too, and ``wspace``,
            ``hspace`` as matplotlib has them.
    """
    made = Figure(figsize=(width / 72, height / 72), dpi=72)
    FigureCanvasSVG(made)
    made.subplots_adjust(
        left=left / width,
        right=1 - right / width,
        bottom=edges.pop("bottom", 34) / height,
        top=1 - edges.pop("top", 20) / height,
        **edges,
    )
    return made


def series_colour(number: int) -> str:
    return SERIES[number % len(SERIES)]


def rule(axes: Axes, at: float, text: str, where: float = 1.0, before: bool = False) -> None:
    """A gate's bound on the horizontal axis, drawn and named.

    Args:
        where: how far up the line the name stands, as a share of the axes.
        before: whether it stands left of the line.
    """
    axes.axvline(at, color=GATE, linewidth=1, linestyle=(0, (3, 2)), zorder=1.5)
    axes.annotate(
        text,
        (at, where),
        xycoords=("data", "axes fraction"),
        xytext=(-3 if before else 3, -2),
        textcoords="offset points",
        ha="right" if before else "left",
        va="top",
        color=GATE,
        fontsize=7.5,
    )


def to_svg(drawn: Figure, name: str) -> str:
    """The figure as an ``<svg>`` element for inlining, named by ``title-{name}`` and scaling to its container."""
    buffer = io.StringIO()
    with mpl.rc_context({"svg.hashsalt": name}):
        drawn.savefig(buffer, format="svg", metadata={"Date": None, "Creator": None})
    width, height = (72 * side for side in drawn.get_size_inches())
    text = _HEAD.sub("", buffer.getvalue(), count=1)
    text = _OPENING.sub(
        f'<svg viewBox="0 0 {width:g} {height:g}" role="img" aria-labelledby="title-{name}" '
        f'class="plot" style="max-width: {width * 1.4:.0f}px">',
        text,
        count=1,
    )
    text = _NOISE.sub(lambda found: "<g" if found[0].startswith("<g") else "", text)
    text = _FONT.sub(r"font-size: \1px", _LONG_NUMBER.sub(r"\1", text))
    text = _STEP.sub("", _FONT_FAMILY.sub("", text))
    for colour, variable in _VARIABLES.items():
        text = text.replace(colour, f"var({variable})")
    text = _EMPTY.sub("", _NO_TURN.sub("", text))
    return _BLANK.sub("><", text).strip().replace("xlink:href", "href")
