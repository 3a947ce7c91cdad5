"""What a person may name a set of lineages by: ``heads``, a ref, a run, a lineage, or a certification."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Final, cast

from seg3b_assets.certification.kept import Certifications
from seg3b_assets.laws.hashing import sha256_json
from seg3b_assets.store.home import Store
from seg3b_assets.store.refs import HEADS, REF_NAMES, RefName, Refs
from seg3b_assets.store.runs import KeptRun, Runs

NAMES: Final = (HEADS, *REF_NAMES)
SHORTEST_PREFIX: Final = 4
_SHOWN: Final = 16  # digits of an id in a message
_LISTED: Final = 8


class UnknownTargetError(ValueError):
    """A name that stands for no lineage, or for several things."""


@dataclass(frozen=True)
class Target:
    """Lineages by seed, and the name they were asked for by.

    Attributes:
        label: what a person is shown.
        lineages: lineage id by seed.
    """

    label: str
    lineages: Mapping[int, str]

    def of_seeds(self, seeds: tuple[int, ...]) -> Target:
        """Only these seeds; all where none is given."""
        if not seeds:
            return self
        return Target(self.label, {seed: one for seed, one in self.lineages.items() if seed in seeds})

    def recorded(self, store: Store, seed: int) -> KeptRun:
        """The record of its lineage of a seed.

        Raises:
            UnknownTargetError: it is gone.
            Seg3BError: it cannot be read.
        """
        run = Runs(store.home).read(self.lineages[seed])
        if run is None:
            raise UnknownTargetError(
                f"seed {seed} of {self.label}: the record of {self.lineages[seed][:12]} is gone"
            )
        return run


def resolve_target(store: Store, text: str) -> Target:
    """The lineages ``text`` names: ``heads``, a ref, a run, a lineage or a certification, by its name or id, or by the
    start of that as far as only one thing begins so.

    Raises:
        UnknownTargetError: nothing, or more than one thing, goes by that name; then the candidates are listed.
        Seg3BError: a ref, a record or a heads file cannot be read.
    """
    wanted = text.strip().lower()
    names = [name for name in NAMES if wanted and name.startswith(wanted)]
    if wanted in names or len(names) == 1:
        return _named(store, wanted if wanted in names else names[0])
    if names:
        raise UnknownTargetError(f"{wanted} is the start of {len(names)} names: {', '.join(names)}")
    return _by_id(store, wanted)


def runs_named(store: Store, text: str, seeds: tuple[int, ...] = ()) -> list[KeptRun]:
    """The records of the lineages ``text`` names, in seed order.

    Args:
        seeds: only these; all where none is given.

    Raises:
        UnknownTargetError: as ``resolve_target``; it has none of these seeds, or the record of one is gone.
        Seg3BError: as ``resolve_target``.
    """
    target = resolve_target(store, text)
    absent = [seed for seed in seeds if seed not in target.lineages]
    if absent:
        held = ", ".join(map(str, target.lineages))
        raise UnknownTargetError(f"{target.label} has no seed {absent[0]}; it has {held}")
    return [target.recorded(store, seed) for seed in sorted(target.of_seeds(seeds).lineages)]


def current_lineages(store: Store) -> dict[int, str]:
    """Lineage id by seed of the snapshots in force, for seeds whose heads are one recorded lineage."""
    runs = Runs(store.home)
    ids = {seed: sha256_json(store.heads(seed)) for seed in store.seeds()}
    return {seed: lineage_id for seed, lineage_id in ids.items() if runs.read(lineage_id) is not None}


def _set(name: str, lineages: Mapping[int, str]) -> Target:
    if not lineages:
        told = "no seed has run" if name == HEADS else f"the ref {name} is not set"
        raise UnknownTargetError(f"{told} in this home")
    return Target(name, lineages)


def _named(store: Store, name: str) -> Target:
    if name == HEADS:
        return _set(name, current_lineages(store))
    return _set(name, Refs(store.home).read(cast(RefName, name)))


def _by_id(store: Store, text: str) -> Target:
    if len(text) < SHORTEST_PREFIX or not set(text) <= set("0123456789abcdef"):
        raise UnknownTargetError(
            f"{text[:80]!r} is the start neither of a name ({', '.join(NAMES)}) nor of the id of a run, a lineage or a "
            f"certification ({SHORTEST_PREFIX} or more hexadecimal digits)"
        )
    found = _beginning_with(store, text)
    if len(found) == 1:
        return found[0]
    if not found:
        raise UnknownTargetError(f"no run, lineage or certification of this home begins with {text[:80]}")
    listed = "; ".join(target.label for target in found[:_LISTED])
    more = f"; and {len(found) - _LISTED} more" if len(found) > _LISTED else ""
    raise UnknownTargetError(f"{text[:80]} is the start of {len(found)} ids: {listed}{more}")


def _beginning_with(store: Store, text: str) -> list[Target]:
    """What has an id that begins so. A run that was computed by several versions of the code is several lineages."""
    lineages = [
        Target(
            f"lineage {run.lineage_id[:_SHOWN]} (run {run.run_id[:_SHOWN]}, seed {run.seed})",
            {run.seed: run.lineage_id},
        )
        for run in Runs(store.home).every()
        if run.lineage_id.startswith(text) or run.run_id.startswith(text)
    ]
    certified = [
        Target(f"certification {one.certification_id[:_SHOWN]}", one.lineages)
        for one in Certifications(store.home).every()
        if one.certification_id.startswith(text)
    ]
    return [*lineages, *certified]
