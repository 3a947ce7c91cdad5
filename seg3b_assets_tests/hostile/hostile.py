"""What a hostile input is, and what a door may make of it."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from enum import Enum
from typing import Final

from seg3b_assets_tests.hostile.doors import Door, Subject, doors_of
from seg3b_assets_tests.hostile.ground import Ground

# A genuine small world takes 440 MB to verify and 490 to run.
MOST_MB: Final = 512
MOST_S: Final = 20
# A verdict with all its checks is told in 60,000 characters; more is told by nobody for anybody.
MOST_SAID: Final = 200_000
WORDS: Final = "words for a screen"


class Right(Enum):
    """What is right at a door."""

    REFUSED = "refused"
    GENUINE = "as genuine"
    EITHER = "refused, or as genuine"
    # Of a home: what is none of ours is as nothing in its place, and does no more harm.
    OWN = "refused, as genuine, or as if nothing were there"
    ABSENT = "as if nothing were there"
    # Of a plan: other inputs, which a run would read.
    STALE = "stale"
    # A forgery that agrees with itself is told by its flag, and by nothing that lies in it.
    NOT_ANCHORED = "not anchored"


@dataclass(frozen=True)
class Hostile:
    """One input that means harm.

    Attributes:
        name: what was done, as one would tell it.
        kind: of harm, as one would tell that.
        subject: what it was done to.
        plant: does it, to a ground.
        elsewhere: what is right at a door, where that is not a refusal.
        without: takes the same place's genuine content away, where that is as right.
    """

    name: str
    kind: str
    subject: Subject
    plant: Callable[[Ground], None]
    elsewhere: Mapping[str, Right] = field(default_factory=dict)
    without: Callable[[Ground], None] | None = None

    def __post_init__(self) -> None:
        unknown = set(self.elsewhere) - {door.name for door in doors_of(self.subject)}
        if unknown:
            raise ValueError(f"{self.name}: no doors of {self.subject.value}: {sorted(unknown)}")

    def right_at(self, door: str) -> Right:
        return self.elsewhere.get(door, Right.REFUSED if self.without is None else Right.OWN)

    @property
    def doors(self) -> tuple[Door, ...]:
        """Those of its subject; what people read, for words alone."""
        return tuple(door for door in doors_of(self.subject) if not door.speaks or self.kind == WORDS)


@dataclass(frozen=True)
class Outcome:
    """What a door made of an input.

    Attributes:
        told: how it was refused (code and validator, or the checks that failed), or what came out.
        wrong: what must not be; nothing when it was right.
        code, seconds, cpu_s, peak_mb: of the process.
    """

    hostile: str
    door: str
    told: str
    wrong: tuple[str, ...]
    code: int
    seconds: float
    cpu_s: float
    peak_mb: float
