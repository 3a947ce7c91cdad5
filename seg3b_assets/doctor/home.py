"""The home: whether it can be read and written, what its pointers name, who holds it, what lies about, who wrote it."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from typing import Final

from seg3b_assets.contracts import contract
from seg3b_assets.contracts.generation import foreign_release
from seg3b_assets.doctor.finding import Finding, fine, looked, odd, of_error, stops
from seg3b_assets.laws.errors import Seg3BError
from seg3b_assets.own_places import unwritable
from seg3b_assets.store import Store
from seg3b_assets.store.backend import Backend, backend_of, open_home
from seg3b_assets.store.layout import Condition
from seg3b_assets.store.refs import REF_NAMES, Refs
from seg3b_assets.store.runs import Runs
from seg3b_assets.store.snapshots import Snapshot, read_snapshot, snapshot_place
from seg3b_assets.wording import size

AREA: Final = "home"


# What a person is told of each condition (``Backend``), and what can be done about it.
_Tell = Callable[..., Finding]
_UNWRITABLE: Final = "Let the user who runs write it, or name another home with --home or SEG3B_HOME."
_TOLD: Final[Mapping[str, tuple[_Tell, str]]] = {
    "HOME_UNREADABLE": (stops, "chmod u+rwx {place}"),
    "HOME_UNWRITABLE": (stops, _UNWRITABLE),
    "HOME_STRANGE": (stops, "Move it away, or put back what was there: a run that needs it stops."),
    "HELD_ALONE": (odd, "Wait: a run that starts now waits for it. The lock goes with its process."),
    "HOLDER_GONE": (odd, "Nothing: the next run or prune removes it."),
    "STAGING_LEFT": (odd, "Nothing: the next run removes it."),
    "PRUNE_UNFINISHED": (odd, "seg3b prune records it and empties the trash."),
    "QUARANTINED": (odd, "Look at the disk; seg3b prune removes it."),
    "STRAY": (odd, "Take it elsewhere, if it is in your way: no command reads or removes it."),
}


def home(folder: Path) -> Iterator[Finding]:
    """Everything about a home; one that is not there yet is made by the first run."""
    backend = backend_of(folder)
    if not backend.made():
        yield from _to_be_made(folder)
        return
    yield from _told(backend.access())
    yield from looked(AREA, lambda: _told(backend.holding()))
    yield from looked(AREA, lambda: _told(backend.left_lying()))
    yield from looked(AREA, lambda: _heads(folder))
    yield from looked(AREA, lambda: _refs(folder))


def _to_be_made(folder: Path) -> Iterator[Finding]:
    if why := unwritable(folder):
        yield stops(AREA, "HOME_UNWRITABLE", str(folder), why, "Name another with --home or SEG3B_HOME.")
    else:
        yield fine(AREA, "HOME", str(folder), "not there yet; the first run makes it")


def _told(conditions: Iterator[Condition]) -> Iterator[Finding]:
    for one in conditions:
        found = one.found if one.bytes is None else f"{one.found}, {size(one.bytes)}"
        if one.code in _TOLD:
            tell, remedy = _TOLD[one.code]
            yield tell(AREA, one.code, one.place, found, remedy.format(place=one.place), **one.facts)
        else:
            yield fine(AREA, one.code, one.place, found, **one.facts)


def _heads(folder: Path) -> Iterator[Finding]:
    store = Store(folder, contract)
    whole: list[int] = []
    writers: dict[str, str] = {}
    for seed in store.seeds():
        try:
            keys = store.heads(seed)
        except Seg3BError as error:
            yield of_error(AREA, error)  # a run of the seed cannot move them
            continue
        lacking = _lacking(store.backend, keys)
        for state, why in lacking.items():
            place = str(folder / snapshot_place(state, keys[state]))
            remedy = f"seg3b run --seed {seed} computes it again; --recompute where bytes were altered."
            yield odd(AREA, "SNAPSHOT_BROKEN", place, f"{state} of seed {seed}: {why}", remedy)
        if not lacking:
            whole.append(seed)
        writers |= _writers(store.backend, keys)
    yield from written_by(folder, writers)
    yield fine(AREA, "HEADS", str(folder / "heads"), f"{len(whole)} seeds whole", seeds=whole)


def _lacking(backend: Backend, keys: Mapping[str, str]) -> dict[str, str]:
    """What is wrong with snapshots in force, by state."""
    why = {state: _why(snapshot) for state, snapshot in _near(backend, keys)}
    return {state: text for state, text in why.items() if text}


def _near(backend: Backend, keys: Mapping[str, str]) -> Iterator[tuple[str, Snapshot | None]]:
    """Snapshots by state, without those whose files lie elsewhere: only a run fetches them."""
    for state, key in keys.items():
        place = backend.near(snapshot_place(state, key))
        if place is not None:
            yield state, read_snapshot(place)


def _why(snapshot: Snapshot | None) -> str | None:
    if snapshot is None:
        return "the snapshot that is in force is not there"
    damage = snapshot.damage()
    return f"{damage} is missing or of another size" if damage else None


def _writers(backend: Backend, keys: Mapping[str, str]) -> dict[str, str]:
    """Code version of each state in force, and of the packages it was computed with."""
    found: dict[str, str] = {}
    for state, snapshot in sorted(_near(backend, keys), key=lambda one: one[0]):
        if snapshot is not None:
            found |= {state: snapshot.inputs.code_version}
            found |= {f"package {name}": version for name, version in snapshot.inputs.runtime.items()}
    return found


def written_by(folder: Path, writers: Mapping[str, str]) -> Iterator[Finding]:
    """This tree against what the home was written by."""
    if not writers:
        return
    from seg3b_assets.pipeline.keys import runtime_versions  # noqa: PLC0415 - geometry, for its version
    from seg3b_assets.states.registry import states  # noqa: PLC0415 - with the states

    here = {one.spec.name: one.spec.code_version for one in states()}
    here |= {f"package {name}": version for name, version in runtime_versions().items()}
    for name, version in writers.items():
        if not name.startswith("package") and (release := foreign_release(version)):
            remedy = (
                f"Run the seeds again, or read it with that release: pip install 'seg3b-assets=={release}.*'"
            )
            yield odd(AREA, "OLDER_HOME", str(folder), f"{name} was written by release {release}", remedy)
            return
    other = {
        name: f"{version}, here {here[name]}"
        for name, version in writers.items()
        if version != here.get(name)
    }
    if other:
        told_of = ", ".join(f"{name} {text}" for name, text in other.items())
        remedy = "Nothing: the next run computes anew what that makes stale (seg3b plan)."
        yield odd(AREA, "OTHER_VERSIONS", str(folder), f"what is in force was written by {told_of}", remedy)
    else:
        yield fine(
            AREA, "VERSIONS", str(folder), "what is in force was written by this code and these packages"
        )


def _refs(folder: Path) -> Iterator[Finding]:
    refs, runs, backend = Refs(folder), Runs(folder), open_home(folder)
    resolved = 0
    for name in REF_NAMES:
        try:
            pointers = refs.read(name)
        except Seg3BError as error:
            yield of_error(AREA, error)  # a run cannot move it
            continue
        for seed, lineage_id in pointers.items():
            try:
                run = runs.read(lineage_id)
            except Seg3BError as error:
                yield odd(
                    AREA, error.code, error.place, f"the record {name} names for seed {seed}", error.remedy
                )
                continue
            lacking = {} if run is None else _lacking(backend, run.keys)
            if run is None or lacking:
                found = f"seed {seed}: lineage {lineage_id[:12]} " + (
                    "has no record" if run is None else f"lacks {', '.join(lacking)}"
                )
                remedy = f"Point it elsewhere: seg3b refs set {name}; until then a prune may refuse."
                yield odd(AREA, "REF_BROKEN", f"refs/{name}.json", found, remedy)
            else:
                resolved += 1
    yield fine(AREA, "REFS", str(folder / "refs"), f"{resolved} lineages kept by name are whole")
