"""Two kept lineages side by side: what is published, under which policies, at what cost.

Policies are compared by key (``policies.keyed``), from their kept bytes.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from seg3b_assets.policies.keyed import flattened
from seg3b_assets.policies.strict_yaml import parse_document
from seg3b_assets.store.home import Store
from seg3b_assets.store.runs import KeptRun, PolicyBytes

Change = dict[str, Any]


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
