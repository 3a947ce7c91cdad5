"""An upstream root as far as it can be sealed: receipt, gates, datasets, each looked at whatever became of the others.

The checks are S0's own (``states.s0_gate``); where S0 stops at the first that fails, here every one is asked.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

from seg3b_assets.contracts import contract
from seg3b_assets.contracts.artefact_registry import sealed_own_id
from seg3b_assets.doctor.finding import ODD, Finding, fine, looked, odd, of_error
from seg3b_assets.inputs.sealed import SealedInput, SealedInputs
from seg3b_assets.laws.errors import Seg3BError
from seg3b_assets.laws.hashing import canonical_json, sha256_hex
from seg3b_assets.laws.identity import RunIdentity, WorldIdentity
from seg3b_assets.pipeline.borders import GAZETTEER, gazetteer_files, has_gazetteer
from seg3b_assets.states.s0_gate.bundles import SEGMENTS, VerifiedGate, altered_members
from seg3b_assets.states.s0_gate.inventory import (
    UPSTREAM,
    sealed_at,
    sealed_dataset,
    sealed_gates,
    sealed_policies,
)
from seg3b_assets.states.s0_gate.layer_policies import differences
from seg3b_assets.states.s0_gate.path_columns import path_column_errors
from seg3b_assets.states.s0_gate.reach import require_in_reach
from seg3b_assets.states.s0_gate.seal import ROW_ORDER, bundle_folder, gate_receipt, verified_gate
from seg3b_assets.states.s0_gate.upstream import RECEIPT_ID, RECEIPT_NAME, read_receipt, resolve_upstream
from seg3b_assets.states.s0_gate.vouched import Vouched, uncertified, unvouched, vouched
from seg3b_assets.states.s0_gate.zone_release import ZoneRelease, read_release, release_notes
from seg3b_assets.store import DigestCache

if TYPE_CHECKING:
    from seg3b_assets.laws.plain_files import Reach
    from seg3b_assets.policies import PolicySet
    from seg3b_assets.progress import Step
    from seg3b_assets.settings import Settings

GATES: Final = "upstream gates"
DATASETS: Final = "upstream datasets"
_FIRST_SEED: Final = 42


@dataclass
class Root:
    """One world's root, and what of it could be sealed.

    Attributes:
        path: where it is. world: who its receipt says it is.
        gates: the bundles that hold.
        inputs: what is there, as states read it; empty until ``sealed``.
        absent: datasets that are missing; unfit those that a state would refuse.
        notes: sentences of the gate receipt.
    """

    path: Path
    world: WorldIdentity
    gates: list[VerifiedGate] = field(default_factory=list)
    inputs: SealedInputs = field(init=False)
    absent: set[str] = field(default_factory=set)
    unfit: set[str] = field(default_factory=set)
    notes: list[str] = field(default_factory=list)

    def usable(self, *datasets: str) -> bool:
        """Whether all of them are there, or optional, and none of them would be refused."""
        return not self.absent.union(self.unfit).intersection(datasets)

    @property
    def identity(self) -> RunIdentity:
        """Of the run it would give."""
        sealed = sha256_hex(canonical_json(list(self.inputs.rows)))
        return RunIdentity(**vars(self.world), sealed_inputs_digest=sealed)


def seeds_of(upstream: Path) -> list[int]:
    """The seeds whose worlds lie there: of the root itself, or of its folders ``seed=N``.

    Raises:
        Seg3BError: as a run would, where there is none.
    """
    if (upstream / RECEIPT_NAME).exists():
        return [read_receipt(upstream).seed]
    names = [path.parent.name.removeprefix("seed=") for path in upstream.glob(f"seed=*/{RECEIPT_NAME}")]
    seeds = sorted(int(name) for name in names if name.isascii() and name.isdigit() and len(name) < 21)
    if not seeds:
        resolve_upstream(upstream, _FIRST_SEED)
    return seeds


def gates(root: Root, reach: Reach) -> Iterator[Finding]:
    """The four bundles, each against its flag."""
    for segment in SEGMENTS:
        yield from looked(GATES, partial(_gate, root, segment, reach))
    if root.gates:
        held = {gate.segment: gate.sha256_hex for gate in root.gates}
        yield fine(GATES, "GATES", str(root.path), f"hold: {', '.join(held)}", gates=held)


def _gate(root: Root, segment: str, reach: Reach) -> Iterator[Finding]:
    try:
        root.gates.append(verified_gate(segment, root.path, root.world, reach))
    except Seg3BError as error:
        yield of_error(GATES, error)
        if error.validator.startswith("member_"):
            altered = altered_members(segment, bundle_folder(segment, root.path, root.world))
            yield from (of_error(GATES, other) for other in altered)


def datasets(
    root: Root, policies: PolicySet | None, digests: DigestCache, settings: Settings, step: Step
) -> Iterator[Finding]:
    """Every dataset in its place; what is there is sealed in memory, and held against receipt and bundles.

    Args:
        settings: which places stand in for a gazetteer the root does not have, and where its files may lie.
        step: told after each dataset.
    """
    sealed: list[SealedInput] = []
    gazetteer = settings.gazetteer
    for artefact in UPSTREAM:
        try:
            if artefact.own_id == GAZETTEER and gazetteer is not None and not has_gazetteer(root.path):
                files = gazetteer_files(gazetteer)
                place = gazetteer if gazetteer.is_dir() else files[0]
                relative = contract(GAZETTEER).path.format(version="own")
                sealed.append(sealed_at(artefact, place, relative.rstrip("/"), root.world, digests))
            elif (one := sealed_dataset(artefact, root.path, root.world, digests)) is not None:
                require_in_reach(artefact.own_id, one.location, settings.reach)
                sealed.append(one)
        except Seg3BError as error:
            root.absent.add(artefact.own_id)
            yield of_error(DATASETS, error)
        step(1)
    there = [sealed_own_id(one.row) for one in sealed]
    yield fine(
        DATASETS, "DATASETS", str(root.path), f"{len(there)} there: {', '.join(there)}", datasets=there
    )
    yield from looked(DATASETS, lambda: _seal(root, policies, sealed, digests))
    entries = root.inputs.entries
    yield from looked(DATASETS, lambda: _errors(root, path_column_errors(root.world, entries)))
    said = vouched(root.gates)
    yield from looked(DATASETS, lambda: _errors(root, uncertified(said, entries)))
    if len(root.gates) == len(SEGMENTS) and (alone := _alone(root, said)):
        found = f"no bundle states a digest of {', '.join(alone)}"
        remedy = "Nothing where upstream publishes none; their bytes are taken as they are, and sealed."
        yield odd(ODD, "NOBODY_VOUCHES", str(root.path), found, remedy, datasets=alone)
    if gazetteer is not None and has_gazetteer(root.path):
        found = "the root has a gazetteer of its own, which is used"
        yield odd(
            ODD, "GAZETTEER_UNUSED", str(gazetteer), found, "Leave out --gazetteer and SEG3B_GAZETTEER."
        )


def _alone(root: Root, said: Sequence[Vouched]) -> list[str]:
    """Datasets nobody vouches for; the receipt is who the world is, and no dataset."""
    return [name for name in unvouched(said, root.inputs.rows) if name != RECEIPT_ID]


def _errors(root: Root, errors: Iterable[Seg3BError]) -> Iterator[Finding]:
    for error in errors:
        yield of_error(DATASETS, error)


def _seal(
    root: Root, policies: PolicySet | None, sealed: Sequence[SealedInput], digests: DigestCache
) -> Iterator[Finding]:
    """Put together what S0 would: rows, receipt and its notes, of what could be had."""
    entries = [*sealed, *sealed_gates(root.gates, root.path, root.world)]
    problems: list[Finding] = []
    if policies is not None:
        problems += looked(
            DATASETS, lambda: _extend(entries, sealed_policies(policies, root.path, root.world))
        )
    entries.sort(key=lambda entry: tuple(str(entry.row[key]).encode() for key in ROW_ORDER))
    by_id = {sealed_own_id(entry.row): entry for entry in entries}
    release: list[ZoneRelease | None] = []
    problems += looked(DATASETS, lambda: _extend(release, _release(root, by_id)))
    known = release[0] if release else None
    problems += looked(DATASETS, lambda: _extend(root.notes, _notes(root, policies, known, by_id)))
    receipt: dict[str, Any] = gate_receipt(root.world, root.gates, by_id, root.path, known)
    if root.notes:
        receipt["notes"] = "; ".join(root.notes)
    root.inputs = SealedInputs(by_id, [entry.row for entry in entries], receipt, digests)
    yield from problems


def _release(root: Root, entries: dict[str, SealedInput]) -> Iterator[ZoneRelease | None]:
    yield read_release(entries, root.world.manifest_fingerprint)


def _notes(
    root: Root, policies: PolicySet | None, release: ZoneRelease | None, entries: dict[str, SealedInput]
) -> Iterator[str]:
    if policies is not None:
        yield from differences(root.path, policies)
    yield from release_notes(release, entries)


def _extend(target: list[Any], found: Iterable[Any]) -> Iterable[Finding]:
    target.extend(found)
    return ()
