"""The doors: every command, and the library, through which somebody else's files come in."""

from __future__ import annotations

import sys
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from enum import Enum
from functools import cache
from pathlib import Path
from typing import Any, Final

from seg3b_assets.laws.hashing import path_digest
from seg3b_assets_tests.faults.specimen import SEED
from seg3b_assets_tests.hostile.ground import Ground

_PYTHON: Final = (sys.executable, "-m")
_SEG3B: Final = (*_PYTHON, "seg3b_assets.cli")
_TOLD: Final = ("status", "flag", "anchored_in", "identity")


class Subject(Enum):
    """What a stranger gives."""

    TREE = "an exported tree"
    ROOT = "an upstream root"
    HOME = "a home"
    POLICIES = "policies"
    PLACES = "a file of places"


@dataclass(frozen=True)
class Door:
    """A way in.

    Attributes:
        name: as the table of ``make hostile`` calls it.
        subject: what is brought to it.
        words: the command, for a ground.
        result: of what it said on standard output: what must be as it is for the genuine input.
        writes: what it may write to, besides its scratch folder, cache and home folder.
        speaks: whether standard output is for people and not JSON; tried with what is meant for their screens.
    """

    name: str
    subject: Subject
    words: Callable[[Ground], tuple[str, ...]]
    result: Callable[[Ground, Any], Any]
    writes: Callable[[Ground], tuple[Path, ...]] = field(default=lambda ground: ())
    speaks: bool = False


@cache
def doors() -> Mapping[str, Door]:
    """Every door by its name, in the table's order."""
    found = [*_of_trees(), *_of_roots(), *_of_homes(), *_of_policies(), *_of_places()]
    return {door.name: door for door in found}


def doors_of(subject: Subject) -> tuple[Door, ...]:
    return tuple(door for door in doors().values() if door.subject is subject)


def _of_trees() -> Iterator[Door]:
    def verify(*options: str) -> Callable[[Ground], tuple[str, ...]]:
        return lambda ground: (*_SEG3B, "verify", str(ground.tree), *options)

    tree = Subject.TREE
    yield Door("verify", tree, verify("--json"), _verdict)
    yield Door("verify, as text", tree, verify(), _first_line, speaks=True)
    yield Door(
        "verify --expect",
        tree,
        lambda ground: (*verify("--json", "--expect", flag_of(ground))(ground),),
        _verdict,
    )
    yield Door(
        "verify --upstream",
        tree,
        lambda ground: (*verify("--json", "--upstream", str(ground.root))(ground),),
        _verdict,
    )
    yield Door(
        "open_run",
        tree,
        lambda ground: (*_PYTHON, "seg3b_assets_tests.hostile.consumer", str(ground.tree)),
        _whole,
    )
    yield Door("sample --tree", tree, lambda ground: (*_sample(ground), "--tree", str(ground.tree)), _whole)
    yield Door(
        "export over it",
        tree,
        lambda ground: (
            *(*_SEG3B, "export", "heads", str(ground.tree), "--home", str(ground.home)),
            *("--upstream", str(ground.root), "--json"),
        ),
        lambda ground, _: path_digest(ground.tree / "data"),
        lambda ground: (ground.tree, ground.home),
    )


def _of_roots() -> Iterator[Door]:
    root = Subject.ROOT
    yield Door("plan", root, lambda ground: _running(ground, "plan"), _plan, _home)
    yield Door(
        "run",
        root,
        lambda ground: _running(ground, "run", ground.target),
        _run,
        lambda ground: (ground.target,),
    )
    yield Door("doctor", root, lambda ground: _running(ground, "doctor"), _status)
    yield Door(
        "verify against it",
        root,
        lambda ground: (*_SEG3B, "verify", str(ground.tree), "--upstream", str(ground.root), "--json"),
        _verdict,
    )
    yield Door("export from it", root, _export, _exported, lambda ground: (ground.target, ground.home))


def _of_homes() -> Iterator[Door]:
    def said(*words: str) -> Callable[[Ground], tuple[str, ...]]:
        return lambda ground: (*_SEG3B, *words, "--home", str(ground.home), "--json")

    home = Subject.HOME
    yield Door("plan of a home", home, lambda ground: _running(ground, "plan"), _plan, _home)
    yield Door("run in a home", home, lambda ground: _running(ground, "run"), _run, _home)
    yield Door("doctor of a home", home, lambda ground: _running(ground, "doctor"), _status)
    yield Door("export of a home", home, _export, _exported, lambda ground: (ground.target, ground.home))
    yield Door("sample", home, lambda ground: (*_sample(ground), "--home", str(ground.home)), _whole)
    yield Door("refs", home, said("refs"), _whole)
    yield Door("refs, as text", home, lambda ground: said("refs")(ground)[:-1], _first_line, speaks=True)
    yield Door("prune", home, said("prune", "--dry-run"), lambda _, said: sorted(said["kept"]), _home)
    yield Door("report", home, said("report"), lambda _, said: said["certification_id"], _home)
    yield Door("diff", home, said("diff", "heads", "candidate"), _whole, _home)


def _of_policies() -> Iterator[Door]:
    policies = Subject.POLICIES
    yield Door("plan under them", policies, lambda ground: _running(ground, "plan"), _plan, _home)
    yield Door(
        "run under them",
        policies,
        lambda ground: _running(ground, "run", ground.target),
        _run,
        lambda ground: (ground.target,),
    )
    yield Door(
        "run, as text",
        policies,
        lambda ground: _running(ground, "run", ground.target)[:-1],
        _first_line,
        lambda ground: (ground.target,),
        speaks=True,
    )
    yield Door("doctor of them", policies, lambda ground: _running(ground, "doctor"), _status)


def _of_places() -> Iterator[Door]:
    yield Door(
        "gazetteer build",
        Subject.PLACES,
        lambda ground: (
            *(*_SEG3B, "gazetteer", "build", str(ground.target), "--from", str(ground.places)),
            *("--upstream", str(ground.root), "--json"),
        ),
        lambda ground, said: (said["places"], path_digest(ground.target)),
        lambda ground: (ground.target,),
    )


def _running(ground: Ground, command: str, home: Path | None = None) -> tuple[str, ...]:
    return (
        *(*_SEG3B, command, "--seed", str(SEED), "--home", str(home or ground.home)),
        *("--policies", str(ground.policies), "--upstream", str(ground.root), "--json"),
    )


def _export(ground: Ground) -> tuple[str, ...]:
    return (
        *(*_SEG3B, "export", "heads", str(ground.target), "--home", str(ground.home)),
        *("--upstream", str(ground.root), "--json"),
    )


def _sample(ground: Ground) -> tuple[str, ...]:
    return (*_SEG3B, "sample", str(ground.merchant), "-n", "50", "--json")


def flag_of(ground: Ground) -> str:
    """The flag of the run the ground was copied from."""
    [flag] = ground.specimen.tree.glob("data/layer1/3B/validation/*/_passed.flag")
    return flag.read_text(encoding="ascii").split()[-1]


def _home(ground: Ground) -> tuple[Path, ...]:
    return (ground.home,)


def _whole(_: Ground, said: Any) -> Any:
    return said


def _status(_: Ground, said: Any) -> Any:
    return said["status"]


def _verdict(_: Ground, said: Any) -> Any:
    return {name: said[name] for name in _TOLD} | {
        "checks": sorted((one["check_id"], one["status"]) for one in said["checks"])
    }


def _plan(_: Ground, said: Any) -> Any:
    states = said["seeds"][str(SEED)]["states"]
    return {state: told["status"] for state, told in states.items()}


def _run(_: Ground, said: Any) -> Any:
    return said["lineage_id"]


def _exported(ground: Ground, _: Any) -> Any:
    return path_digest(ground.target)


def _first_line(_: Ground, said: str) -> str:
    return said.partition("\n")[0].split()[0]
