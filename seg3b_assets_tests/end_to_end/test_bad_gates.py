"""Upstream gates and roots that do not hold: refused before anything is computed."""

from __future__ import annotations

import shutil
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import pytest

from seg3b_assets_tests.end_to_end.installation import Installation
from seg3b_assets_tests.end_to_end.refusals import refused_run, refused_upstream
from seg3b_assets_tests.end_to_end.upstream_copies import SEGMENTS, UpstreamCopy

every_segment = pytest.mark.parametrize("segment", SEGMENTS)


@every_segment
def test_a_flag_with_another_digest(installation: Installation, upstream: UpstreamCopy, segment: str) -> None:
    flag = upstream.bundle(segment) / "_passed.flag"
    upstream.write(flag, b"sha256_hex = " + b"0" * 64 + b"\n")
    error = refused_upstream(installation, upstream)
    assert (error["code"], error["validator"]) == ("E3B_S0_UPSTREAM_HASH_MISMATCH", "flag_digest")
    assert error["place"] == str(flag)
    assert error["detail"]["expected"] == "0" * 64
    assert len(error["detail"]["found"]) == 64


@every_segment
def test_a_missing_bundle_member(installation: Installation, upstream: UpstreamCopy, segment: str) -> None:
    member = upstream.bundle(segment) / f"validation_summary_{segment}.json"
    member.unlink()
    error = refused_upstream(installation, upstream)
    assert (error["code"], error["validator"]) == ("E3B_S0_UPSTREAM_INDEX_INVALID", "index_listing")
    assert error["place"] == str(upstream.bundle(segment) / "index.json")
    assert error["detail"]["missing"] == [member.name]


@every_segment
def test_a_bundle_member_with_other_bytes(
    installation: Installation, upstream: UpstreamCopy, segment: str
) -> None:
    member = upstream.bundle(segment) / f"validation_summary_{segment}.json"
    upstream.write(member, member.read_bytes().replace(b"PASS", b"FAIL"))
    assert refused_upstream(installation, upstream)["code"] == "E3B_S0_UPSTREAM_HASH_MISMATCH"


@pytest.mark.parametrize("name", ["_passed.flag", "index.json"])
def test_a_gate_that_is_not_there(installation: Installation, upstream: UpstreamCopy, name: str) -> None:
    (upstream.bundle("2A") / name).unlink()
    error = refused_upstream(installation, upstream)
    assert error["code"] == "E3B_S0_GATE_MISSING_OR_INVALID"
    assert error["place"].endswith(name)


def test_an_upstream_dataset_that_is_not_there(installation: Installation, upstream: UpstreamCopy) -> None:
    shutil.rmtree(upstream.dataset("zone_alloc"))
    error = refused_upstream(installation, upstream)
    assert (error["code"], error["validator"]) == ("E3B_S0_INPUT_OPEN_FAILED", "dataset_present")
    assert error["detail"]["logical_id"] == "zone_alloc"


def test_the_root_of_another_seed(installation: Installation, root_of: Callable[[int], Path]) -> None:
    error = refused_run(replace(installation, upstream=root_of(7)))
    assert (error["code"], error["validator"]) == ("E3B_S0_IDENTITY_MISMATCH", "receipt_seed")
    assert error["detail"] == {"requested": 42, "found": 7}


@pytest.mark.parametrize(
    "logical_id",
    ["transaction_schema_merchant_ids", "world_countries", "tz_world", "settlement_gazetteer"],
)
def test_two_versions_of_a_dataset(
    installation: Installation, upstream: UpstreamCopy, logical_id: str
) -> None:
    place = upstream.dataset(logical_id)
    version = place if place.is_dir() else place.parent
    shutil.copytree(version, version.with_name("next"))
    error = refused_upstream(installation, upstream)
    assert (error["code"], error["validator"]) == ("E3B_S0_IDENTITY_MISMATCH", "one_version")
    assert error["place"] == str(version.parent)
    assert error["detail"]["count"] == 2
