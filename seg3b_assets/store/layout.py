"""What lies where in a home and in a cache, by name, and what may be said of it; whatever else lies there is a stray.

A stray (a file manager's, an editor's, a person's own) is nobody's business: no command reads, counts or removes it;
prune and doctor list it. A folder of the home that is a link is refused by name: what is written or removed through it
would be somebody else's.
"""

from __future__ import annotations

import os
import re
import stat
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Final, Literal

from seg3b_assets.laws.identity import STATES
from seg3b_assets.own_places import NO_FOLDER, folders_in, require_unlinked

_HEX64: Final = "[a-f0-9]{64}"
_STATE: Final = f"(?:{'|'.join(STATES)})"
_TOKEN: Final = "[a-f0-9]{16}"
_REFS: Final = "baseline|candidate|last_good|certification"
# What a write or a move that died leaves, beside what it was to become.
_UNFINISHED: Final = rf"(?:\..+\.{_TOKEN}\.(?:new|staged)|.+\.new|.+\.staged)"
_SEED_FILE: Final = r"seed=(0|[1-9][0-9]{0,19})\.json"
_STAGED: Final = rf"(?:{_STATE}|fetch|export)-{_TOKEN}(?:\.old)?"
# By folder: the names of what belongs directly into it.
_HOME: Final[dict[str, str]] = {
    "builds": _STATE,
    **{f"builds/{state}": rf"{_HEX64}\.json" for state in STATES},
    "certifications": _HEX64,
    "heads": _SEED_FILE,
    "leases": rf"(?:{_TOKEN}|alone)\.json",
    "locks": r"holders|[a-z]+\.lock|seed=[0-9]{1,20}\.lock",
    "locks/holders": rf"{_TOKEN}\.json",
    "policies": rf"{_HEX64}\.yaml",
    "prunes": r"[0-9TZ]+-[a-f0-9]{8}\.json",
    "quarantine": rf"(?:{_STATE}|certification)-[a-f0-9]+-[a-f0-9]{{8}}",
    "refs": rf"(?:{_REFS})\.json",
    "reports": _HEX64,
    "runs": _HEX64,
    "snapshots": _STATE,
    **{f"snapshots/{state}": _HEX64 for state in STATES},
    "staging": _STAGED,
    "trash": r"[0-9TZ]+-[a-f0-9]{8}",
}
_TOP: Final = "remote.json"
_DOCUMENTS: Final = (".json", ".yaml", ".lock")
_LINK: Final = "is a link"
_IN_CACHE: Final = {
    "": r"world|roots|homes|digests\.(?:json|lock)",
    "homes": _TOKEN,
    "roots": _TOKEN,
    "world": rf"stages|build\.lock|{_TOKEN}",
    "world/stages": rf"[a-z]+-{_TOKEN}|\.staging-.+",
}
REMEMBERED: Final = ("digests.json", "digests.lock")
_BUILD_LOCK: Final = "world/build.lock"
_FOLDERS_OF_CACHE: Final = ("homes", "roots", "world", "world/stages")
_WORLD: Final = r"seed=[0-9]{1,20}|\.staging-.+"
SEED_FILE: Final = re.compile(_SEED_FILE)
STATE: Final = re.compile(_STATE)
TRASH: Final = "trash"
PRUNES: Final = "prunes"
Kind = Literal[
    "report", "certification", "run", "build", "policy", "snapshot", "quarantine", "staging", "unfinished"
]


@dataclass
class Reached:
    """What the pointers of a home reach.

    Attributes:
        lineages: by lineage id, the pointers that reach it, as ``last_good seed 42``.
        snapshots: (state, key).
        policies: SHA-256 of kept policies' bytes.
        certifications: ids.
    """

    lineages: dict[str, list[str]] = field(default_factory=dict)
    snapshots: set[tuple[str, str]] = field(default_factory=set)
    policies: set[str] = field(default_factory=set)
    certifications: set[str] = field(default_factory=set)


@dataclass(frozen=True)
class Unreached:
    """One thing that no pointer reaches.

    Attributes:
        kind: what it is.
        place: POSIX path below the home, a file or a folder.
        bytes: size of all its files.
        about: of a run, what identified it; otherwise empty.
    """

    kind: Kind
    place: str
    bytes: int
    about: dict[str, Any] = field(default_factory=dict)

    def as_json(self) -> dict[str, Any]:
        return {"kind": self.kind, "place": self.place, "bytes": self.bytes, "about": self.about}


@dataclass(frozen=True)
class Condition:
    """One thing that may be said of a home as a place.

    Attributes:
        code: what kind of thing, such as ``STAGING_LEFT``.
        place: what it is said of, an absolute path or a URL.
        found: in words.
        bytes: size of what lies there, where that is of interest.
        facts: JSON-serialisable.
    """

    code: str
    place: str
    found: str
    bytes: int | None = None
    facts: dict[str, Any] = field(default_factory=dict)


def require_own_folders(home: Path) -> None:
    """Return for a home none of whose folders is a link, wherever the home itself is.

    Raises:
        Seg3BError: INPUT_OPEN_FAILED (``place_of_its_own``), naming the link.
    """
    for folder in _HOME:
        require_unlinked(home, folder)


def belongs(folder: str, name: str) -> bool:
    """Whether a name is one of what we put into a folder of the home."""
    return re.fullmatch(_HOME[folder], name) is not None


def misplaced(home: Path) -> Iterator[tuple[str, str]]:
    """(POSIX path, what is there) of what has the name of a thing of ours in a home and is none; a run stops at it.

    Folders that are links are left out: ``require_own_folders`` refuses them.
    """
    for folder in _HOME:
        if (strange := _strange(home / folder, stat.S_ISDIR)) is not None:
            if strange != _LINK:
                yield folder, strange
            continue
        for name in _names(home / folder):
            if belongs(folder, name) and f"{folder}/{name}" not in _HOME:
                wanted = stat.S_ISREG if name.endswith(_DOCUMENTS) else stat.S_ISDIR
                if (strange := _strange(home / folder / name, wanted)) is not None:
                    yield f"{folder}/{name}", strange


def misplaced_in_cache(cache: Path) -> Iterator[tuple[str, str]]:
    """As ``misplaced``, of a cache; folders there may be links, to another disk."""
    for place in _FOLDERS_OF_CACHE:
        path = cache / place
        if os.path.lexists(path) and not path.is_dir():
            yield place, "is no folder"
    for place in (*REMEMBERED, _BUILD_LOCK):
        if (strange := _strange(cache / place, stat.S_ISREG)) is not None:
            yield place, strange


def _strange(path: Path, wanted: Callable[[int], bool]) -> str | None:
    """What lies at a path, in words, where it is another thing than wanted; None where it is that, or nothing."""
    try:
        mode = path.lstat().st_mode
    except (OSError, ValueError):
        return None
    if wanted(mode):
        return None
    return _LINK if stat.S_ISLNK(mode) else "is no folder" if wanted is stat.S_ISDIR else "is no regular file"


def is_unfinished(name: str) -> bool:
    """Whether a name is of what an interrupted write leaves."""
    return re.fullmatch(_UNFINISHED, name) is not None


def seeds_named(names: list[str]) -> list[int]:
    """The seeds whose heads files are among these, in order."""
    return sorted(int(found[1]) for name in names if (found := SEED_FILE.fullmatch(name)))


def strays(home: Path) -> list[str]:
    """POSIX paths below a home of what does not belong there, without what unfinished writes left, sorted."""
    tops = {folder.split("/")[0] for folder in _HOME}
    found = [name for name in _names(home) if name not in tops and name != _TOP and not is_unfinished(name)]
    for folder in _HOME:
        found += [
            f"{folder}/{name}"
            for name in _names(home / folder)
            if not belongs(folder, name) and not is_unfinished(name)
        ]
    return sorted(found)


def strays_of_cache(cache: Path) -> list[str]:
    """As ``strays``, of a cache: as far as its worlds, not what is in one."""
    folders = dict(_IN_CACHE)
    folders |= {f"world/{one.name}": _WORLD for one in folders_in(cache / "world") if one.name != "stages"}
    return sorted(
        f"{folder}/{name}".lstrip("/")
        for folder, pattern in folders.items()
        for name in _names(cache / folder)
        if not re.fullmatch(pattern, name) and not is_unfinished(name)
    )


def _names(folder: Path) -> Iterator[str]:
    try:
        yield from sorted(os.listdir(folder))  # noqa: PTH208 - names, of which some are no text
    except PermissionError:
        return
    except OSError as error:
        if error.errno not in NO_FOLDER:
            raise
