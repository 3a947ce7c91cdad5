"""The report of a kept certification: gathered, written as HTML, JSON and Markdown, and found again.

    reports/{certification_id}/report.html, .json, .md, .csv (the gates by seed), figures/{name}.svg

A certification's folder holds what follows from its lineages alone and never changes. A report also tells
what the home knows at the time: what computing cost, the baseline, the last good run. So it lives apart, is
written anew when any of that has changed, and is byte-identical while nothing has.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final, TypeVar

import orjson
from pydantic import ValidationError

from seg3b_assets.certification.archive import REPORTS, Archive, certification_named
from seg3b_assets.certification.documents import LEVELS, Document, SeedDocument, Summary
from seg3b_assets.certification.evidence import (
    CROSS_SEED_SUMMARY,
    FAILURE_TRACE,
    REFERENCE,
    metrics_file_name,
    plots_file_name,
)
from seg3b_assets.certification.kept import MANIFEST, KeptCertification
from seg3b_assets.certification.reference_documents import ReferenceTier
from seg3b_assets.certification.references import (
    CERTIFICATION_POLICY,
    Posture,
    baseline,
    last_good,
    last_good_before,
)
from seg3b_assets.certification.run import CertificationRun
from seg3b_assets.contracts import contract, require_document
from seg3b_assets.laws.errors import Seg3BError, fail
from seg3b_assets.laws.hashing import canonical_json, sha256_json
from seg3b_assets.laws.input_notes import InputNote, input_notes
from seg3b_assets.locks import exclusive
from seg3b_assets.policies.certification import Certification as CertificationPolicy
from seg3b_assets.realism.figure_data import read_frames
from seg3b_assets.realism.policy_reading import load_policies, parse_policy
from seg3b_assets.report.material import ReportMaterial, SeedCost, StateCost
from seg3b_assets.settings import Settings
from seg3b_assets.store import Store
from seg3b_assets.store.runs import PolicyBytes
from seg3b_assets.store.writing import replace_file, reported_writes

HTML, JSON, MARKDOWN, CSV = "report.html", "report.json", "report.md", "report.csv"
FORMS: Final = (".html", ".json", ".md", ".csv")
FIGURES: Final = "figures"
CONTRACT: Final = "certification_report_3B"
FINDINGS, GATE_RECEIPT, REPORT_OF_S1 = "input_findings_3B", "s0_gate_receipt_3B", "s1_run_report_3B"
# Raise it when a report of the same material would look or read differently.
VERSION: Final = "1.3.0"
STATE: Final = "S5"

D = TypeVar("D", bound=Document)


@dataclass(frozen=True)
class Report:
    """A written report.

    Attributes:
        html, json, markdown: absolute paths.
        document: the JSON document.
        reused: whether it was there already with nothing to add.
    """

    html: Path
    json: Path
    markdown: Path
    document: Mapping[str, Any]
    reused: bool

    def figure(self, name: str) -> Path:
        """Where a figure lies as an image of its own; one that had nothing to draw is not there."""
        return self.html.parent / FIGURES / f"{name}.svg"


def report_of(settings: Settings, run: CertificationRun) -> Report:
    """Write the report of a certification just made or found.

    Raises:
        Seg3BError: ``OUTPUT_WRITE_FAILED``; of refs and records that cannot be read.
    """
    return write_report(
        settings, certification_named(settings.home, run.certification_id), tuple(run.metrics)
    )


def write_report(settings: Settings, kept: KeptCertification, seeds: tuple[int, ...] = ()) -> Report:
    """Write the report of a kept certification; one that would say the same is left as it is.

    Args:
        seeds: the order seeds are told in; that of the certification policy by default.

    Raises:
        Seg3BError: ``OUTPUT_WRITE_FAILED``; ``INPUT_OPEN_FAILED`` where a document is gone.
    """
    folder = settings.home / REPORTS / kept.certification_id
    previous = _previous(folder)
    material, before = _material(settings, kept, seeds, _lineages(previous))
    inputs = _inputs_digest(material, before)
    paths = (folder / HTML, folder / JSON, folder / MARKDOWN)
    if previous.get("inputs_digest") == inputs and all(path.is_file() for path in paths):
        return Report(*paths, document=previous, reused=True)
    files, document = _rendered(material, inputs, before)
    with reported_writes(STATE, folder), _locked(settings.home):
        for name, content in files.items():
            replace_file(folder / name, content)
    return Report(*paths, document=document, reused=False)


def copy_to(report: Report, out: Path) -> Path:
    """Put a copy where a person wants it, in the form its suffix names: one of ``FORMS``.

    Raises:
        Seg3BError: ``OUTPUT_WRITE_FAILED``.
    """
    source = report.html.with_suffix(out.suffix)
    with reported_writes(STATE, out):
        replace_file(out, source.read_bytes())
    return out


def _rendered(
    material: ReportMaterial, inputs: str, before: Mapping[int, str]
) -> tuple[dict[str, bytes], dict[str, Any]]:
    """Bytes by file name, and the JSON document. Plotting is imported here, where something is drawn."""
    from seg3b_assets.report.document import grids_csv, report_document  # noqa: PLC0415
    from seg3b_assets.report.markdown import report_markdown  # noqa: PLC0415
    from seg3b_assets.report.page import report_page  # noqa: PLC0415
    from seg3b_assets.report.sections import sections  # noqa: PLC0415
    from seg3b_assets.report.style import standalone  # noqa: PLC0415
    from seg3b_assets.report.tables import matrix_table  # noqa: PLC0415

    told = sections(material)
    document = {
        **report_document(material, told),
        "inputs_digest": inputs,
        "last_good_before": {str(seed): lineage for seed, lineage in before.items()},
    }
    require_document(contract(CONTRACT), document, state=STATE, name="OUTPUT_WRITE_FAILED", place=JSON)
    # The page comes last: whoever finds it finds all it rests on.
    files = {
        **{
            f"{FIGURES}/{plot.name}.svg": standalone(plot.svg).encode()
            for section in told
            for plot in section.plots
            if plot.svg
        },
        CSV: grids_csv(matrix_table(material.metrics, level) for level in LEVELS).encode(),
        MARKDOWN: report_markdown(material, told).encode(),
        JSON: canonical_json(document),
        HTML: report_page(material, told).encode(),
    }
    return files, document


def _material(
    settings: Settings, kept: KeptCertification, seeds: tuple[int, ...], recorded: Mapping[int, str]
) -> tuple[ReportMaterial, dict[int, str]]:
    """What the report is made from, and the last good run before this one."""
    archive = Archive(settings.home)
    documents, standing = archive.documents(kept.certification_id), archive.standing(kept.certification_id)
    policy = _certification_policy(settings, kept)
    order = seeds or tuple(dict.fromkeys((*(s for s in policy.seeds if s in kept.lineages), *kept.lineages)))
    metrics = {seed: _typed(SeedDocument, documents, kept, metrics_file_name(seed)) for seed in order}
    policies = next(iter(metrics.values())).provenance.policies
    posture = Posture(settings.home, kept.lineages, policies, settings.policies)
    before = last_good_before(settings.home, kept.lineages, standing.last_good_before or recorded)
    trace, files = kept.folder / FAILURE_TRACE, _document(documents, kept, MANIFEST)["files"]
    material = ReportMaterial(
        certification_id=kept.certification_id,
        summary=_typed(Summary, documents, kept, CROSS_SEED_SUMMARY),
        metrics=metrics,
        plots={
            seed: read_frames(_document(documents, kept, plots_file_name(seed))["plots"]) for seed in order
        },
        costs=_costs(settings.home, metrics),
        scoring_s=standing.scoring_s,
        lanes=policy.lanes,
        references=(baseline(posture), last_good(posture, before)),
        digests=files,
        trace=trace.read_text() if trace.is_file() else None,
        reference=_typed(ReferenceTier, documents, kept, REFERENCE) if REFERENCE in files else None,
        input_notes=_input_notes(settings.home, metrics),
    )
    return material, before


def _document(documents: Mapping[str, Any], kept: KeptCertification, name: str) -> Any:
    if name not in documents:
        raise _not_whole(kept, name)
    return documents[name]


def _typed(model: type[D], documents: Mapping[str, Any], kept: KeptCertification, name: str) -> D:
    try:
        return model.of(_document(documents, kept, name))
    except ValidationError as error:
        raise _not_whole(kept, name) from error


def _not_whole(kept: KeptCertification, name: str) -> Seg3BError:
    return fail(
        "certification_whole",
        str(kept.folder / name),
        "Certify the seeds again: the certification is older than this document, or was altered.",
        certification_id=kept.certification_id,
    )


def _certification_policy(settings: Settings, kept: KeptCertification) -> CertificationPolicy:
    """The certification's own policy; the one in force where its bytes are not kept."""
    try:
        content = PolicyBytes(settings.home).read(kept.policy)
    except Seg3BError:
        return load_policies(settings.policies).certification
    policy, _ = parse_policy(f"{CERTIFICATION_POLICY}.yaml", content, CertificationPolicy)
    assert isinstance(policy, CertificationPolicy)
    return policy


def _costs(home: Path, metrics: Mapping[int, SeedDocument]) -> dict[int, SeedCost]:
    """What computing each seed's snapshots cost, of those this home has a record of."""
    store, found = Store(home, contract), {}
    for seed, document in metrics.items():
        states = {
            state: StateCost(record.get("wall_s"), record.get("peak_rss_mb"), record.get("lanes") or {})
            for state, key in document.provenance.states.items()
            if (record := store.build(state, key))
        }
        if states:
            found[seed] = SeedCost(states)
    return found


def _input_notes(home: Path, metrics: Mapping[int, SeedDocument]) -> dict[int, list[InputNote]]:
    """What S0 and S1 had to say of each seed's inputs, of the snapshots this home holds that say it."""
    store, found = Store(home, contract), {}
    for seed, document in metrics.items():
        keys = document.provenance.states
        gate, first = (
            store.snapshot(state, keys[state]) if keys.get(state) else None for state in ("S0", "S1")
        )
        if gate is None or FINDINGS not in gate.outputs:
            continue
        findings, receipt = (_read(gate.path(name)) for name in (FINDINGS, GATE_RECEIPT))
        report = _read(first.path(REPORT_OF_S1)) if first and REPORT_OF_S1 in first.outputs else None
        found[seed] = input_notes(findings, receipt, report)
    return found


def _inputs_digest(material: ReportMaterial, before: Mapping[int, str]) -> str:
    """Digest of all a report says that its certification does not."""
    return sha256_json(
        {
            "version": VERSION,
            "certification_id": material.certification_id,
            "seeds": [str(seed) for seed in material.seeds],
            "scoring_s": material.scoring_s,
            "costs": {
                str(seed): {
                    state: [c.wall_s, c.peak_rss_mb, dict(c.lanes)] for state, c in cost.states.items()
                }
                for seed, cost in material.costs.items()
            },
            "references": [
                [
                    *(one.name, one.source),
                    {str(seed): dict(values) for seed, values in one.metrics.items()},
                    [[c.policy_id, c.key, c.theirs, c.ours] for c in one.policy_changes or ()],
                ]
                for one in material.references
            ],
            "last_good_before": {str(seed): lineage for seed, lineage in before.items()},
            "input_notes": {
                str(seed): [note.as_json() for note in notes] for seed, notes in material.input_notes.items()
            },
        }
    )


def _previous(folder: Path) -> dict[str, Any]:
    return _read(folder / JSON)


def _lineages(previous: Mapping[str, Any]) -> dict[int, str]:
    return {int(seed): str(lineage) for seed, lineage in (previous.get("last_good_before") or {}).items()}


def _read(path: Path) -> dict[str, Any]:
    """A JSON object of ours; empty where there is none, or it cannot be read."""
    try:
        value = orjson.loads(path.read_bytes())
    except (OSError, ValueError):
        return {}
    return value if isinstance(value, dict) else {}


def _locked(home: Path) -> Any:
    return exclusive(home / "locks" / f"{REPORTS}.lock")
