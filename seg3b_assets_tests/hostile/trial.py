"""An input planted, brought to a door, and what came of it judged."""

from __future__ import annotations

import json
import os
import re
import stat
import subprocess
import sys
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

import orjson

from seg3b_assets_tests.faults.specimen import Specimen
from seg3b_assets_tests.hostile.doors import Door, flag_of
from seg3b_assets_tests.hostile.ground import SECRET, Ground
from seg3b_assets_tests.hostile.hostile import MOST_MB, MOST_S, MOST_SAID, Hostile, Outcome, Right

_BOUNDED: Final = Path(__file__).with_name("bounded.py")
_CONTROLS: Final = re.compile(
    "[\x00-\x08\x0b-\x1f\x7f-\x9f\u061c\u200e\u200f\u2028\u2029\u202a-\u202e\u2066-\u2069]"
)
_WIDER: Final = {
    Right.EITHER: (Right.REFUSED, Right.GENUINE),
    Right.OWN: (Right.REFUSED, Right.GENUINE, Right.ABSENT),
}
_FORGED: Final = "PASS  forged"
_NAMELESS: Final = ("INTERNAL", "Traceback (most recent", "DATA_UNREADABLE", "panicked at", "core dumped")
_SHOWN: Final = 160
_DEEPEST: Final = 100
_LARGEST_LOOKED_INTO: Final = 4 << 20
# What any command may write to.
_OWN: Final = ("user", "scratch", "cache")


@dataclass(frozen=True)
class Ended:
    """How a command ended, and what it said."""

    code: int
    seconds: float
    cpu_s: float
    peak_mb: float
    ended_by: str
    out: str
    err: str

    def object(self) -> dict[str, Any]:
        """Standard output as one JSON object; nothing where it is none."""
        try:
            value = orjson.loads(self.out)
        except orjson.JSONDecodeError:
            return {}
        return value if isinstance(value, dict) else {}


def ended(ground: Ground, door: Door) -> Ended:
    """Bring what lies on the ground to a door."""
    reading, telling = os.pipe()
    limits = (str(float(MOST_S)), str(float(MOST_MB)), str(telling))
    try:
        done = subprocess.run(
            [sys.executable, "-S", "-E", str(_BOUNDED), *limits, *door.words(ground)],
            check=False,
            stdin=subprocess.DEVNULL,
            capture_output=True,
            cwd=ground.folder / "user",
            env=ground.environment(),
            pass_fds=(telling,),
        )
    finally:
        os.close(telling)
    with os.fdopen(reading, "rb") as told:
        report = json.loads(told.read())
    return Ended(
        **report, out=done.stdout.decode("utf-8", "replace"), err=done.stderr.decode("utf-8", "replace")
    )


def genuine_result(
    specimen: Specimen,
    merchant: int,
    door: Door,
    folder: Path,
    without: Callable[[Ground], None] | None = None,
) -> Any:
    """What the door makes of what nobody touched, or of what something was taken from.

    Raises:
        AssertionError: it is refused, so that nothing could be learned there.
    """
    ground = Ground(folder, specimen, merchant)
    ground.lay()
    if without is not None:
        without(ground)
    try:
        done = ended(ground, door)
        assert done.code == 0, f"{door.name}: {done.code}: {done.err[:300] or done.out[:600]}"
        return _result(ground, door, done)
    finally:
        ground.clear()


def tried(
    specimen: Specimen, merchant: int, hostile: Hostile, door: Door, genuine: Any, folder: Path
) -> Outcome:
    """Plant an input in a folder of its own, and bring it to a door."""
    ground = Ground(folder, specimen, merchant)
    ground.lay()
    hostile.plant(ground)
    before = _listing(ground, door)
    done = ended(ground, door)
    told, found = _told(ground, door, done, genuine)
    if found is None and hostile.without is not None and not done.code:
        told, found = _as_absent(ground, door, done, hostile)
    wrong = [*_misbehaved(ground, door, done, before)]
    right = hostile.right_at(door.name)
    if found is not right and found not in _WIDER.get(right, ()):
        wrong.append(f"{'nothing right' if found is None else found.value}, not {right.value}")
    ground.clear()
    return Outcome(
        hostile.name, door.name, told, tuple(wrong), done.code, done.seconds, done.cpu_s, done.peak_mb
    )


def _as_absent(ground: Ground, door: Door, done: Ended, hostile: Hostile) -> tuple[str, Right | None]:
    """Whether it is what the door makes of a ground where nothing lies in that place."""
    beside = ground.folder.with_name(f"{ground.folder.name}-without")
    try:
        absent = genuine_result(ground.specimen, ground.merchant, door, beside, hostile.without)
    except AssertionError as error:
        return f"a result; refused where nothing lies there: {error}"[:_SHOWN], None
    found = _result(ground, door, done)
    return (
        (Right.ABSENT.value, Right.ABSENT) if found == absent else (f"another result: {found}"[:_SHOWN], None)
    )


def _told(ground: Ground, door: Door, done: Ended, genuine: Any) -> tuple[str, Right | None]:
    """What came out, for people; and which of what may be right it is."""
    said = done.object()
    if isinstance(error := said.get("error"), dict):
        return f"{error.get('code')} ({error.get('validator', error.get('place'))})"[:_SHOWN], Right.REFUSED
    if said.get("status") == "FAIL":
        return ", ".join(_failed(said))[:_SHOWN], Right.REFUSED
    if said.get("status") == "STOPS":
        stops = [one["code"] for one in said["findings"] if one["severity"] == "stops"]
        return ", ".join(stops)[:_SHOWN], Right.REFUSED
    if done.code in (2, 3) and (door.speaks or not done.out):
        return _shown(done.err or done.out), Right.REFUSED if done.out + done.err else None
    if done.code != 0:
        return f"exit code {done.code}: {_shown(done.err)}", None
    try:
        result = _result(ground, door, done)
    except (KeyError, TypeError, ValueError, IndexError, OSError) as error:
        return f"no result: {error!r}"[:_SHOWN], None
    if result == genuine:
        return "as genuine", Right.GENUINE
    if isinstance(result, dict) and result.get("S0") == "STALE":
        return "stale", Right.STALE
    if _told_apart(ground, said):
        return "PASS, not anchored" if "status" in said else "another run's answers", Right.NOT_ANCHORED
    return f"another result: {result}"[:_SHOWN], None


def _told_apart(ground: Ground, said: dict[str, Any]) -> bool:
    """Whether what was said names a flag that is not the genuine one's, and nothing that vouches for it."""
    flag = said.get("flag")
    return flag is not None and flag != flag_of(ground) and not said.get("anchored_in")


def _failed(said: dict[str, Any]) -> list[str]:
    return [one["check_id"] for one in said["checks"] if one["status"] == "FAIL"]


def _result(ground: Ground, door: Door, done: Ended) -> Any:
    return door.result(ground, done.out if door.speaks else orjson.loads(done.out))


def _misbehaved(ground: Ground, door: Door, done: Ended, before: dict[str, str]) -> Iterator[str]:
    said = done.out + done.err
    if done.ended_by:
        yield f"ended for its {done.ended_by}"
    elif done.peak_mb > MOST_MB:
        yield f"{done.peak_mb:.0f} MB held"
    if done.code < 0 and not done.ended_by:
        yield f"died of signal {-done.code}"
    if controls := _CONTROLS.findall(said):
        yield f"controls on the screen: {sorted(set(controls))}"
    if any(line.startswith(_FORGED) for line in said.splitlines()):
        yield "a line forged"
    if nameless := [word for word in _NAMELESS if word in said]:
        yield f"no name: {nameless[0]}: {_shown(said)}"
    if len(said) > MOST_SAID:
        yield f"{len(said)} characters said"
    if SECRET in said:
        yield "a secret told"
    yield from _changes(before, _listing(ground, door))
    yield from _given_away(ground, door)


def _shown(text: str) -> str:
    return " / ".join(text.split("\n"))[:_SHOWN]


def _listing(ground: Ground, door: Door) -> dict[str, str]:
    """Everything on the ground that the door has no business to write: links as links."""
    own = [ground.folder / name for name in _OWN] + list(door.writes(ground))
    found: dict[str, str] = {}
    for here, folders, names in _walked(ground.folder):
        for name in (*folders, *names):
            found[str(here / name)] = _state(here / name)
        folders[:] = [name for name in folders if here / name not in own]
    return {path: state for path, state in found.items() if Path(path) not in own}


def _walked(root: Path) -> Iterator[tuple[Path, list[str], list[str]]]:
    """As the library's, which goes as deep as a stack, and as far as anything could be given away."""
    for base, folders, names in os.walk(root):
        yield Path(base), folders, names
        if len(Path(base).parts) > _DEEPEST:
            folders.clear()


def _state(path: Path) -> str:
    status = path.lstat()
    if stat.S_ISLNK(status.st_mode):
        return f"link to {os.readlink(path)}"  # noqa: PTH115 - a target may be no path
    if not stat.S_ISREG(status.st_mode):
        return f"mode {status.st_mode:o}"
    return f"{status.st_mode:o} {status.st_size} {status.st_mtime_ns} {status.st_ino}"


def _changes(before: dict[str, str], after: dict[str, str]) -> Iterator[str]:
    for path in sorted(before.keys() | after.keys()):
        if before.get(path) != after.get(path):
            what = "made" if path not in before else "removed" if path not in after else "changed"
            yield f"{what} outside its places: {path!r}"[:_SHOWN]
            return


def _given_away(ground: Ground, door: Door) -> Iterator[str]:
    """Whether what a door wrote holds, or leads to, what is private."""
    for place in (*door.writes(ground), ground.folder / "scratch", ground.cache):
        for path in _below(place):
            if path.is_symlink():
                if place == ground.target and path.resolve().is_relative_to(ground.private):
                    yield f"a link to what is private written: {path.name!r}"
            elif _holds_secret(path):
                yield f"a secret written: {path.name!r}"


def _below(place: Path) -> Iterator[Path]:
    """A file or a link; of a folder, everything in it."""
    if place.is_symlink() or not place.is_dir():
        yield place
        return
    for here, folders, names in _walked(place):
        yield from (here / name for name in (*folders, *names))


def _holds_secret(path: Path) -> bool:
    return (
        path.is_file()
        and path.stat().st_size <= _LARGEST_LOOKED_INTO
        and SECRET.encode() in path.read_bytes()
    )
