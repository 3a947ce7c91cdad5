"""Some of the mutated inputs, at every door; and what watches them sees whatever may go wrong."""

from __future__ import annotations

import os
import random
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from seg3b_assets.laws.errors import Seg3BError
from seg3b_assets_tests.faults.specimen import Specimen
from seg3b_assets_tests.hostile import trying
from seg3b_assets_tests.hostile.fuzz import Bounds, fuzz
from seg3b_assets_tests.hostile.material import Material
from seg3b_assets_tests.hostile.mutations import every_mutation, mutated
from seg3b_assets_tests.hostile.trying import GENUINE, REFUSED, UNNAMED, Bench, Outcome, spoilt, trial_of

SEED = 3
SLOW = ("run", "verify", "verify --upstream")


@pytest.fixture(scope="module")
def material(specimen: Specimen) -> Material:
    return Material.of(specimen)


def test_mutated_inputs_are_refused_by_name_or_do_not_matter(material: Material) -> None:
    numbers = {slow: [] for slow in (True, False)}
    for number in range(300):
        numbers[trial_of(material, SEED, number).door in SLOW].append(number)
    outcomes = fuzz([*numbers[True][:2], *numbers[False][:38]], SEED, 1, lambda _: None, material)
    assert [outcome.line for outcome in outcomes if outcome.kind == UNNAMED] == []
    assert len(outcomes) == 40
    assert sum(outcome.kind == REFUSED for outcome in outcomes) > 13


def test_a_mutation_is_a_function_of_seed_and_number(material: Material) -> None:
    trials = [trial_of(material, SEED, number) for number in range(40)]
    assert trials == [trial_of(material, SEED, number) for number in range(40)]
    assert trials != [trial_of(material, SEED + 1, number) for number in range(40)]
    for trial in trials:
        assert spoilt(material, SEED, trial) == spoilt(material, SEED, trial)


@pytest.mark.parametrize(
    "name", ["table.parquet", "borders.parquet", "x.json", "x.jsonl", "x.yaml", "x.csv", "x.flag"]
)
def test_every_mutation_of_every_kind_of_file_makes_bytes(material: Material, name: str) -> None:
    data = sample(material, name)
    many = every_mutation(name, data)
    seen = {}
    for number in range(60 * len(many)):
        what, other = mutated(name, data, random.Random(number))
        seen[what] = seen.get(what, False) or other != data
        if len(seen) == len(many) and all(seen.values()):
            break
    assert sorted(seen) == list(many)
    assert all(seen.values())


def sample(material: Material, name: str) -> bytes:
    if name == "borders.parquet":
        return small_borders()
    patterns = {
        "table.parquet": "data/**/zone_alloc/**/*.parquet",
        "x.json": "data/**/index.json",
        "x.flag": "data/**/_passed.flag",
    }
    if name == "x.yaml":
        return (material.policies / "tz_nudge.yaml").read_bytes()
    if name == "x.csv":
        return b"merchant_id,lat_deg\n1,2.5\n3,4.5\n"
    if name == "x.jsonl":
        return b'{"a":1,"b":"x"}\n{"a":2,"b":"y"}\n'
    return next(iter(material.upstream.glob(patterns[name]))).read_bytes()


def small_borders() -> bytes:
    import pyarrow as pa  # noqa: PLC0415 - only here
    import shapely  # noqa: PLC0415

    from seg3b_assets_tests.hostile.mutated_tables import written  # noqa: PLC0415

    shapes = [
        shapely.box(0, 0, 1, 1),
        shapely.MultiPolygon([shapely.box(2, 2, 3, 3), shapely.box(5, 5, 6, 6)]),
    ]
    return written(pa.table({"country_iso": ["AA", "BB"], "geom": [shapely.to_wkb(one) for one in shapes]}))


class Odd(Bench):
    """A bench at which things go wrong by the number."""

    def __init__(self, original: Material, folder: Path) -> None:
        self.folder = folder

    def warm(self) -> None:
        pass

    def try_one(self, seed: int, number: int) -> Outcome:
        if number == 1:
            os.abort()
        if number == 2:
            time.sleep(60)
        if number == 3:
            held = np.ones(300 << 20, np.uint8)
            time.sleep(60)
            assert held.any()
        return Outcome(number, None, "", GENUINE, "")


def test_a_death_a_hang_and_too_much_memory_are_told_and_the_rest_is_tried(material: Material) -> None:
    told: list[Outcome] = []
    outcomes = fuzz(6, SEED, 1, told.append, material, Bounds(3.0, 100 << 20), Odd)
    assert [outcome.kind for outcome in outcomes] == [GENUINE, UNNAMED, UNNAMED, UNNAMED, GENUINE, GENUINE]
    assert "the process ended with -6" in outcomes[1].told
    assert "no end after 3 s" in outcomes[2].told and "test_fuzz.py" in outcomes[2].told
    assert "MB more than before" in outcomes[3].told
    assert len(told) == 6
    assert f"--only 2: {trial_of(material, SEED, 2).door}" in outcomes[2].line


def raising(error: BaseException) -> Callable[..., Any]:
    def at(*_: Any) -> str:
        raise error

    return at


@pytest.fixture
def bench(material: Material, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Bench:
    found = Bench(material, tmp_path)
    monkeypatch.setattr(found, "_sound", lambda _: "the answer")
    return found


def test_an_exception_that_is_none_of_ours_is_unnamed(bench: Bench, monkeypatch: pytest.MonkeyPatch) -> None:
    mute = Seg3BError("S0", "INPUT_OPEN_FAILED", "x", "y", "")
    ours = Seg3BError("S0", "INPUT_OPEN_FAILED", "x", "y", "z")
    for error in (ValueError("x"), RecursionError(), SystemExit(3), GeneratorExit(), mute):
        monkeypatch.setattr(bench, "_at", raising(error))
        assert bench.try_one(SEED, 0).kind == UNNAMED
    monkeypatch.setattr(bench, "_at", raising(ours))
    assert bench.try_one(SEED, 0).kind == REFUSED
    monkeypatch.setattr(trying, "_LONGEST_REFUSAL", 20)
    assert bench.try_one(SEED, 0).kind == UNNAMED


def test_altered_files_taken_for_what_they_were_are_unnamed(
    bench: Bench, monkeypatch: pytest.MonkeyPatch
) -> None:
    trials = ((number, trial_of(bench.material, SEED, number)) for number in range(400))
    number = next(number for number, trial in trials if trial.door == "verify")
    monkeypatch.setattr(bench, "_at", lambda *_: "another answer")
    assert bench.try_one(SEED, number).told == "altered, and taken for what it was"
    sound = {path: path.read_bytes() for path in bench.material.policies.iterdir() if path.is_file()}
    assert sound and all(path.stat().st_size == len(data) for path, data in sound.items())
