"""Which refs a finished run or certification moves, decided in one place."""

from __future__ import annotations

from pathlib import Path

import pytest

from seg3b_assets.certification.pinned import after_certification, after_run
from seg3b_assets.store.refs import move_refs
from seg3b_assets_tests.store.back_ends import BackEnd
from seg3b_assets_tests.store.lineages import ToyHome

LINEAGES = {42: "ab" * 32, 7: "cd" * 32}


@pytest.mark.parametrize(
    ("passed", "current", "moved"),
    [
        (True, True, {"candidate", "certification", "last_good"}),
        (False, True, {"candidate"}),
        (True, False, set()),
        (False, False, set()),
    ],
)
def test_last_good_moves_only_after_a_pass_of_what_is_in_force(
    passed: bool, current: bool, moved: set[str]
) -> None:
    moves = after_certification(LINEAGES, passed, current)
    assert set(moves) == moved
    assert all(lineages == LINEAGES for lineages in moves.values())


@pytest.mark.parametrize("current", [True, False])
def test_a_run_moves_candidate_when_it_is_in_force(current: bool) -> None:
    assert set(after_run(LINEAGES, current)) == ({"candidate"} if current else set())


def test_moving_is_idempotent_and_never_pins_what_has_no_record(back_end: BackEnd, tmp_path: Path) -> None:
    home = ToyHome.at(tmp_path, back_end=back_end)
    kept = {42: home.run(1).lineage_id}
    moves = after_certification(kept | {7: LINEAGES[7]}, passed=True, current=True)
    assert move_refs(home.path, moves) == ("candidate", "certification", "last_good")
    assert move_refs(home.path, moves) == ()
    assert home.refs.read("last_good") == home.refs.read("candidate") == kept
    assert move_refs(home.path, {}) == ()
