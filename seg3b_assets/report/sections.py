"""The report's sections in order: from the verdict to the bytes it rests on.

Tables are built by ``tables``, figures drawn by the modules named after what they draw. The last section is what the
figures rest on: identities and digests, so that a reader can check them against the bytes.
"""

from __future__ import annotations

from collections.abc import Sequence
from functools import partial
from typing import Final

from seg3b_assets.certification.documents import LEVELS
from seg3b_assets.laws.input_notes import InputNote
from seg3b_assets.report import (
    confidence_plots,
    map_plots,
    network_plots,
    reference_tables,
    settlement_plots,
    tables,
)
from seg3b_assets.report.canvas import drawing
from seg3b_assets.report.comparison import comparison_section, policy_section
from seg3b_assets.report.content import Block, Cell, Grid, Section
from seg3b_assets.report.figures import Draw
from seg3b_assets.report.material import ReportMaterial
from seg3b_assets.report.summary_section import summary_section


def gate_section(material: ReportMaterial) -> Section:
    rows = tables.gate_rows(material.metrics)
    failing = sum(row.passed is not True for row in rows)
    told = (
        f"All {len(rows)} bounds hold on every seed."
        if not failing
        else f"{failing} of {len(rows)} bounds do not hold on every seed."
    )
    classes = tables.classes_table(material.summary.confidence, material.seeds)
    blocks: list[Block | None] = [
        f"{told} B gates are hard: one that fails, fails the segment. B+ gates are the stretch a good posture reaches. "
        "A margin is the distance to the bound as a share of the bound, or of the room to 1 where a metric cannot "
        "exceed 1; outside its bound it is negative, and always a share of the bound.",
        *(tables.matrix_table(material.metrics, level) for level in LEVELS),
        tables.failures_table(material.summary),
        classes if classes.rows else None,
    ]
    return Section("gates", "Gate matrix", [block for block in blocks if block is not None])


def stability_section(material: ReportMaterial) -> Section:
    lead = (
        "Seeds are different worlds of the same kind: what is measured may not depend on which one was drawn."
    )
    if len(material.seeds) == 1:
        lead += (
            " One seed alone says nothing about stability; its coefficients of variation are 0 by definition."
        )
    grid = tables.cross_seed_table(material.summary, material.metrics)
    return Section("stability", "Stability across seeds", [lead, grid])


def confidence_section(material: ReportMaterial) -> Section:
    layers = material.summary.confidence
    blocks: list[Block] = [
        "Grade A needs PASS_BPLUS and every layer below. A layer that cannot be shown does not count as passed.",
        tables.confidence_table(layers),
        confidence_plots.intervals(material),
        confidence_plots.seeds_alike(material),
        tables.uplift_table(layers),
    ]
    return Section("confidence", "Confidence", blocks)


def reference_section(material: ReportMaterial) -> Section:
    tier = material.reference
    lead = (
        "What an expert in payments looks at first. It changes no verdict and blocks nothing; grade A+ is grade A "
        "with every gate of it."
    )
    if tier is None:
        untold = "It was not measured: this certification is from a release before it."
        return Section("reference", "Reference tier", [lead, untold])
    blocks: list[Block] = [
        f"{lead} {reference_tables.standing_of(tier).sentence}",
        reference_tables.reference_gates_table(tier),
        reference_tables.across_table(tier),
        reference_tables.sources_table(tier),
        reference_tables.reference_table(tier, material.seeds),
        reference_tables.yardsticks_table(tier),
        "Locations of IPv4 addresses: IP Geolocation by DB-IP (db-ip.com), CC BY 4.0.",
    ]
    return Section("reference", "Reference tier", blocks)


def runtime_section(material: ReportMaterial) -> Section:
    blocks: list[Block] = [
        "Times are records of runs on some machine, not properties of the outputs.",
        tables.lanes_table(material.lanes, material.costs, material.scoring_s),
        confidence_plots.runtimes(material),
        tables.states_table(material.costs, material.seeds),
    ]
    return Section("runtimes", "Runtimes against budgets", blocks)


Rows = list[Sequence[Cell | str]]


def provenance_section(material: ReportMaterial) -> Section:
    return Section(
        "provenance",
        "Provenance and digests",
        [
            f"Certification {material.certification_id}. Digests are SHA-256. Times stated by upstream "
            "receipts: "
            f"{material.summary.generated_utc}.",
            *_input_notes(material),
            _runs(material),
            _policies(material),
            _datasets(material),
            _files(material),
        ],
    )


def _input_notes(material: ReportMaterial) -> list[Grid | str]:
    """What S0 and S1 had to say of the inputs; what several seeds say alike is told once."""
    if not material.input_notes:
        return []
    seeds: dict[InputNote, list[int]] = {}
    for seed, notes in material.input_notes.items():
        for note in notes:
            seeds.setdefault(note, []).append(seed)
    if not seeds:
        return ["There is nothing to note about the inputs."]
    rows: Rows = [
        (Cell(note.kind, code=True), ", ".join(map(str, said)), str(note.count), note.sentence)
        for note, said in seeds.items()
    ]
    return [
        Grid(
            "What was noted about the inputs",
            ("kind", "seeds", "count", "what"),
            rows,
            numeric=frozenset({2}),
        )
    ]


def _code(text: object) -> Cell:
    return Cell(str(text), code=True)


def _runs(material: ReportMaterial) -> Grid:
    rows: Rows = []
    for seed, document in material.metrics.items():
        provenance = document.provenance
        rows += [
            (Cell(f"seed {seed}"), "run", _code(document.run_id)),
            (Cell(f"seed {seed}"), "lineage", _code(provenance.lineage_id)),
            (
                Cell(f"seed {seed}"),
                "upstream world (manifest fingerprint)",
                _code(document.manifest_fingerprint),
            ),
            (Cell(f"seed {seed}"), "parameters", _code(document.parameter_hash)),
            (Cell(f"seed {seed}"), "sealed inputs", _code(provenance.sealed_inputs_digest)),
            (Cell(f"seed {seed}"), "flag", _code(provenance.flag or "none")),
        ]
        rows += [
            (Cell(f"seed {seed}"), f"snapshot of {state}", _code(key))
            for state, key in provenance.states.items()
        ]
    return Grid("Runs and snapshots", ("seed", "what", "identity"), rows)


def _policies(material: ReportMaterial) -> Grid:
    """Policies are the same on every seed of a certification."""
    first = next(iter(material.metrics.values())).provenance.policies
    return Grid(
        "Policies",
        ("policy", "digest"),
        [(Cell(name), _code(digest)) for name, digest in sorted(first.items())],
    )


def _datasets(material: ReportMaterial) -> Grid:
    rows: Rows = [
        (Cell(f"seed {seed}"), name, _code(digest))
        for seed, document in material.metrics.items()
        for name, digest in sorted(document.provenance.datasets.items())
    ]
    return Grid("Datasets", ("seed", "dataset", "digest"), rows, folded=True)


def _files(material: ReportMaterial) -> Grid:
    rows: Rows = [(Cell(name), _code(digest)) for name, digest in sorted(material.digests.items())]
    return Grid("Files of the certification", ("file", "digest"), rows)


_PREVALENCE: Final = (
    settlement_plots.by_channel,
    settlement_plots.by_mcc,
    settlement_plots.by_country,
    settlement_plots.by_mcc_and_channel,
)
_SETTLEMENT: Final = (
    map_plots.settlement_map,
    settlement_plots.duplicates,
    settlement_plots.zones,
    settlement_plots.overlap_by_country,
)
_NETWORKS: Final = (
    network_plots.distributions,
    network_plots.profiles,
    network_plots.country_profile,
    map_plots.edge_density,
    network_plots.distances,
)
_ALIAS: Final = (confidence_plots.lengths, confidence_plots.decoding, confidence_plots.errors)


def _plots(name: str, title: str, lead: str, draws: tuple[Draw, ...], material: ReportMaterial) -> Section:
    return Section(name, title, [lead, *(draw(material) for draw in draws)])


_SECTIONS: Final = (
    summary_section,
    gate_section,
    comparison_section,
    stability_section,
    confidence_section,
    reference_section,
    runtime_section,
    partial(_plots, "prevalence", "Who is virtual", "Which merchants the rules made virtual.", _PREVALENCE),
    partial(
        _plots, "settlement", "Where they settle", "The legal anchor of each virtual merchant.", _SETTLEMENT
    ),
    partial(_plots, "networks", "Their networks", "The edges each merchant's traffic comes from.", _NETWORKS),
    partial(
        _plots, "alias", "What a router draws", "The alias tables, decoded from the published blob.", _ALIAS
    ),
    policy_section,
    provenance_section,
)


def sections(material: ReportMaterial) -> list[Section]:
    """Every section, its plots drawn."""
    with drawing():
        return [section(material) for section in _SECTIONS]
