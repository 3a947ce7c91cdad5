"""One mutated file, tried at one door, and what came of it judged."""

from __future__ import annotations

import contextlib
import hashlib
import random
import re
import shutil
import traceback
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

import numpy as np

from seg3b_assets.audit.verification import verify
from seg3b_assets.cli.verify import as_object, lines
from seg3b_assets.consume import Router, open_run, virtual_merchants
from seg3b_assets.laws.errors import Seg3BError
from seg3b_assets.laws.hashing import canonical_json, sha256_hex
from seg3b_assets.laws.visible_text import json_text
from seg3b_assets.pipeline.seed_run import SeedRun
from seg3b_assets.states.s0_gate.upstream import read_receipt
from seg3b_assets_tests.faults.specimen import SEED
from seg3b_assets_tests.hostile.material import Material, link, put, sign_root, sign_tree
from seg3b_assets_tests.hostile.mutations import mutated

REFUSED, GENUINE, TAKEN, UNNAMED = "refused", "genuine", "taken", "UNNAMED"

# Of a hundred; what is quick is tried more often.
_SHARES: Final = {"open_run": 42, "seal": 38, "run": 6, "verify": 11, "verify --upstream": 3}
_SIGNED: Final = 0.75
_BROKEN: Final = "S5.examination"
_LONGEST_REFUSAL: Final = 1 << 17
_ONE_OF_MANY: Final = re.compile(r"country=[A-Z]{2}|part-[A-Z]{2}|part-\d+")
_UNTIL: Final = "S2"


@dataclass(frozen=True)
class Trial:
    """What is tried: a function of seed and number.

    Attributes:
        door: as people know it. file: mutated, below ``tree/``, ``root/`` or ``policies/``.
        signed: whether every digest that vouches for the file was computed again.
        sealed: at ``open_run``, whether the seal is looked at.
    """

    number: int
    door: str
    file: str
    signed: bool
    sealed: bool


@dataclass(frozen=True)
class Outcome:
    """What came of a trial.

    Attributes:
        trial: what was tried; None for what ended before it was known.
        mutation: what was done to the file.
        kind: REFUSED by name; GENUINE, the untouched result; TAKEN, another input, sealed or read as what it is; or
            UNNAMED, which is a defect.
        told: the name of the refusal, or what broke.
    """

    number: int
    trial: Trial | None
    mutation: str
    kind: str
    told: str
    seconds: float = 0.0

    @property
    def line(self) -> str:
        """One line that says how to see it again."""
        where = f"{self.trial.door}: {self.trial.file}" if self.trial else "?"
        return f"{self.kind} --only {self.number}: {where}: {self.mutation}: {self.told}"


def trial_of(material: Material, seed: int, number: int) -> Trial:
    """The trial of a number."""
    chance = random.Random(f"{seed} {number}")
    door = chance.choices(sorted(_SHARES), [_SHARES[name] for name in sorted(_SHARES)])[0]
    kinds = _kinds(material, door, chance)
    file = chance.choice(kinds[chance.choice(sorted(kinds))])
    return Trial(number, door, file, chance.random() < _SIGNED, chance.random() < 0.75)


def spoilt(material: Material, seed: int, trial: Trial) -> tuple[str, bytes]:
    """What the trial does to its file, and the bytes it makes of it."""
    data = material.path(trial.file).read_bytes()
    return mutated(trial.file, data, random.Random(f"{seed} {trial.number} bytes"))


def _kinds(material: Material, door: str, chance: random.Random) -> dict[str, list[str]]:
    """Files by kind: hundreds of countries' files are one."""
    name, folder = "tree", material.tree
    if door not in ("open_run", "verify"):
        of_policies = door != "verify --upstream" and chance.random() < 0.3
        name, folder = ("policies", material.policies) if of_policies else ("root", material.upstream)
    kinds: dict[str, list[str]] = {}
    for path in sorted(path for path in folder.rglob("*") if path.is_file()):
        relative = path.relative_to(folder).as_posix()
        if door != "open_run" or relative.startswith("data/"):
            kinds.setdefault(_ONE_OF_MANY.sub("*", relative), []).append(f"{name}/{relative}")
    return kinds


class Bench:
    """Copies to try on, and what the doors say of the untouched ones."""

    def __init__(self, original: Material, folder: Path) -> None:
        # Its own bytes: a file that another process links meanwhile was touched while it was read.
        self._original = original.copies(folder / "sound", shutil.copy2)
        self.material = self._original.copies(folder / "spoilt", link)
        self._world = read_receipt(original.upstream)
        self._untouched: dict[str, str] = {}

    def warm(self) -> None:
        """Knock at every door, so that what libraries take for good is taken."""
        for door in _SHARES:
            self._sound(door)

    def _sound(self, door: str) -> str:
        """What a door says of the untouched copies."""
        if door not in self._untouched:
            self._untouched[door] = self._at(door, True)
        return self._untouched[door]

    def try_one(self, seed: int, number: int) -> Outcome:
        """Mutate a file, knock at the door, judge, and put the file right."""
        trial = trial_of(self._original, seed, number)
        self._sound(trial.door)
        mutation, data = spoilt(self._original, seed, trial)
        path = self.material.path(trial.file)
        same = data == path.read_bytes()
        try:
            put(path, data)
            if trial.signed:
                self._sign(path)
            kind, told = self._judged(trial, same)
        finally:
            self.material.restore(self._original)
        return Outcome(number, trial, mutation, kind, told)

    def _sign(self, path: Path) -> None:
        if path.is_relative_to(self.material.tree):
            sign_tree(self.material.tree, path)
        elif path.is_relative_to(self.material.upstream):
            sign_root(self.material.upstream, self._world, path)

    def _judged(self, trial: Trial, same: bool) -> tuple[str, str]:
        try:
            found = self._at(trial.door, trial.sealed)
        except _FailedError as failed:
            return REFUSED, str(failed)
        except Seg3BError as error:
            return _named(error)
        except KeyboardInterrupt:
            raise
        except BaseException as error:  # a parser that panics raises no Exception
            return UNNAMED, told_of(error)
        if same or found == self._sound(trial.door):
            return GENUINE, ""
        if trial.door.startswith("verify") or (
            trial.door == "open_run" and trial.sealed and not trial.signed
        ):
            return UNNAMED, "altered, and taken for what it was"
        return TAKEN, ""

    def _at(self, door: str, sealed: bool) -> str:
        """What a door says, in short; it raises what the door raises, and ``_FailedError`` for a tree with faults."""
        if door == "open_run":
            return _opened(self.material.tree, sealed)
        if door == "verify":
            return _verified(self.material, None)
        if door == "verify --upstream":
            return _verified(self.material, self.material.upstream)
        with self._home() as home:
            record = SeedRun(self.material.settings(home), SEED).run("S0" if door == "seal" else _UNTIL)
            return sha256_hex(canonical_json([record.identity.sealed_inputs_digest, record.keys]))

    @contextlib.contextmanager
    def _home(self) -> Iterator[Path]:
        home = self.material.folder / "home"
        try:
            yield home
        finally:
            shutil.rmtree(home, ignore_errors=True)


class _FailedError(Exception):
    """Verified, and faults were found."""


def _opened(tree: Path, sealed: bool) -> str:
    """Everything a consumer asks of a run."""
    run = open_run(tree, check_seal=sealed)
    router = Router.of(run)
    digest = hashlib.sha256(repr((run.identity, sorted(router.modes.items()))).encode())
    able = [one for one in router.merchant_id.tolist() if router.modes.get(one) != "disable_virtual"]
    digest.update(router.draw(np.repeat(np.array(able, np.uint64), 3)).tobytes())
    for frame in (router.edges, virtual_merchants(run)):
        digest.update(frame.write_json().encode())
    return digest.hexdigest()


def _verified(material: Material, upstream: Path | None) -> str:
    found = verify(material.tree, material.policies, upstream, workers=1)
    shown = [*lines(found, material.tree, True, 0.0)]
    _require_short(json_text(as_object(found, material.tree, True, 0.0)))
    for result in found.report.failed:
        if result.check_id == _BROKEN:
            raise RuntimeError(f"an auditor broke: {result.example}")
    if found.report.failed:
        raise _FailedError(found.report.failed[0].check_id)
    return "\n".join(shown)


def _named(error: Seg3BError) -> tuple[str, str]:
    """A refusal, if it can be told: shown on one line, as JSON, and not in megabytes."""
    try:
        shown = json_text(error.record(), default=str)
        _require_short(shown)
    except Exception as broken:
        return UNNAMED, f"{error.code} cannot be told: {told_of(broken)}"
    if not error.remedy or not error.place:
        return UNNAMED, f"{error.code} without place or remedy"
    return REFUSED, f"{error.code} [{error.validator}]"


def _require_short(shown: str) -> None:
    if len(shown) > _LONGEST_REFUSAL:
        raise ValueError(f"{len(shown)} characters of it")


def told_of(error: BaseException) -> str:
    """An exception on one line, and where in our code it came through."""
    frames = [
        frame for frame in traceback.extract_tb(error.__traceback__) if "/seg3b_assets/" in frame.filename
    ]
    places = [f"{frame.filename.rpartition('/seg3b_assets/')[2]}:{frame.lineno}" for frame in frames[-3:]]
    text = re.sub(r"\s+", " ", str(error))[:200]
    return f"{type(error).__name__}: {text} ({' > '.join(places)})"


Told = Callable[[Outcome], Any]
