"""Figures of a report as images of their own: of their size, with the report's light colours."""

from xml.etree import ElementTree

import pytest

from seg3b_assets.report.style import standalone


def test_a_figure_is_a_document_of_its_own() -> None:
    inline = '<svg viewBox="0 0 100 50" class="plot"><path d="M 0 0L 1 1" style="stroke: var(--grid)"/></svg>'
    svg = ElementTree.fromstring(standalone(inline))
    assert (svg.attrib["width"], svg.attrib["height"]) == ("140", "70")
    assert "--grid:#d8dee4" in ElementTree.tostring(svg, encoding="unicode")


def test_a_figure_without_a_size_is_none() -> None:
    with pytest.raises(ValueError, match="without a size"):
        standalone("<svg><path/></svg>")
