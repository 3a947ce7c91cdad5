"""Two sets of lineages compared, seed by seed: metrics, gates, digests, policies, timings.

A lineage that was certified is read from its certification's documents. Any lineage has what its own S4
measured: one result per contract row, over all merchants and by class; what only a certification measures
(the stretch gates, gate 3B-V12, a few metrics) is then absent on that side. Policies are compared by key
(``policies.keyed``), from their kept bytes.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, field
from operator import itemgetter
from typing import Any, Final

import orjson

from seg3b_assets.certification.documents import SeedDocument
from seg3b_assets.certification.evidence import metrics_file_name
from seg3b_assets.certification.kept import Certifications, KeptCertification
from seg3b_assets.certification.targets import Target, UnknownTargetError
from seg3b_assets.inputs.published import Published
from seg3b_assets.policies.keyed import flattened
from seg3b_assets.policies.strict_yaml import parse_document
from seg3b_assets.realism import METRICS
from seg3b_assets.realism.gates import hold
from seg3b_assets.realism.measurement import Measurement
from seg3b_assets.realism.metrics import CLASS_POPULATION
from seg3b_assets.store import KeptRun, PolicyBytes, Snapshot, Store
from seg3b_assets.store.outputs import ContractLookup

READER: Final = "S5"
TERMS, RESULTS = "virtual_validation_terms_3B", "virtual_validation_results_3B"
EVERYONE: Final = "all"
STRETCHED: Final = " B+"  # two gates have a bound of either kind under one id
Key = tuple[str, str]
Change = dict[str, Any]


@dataclass(frozen=True)
class Measured:
    """What is known of one lineage's realism.

    Attributes:
        source: ``certification {id}``, ``contract run``, or ``nothing kept``.
        verdict: of the seed; None where it was not certified.
        metrics: value by (metric, population).
        gates: {metric, operator, threshold, observed, pass, margin} by (gate, population).
        certification_policy: SHA-256 of the policy it was certified under.
    """

    source: str
    verdict: str | None = None
    metrics: Mapping[Key, Any] = field(default_factory=dict)
    gates: Mapping[Key, Mapping[str, Any]] = field(default_factory=dict)
    certification_policy: str | None = None


@dataclass(frozen=True)
class LineageComparison:
    """What differs between two lineages, earlier first.

    Attributes:
        states: {state, was, now}: digest over a state's outputs, where it differs.
        datasets: {state, dataset, was, now}: where a dataset's digest differs or one side has none; None for
            what is not published, or no longer there.
        policies: {policy, key, was, now}: sealed policies by key; key is None where only bytes that mean
            nothing differ (a comment), and was and now are then the digests.
        timings: {state, was_s, now_s}: wall seconds of computing each state; None where it is not known.
    """

    states: list[Change]
    datasets: list[Change]
    policies: list[Change]
    timings: list[Change]


@dataclass(frozen=True)
class SeedComparison:
    """One seed of both sides.

    Attributes:
        was, now: the lineages' records.
        measured: of both, in that order.
        metrics: {metric, population, unit, was, now}, where they differ.
        gates: {gate, population, was, now}: the gates' records, where any of it differs.
        lineage: digests, policies and timings.
    """

    was: KeptRun
    now: KeptRun
    measured: tuple[Measured, Measured]
    metrics: list[Change]
    gates: list[Change]
    lineage: LineageComparison

    def as_json(self) -> dict[str, Any]:
        return {
            "lineages": {"was": self.was.lineage_id, "now": self.now.lineage_id},
            "flags": {"was": self.was.flag, "now": self.now.flag},
            "measured_by": {"was": self.measured[0].source, "now": self.measured[1].source},
            "verdicts": {"was": self.measured[0].verdict, "now": self.measured[1].verdict},
            "metrics": self.metrics,
            "gates": self.gates,
            **asdict(self.lineage),
        }


@dataclass(frozen=True)
class Comparison:
    """Two targets.

    Attributes:
        seeds: those both have, in order.
        only_was, only_now: seeds one side lacks.
    """

    was: Target
    now: Target
    seeds: Mapping[int, SeedComparison]
    only_was: tuple[int, ...]
    only_now: tuple[int, ...]

    def as_json(self) -> dict[str, Any]:
        """The object ``seg3b diff --json`` prints."""
        return {
            "was": self.was.label,
            "now": self.now.label,
            "seeds": {str(seed): one.as_json() for seed, one in self.seeds.items()},
            "only_was": list(self.only_was),
            "only_now": list(self.only_now),
        }


def compare(store: Store, contracts: ContractLookup, was: Target, now: Target) -> Comparison:
    """Compare two targets over the seeds both name.

    Raises:
        UnknownTargetError: they have no seed in common, or the record of a lineage is gone.
        Seg3BError: a record, a policy or a results table cannot be read.
    """
    common = sorted(was.lineages.keys() & now.lineages.keys())
    if not common:
        raise UnknownTargetError(f"{was.label} and {now.label} have no seed in common")
    with store.in_use("a comparison"):
        judged = _Judged(Certifications(store.home).every(), store, contracts)
        seeds = {
            seed: _compared(store, judged, was.recorded(store, seed), now.recorded(store, seed))
            for seed in common
        }
    only = [
        tuple(sorted(one.lineages.keys() - other.lineages.keys())) for one, other in ((was, now), (now, was))
    ]
    return Comparison(was, now, seeds, *only)


@dataclass(frozen=True)
class _Judged:
    """Finds what is known of a lineage's realism."""

    certifications: Sequence[KeptCertification]
    store: Store
    contracts: ContractLookup

    def measured(self, run: KeptRun) -> Measured:
        by_contract = self._by_contract(run)
        certified = [one for one in self.certifications if one.lineages.get(run.seed) == run.lineage_id]
        # Of several, the one over most seeds says most.
        for one in sorted(certified, key=lambda one: (-len(one.lineages), one.certification_id)):
            document = SeedDocument.kept(one, metrics_file_name(run.seed))
            if document is not None:
                return _of_document(document, one, by_contract)
        return by_contract

    def _by_contract(self, run: KeptRun) -> Measured:
        snapshot = self.store.snapshot("S4", run.keys["S4"]) if "S4" in run.keys else None
        if snapshot is None:
            return Measured("nothing kept")
        return _of_contract(snapshot, self.contracts)


def _of_contract(snapshot: Snapshot, contracts: ContractLookup) -> Measured:
    published = Published(READER, [snapshot], contracts)
    if not published.has(RESULTS):
        return Measured("nothing kept")
    rows = published.table(RESULTS).join(
        published.table(TERMS, ["test_id", "gate_id"]), on="test_id", how="left"
    )
    metrics: dict[Key, Any] = {}
    gates: dict[Key, Mapping[str, Any]] = {}
    for row in rows.iter_rows(named=True):
        of_class = row["virtual_class"]
        population = EVERYONE if of_class is None else f"{CLASS_POPULATION}{of_class}"
        metrics[row["metric"], population] = row["measured"]
        bound = orjson.loads(row["threshold"])
        threshold = tuple(bound) if isinstance(bound, list) else bound
        held = hold(row["metric"], Measurement(row["measured"], row["n"]), row["operator"], threshold)
        gates[row["gate_id"] or row["test_type"], population] = _gate(held.record())
    return Measured("contract run", None, metrics, gates)


def _of_document(document: SeedDocument, certification: KeptCertification, contract: Measured) -> Measured:
    values = {(name, EVERYONE): value for name, value in document.metrics.values.items() if name in METRICS}
    gates = {(gate, EVERYONE): _gate(found.as_json()) for gate, found in document.hard_gates.items()}
    for gate, found in document.stretch_gates.items():
        gates[gate + STRETCHED if gate in document.hard_gates else gate, EVERYONE] = _gate(found.as_json())
    return Measured(
        source=f"certification {certification.certification_id}",
        verdict=document.verdict,
        metrics={**contract.metrics, **values},
        gates={**contract.gates, **gates},
        certification_policy=certification.policy,
    )


def _gate(record: Mapping[str, Any]) -> dict[str, Any]:
    return {name: record[name] for name in ("metric", "operator", "threshold", "observed", "pass", "margin")}


def _compared(store: Store, judged: _Judged, was: KeptRun, now: KeptRun) -> SeedComparison:
    before, after = judged.measured(was), judged.measured(now)
    lineage = compare_lineages(store, was, now)
    if before.certification_policy and after.certification_policy:
        scoring = ({"certification": one.certification_policy} for one in (before, after))
        lineage.policies.extend(compare_policies(store, *scoring))  # type: ignore[arg-type]
    return SeedComparison(
        was=was,
        now=now,
        measured=(before, after),
        metrics=[
            {"metric": metric, "population": population, "unit": METRICS[metric].unit, "was": a, "now": b}
            for (metric, population), a, b in _differing_sorted(before.metrics, after.metrics)
        ],
        gates=[
            {"gate": gate, "population": population, "was": a, "now": b}
            for (gate, population), a, b in _differing_sorted(before.gates, after.gates)
        ],
        lineage=lineage,
    )


def compare_lineages(store: Store, was: KeptRun, now: KeptRun) -> LineageComparison:
    """Compare two lineages of the store.

    Raises:
        Seg3BError: INPUT_OPEN_FAILED when a policy's bytes are no longer kept.
    """
    states = sorted(was.states.keys() | now.states.keys())
    return LineageComparison(
        states=[
            {"state": name, "was": before, "now": after}
            for name, before, after in _differing(_digests(was), _digests(now))
        ],
        datasets=_datasets(store, was, now),
        policies=compare_policies(store, was.policies, now.policies),
        timings=[
            {"state": name, "was_s": _seconds(was, name), "now_s": _seconds(now, name)} for name in states
        ],
    )


def compare_policies(store: Store, was: Mapping[str, str], now: Mapping[str, str]) -> list[Change]:
    """Policies by key.

    Args:
        was, now: SHA-256 of a policy's bytes by policy id; the store keeps them.
    """
    kept = PolicyBytes(store.home)
    changes: list[Change] = []
    for policy, before, after in _differing(was, now):
        old, new = (flattened(parse_document(kept.read(one)).value) if one else {} for one in (before, after))
        keys = [{"policy": policy, "key": key, "was": a, "now": b} for key, a, b in _differing(old, new)]
        changes += keys or [{"policy": policy, "key": None, "was": before, "now": after}]
    return changes


def _datasets(store: Store, was: KeptRun, now: KeptRun) -> list[Change]:
    before, after = _published(store, was), _published(store, now)
    return [
        {"state": state, "dataset": dataset, "was": a, "now": b}
        for (state, dataset), a, b in _differing(before, after)
    ]


def _published(store: Store, run: KeptRun) -> dict[tuple[str, str], str]:
    found = {state: store.snapshot(state, key) for state, key in run.keys.items()}
    return {
        (state, dataset): record.digest
        for state, snapshot in found.items()
        if snapshot
        for dataset, record in snapshot.outputs.items()
    }


def _digests(run: KeptRun) -> dict[str, str]:
    return {name: state.digest for name, state in run.states.items()}


def _seconds(run: KeptRun, state: str) -> float | None:
    return run.states[state].wall_s if state in run.states else None


def _differing(was: Mapping[Any, Any], now: Mapping[Any, Any]) -> list[tuple[Any, Any, Any]]:
    names = [*was, *(name for name in now if name not in was)]
    return [(name, was.get(name), now.get(name)) for name in names if was.get(name) != now.get(name)]


def _differing_sorted(was: Mapping[Key, Any], now: Mapping[Key, Any]) -> list[tuple[Key, Any, Any]]:
    return sorted(_differing(was, now), key=itemgetter(0))
