"""Pruning: what no pointer reaches is listed, removed, recorded.

A pointer (the heads, or a ref) reaches lineages; a lineage reaches its record, its policies' bytes and, by its keys,
snapshots and what they cost to build. What was judged together (a certification: which ones there are, the caller
says, see ``certification.retention``) stays while a lineage of it is reached. Whatever else the home holds of these
kinds, work left lying and damaged snapshots that were set aside, nothing reaches. Files of other kinds (strays, see
``layout``) are nobody's business here.

The home is held alone from listing to recording, so no run can begin to rely on what goes. What is listed and how it
goes is the back end's. Of a pruned lineage the prune's record keeps seed, run, flag, keys and policy digests; its
``run.json`` goes with its snapshots.
"""

from __future__ import annotations

import os
import secrets
import socket
from collections.abc import Callable, Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, Protocol, TypeAlias

from seg3b_assets.laws.errors import HeldError, Seg3BError, fail
from seg3b_assets.laws.hashing import sha256_json
from seg3b_assets.laws.visible_text import story
from seg3b_assets.store.holding import Holder
from seg3b_assets.store.home import Store
from seg3b_assets.store.layout import Reached, Unreached, strays
from seg3b_assets.store.refs import HEADS, REF_NAMES, Refs
from seg3b_assets.store.runs import KeptRun, Runs
from seg3b_assets.store.writing import reported_writes

LOG = story("store")


class Judged(Protocol):
    """Lineages that were judged together, and under which policy: SHA-256 of its bytes."""

    @property
    def certification_id(self) -> str: ...

    @property
    def lineages(self) -> Mapping[int, str]: ...

    @property
    def policy(self) -> str: ...


AllJudged: TypeAlias = Callable[[], Iterable[Judged]]


@dataclass(frozen=True)
class Prune:
    """What a prune removed, or would remove.

    Attributes:
        prune_id: of its record; None when nothing was to be removed, or in a rehearsal.
        kept: by lineage id, the pointers that keep it.
        removed: in the order of removal.
        held_by: in a rehearsal, who would keep a prune from running now.
        strays: absolute paths of what lies in the home and is none of ours; a prune leaves it.
    """

    prune_id: str | None
    kept: dict[str, list[str]]
    removed: tuple[Unreached, ...]
    held_by: tuple[Holder, ...] = ()
    strays: tuple[str, ...] = ()

    @property
    def bytes(self) -> int:
        """What is freed."""
        return sum(one.bytes for one in self.removed)

    def as_json(self) -> dict[str, Any]:
        return {
            "prune_id": self.prune_id,
            "kept": self.kept,
            "removed": [one.as_json() for one in self.removed],
            "bytes": self.bytes,
            "held_by": [str(holder) for holder in self.held_by],
            "strays": list(self.strays),
        }


def rehearse_prune(store: Store, keep: Collection[str], judged: AllJudged) -> Prune:
    """What ``prune`` would remove now, beside whatever runs. Changes nothing. Raises as ``reached``."""
    if not store.home.is_dir():
        return Prune(None, {}, ())
    held_by = tuple(store.backend.holders())
    found = reached(store, keep, judged)
    return Prune(None, found.lineages, tuple(_unreached(store, found)), held_by, _strays(store.home))


def prune(
    store: Store,
    keep: Collection[str],
    judged: AllJudged,
    before_removing: Callable[[Sequence[Unreached]], None] = lambda listed: None,
) -> Prune:
    """Remove what no kept pointer reaches. Idempotent; with nothing to remove nothing is written.

    Args:
        keep: as the retention policy lists them: ``heads`` and refs.
        judged: finds every certification of the home.
        before_removing: told what goes, before it goes.

    Raises:
        HeldError: a run holds the home.
        Seg3BError: OUTPUT_WRITE_FAILED when the home cannot be written; INPUT_OPEN_FAILED when a pointer cannot be
            followed. Nothing was removed then, whichever it is.
    """
    home = store.home
    if not home.is_dir():
        return Prune(None, {}, ())
    with reported_writes("S5", home), store.backend.alone("a prune"):
        found = reached(store, keep, judged)
        listed = _unreached(store, found)
        before_removing(listed)
        prune_id = _removed(store, found.lineages, listed)
        return Prune(prune_id, found.lineages, tuple(listed), strays=_strays(home))


def prune_if_free(store: Store, keep: Collection[str], judged: AllJudged) -> Prune | None:
    """Prune before work begins; where the home is in use, say so and leave it. Raises as ``prune``."""
    try:
        return prune(store, keep, judged)
    except HeldError as error:
        LOG.warning("nothing was pruned before this run: %s", error.remedy)
        return None


def reached(store: Store, keep: Collection[str], judged: AllJudged) -> Reached:
    """What pointers reach.

    Args:
        keep: ``heads`` and names of refs, as the retention policy lists them.
        judged: as ``prune``'s.

    Raises:
        Seg3BError: INPUT_OPEN_FAILED when a pointer or the record of a lineage it names cannot be read: what
            it reaches is then not known, and nothing may be removed.
    """
    found, runs = Reached(), Runs(store.home)
    if HEADS in keep:
        for seed in store.seeds():
            keys = store.heads(seed)
            found.snapshots |= set(keys.items())
            run = runs.read(sha256_json(keys))
            if run is not None:
                _add(found, run, f"{HEADS} seed {seed}")
    for name in (ref for ref in REF_NAMES if ref in keep):
        for seed, lineage_id in Refs(store.home).read(name).items():
            run = runs.read(lineage_id)
            if run is None:
                raise _unrecorded(store, name, seed, lineage_id)
            _add(found, run, f"{name} seed {seed}")
    for one in judged():
        if not found.lineages.keys().isdisjoint(one.lineages.values()):
            found.certifications.add(one.certification_id)
            found.policies.add(one.policy)
    return found


def _unreached(store: Store, found: Reached) -> list[Unreached]:
    return store.backend.unreached(found, Runs(store.home).about)


def _strays(home: Path) -> tuple[str, ...]:
    return tuple(str(home / place) for place in strays(home))


def _removed(store: Store, kept: dict[str, list[str]], listed: Sequence[Unreached]) -> str | None:
    if not listed:
        return None
    started = datetime.now(UTC)
    prune_id = f"{started:%Y%m%dT%H%M%SZ}-{secrets.token_hex(4)}"
    record = {
        "prune_id": prune_id,
        "started_utc": started.isoformat(timespec="microseconds").replace("+00:00", "Z"),
        "host": socket.gethostname(),
        "pid": os.getpid(),
        "kept": kept,
        "removed": [one.as_json() for one in listed],
        "interrupted": False,
    }
    store.backend.remove(listed, record)
    return prune_id


def _add(found: Reached, run: KeptRun, pointer: str) -> None:
    found.lineages.setdefault(run.lineage_id, []).append(pointer)
    found.snapshots |= set(run.keys.items())
    found.policies |= set(run.policies.values())


def _unrecorded(store: Store, name: str, seed: int, lineage_id: str) -> Seg3BError:
    return fail(
        "ref_lineage_recorded",
        store.backend.place(f"refs/{name}.json"),
        f"The record of a lineage that {name} keeps is gone, so what it reaches is not known. Point the "
        f"ref elsewhere (seg3b refs set {name}) and prune again. Nothing was removed.",
        seed=seed,
        lineage_id=lineage_id,
    )
