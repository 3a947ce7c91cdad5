"""What people set by hand for a merchant or an edge: what it changes, until when, and that nothing else moves."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import orjson
import polars as pl
import pytest

from seg3b_assets.consume import Router, open_run, virtual_merchants
from seg3b_assets.laws.errors import Seg3BError
from seg3b_assets_tests.end_to_end.installation import Installation

NOBODY = 2**64 - 1
PAST, FUTURE = '"2026-10-31"', '"2026-11-01"'  # the embedded world was made on 2026-11-01


def add(folder: Path, policy: str, after: str, text: str) -> None:
    """Put lines into a policy in place of the line that starts with ``after``."""
    path = folder / f"{policy}.yaml"
    lines = path.read_text().splitlines(keepends=True)
    [at] = [number for number, line in enumerate(lines) if line.startswith(after)]
    kept = [
        line for line in lines[at + 1 :] if not (policy == "tz_overrides" and line.startswith("edges: []"))
    ]
    path.write_text("".join([*lines[:at], text, *kept]))


def edges(installation: Installation) -> pl.DataFrame:
    return pl.read_parquet(sorted(installation.path("edge_catalogue_3B").iterdir()))


@pytest.fixture(scope="module")
def merchants(finished: Installation) -> list[int]:
    return pl.read_parquet(finished.path("virtual_settlement_3B"))["merchant_id"].to_list()


@pytest.fixture(scope="module")
def overridden(
    finished: Installation, merchants: list[int], tmp_path_factory: pytest.TempPathFactory
) -> Installation:
    """The small world, with one merchant's budget, one's routing and one's zone set by hand, and some in vain."""
    first, second, third = merchants[:3]
    folder = tmp_path_factory.mktemp("overridden")
    policies = folder / "policies"
    policies.mkdir()
    for path in finished.policies.glob("*.yaml"):
        (policies / path.name).write_bytes(path.read_bytes())
    add(
        policies,
        "edge_topology",
        "  merchants: []",
        f"""  merchants:
    - {{merchant_id: {first}, edges: 77, reason: A contract says so, expires: {FUTURE}}}
    - {{merchant_id: {second}, edges: 78, reason: A contract said so, expires: {PAST}}}
    - {{merchant_id: {NOBODY}, edges: 79, reason: Nobody knows}}
""",
    )
    add(
        policies,
        "virtual_routing_fields",
        "overrides: []",
        f"""overrides:
  - {{merchant_id: {second}, mode: disable_virtual, notes: Under review}}
  - {{merchant_id: {first}, mode: hybrid, notes: Opens shops, expires: {PAST}}}
""",
    )
    add(
        policies,
        "tz_overrides",
        "merchants: []",
        f"""merchants:
  - {{merchant_id: {third}, tzid: Asia/Tokyo, reason: Where polygons say nothing}}
edges:
  - {{merchant_id: {first}, edge_seq_index: 0, tzid: Asia/Tokyo, reason: Where polygons say nothing}}
""",
    )
    other = replace(finished, home=folder / "home", policies=policies)
    other.run().passed()
    return other


def test_a_budget_set_by_hand_is_kept_and_the_others_stay(
    finished: Installation, overridden: Installation, merchants: list[int]
) -> None:
    was, now = edges(finished), edges(overridden)
    counts = dict(now.group_by("merchant_id").len().iter_rows())
    assert counts[merchants[0]] == 77
    rest = pl.col("merchant_id") != merchants[0]
    # The policy's digest is in no row: whoever is not named keeps every edge.
    assert now.filter(rest).equals(was.filter(rest))


def test_routing_modes_in_force_are_published_and_obeyed(
    overridden: Installation, merchants: list[int], tmp_path: Path
) -> None:
    policy = orjson.loads(overridden.path("virtual_routing_policy_3B").read_bytes())
    expected = {"merchant_id": merchants[1], "mode": "disable_virtual", "notes": "Under review"}
    assert policy["overrides"] == [expected]
    overridden.seg3b("export", "heads", str(tmp_path / "tree"), "--json").passed()
    run = open_run(tmp_path / "tree")
    router = Router.of(run)
    assert router.modes == {merchants[1]: "disable_virtual"}
    ids = virtual_merchants(run)["merchant_id"].to_numpy()
    assert router.route(ids[ids != np.uint64(merchants[1])]).height == len(merchants) - 1
    with pytest.raises(Seg3BError, match=str(merchants[1])) as caught:
        router.route(ids)
    assert caught.value.validator == "merchant_is_routed_virtually"


def test_it_verifies_and_says_what_was_used(
    overridden: Installation, merchants: list[int], tmp_path: Path
) -> None:
    overridden.seg3b("export", "heads", str(tmp_path / "tree"), "--json").passed()
    assert overridden.seg3b("verify", str(tmp_path / "tree"), "--json").passed()["failed"] == 0
    report = orjson.loads(overridden.path("s1_run_report_3B").read_bytes())
    joined = {one["source"]: one for one in report["joined"]}
    budgets = joined["edge_topology:budget.merchants"]
    assert (budgets["rows"], budgets["used"], budgets["unmatched"], budgets["expired"]) == (2, 1, 1, 1)
    assert budgets["examples"] == [str(NOBODY)]
    modes = joined["virtual_routing_fields:overrides"]
    assert (modes["rows"], modes["used"], modes["expired"]) == (1, 1, 1)
    assert joined["tz_overrides:merchants"]["used"] == joined["tz_overrides:edges"]["used"] == 1


def test_zones_by_hand_stand_only_where_polygons_decide_nothing(
    finished: Installation, overridden: Installation, merchants: list[int]
) -> None:
    third = pl.col("merchant_id") == merchants[2]
    was, now = edges(finished).filter(third), edges(overridden).filter(third)
    assert now["tzid_operational"].to_list() == was["tzid_operational"].to_list()
