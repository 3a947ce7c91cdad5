"""Pruning: what no pointer reaches is listed, moved into a trash folder, recorded, deleted.

    trash/{prune_id}/{place}     what is being removed, out of everybody's sight by one rename each
    trash/{prune_id}/prune.json  what was to be removed, until the record is kept
    prunes/{prune_id}.json       the record of a prune, for good

The home is held alone from listing to recording, so no run can begin to rely on what goes; deleting the trash
needs no lock. A prune that dies has removed each thing whole or not at all, referrers first; the next one
records what it had moved, and deletes it. Of a pruned lineage the prune's record keeps seed, run, flag, keys
and policy digests; its ``run.json`` goes with its snapshots.
"""

from __future__ import annotations

import os
import secrets
import shutil
import socket
from collections.abc import Callable, Collection, Iterator, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, Final

import orjson

from seg3b_assets.laws.errors import Seg3BError
from seg3b_assets.laws.hashing import canonical_json
from seg3b_assets.laws.visible_text import story
from seg3b_assets.locks import UNKNOWN, exclusive, exclusive_now
from seg3b_assets.own_places import folders_in, read_regular
from seg3b_assets.store.durable import replace_file
from seg3b_assets.store.failures import reported_writes
from seg3b_assets.store.holders import Holder, announced, holders, run_lock, told
from seg3b_assets.store.home import Store
from seg3b_assets.store.layout import belongs, strays
from seg3b_assets.store.leases import alone, lease_holders
from seg3b_assets.store.mirror import remote_of
from seg3b_assets.store.reach import Reached, Unreached, reached, unreached
from seg3b_assets.store.remote_prune import RECORDS, remove_objects, unreached_objects
from seg3b_assets.store.runs import Runs

LOG = story("store")
TRASH: Final = "trash"
PLAN: Final = "prune.json"
HELD: Final = "home_unused"


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


def rehearse_prune(store: Store, keep: Collection[str]) -> Prune:
    """What ``prune`` would remove now, beside whatever runs. Changes nothing. Raises as ``reached``."""
    if not store.home.is_dir():
        return Prune(None, {}, ())
    remote = remote_of(store.home)
    held_by = tuple(lease_holders(remote) if remote else holders(store.home))
    found = reached(store, keep)
    return Prune(None, found.lineages, tuple(_unreached(store, found)), held_by, _strays(store.home))


def prune(
    store: Store,
    keep: Collection[str],
    before_removing: Callable[[Sequence[Unreached]], None] = lambda listed: None,
) -> Prune:
    """Remove what no kept pointer reaches. Idempotent; with nothing to remove nothing is written.

    Args:
        keep: as the retention policy lists them: ``heads`` and refs.
        before_removing: told what goes, before it goes.

    Raises:
        Seg3BError: OUTPUT_WRITE_FAILED (``home_unused``) while a run holds the home, or when the home cannot
            be written; INPUT_OPEN_FAILED when a pointer cannot be followed. Nothing was removed then.
    """
    home = store.home
    if not home.is_dir():
        return Prune(None, {}, ())
    with reported_writes("S5", home), exclusive_now(run_lock(home)) as held:
        if not held:
            raise _in_use(str(home), holders(home))
        with announced(home, "a prune"), exclusive(home / "locks" / "refs.lock"), _origin_alone(home):
            _record_interrupted(home)
            found = reached(store, keep)
            listed = _unreached(store, found)
            before_removing(listed)
            prune_id = _removed(home, found.lineages, listed)
            done = Prune(prune_id, found.lineages, tuple(listed), strays=_strays(home))
    _empty_trash(home)
    return done


def _strays(home: Path) -> tuple[str, ...]:
    return tuple(str(home / place) for place in strays(home))


def prune_if_free(store: Store, keep: Collection[str]) -> Prune | None:
    """Prune before work begins; where the home is in use, say so and leave it. Raises as ``prune``."""
    try:
        return prune(store, keep)
    except Seg3BError as error:
        if not is_refusal(error):
            raise
        LOG.warning("nothing was pruned before this run: %s", error.remedy)
        return None


def is_refusal(error: Seg3BError) -> bool:
    """Whether a prune was refused because the home is in use."""
    return error.validator == HELD


def _unreached(store: Store, found: Reached) -> list[Unreached]:
    remote = remote_of(store.home)
    return unreached_objects(remote, found, Runs(store.home)) if remote else unreached(store, found)


@contextmanager
def _origin_alone(home: Path) -> Iterator[None]:
    """Hold the URL of a mirror alone; nothing for a home that is a folder."""
    remote = remote_of(home)
    if remote is None:
        yield
        return
    with alone(remote, "a prune") as held_by:
        if held_by is not None:
            raise _in_use(remote.url, held_by)
        yield


def _removed(home: Path, kept: dict[str, list[str]], listed: Sequence[Unreached]) -> str | None:
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
    remote = remote_of(home)
    if remote is not None:
        remove_objects(remote, home, listed, record)
        return prune_id
    trash = home / TRASH / prune_id
    replace_file(trash / PLAN, canonical_json(record))
    for one in listed:
        _move(home, trash, one.place)
    replace_file(home / RECORDS / f"{prune_id}.json", canonical_json(record))
    return prune_id


def _move(home: Path, trash: Path, place: str) -> None:
    target = trash / place
    target.parent.mkdir(parents=True, exist_ok=True)
    with suppress(FileNotFoundError):  # a holder's own work may end while it is listed
        (home / place).rename(target)


def _record_interrupted(home: Path) -> None:
    """Keep the record of prunes that died: of what they had moved, which is what they removed."""
    for trash in _trashes(home):
        path = home / RECORDS / f"{trash.name}.json"
        if path.exists():
            continue
        try:
            record = orjson.loads(read_regular(trash / PLAN))
        except (OSError, ValueError):
            shutil.rmtree(trash, ignore_errors=True)  # it died before it had moved anything
            continue
        moved = [one for one in record["removed"] if os.path.lexists(trash / one["place"])]
        replace_file(path, canonical_json({**record, "removed": moved, "interrupted": True}))


def _trashes(home: Path) -> list[Path]:
    return [path for path in folders_in(home / TRASH) if belongs(TRASH, path.name)]


def _empty_trash(home: Path) -> None:
    folder = home / TRASH
    if not folder.is_dir():
        return
    with reported_writes("S5", folder), exclusive(home / "locks" / "trash.lock"):
        for trash in _trashes(home):
            # One that is not recorded yet is of a prune at work.
            if (home / RECORDS / f"{trash.name}.json").exists():
                shutil.rmtree(trash)


def _in_use(place: str, found: Sequence[Holder]) -> Seg3BError:
    return Seg3BError(
        state="S5",
        name="OUTPUT_WRITE_FAILED",
        validator=HELD,
        place=place,
        remedy=f"Wait for {told(found) or UNKNOWN} to end, then prune again. Nothing was removed.",
        detail={"held_by": [str(holder) for holder in found]},
    )
