"""What a person may name a set of lineages by: a ref, ``heads``, a lineage, or a certification."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Final

from seg3b_assets.laws.hashing import sha256_json
from seg3b_assets.store.certifications import Certifications
from seg3b_assets.store.home import Store
from seg3b_assets.store.refs import REF_NAMES, Refs
from seg3b_assets.store.runs import Runs

HEADS: Final = "heads"
SHORTEST_PREFIX: Final = 4


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


def resolve_target(store: Store, text: str) -> Target:
    """The lineages ``text`` names: a ref, ``heads``, or the start of a lineage's or certification's id.

    Raises:
        UnknownTargetError: nothing, or more than one thing, goes by that name.
        Seg3BError: a ref, a record or a heads file cannot be read.
    """
    if text == HEADS:
        return _set(text, lineages_in_force(store))
    if text in REF_NAMES:
        return _set(text, Refs(store.home).read(text))
    return _by_id(store, text.lower())


def lineages_in_force(store: Store) -> dict[int, str]:
    """Lineage id by seed of the snapshots in force, for seeds whose heads are one recorded lineage."""
    runs = Runs(store.home)
    ids = {seed: sha256_json(store.heads(seed)) for seed in store.seeds()}
    return {seed: lineage_id for seed, lineage_id in ids.items() if runs.read(lineage_id) is not None}


def _set(name: str, lineages: Mapping[int, str]) -> Target:
    if not lineages:
        told = "no seed has run" if name == HEADS else f"the ref {name} is not set"
        raise UnknownTargetError(f"{told} in this home")
    return Target(name, lineages)


def _by_id(store: Store, text: str) -> Target:
    if len(text) < SHORTEST_PREFIX or not set(text) <= set("0123456789abcdef"):
        raise UnknownTargetError(
            f"{text!r} is neither {HEADS}, nor one of {', '.join(REF_NAMES)}, nor the start of an id "
            f"({SHORTEST_PREFIX} or more hexadecimal digits)"
        )
    runs = Runs(store.home)
    lineages = [one for one in runs.ids() if one.startswith(text)]
    certified = [one for one in Certifications(store.home).every() if one.certification_id.startswith(text)]
    if len(lineages) + len(certified) > 1:
        ids = [*lineages, *(one.certification_id for one in certified)]
        raise UnknownTargetError(f"{text} is the start of {len(ids)} ids: {', '.join(i[:16] for i in ids)}")
    if certified:
        return Target(f"certification {text[:12]}", certified[0].lineages)
    if lineages:
        run = runs.read(lineages[0])
        assert run is not None
        return Target(f"lineage {run.lineage_id[:12]}", {run.seed: run.lineage_id})
    raise UnknownTargetError(f"no lineage and no certification of this home begins with {text}")
