"""Refs: read back as written, merged by seed, replaced whole, one of two writers never lost."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import orjson
import pytest

from seg3b_assets.laws.errors import Seg3BError
from seg3b_assets.store import REF_NAMES, Refs
from seg3b_assets.store.backend import open_home
from seg3b_assets_tests.store.back_ends import BackEnd, home_of, spoil

FIRST, SECOND = "ab" * 32, "cd" * 32


@pytest.fixture
def home(back_end: BackEnd, tmp_path: Path) -> Path:
    return home_of(back_end, tmp_path)


@pytest.fixture
def refs(home: Path) -> Refs:
    return Refs(home)


def test_an_absent_ref_is_empty_and_reading_makes_nothing(refs: Refs, home: Path) -> None:
    before = list(home.rglob("*"))
    assert refs.all() == {name: {} for name in REF_NAMES}
    assert list(home.rglob("*")) == before


def test_a_move_is_read_back_and_is_the_documented_file(refs: Refs, home: Path) -> None:
    assert refs.move("candidate", {101: SECOND, 7: FIRST})
    assert refs.read("candidate") == {7: FIRST, 101: SECOND}
    written = open_home(home).read("refs/candidate.json")
    assert orjson.loads(written) == {"7": FIRST, "101": SECOND}


def test_a_move_leaves_other_seeds_unless_told_not_to(refs: Refs) -> None:
    refs.move("last_good", {42: FIRST, 7: FIRST})
    refs.move("last_good", {42: SECOND})
    assert refs.read("last_good") == {7: FIRST, 42: SECOND}
    refs.move("last_good", {42: FIRST}, merge=False)
    assert refs.read("last_good") == {42: FIRST}


def test_a_move_to_where_it_points_writes_nothing(tmp_path: Path) -> None:
    refs = Refs(tmp_path / "home")
    refs.move("candidate", {42: FIRST})
    path = tmp_path / "home" / "refs" / "candidate.json"
    before = path.stat().st_ino
    assert not refs.move("candidate", {42: FIRST})
    assert path.stat().st_ino == before


def test_names_are_fixed_and_ids_are_checked(refs: Refs) -> None:
    with pytest.raises(ValueError, match="is not a ref"):
        refs.move("../heads/seed=42", {42: FIRST})  # type: ignore[arg-type]
    with pytest.raises(ValueError, match="id of a lineage"):
        refs.move("candidate", {42: "../" + FIRST[3:]})
    assert refs.read("candidate") == {}


@pytest.mark.parametrize("spoilt", [b"", b"[]", b'{"42":1}', b'{"x":"%s"}' % FIRST.encode(), b'{"-1":"a"}'])
def test_a_spoilt_ref_is_an_error_that_says_what_to_do(refs: Refs, home: Path, spoilt: bytes) -> None:
    refs.move("candidate", {42: FIRST})
    spoil(open_home(home), "refs/candidate.json", spoilt)
    with pytest.raises(Seg3BError) as raised:
        refs.read("candidate")
    assert raised.value.code == "E3B_S0_INPUT_OPEN_FAILED"
    assert raised.value.validator == "ref_readable"


def test_writers_of_different_seeds_all_win(refs: Refs) -> None:
    with ThreadPoolExecutor(8) as pool:
        list(pool.map(lambda seed: refs.move("candidate", {seed: FIRST}), range(40)))
    assert refs.read("candidate") == dict.fromkeys(range(40), FIRST)
