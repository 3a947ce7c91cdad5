"""Room on the disks a run writes to, against what runs have written."""

from __future__ import annotations

import shutil
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path
from typing import TYPE_CHECKING, Final

from seg3b_assets.contracts import contract
from seg3b_assets.doctor.finding import Finding, fine, odd, stops
from seg3b_assets.laws.errors import Seg3BError
from seg3b_assets.own_places import nearest, unwritable
from seg3b_assets.store import Store
from seg3b_assets.store.layout import REMEMBERED, misplaced_in_cache
from seg3b_assets.store.snapshots import read_snapshot, snapshot_place
from seg3b_assets.wording import number

if TYPE_CHECKING:
    from seg3b_assets.settings import Settings

AREA: Final = "disk"
# Measured: the shipped world of 10,000 merchants writes up to 439 MB of snapshots a seed; its four worlds take 44 MB of
# cache and a certification with its report 3 MB. Snapshots grow with the merchants.
MB_PER_RUN: Final = 440
MB_OF_WORLDS: Final = 45
MB_OF_EVIDENCE: Final = 5
_MERCHANTS_MEASURED: Final = 10_000
_CERTIFIED_SEEDS: Final = 4
_MB: Final = 1_000_000


def disk(settings: Settings, seeds: int | None) -> Iterator[Finding]:
    """Free space where a run writes: the home, and the cache of the embedded world.

    Args:
        seeds: how many a certification of the policies in force is of; four where they cannot be read.
    """
    run, whence = _of_a_run(settings)
    certified = run * (seeds or _CERTIFIED_SEEDS) + MB_OF_EVIDENCE
    needs = [("home", settings.home, run, certified)]
    if settings.upstream is None:
        needs.append(("cache", settings.cache, MB_OF_WORLDS, MB_OF_WORLDS))
    for name, folder, least, most in needs:
        free = shutil.disk_usage(nearest(folder)).free // _MB
        found = (
            f"{number(free)} MB free for the {name}; a run writes {number(least)} MB, "
            f"a certification {number(most)} MB {whence}"
        )
        numbers = {"free_mb": free, "run_mb": least, "certification_mb": most}
        if free < least:
            remedy = f"Make room (seg3b prune), or put the {name} elsewhere (SEG3B_{name.upper()})."
            yield stops(AREA, "DISK_FULL", str(folder), found, remedy, **numbers)
        elif free < most:
            remedy = "Enough for a run; make room before certifying (seg3b prune)."
            yield odd(AREA, "DISK_NARROW", str(folder), found, remedy, **numbers)
        else:
            yield fine(AREA, "DISK", str(folder), found, **numbers)
    yield from _strange(settings.cache, settings.upstream is None)
    if settings.upstream is None and (why := unwritable(settings.cache)):
        yield stops(
            AREA, "CACHE_UNWRITABLE", str(settings.cache), why, "Let SEG3B_CACHE name another folder."
        )


def _strange(cache: Path, embedded: bool) -> Iterator[Finding]:
    """What lies in the place of a thing of the cache; whatever is remembered there a run can do without."""
    for place, found in misplaced_in_cache(cache):
        if place in REMEMBERED:
            remedy = "Move it away: until then nothing is remembered, and everything is hashed again."
            yield odd(AREA, "CACHE_STRANGE", str(cache / place), found, remedy)
        else:
            tell = stops if embedded else odd
            yield tell(AREA, "CACHE_STRANGE", str(cache / place), found, "Move it away: a run makes it anew.")


def _of_a_run(settings: Settings) -> tuple[int, str]:
    """MB a run writes: the most of those in force, else by the merchants of the embedded world."""
    known = _largest(settings.home)
    if known:
        return known, "(as those in force)"
    return max(1, MB_PER_RUN * settings.recipe.merchants // _MERCHANTS_MEASURED), "(as the shipped world's)"


def _heads(store: Store) -> Iterator[dict[str, str]]:
    """State keys in force of each seed, as far as they can be read."""
    with suppress(Seg3BError):
        for seed in store.seeds():
            with suppress(Seg3BError):
                yield store.heads(seed)


def _largest(home: Path) -> int:
    store = Store(home, contract)
    sizes = [0]
    for keys in _heads(store) if home.is_dir() else []:
        places = (store.backend.near(snapshot_place(state, key)) for state, key in keys.items())
        snapshots = (read_snapshot(place) for place in places if place)
        sizes.append(sum(one.bytes for found in snapshots if found for one in found.outputs.values()))
    return -(-max(sizes) // _MB)
