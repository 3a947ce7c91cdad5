"""Scope is part of a verdict: the policy's certification moves refs, by any route; every other moves nothing."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path

import pytest

from seg3b_assets.certification import certify
from seg3b_assets.certification.archive import Archive, certification_named
from seg3b_assets.report.written import report_of
from seg3b_assets.settings import Settings
from seg3b_assets.store import Refs
from seg3b_assets_tests.certification.conftest import SEEDS, Certified, ask_for
from seg3b_assets_tests.end_to_end.installation import Installation

pytestmark = pytest.mark.e2e

USAGE = 2
MOVED = ("candidate", "certification", "last_good")


@pytest.fixture
def ours(again: Settings) -> Settings:
    """A home in which the policy's certification has been made."""
    certify(again, SEEDS)
    return again


def refs(home: Path) -> dict[str, Mapping[int, str]]:
    return {name: held for name, held in Refs(home).all().items() if held}


def test_the_policys_certification_moves_refs_whatever_the_order_of_its_seeds(
    ours: Settings, certified: Certified
) -> None:
    lineages = {seed: one.lineage_id for seed, one in certified.run.lineages.items()}
    assert refs(ours.home) == dict.fromkeys(MOVED, lineages)
    run = certify(ours, tuple(reversed(SEEDS)))
    assert (run.scope, run.certification_id) == ("policy", certified.run.certification_id)
    assert refs(ours.home) == dict.fromkeys(MOVED, lineages)


def test_one_seed_of_the_policy_is_another_certification_and_moves_nothing(
    ours: Settings, certified: Certified
) -> None:
    before = refs(ours.home)
    run = certify(ours, SEEDS[:1])
    assert (run.scope, run.required, refs(ours.home)) == ("named", SEEDS, before)
    assert Archive(ours.home).standing(run.certification_id).scope == "named"
    assert certification_named(ours.home, "latest").certification_id == certified.run.certification_id
    named = certification_named(ours.home, run.certification_id[:12])
    assert tuple(named.lineages) == SEEDS[:1]


def test_other_seeds_than_the_policys_move_nothing(ours: Settings, certified: Certified) -> None:
    before = refs(ours.home)
    ask_for(ours.policies, SEEDS[:1])
    run = certify(ours, SEEDS)
    assert (run.scope, run.required, refs(ours.home)) == ("named", SEEDS[:1], before)


def test_policies_that_are_not_in_force_move_nothing(ours: Settings, certified: Certified) -> None:
    before = refs(ours.home)
    run = certify(replace(ours, configured=False), SEEDS)
    assert (run.scope, refs(ours.home)) == ("named", before)
    # It is the very certification the policy's was, and stays that.
    assert run.certification_id == certified.run.certification_id
    assert Archive(ours.home).standing(run.certification_id).scope == "policy"


def test_a_seed_twice_is_no_certification(ours: Settings, installation: Installation) -> None:
    with pytest.raises(ValueError, match="twice"):
        certify(ours, (42, 42))
    before = refs(installation.home)
    done = installation.seg3b("certify", "--seeds", "42,31415,42")
    assert (done.exit_code, "twice" in done.stderr) == (USAGE, True)
    assert refs(installation.home) == before


def test_other_seeds_are_refused_where_the_policys_are_required(
    installation: Installation, ours: Settings
) -> None:
    done = installation.seg3b("certify", "--seeds", "42", "--require-policy-seeds", "--json")
    assert (done.exit_code, "42, 31415" in done.stderr) == (USAGE, True)
    assert (
        installation.seg3b("certify", "--seeds", "31415,42", "--require-policy-seeds", "--json").exit_code
        == 0
    )


def test_refs_that_a_crash_left_behind_follow_when_it_is_asked_for_again(
    ours: Settings, certified: Certified
) -> None:
    before = refs(ours.home)
    for name in MOVED:
        (ours.home / "refs" / f"{name}.json").unlink()
    assert certify(ours, SEEDS).reused
    assert refs(ours.home) == before


def test_what_was_good_before_is_remembered_though_the_refs_have_moved(
    ours: Settings, certified: Certified
) -> None:
    other = dict.fromkeys(SEEDS, "1" * 64)
    Refs(ours.home).move("last_good", other)
    run = certify(ours, SEEDS)
    assert refs(ours.home)["last_good"] == {seed: one.lineage_id for seed, one in run.lineages.items()}
    assert Archive(ours.home).standing(run.certification_id).last_good_before == other
    assert report_of(ours, run).document["last_good_before"] == {
        str(seed): one for seed, one in other.items()
    }
