"""What the refs of a home point at, what moves them, and pinning one by hand under the same rules.

Which refs a finished run or certification moves is decided here and nowhere else. A run of the configured posture (or
one told to ``--promote``) moves ``candidate``. A certification of it moves ``candidate`` too, and, when its verdict is
PASS_B or PASS_BPLUS, ``certification`` and ``last_good``. Other policies or another upstream move nothing: such
lineages are looked at, and a person may pin them.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from seg3b_assets.certification.documents import SeedDocument, Summary
from seg3b_assets.certification.evidence import CROSS_SEED_SUMMARY, metrics_file_name
from seg3b_assets.certification.kept import Certifications, KeptCertification
from seg3b_assets.certification.targets import Target, UnknownTargetError, resolve_target
from seg3b_assets.laws.hashing import sha256_json
from seg3b_assets.policies.loader import SEALED_POLICIES
from seg3b_assets.realism import PASS_B, PASS_BPLUS
from seg3b_assets.realism.policy_reading import load_policies
from seg3b_assets.store import KeptRun, RefName, Refs, Runs, Store
from seg3b_assets.store.refs import HEADS, Moves, move_refs

BASELINE_POLICIES = "baseline"


@dataclass(frozen=True)
class Pinned:
    """One seed of a ref, or of the heads.

    Attributes:
        lineage_id: what it points at.
        run: the record of that lineage; None when it is gone, or when heads of several runs are in force.
        whole: whether every snapshot of it is there with its recorded sizes.
        verdict: of the seed, where a kept certification judged this lineage.
    """

    lineage_id: str
    run: KeptRun | None
    whole: bool
    verdict: str | None

    def as_json(self) -> dict[str, Any]:
        return {
            "lineage_id": self.lineage_id,
            "run_id": self.run.run_id if self.run else None,
            "flag": self.run.flag if self.run else None,
            "finished_utc": self.run.finished_utc if self.run else None,
            "whole": self.whole,
            "verdict": self.verdict,
        }


def pinned(store: Store) -> dict[str, dict[int, Pinned]]:
    """By ref (and ``heads``), by seed: what is pointed at.

    Raises:
        Seg3BError: a ref, a record or a heads file cannot be read.
    """
    verdicts = seed_verdicts(Certifications(store.home).every())
    heads = {seed: sha256_json(store.heads(seed)) for seed in store.seeds()}
    pointers = {HEADS: heads, **Refs(store.home).all()}
    return {
        name: {seed: _pinned(store, lineage_id, verdicts) for seed, lineage_id in lineages.items()}
        for name, lineages in pointers.items()
    }


def seed_verdicts(certifications: Iterable[KeptCertification]) -> dict[str, str]:
    """Verdict of its seed by lineage id, for every lineage a certification judged."""
    found: dict[str, str] = {}
    for certification in certifications:
        for seed, lineage_id in certification.lineages.items():
            document = SeedDocument.kept(certification, metrics_file_name(seed))
            if document is not None:
                found[lineage_id] = document.verdict
    return found


def pin(store: Store, name: RefName, wanted: str | None, seeds: tuple[int, ...], policies: Path) -> Target:
    """Point a ref at what a person names.

    Args:
        wanted: as ``resolve_target`` reads it. By default the lineages in force; for ``baseline``, the newest
            certification of the policies in ``{policies}/baseline``.
        seeds: only these; all of the target's where none is given.

    Returns:
        What the ref was pointed at.

    Raises:
        UnknownTargetError: nothing goes by that name, a lineage of it is not whole, or the ref's rule forbids
            it: ``baseline`` takes certified lineages, ``certification`` and ``last_good`` such as passed.
        Seg3BError: what reading and writing refs and records raise.
    """
    with store.in_use(f"setting the ref {name}"):
        target = _wanted(store, name, wanted, policies).of_seeds(seeds)
        missing = [str(seed) for seed in seeds if seed not in target.lineages]
        if missing or not target.lineages:
            raise UnknownTargetError(f"{target.label} has no seed {', '.join(missing)}")
        _require_whole(store, target)
        _require_judged(store, name, target)
        move_refs(store.home, {name: target.lineages})
    return target


def after_run(lineages: Mapping[int, str], current: bool) -> Moves:
    """The moves of runs that published whole lineages.

    Args:
        lineages: lineage id by seed.
        current: whether the runs put their snapshots in force (``Settings.moves_heads``).
    """
    return {"candidate": lineages} if current else {}


def after_certification(lineages: Mapping[int, str], passed: bool, current: bool) -> Moves:
    """The moves of a certification.

    Args:
        lineages: lineage id by seed, of the seeds that reached S5.
        passed: whether the verdict over all seeds is PASS_B or PASS_BPLUS.
        current: as for ``after_run``.
    """
    if not current or not passed:
        return after_run(lineages, current)
    return {"candidate": lineages, "certification": lineages, "last_good": lineages}


def _wanted(store: Store, name: RefName, wanted: str | None, policies: Path) -> Target:
    if wanted is not None:
        return resolve_target(store, wanted)
    if name != BASELINE_POLICIES:
        return resolve_target(store, HEADS)
    found = _certified_under(store, policies / BASELINE_POLICIES)
    if found is None:
        raise UnknownTargetError(
            f"this home keeps no certification of {policies / BASELINE_POLICIES}; make one with "
            f"seg3b certify --policies {policies / BASELINE_POLICIES}, or name what to pin"
        )
    return Target(f"certification {found.certification_id[:12]}", found.lineages)


def _certified_under(store: Store, folder: Path) -> KeptCertification | None:
    """The newest certification whose every lineage was computed under these policies' bytes."""
    files = load_policies(folder).files
    digests = {name: files[name].sha256 for name in SEALED_POLICIES}
    runs = Runs(store.home)
    found: list[tuple[str, KeptCertification]] = []
    for certification in Certifications(store.home).every():
        records = [runs.read(lineage_id) for lineage_id in certification.lineages.values()]
        if all(run is not None and run.policies == digests for run in records):
            found.append((max(run.finished_utc for run in records if run), certification))
    return max(found, key=lambda one: (one[0], one[1].certification_id))[1] if found else None


def _require_whole(store: Store, target: Target) -> None:
    runs = Runs(store.home)
    for seed, lineage_id in target.lineages.items():
        run = runs.read(lineage_id)
        if run is None or not _is_whole(store, run):
            raise UnknownTargetError(f"seed {seed} of {target.label}: outputs of {lineage_id[:12]} are gone")


def _require_judged(store: Store, name: RefName, target: Target) -> None:
    if name == "candidate":
        return
    wanted = set(target.lineages.items())
    judging = [one for one in Certifications(store.home).every() if wanted <= set(one.lineages.items())]
    if not judging:
        raise UnknownTargetError(f"no certification judged {target.label}; {name} takes certified lineages")
    if name == BASELINE_POLICIES or any(_verdict(one) in (PASS_B, PASS_BPLUS) for one in judging):
        return
    raise UnknownTargetError(
        f"{target.label} did not pass ({_verdict(judging[0])}); {name} takes what passed"
    )


def _verdict(certification: KeptCertification) -> str | None:
    summary = Summary.kept(certification, CROSS_SEED_SUMMARY)
    return None if summary is None else summary.overall.overall_verdict


def _pinned(store: Store, lineage_id: str, verdicts: Mapping[str, str]) -> Pinned:
    run = Runs(store.home).read(lineage_id)
    return Pinned(lineage_id, run, run is not None and _is_whole(store, run), verdicts.get(lineage_id))


def _is_whole(store: Store, run: KeptRun) -> bool:
    return all(store.snapshot(state, key) is not None for state, key in run.keys.items())
