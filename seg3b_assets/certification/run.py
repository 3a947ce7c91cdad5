"""Certify: every seed up to date, scored, judged together, the evidence kept (gates, "Artefacts").

A certification is named by what it rests on: the seeds' lineages, the certification policy's bytes and the
scoring's version. Where one of that name is kept, nothing is scored again.

Seeds go one after another: a state already fills two cores, and two seeds at a time were measured to take no
less and twice the memory.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from functools import partial
from time import perf_counter
from typing import Any, ContextManager, Final, TypeVar  # noqa: UP035 - as a return type

from seg3b_assets.certification.archive import Archive
from seg3b_assets.certification.evidence import evidence, policy_digests
from seg3b_assets.certification.lineages import SeedLineage, bring_up_to_date, score_lineage
from seg3b_assets.certification.outcome import CertificationRun, SeedsFailedError
from seg3b_assets.laws.errors import Seg3BError
from seg3b_assets.laws.hashing import sha256_json
from seg3b_assets.pipeline import Segment, default_segment
from seg3b_assets.policies import PolicySet
from seg3b_assets.progress import SILENT, Progress, Step
from seg3b_assets.realism import CROSS_SEED_SUMMARY, certify_scores, metrics_file_name
from seg3b_assets.settings import Settings
from seg3b_assets.store import PolicyBytes, Store

# Raise it when scoring changes what a document says: what is kept is then scored again.
CODE_VERSION: Final = "1.3.0"

T = TypeVar("T")


def certify(
    settings: Settings,
    seeds: Sequence[int] | None = None,
    segment: Segment | None = None,
    progress: Progress = SILENT,
    recompute: bool = False,
) -> CertificationRun:
    """Certify seeds together.

    Args:
        seeds: uint64; the certification policy's by default.
        segment: the parts of a run; the real segment by default.
        recompute: score again even where this certification is kept, and compare the bytes.

    Raises:
        SeedsFailedError: after all seeds were tried, when one failed for a reason other than realism.
        Seg3BError: of the policies; of a home that cannot be written; ``NONDETERMINISTIC_OUTPUT``.
    """
    started = perf_counter()
    parts = segment or default_segment()
    policies = parts.load_policies(settings.policies)
    wanted = tuple(dict.fromkeys(seeds or policies.certification.seeds))
    archive = Archive(settings.home)
    with _held(settings, parts, wanted), progress.task("certify", 2 * len(wanted)) as step:
        lineages = _all_or_none(wanted, partial(bring_up_to_date, settings, parts, progress), step)
        inputs = certification_inputs(lineages, policies)
        certification_id = sha256_json(inputs)
        reused = archive.holds(certification_id) and not recompute
        before_scoring = perf_counter()
        if not reused:
            score = partial(score_lineage, settings, parts, policy_digests(policies))
            # By ascending seed, so that no document knows the order the seeds were asked for in.
            by_seed = {seed: lineages[seed] for seed in sorted(lineages)}
            scores = _all_or_none(by_seed, lambda seed: score(by_seed[seed]), step)
            certification = certify_scores(list(scores.values()), policies)
            PolicyBytes(settings.home).keep([policies.files["certification"].content])
            archive.publish(certification_id, inputs, evidence(certification, lineages, policies))
        scoring_s = None if reused else perf_counter() - before_scoring
    documents = archive.documents(certification_id)
    return CertificationRun(
        certification_id=certification_id,
        folder=archive.folder(certification_id),
        lineages=lineages,
        summary=documents[CROSS_SEED_SUMMARY],
        metrics={seed: documents[metrics_file_name(seed)] for seed in wanted},
        reused=reused,
        wall_s=perf_counter() - started,
        scoring_s=scoring_s,
    )


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
