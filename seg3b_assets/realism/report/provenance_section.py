"""What the figures rest on: identities and digests, so that a reader can check them against the bytes."""

from __future__ import annotations

from collections.abc import Sequence

from seg3b_assets.laws.input_notes import InputNote
from seg3b_assets.realism.report.content import Cell, Grid, Section
from seg3b_assets.realism.report.material import ReportMaterial

Rows = list[Sequence[Cell | str]]


def provenance_section(material: ReportMaterial) -> Section:
    return Section(
        "provenance",
        "Provenance and digests",
        [
            f"Certification {material.certification_id}. Digests are SHA-256. Times stated by upstream "
            "receipts: "
            f"{material.summary['generated_utc']}.",
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
        provenance = document["provenance"]
        rows += [
            (Cell(f"seed {seed}"), "run", _code(document["run_id"])),
            (Cell(f"seed {seed}"), "lineage", _code(provenance.get("lineage_id", "unknown"))),
            (
                Cell(f"seed {seed}"),
                "upstream world (manifest fingerprint)",
                _code(document["manifest_fingerprint"]),
            ),
            (Cell(f"seed {seed}"), "parameters", _code(document["parameter_hash"])),
            (Cell(f"seed {seed}"), "sealed inputs", _code(provenance.get("sealed_inputs_digest", "unknown"))),
            (Cell(f"seed {seed}"), "flag", _code(provenance.get("flag") or "none")),
        ]
        rows += [
            (Cell(f"seed {seed}"), f"snapshot of {state}", _code(key))
            for state, key in provenance.get("states", {}).items()
        ]
    return Grid("Runs and snapshots", ("seed", "what", "identity"), rows)


def _policies(material: ReportMaterial) -> Grid:
    """Policies are the same on every seed of a certification."""
    first = next(iter(material.metrics.values()))["provenance"].get("policies", {})
    return Grid(
        "Policies",
        ("policy", "digest"),
        [(Cell(name), _code(digest)) for name, digest in sorted(first.items())],
    )


def _datasets(material: ReportMaterial) -> Grid:
    rows: Rows = [
        (Cell(f"seed {seed}"), name, _code(digest))
        for seed, document in material.metrics.items()
        for name, digest in sorted(document["provenance"].get("datasets", {}).items())
    ]
    return Grid("Datasets", ("seed", "dataset", "digest"), rows, folded=True)


def _files(material: ReportMaterial) -> Grid:
    rows: Rows = [(Cell(name), _code(digest)) for name, digest in sorted(material.digests.items())]
    return Grid("Files of the certification", ("file", "digest"), rows)
