"""Certify: every seed up to date, scored, judged together, the evidence kept (gates, "Artefacts").

A certification is named by what it rests on: the seeds' lineages, the certification policy's bytes and the
scoring's version. Where one of that name is kept, nothing is scored again.

Seeds go one after another: a state already fills two cores, and two seeds at a time were measured to take no
less and twice the memory.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from time import perf_counter
from typing import Any, ContextManager, Final, TypeVar  # noqa: UP035 - as a return type

from seg3b_assets.certification.archive import NAMED_SCOPE, POLICY_SCOPE, Archive, Standing
from seg3b_assets.certification.documents import SeedDocument, Summary
from seg3b_assets.certification.evidence import (
    CROSS_SEED_SUMMARY,
    FAILURE_TRACE,
    REFERENCE,
    evidence,
    metrics_file_name,
    policy_digests,
)
from seg3b_assets.certification.lineages import SeedLineage, bring_up_to_date, score_lineage
from seg3b_assets.certification.pinned import after_certification
from seg3b_assets.certification.reference_documents import ReferenceTier
from seg3b_assets.certification.references import last_good_before
from seg3b_assets.certification.verdict import certify_scores
from seg3b_assets.laws.errors import Seg3BError
from seg3b_assets.laws.hashing import sha256_json
from seg3b_assets.pipeline import Segment, default_segment
from seg3b_assets.policies import PolicySet
from seg3b_assets.progress import SILENT, Progress, Step
from seg3b_assets.realism import FAIL_REALISM
from seg3b_assets.settings import Settings
from seg3b_assets.store import PolicyBytes, Store
from seg3b_assets.store.refs import move_refs

# Raise it when scoring changes what a document says: what is kept is then scored again.
CODE_VERSION: Final = "1.4.0"

T = TypeVar("T")


def certify(
    settings: Settings,
    seeds: Sequence[int] | None = None,
    segment: Segment | None = None,
    progress: Progress = SILENT,
    recompute: bool = False,
) -> CertificationRun:
    """Certify seeds together, keep the evidence, and move the refs that follow: the one way in, whoever asks.

    *The* certification is of the policy's seeds, in any order, over the policies and upstream in force. Any other is
    kept and reported by its id, and moves nothing.

    Args:
        seeds: uint64, each once; the certification policy's by default.
        segment: the parts of a run; the real segment by default.
        recompute: score again even where this certification is kept, and compare the bytes.

    Raises:
        ValueError: a seed is given twice.
        SeedsFailedError: after all seeds were tried, when one failed for a reason other than realism.
        Seg3BError: of the policies; of a home that cannot be written; ``NONDETERMINISTIC_OUTPUT``.
    """
    started = perf_counter()
    parts = segment or default_segment()
    policies = parts.load_policies(settings.policies)
    required = tuple(policies.certification.seeds)
    wanted = tuple(seeds or required)
    if len(set(wanted)) != len(wanted):
        raise ValueError("a seed is given twice")
    scope = POLICY_SCOPE if set(wanted) == set(required) and settings.moves_heads else NAMED_SCOPE
    archive = Archive(settings.home)
    with _held(settings, parts, wanted), progress.task("certify", 2 * len(wanted)) as step:
        lineages = _all_or_none(wanted, partial(bring_up_to_date, settings, parts, progress), step)
        inputs = certification_inputs(lineages, policies)
        certification_id = sha256_json(inputs)
        reused = archive.holds(certification_id) and not recompute
        before_scoring = perf_counter()
        if not reused:
            files = _scored(settings, parts, policies, lineages, step)
            PolicyBytes(settings.home).keep([policies.files["certification"].content])
            archive.publish(certification_id, inputs, files)
        scoring_s = None if reused else round(perf_counter() - before_scoring, 3)
        documents = archive.documents(certification_id)
        run = CertificationRun(
            certification_id=certification_id,
            folder=archive.folder(certification_id),
            lineages=lineages,
            summary=Summary.of(documents[CROSS_SEED_SUMMARY]),
            metrics={seed: SeedDocument.of(documents[metrics_file_name(seed)]) for seed in wanted},
            scope=scope,
            required=required,
            reused=reused,
            wall_s=perf_counter() - started,
            reference=ReferenceTier.of(documents[REFERENCE]) if REFERENCE in documents else None,
        )
        _make_current(settings, archive, run, scoring_s)
    return run


def _scored(
    settings: Settings, parts: Segment, policies: PolicySet, lineages: Mapping[int, SeedLineage], step: Step
) -> dict[str, bytes]:
    """The files of the certification. By ascending seed: no document knows the order the seeds were asked for in."""
    by_seed = {seed: lineages[seed] for seed in sorted(lineages)}
    score = partial(score_lineage, settings, parts, policy_digests(policies))
    scores = _all_or_none(by_seed, lambda seed: score(by_seed[seed]), step)
    return evidence(certify_scores(list(scores.values()), policies), lineages, policies)


def _make_current(
    settings: Settings, archive: Archive, run: CertificationRun, scoring_s: float | None
) -> None:
    """Note what the certification is and follows, then move the refs; again, where a crash came between."""
    known = archive.standing(run.certification_id)
    lineages = {seed: lineage.lineage_id for seed, lineage in run.lineages.items()}
    archive.note(
        run.certification_id,
        Standing(
            # Once the policy's, it stays what it was, whoever asks for the same seeds later.
            scope=POLICY_SCOPE if POLICY_SCOPE in (run.scope, known.scope) else NAMED_SCOPE,
            scoring_s=known.scoring_s if scoring_s is None else scoring_s,
            last_good_before=last_good_before(settings.home, lineages, known.last_good_before),
        ),
    )
    move_refs(settings.home, after_certification(run.complete, run.passed, run.scope == POLICY_SCOPE))


def _held(settings: Settings, parts: Segment, seeds: Sequence[int]) -> ContextManager[None]:
    named = ", ".join(str(seed) for seed in seeds)
    return Store(settings.home, parts.contracts).in_use(f"a certification of seeds {named}")


def certification_inputs(lineages: Mapping[int, SeedLineage], policies: PolicySet) -> dict[str, Any]:
    """What a certification's id is the digest of; the order of the seeds is not part of it."""
    return {
        "code_version": CODE_VERSION,
        "certification_policy": policies.files["certification"].sha256,
        "lineages": {str(seed): lineage.lineage_id for seed, lineage in lineages.items()},
    }


def _all_or_none(seeds: Iterable[int], work: Callable[[int], T], step: Step) -> dict[int, T]:
    """The work's result by seed; every seed is tried before a failure of one is raised."""
    found: dict[int, T] = {}
    errors: dict[int, Seg3BError] = {}
    for seed in seeds:
        try:
            found[seed] = work(seed)
        except Seg3BError as error:
            errors[seed] = error
        step(1)
    if errors:
        raise SeedsFailedError(errors)
    return found


class SeedsFailedError(Exception):
    """Seeds that could not be certified for a reason other than realism.

    Attributes:
        errors: by seed, in the order asked for.
    """

    def __init__(self, errors: Mapping[int, Seg3BError]) -> None:
        super().__init__("; ".join(f"seed {seed}: {error}" for seed, error in errors.items()))
        self.errors = dict(errors)


@dataclass(frozen=True)
class CertificationRun:
    """One certification as kept.

    Attributes:
        certification_id: hex64.
        folder: absolute path of its artefacts.
        lineages: by seed, in the order asked for.
        summary: the cross-seed summary.
        metrics: the metrics document of each seed, in the order asked for.
        scope: ``policy`` for the certification of the policy's seeds over what is in force, else ``named``.
        required: the seeds the policy asks for.
        reused: whether it was kept already and nothing was scored.
        wall_s: wall seconds, running the seeds included.
        reference: the tier above B+; None of one kept by a release before it was measured.
    """

    certification_id: str
    folder: Path
    lineages: Mapping[int, SeedLineage]
    summary: Summary
    metrics: Mapping[int, SeedDocument]
    scope: str
    required: tuple[int, ...]
    reused: bool
    wall_s: float
    reference: ReferenceTier | None = None

    @property
    def verdict(self) -> str:
        """PASS_BPLUS, PASS_B or FAIL_REALISM."""
        return self.summary.overall.overall_verdict

    @property
    def grade_a(self) -> bool:
        return self.summary.overall.grade_a

    @property
    def grade_a_plus(self) -> bool:
        """Grade A with every gate of the reference tier; not where the tier was not measured."""
        return self.reference is not None and self.reference.grade_a_plus

    @property
    def passed(self) -> bool:
        return self.verdict != FAIL_REALISM

    @property
    def complete(self) -> dict[int, str]:
        """Lineage id by seed, of the seeds that reached S5."""
        return {seed: one.lineage_id for seed, one in self.lineages.items() if one.blocked is None}

    @property
    def summary_path(self) -> Path:
        return self.folder / CROSS_SEED_SUMMARY

    @property
    def trace_path(self) -> Path | None:
        """The failure trace; None when no gate fails."""
        return self.folder / FAILURE_TRACE if self.summary.ranked_failures else None

    @property
    def margins(self) -> dict[str, dict[str, float]]:
        """By seed, the margin of every gate that has one; of a gate with two bounds, the tighter one's."""
        return {
            str(seed): {
                gate: found.margin
                for gate, found in {**document.hard_gates, **document.stretch_gates}.items()
                if found.margin is not None
            }
            for seed, document in self.metrics.items()
        }

    def as_json(self) -> dict[str, Any]:
        """The object ``seg3b certify --json`` prints."""
        return {
            "verdict": self.verdict,
            "grade_a": self.grade_a,
            "scope": self.scope,
            "seeds_required": list(self.required),
            "seeds": {str(seed): document.verdict for seed, document in self.metrics.items()},
            "cross_seed": self.summary.cross_seed_checks.as_json(),
            "confidence": self.summary.confidence.as_json(),
            "margins": self.margins,
            "reference": None if self.reference is None else self.reference.brief(),
            "summary_path": str(self.summary_path),
            "wall_s": round(self.wall_s, 3),
        }
