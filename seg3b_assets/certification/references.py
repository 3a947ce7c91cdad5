"""What a certification is held against in its report: the baseline, and the last good run before it.

The baseline is the ref of that name where it is set; otherwise the figures of record, which ship with the
package and are what ``policies/baseline`` certifies to on the embedded world.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Final

import orjson

from seg3b_assets.certification.documents import SeedDocument
from seg3b_assets.certification.evidence import metrics_file_name
from seg3b_assets.certification.kept import Certifications
from seg3b_assets.laws.errors import Seg3BError
from seg3b_assets.policies.keyed import flattened
from seg3b_assets.policies.strict_yaml import YamlRefusedError, parse_document
from seg3b_assets.realism.policy_reading import load_policies
from seg3b_assets.realism.registry import METRICS
from seg3b_assets.shipped import shipped
from seg3b_assets.store import Refs, Runs
from seg3b_assets.store.runs import PolicyBytes

BASELINE: Final = "baseline"
LAST_GOOD: Final = "last_good"
OF_RECORD: Final = Path(__file__).with_name("baseline_of_record.json")
BASELINE_POLICIES: Final = shipped("policies/baseline")
CERTIFICATION_POLICY: Final = "certification"

MetricValues = Mapping[str, float | bool | None]
Lineages = Mapping[int, str]
Flat = Mapping[str, Mapping[str, Any]]


@dataclass(frozen=True)
class PolicyChange:
    """One key whose value differs.

    Attributes:
        key: dotted path within the policy.
        theirs, ours: as text; None where the side does not have the key.
    """

    policy_id: str
    key: str
    theirs: str | None
    ours: str | None


@dataclass(frozen=True)
class Reference:
    """Something the certification is held against.

    Attributes:
        name: ``baseline`` or ``last_good``.
        title: for people.
        source: one sentence on where the figures come from, or why there are none.
        metrics: values by seed; empty where there are none.
        verdicts: by seed, where known.
        policy_changes: None where the other side's policies are not kept.
    """

    name: str
    title: str
    source: str
    metrics: Mapping[int, MetricValues] = field(default_factory=dict)
    verdicts: Mapping[int, str] = field(default_factory=dict)
    policy_changes: Sequence[PolicyChange] | None = None


@dataclass(frozen=True)
class Posture:
    """The certification whose report is written.

    Attributes:
        lineages: lineage id by seed.
        policies: SHA-256 by policy id.
        folder: the policies in force, for bytes the home does not keep.
    """

    home: Path
    lineages: Lineages
    policies: Mapping[str, str]
    folder: Path


def baseline(posture: Posture) -> Reference:
    """The baseline by ref, or of record."""
    lineages = Refs(posture.home).read("baseline")
    ours = _policies(posture.home, posture.policies, posture.folder)
    if lineages:
        metrics, verdicts = _judged(posture.home, lineages)
        told = "From the certification of the lineages that the ref baseline names."
        if metrics:
            theirs = _policies_of(posture.home, lineages)
            return Reference(BASELINE, "Baseline", told, metrics, verdicts, policy_changes(ours, theirs))
    record = orjson.loads(OF_RECORD.read_bytes())["seeds"]
    return Reference(
        BASELINE,
        "Baseline",
        "The figures of record: policies/baseline (one global template, 500 equal edges, no coupling) "
        "certified "
        "on the embedded world; this home has no certified baseline of its own.",
        {int(seed): found["metrics"] for seed, found in record.items()},
        {int(seed): found["verdict"] for seed, found in record.items()},
        policy_changes(ours, _flat_folder(BASELINE_POLICIES)),
    )


def last_good(posture: Posture, before: Lineages) -> Reference:
    """The last good run that is not this one.

    Args:
        before: what the ref named when this certification's report was first written; used once the ref
            names this certification itself.
    """
    named = Refs(posture.home).read("last_good")
    itself = all(named.get(seed) == lineage for seed, lineage in posture.lineages.items())
    lineages = before if named and itself else named
    title = "Last good run"
    if not lineages:
        return Reference(LAST_GOOD, title, "this home had none before this certification.")
    metrics, verdicts = _judged(posture.home, lineages)
    if not metrics:
        return Reference(LAST_GOOD, title, "its certification is no longer kept in this home.")
    ours = _policies(posture.home, posture.policies, posture.folder)
    theirs = _policies_of(posture.home, lineages)
    told = "From the certification of the lineages that the ref last_good named before this one."
    return Reference(LAST_GOOD, title, told, metrics, verdicts, policy_changes(ours, theirs))


def last_good_before(home: Path, lineages: Lineages, recorded: Lineages) -> dict[int, str]:
    """Lineages to remember as the last good run before a certification: the ref's, unless it names this one already.

    Args:
        lineages: the certification's. recorded: what was remembered when it was made.
    """
    named = Refs(home).read("last_good")
    itself = all(named.get(seed) == lineage for seed, lineage in lineages.items())
    return dict(recorded) if named and itself else named


def policy_changes(ours: Flat | None, theirs: Flat | None) -> list[PolicyChange] | None:
    """Keys whose value differs, by policy and key; of the policies both sides have. None where a side is unknown."""
    if ours is None or theirs is None:
        return None
    return [
        PolicyChange(policy_id, key, _text(theirs[policy_id], key), _text(ours[policy_id], key))
        for policy_id in sorted(ours.keys() & theirs.keys())
        for key in sorted(ours[policy_id].keys() | theirs[policy_id].keys())
        if _text(theirs[policy_id], key) != _text(ours[policy_id], key)
    ]


def _text(values: Mapping[str, Any], key: str) -> str | None:
    return orjson.dumps(values[key]).decode() if key in values else None


def _judged(home: Path, lineages: Lineages) -> tuple[dict[int, Any], dict[int, str]]:
    """Metrics and verdict by seed of these lineages, from kept certifications."""
    metrics: dict[int, Any] = {}
    verdicts: dict[int, str] = {}
    for certification in Certifications(home).every():
        for seed, lineage_id in lineages.items():
            if certification.lineages.get(seed) != lineage_id:
                continue
            document = SeedDocument.kept(certification, metrics_file_name(seed))
            if document is not None:
                metrics[seed], verdicts[seed] = metric_values(document), document.verdict
    return dict(sorted(metrics.items())), dict(sorted(verdicts.items()))


def _policies_of(home: Path, lineages: Lineages) -> Flat | None:
    """The sealed policies of the first of these lineages that has a record."""
    for lineage_id in lineages.values():
        run = Runs(home).read(lineage_id)
        if run is not None and run.policies:
            return _policies(home, run.policies, None)
    return None


def _policies(home: Path, digests: Mapping[str, str], folder: Path | None) -> Flat | None:
    """Values by policy and key, of bytes the home keeps or the folder still holds; None where some are lost."""
    kept = PolicyBytes(home)
    at_hand = {} if folder is None else _contents(folder)
    found = {}
    for policy_id, digest in digests.items():
        try:
            content = at_hand[digest] if digest in at_hand else kept.read(digest)
            found[policy_id] = flattened(parse_document(content).value)
        except (Seg3BError, YamlRefusedError):
            return None
    return found


def _contents(folder: Path) -> dict[str, bytes]:
    """Bytes by digest of a policy folder; nothing of one that cannot be used."""
    try:
        return {file.sha256: file.content for file in load_policies(folder).files.values()}
    except Seg3BError:
        return {}


def _flat_folder(folder: Path) -> Flat | None:
    try:
        files = load_policies(folder).files
        return {policy_id: flattened(parse_document(file.content).value) for policy_id, file in files.items()}
    except Seg3BError:
        return None


def metric_values(document: SeedDocument) -> MetricValues:
    """The registry's metrics of a metrics document."""
    measured = document.metrics.values
    return {name: measured[name] for name in METRICS if name in measured}
