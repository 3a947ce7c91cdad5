"""The report says what the documents say, in one file, in fixed bytes, whatever it is given."""

from __future__ import annotations

import re
from dataclasses import replace
from html.parser import HTMLParser

import numpy as np
import pytest

from seg3b_assets.certification.documents import LEVELS, Settlements
from seg3b_assets.laws.input_notes import InputNote
from seg3b_assets.report.comparison import deltas, gate_changes
from seg3b_assets.report.content import Grid, Section
from seg3b_assets.report.document import report_document
from seg3b_assets.report.map_plots import project
from seg3b_assets.report.markdown import report_markdown
from seg3b_assets.report.material import ReportMaterial
from seg3b_assets.report.page import report_page
from seg3b_assets.report.sections import provenance_section, runtime_section, sections
from seg3b_assets.report.summary_section import actions, findings
from seg3b_assets.report.tables import gate_rows
from seg3b_assets.wording import listing, number, percent, seconds
from seg3b_assets_tests.realism.worlds import SOUND
from seg3b_assets_tests.report.material import FLAT, HOSTILE, hostile, material

SECTIONS = [
    "summary",
    "gates",
    "deltas",
    "stability",
    "confidence",
    "reference",
    "runtimes",
    "prevalence",
    "settlement",
    "networks",
    "alias",
    "policies",
    "provenance",
]
PLOTS = {
    "virtual-rate-mcc",
    "virtual-rate-channel",
    "virtual-rate-country",
    "virtual-rate-mcc-channel",
    "settlement-map",
    "settlement-duplicates",
    "settlement-zones",
    "settlement-overlap-country",
    "merchant-distributions",
    "merchant-profiles",
    "country-profile",
    "edge-density",
    "edge-distance",
    "alias-length",
    "alias-decoding",
    "alias-error",
    "bootstrap-overlap",
    "seeds-alike",
    "time-by-state",
}
VOID = {"meta", "br", "path", "use"}


@pytest.fixture(scope="module")
def told() -> list[Section]:
    return sections(material())


@pytest.fixture(scope="module")
def page(told: list[Section]) -> str:
    return report_page(material(), told)


class Outline(HTMLParser):
    """Headings, ids, references and balance of a page."""

    def __init__(self, text: str) -> None:
        super().__init__()
        self.levels: list[int] = []
        self.ids: list[str] = []
        self.refers: list[str] = []
        self.loads: list[tuple[str, str]] = []
        self.open: list[str] = []
        self.feed(text)

    def handle_starttag(self, tag: str, attributes: list[tuple[str, str | None]]) -> None:
        given = {name: value or "" for name, value in attributes}
        if tag not in VOID:
            self.open.append(tag)
        if re.fullmatch(r"h[1-6]", tag):
            self.levels.append(int(tag[1]))
        self.ids += [given["id"]] if "id" in given else []
        for name in ("aria-labelledby", "aria-describedby"):
            self.refers += given.get(name, "").split()
        for name in ("src", "href", "srcset", "data", "action", "poster"):
            self.loads += [(tag, given[name])] if name in given else []

    def handle_endtag(self, tag: str) -> None:
        if tag not in VOID:
            assert self.open.pop() == tag


def test_every_section_and_plot_is_there(told: list[Section], page: str) -> None:
    assert [section.name for section in told] == SECTIONS
    drawn = {plot.name: plot for section in told for plot in section.plots}
    assert drawn.keys() == PLOTS
    for plot in drawn.values():
        assert plot.svg.startswith("<svg ") and plot.svg.endswith("</svg>")
        assert plot.caption.endswith(".") and plot.table.rows
        assert all(len(row) == len(plot.table.header) for row in plot.table.rows)
        assert f'id="title-{plot.name}"' in page


def test_the_page_is_well_formed_and_loads_nothing(page: str) -> None:
    outline = Outline(page)
    assert outline.open == []
    assert outline.levels[0] == 1 and outline.levels.count(1) == 1
    assert all(after - before <= 1 for before, after in zip(outline.levels, outline.levels[1:], strict=False))
    assert len(outline.ids) == len(set(outline.ids))
    assert set(outline.refers) <= set(outline.ids)
    assert all(target.startswith("#") and target[1:] in outline.ids for _, target in outline.loads)
    assert not re.search(r"url\((?!#)", page) and "@import" not in page
    links = set(re.findall(r"https?://[^\s\"'<>]+", page)) - {
        "http://www.w3.org/2000/svg",
        "http://www.w3.org/1999/xlink",
    }
    assert links == set()
    assert '<html lang="en">' in page


def test_colours_are_the_pages_and_nothing_dates_it(page: str) -> None:
    drawn = page.partition("<body>")[2]
    assert not re.search(r"#(0[0-9a-f]){3}\b", drawn)
    assert "<metadata" not in page and "matplotlib" not in page.lower()


def test_the_same_material_gives_the_same_bytes(page: str) -> None:
    again = sections(material())
    assert report_page(material(), again) == page


def test_every_gate_of_every_seed_is_in_the_matrix(page: str) -> None:
    rows = gate_rows(material().metrics)
    documents = material().metrics
    for level in LEVELS:
        assert {row.gate for row in rows if row.level == level} == documents[42].gates(level).keys()
    distance = next(row for row in rows if row.gate == "3B-V07")
    assert distance.seeds[7].observed == documents[7].hard_gates["3B-V07"].observed
    assert distance.thinnest is not None
    assert distance.thinnest[1] == min(documents[s].hard_gates["3B-V07"].margin or 0.0 for s in (42, 7))
    assert page.count('<span class="bar') >= 2 * sum(row.thinnest is not None for row in rows)


def test_deltas_are_means_and_bounds_that_flip_are_named() -> None:
    found = {delta.metric.name: delta for delta in deltas(material(), material().references[0])}
    values = [d.value("edges_per_merchant_cv") or 0.0 for d in material().metrics.values()]
    moved = found["edges_per_merchant_cv"]
    assert moved.ours == pytest.approx(sum(values) / 2)
    assert (moved.theirs, moved.sense) == (0.1, "better")
    assert found["median_pairwise_js"].sense == "same"
    flips = gate_changes(material(), material().references[0])
    assert {flip.gate for flip in flips if not flip.theirs} == {"3B-V01", "3B-S01"}
    assert deltas(material(), material().references[1]) == []


def test_a_pass_and_a_failure_read_differently() -> None:
    assert "passes" in next(findings(material()))
    assert next(iter(actions(material()))).startswith("Nothing fails")
    broken = material((SOUND, FLAT))
    assert "fails" in next(findings(broken))
    first = next(actions(broken))
    assert first.startswith("V01 (hard) fails on seed 7: edges_per_merchant_cv is")
    assert "policies/edge_topology.yaml" in first


@pytest.mark.parametrize(
    ("counted", "told"),
    [
        ({"drawn": 60, "ingested": 60}, "Of 240 settlements 120 were drawn, for want of a coordinate."),
        ({"drawn": 120, "ingested": 0}, "Upstream gives no settlement's coordinate: all 240 were drawn."),
        ({"drawn": 0, "ingested": 120}, "Of 240 settlements 0 were drawn, for want of a coordinate."),
        (None, ""),
    ],
)
def test_how_many_settlements_were_drawn_is_told(counted: dict[str, int] | None, told: str) -> None:
    shown = material()
    documents = {
        seed: document.model_copy(
            update={
                "metrics": document.metrics.model_copy(
                    update={"settlements": None if counted is None else Settlements(**counted)}
                )
            }
        )
        for seed, document in shown.metrics.items()
    }
    sentences = list(findings(replace(shown, metrics=documents)))
    assert (told in sentences) == bool(told)
    assert any("drawn" in sentence for sentence in sentences) == bool(told)


def test_gates_without_anything_to_measure_are_told_together() -> None:
    broken = material((SOUND, FLAT))
    nothing = {"observed": None, "passed": None, "miss_pct": None}
    empty = broken.summary.ranked_failures[0].model_copy(update=nothing)
    failures = (empty, empty.model_copy(update={"gate": "3B-D01"}))
    summary = broken.summary.model_copy(update={"ranked_failures": failures})
    told = list(actions(replace(broken, summary=summary)))
    assert told == ["D01 and V01 have nothing to measure, and cannot pass until there is."]


def test_one_seed_alone_is_told_too() -> None:
    given = material((SOUND,))
    outline = Outline(report_page(given, sections(given)))
    assert outline.open == [] and len(outline.ids) == len(set(outline.ids))


def test_text_from_outside_stays_text() -> None:
    given = hostile(material((SOUND, FLAT)))
    told = sections(given)
    page, text = report_page(given, told), report_markdown(given, told)
    assert HOSTILE not in page and "<script>alert" not in page
    assert page.count("<script>") == 1
    assert "&lt;script&gt;alert" in page
    assert "<script>" not in text
    assert Outline(page).open == []


def test_costs_that_nobody_recorded_are_said_to_be_missing() -> None:
    given: ReportMaterial = replace(material(), costs={}, scoring_s=None)
    page = report_page(given, [runtime_section(given)])
    assert "no record of what computing these seeds cost" in page
    assert report_document(given, [])["runtimes"]["computing_s"] is None


def test_numbers_are_written_for_people() -> None:
    assert [number(v) for v in (None, True, 1234, 1234.5, 0.25, 1.3e-10, -0.5)] == [
        "n/a",
        "yes",
        "1,234",
        "1,234",
        "0.25",
        "1.3e−10",
        "−0.5",
    ]
    assert [percent(0.1234), percent(-0.5, signed=True), percent(None)] == ["12 %", "−50 %", "n/a"]
    assert [seconds(2.54), seconds(150.0), seconds(None)] == ["2.5 s", "2.5 min", "not recorded"]
    assert [listing(()), listing("a"), listing("abc")] == ["", "a", "a, b and c"]


def test_the_projection_keeps_areas() -> None:
    """A cell's area on the map over its area on the sphere is one number, by the cross product of its sides."""
    step = 0.01
    for lon, lat in ((0.0, 0.0), (-120.0, 35.0), (60.0, -62.0)):
        x, y = project(np.array([lon, lon + step, lon]), np.array([lat, lat, lat + step]))
        area = abs((x[1] - x[0]) * (y[2] - y[0]) - (x[2] - x[0]) * (y[1] - y[0]))
        sphere = np.radians(step) ** 2 * np.cos(np.radians(lat + step / 2))
        assert area / sphere == pytest.approx(1.0, rel=1e-3)


def test_what_s0_noted_is_told_once_for_seeds_that_say_the_same() -> None:
    shared, own = InputNote("OLD_ZONE_NAME", 2, "2 zones have an old name: A, B"), InputNote("X", 1, HOSTILE)
    noted = replace(material(), input_notes={42: [shared], 7: [shared, own]})
    provenance = provenance_section(noted)
    [grid] = [one for one in provenance.blocks if isinstance(one, Grid) and "noted about" in one.caption]
    assert [list(row)[1:] for row in grid.rows] == [["42, 7", "2", shared.sentence], ["7", "1", HOSTILE]]
    assert HOSTILE not in report_page(noted, [provenance])
    nothing = replace(material(), input_notes={42: [], 7: []})
    assert "There is nothing to note about the inputs." in provenance_section(nothing).blocks
    older = [
        one
        for one in provenance_section(material()).blocks
        if "the inputs" in str(getattr(one, "caption", one))
    ]
    assert older == []
