"""Several runs at once over one home: all succeed, agree, and leave one whole truth."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import pytest

from seg3b_assets_tests.end_to_end.installation import STATES, Installation, finish

pytestmark = pytest.mark.e2e


@dataclass(frozen=True)
class Race:
    """A home that did not exist, and what three processes printed that ran over it together."""

    installation: Installation
    first: dict[str, Any]
    same_seed: dict[str, Any]
    other_seed: dict[str, Any]


@pytest.fixture(scope="module")
def race(
    finished: Installation, root_of: Callable[[int], Path], tmp_path_factory: pytest.TempPathFactory
) -> Race:
    root_of(7)
    shared = replace(finished, home=tmp_path_factory.mktemp("race") / "home")
    processes = [shared.start(), shared.start("--recompute"), shared.start(seed=7)]
    return Race(shared, *(finish(process).passed() for process in processes))


def test_two_runs_of_one_seed_agree(race: Race, finished: Installation) -> None:
    flag = finished.run().passed()["flag"]
    assert race.first["flag"] == race.same_seed["flag"] == flag
    assert race.installation.heads() == finished.heads()
    assert race.installation.digests() == finished.digests()


def test_the_run_of_another_seed_is_what_it_is_alone(race: Race, empty: Installation) -> None:
    alone = empty.run(seed=7).passed()
    assert race.other_seed["flag"] == alone["flag"] != race.first["flag"]
    assert race.installation.heads(7) == {name: alone["states"][name]["key"] for name in STATES}
    assert race.installation.digests(7) == empty.digests(7)


def test_the_shared_home_is_whole_and_nothing_is_left_in_it(race: Race) -> None:
    condition = race.installation.condition()
    assert (condition.spoilt, condition.leftovers) == ([], [])
    assert set(condition.heads) == {"seed=42.json", "seed=7.json"}
    assert len(condition.snapshots) == 2 * len(STATES)
