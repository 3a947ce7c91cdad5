"""Figures of a report as images of their own: drawn with the report's colours, told in its words."""

import base64
import re
from pathlib import Path
from xml.etree import ElementTree

from seg3b_assets.orchestration.certification_plots import figures

PAGE = """<style>
:root{color-scheme:light;--grid:#d8dee4}
</style>
<figure class="half" id="edge-distance"><h3 id="t">Distance &amp; place</h3>
<svg viewBox="0 0 100 50" class="plot"><path d="M 0 0L 1 1" style="stroke: var(--grid)"/></svg>
<figcaption>Median <b>[2,282] km</b>.</figcaption></figure>
<figure id="merchant-distributions"><h3>How merchants differ</h3><p class="empty">Nothing.</p></figure>
<figure id="settlement-map"><h3>Map</h3><svg viewBox="0 0 9 9"></svg></figure>
"""


def test_a_figure_is_an_image_with_its_words_and_what_is_not_drawn_or_too_large_is_left_out(
    tmp_path: Path,
) -> None:
    (tmp_path / "report.html").write_text(PAGE)
    [(title, shown)] = figures(tmp_path / "report.html").items()
    assert title == "plot: Distance & place"
    assert shown.value.endswith("\n\nMedian (2,282) km.")
    data = re.search(r"^!\[Distance & place\]\(data:image/svg\+xml;base64,([^)]+)\)", shown.value)
    assert data is not None
    svg = ElementTree.fromstring(base64.b64decode(data[1]))
    assert (svg.attrib["width"], svg.attrib["height"]) == ("140", "70")
    assert "--grid:#d8dee4" in ElementTree.tostring(svg, encoding="unicode")


def test_a_page_without_its_colours_shows_no_figure(tmp_path: Path) -> None:
    (tmp_path / "report.html").write_text(PAGE.replace(":root", ":host"))
    assert figures(tmp_path / "report.html") == {}
