"""What a consumer sees: a sealed run opened by path alone, edges drawn from it, and runs that are refused."""

from __future__ import annotations

import shutil
from collections.abc import Callable
from pathlib import Path

import numpy as np
import orjson
import polars as pl
import pytest
from scipy.stats import chisquare

from seg3b_assets.consume import (
    PublishedRun,
    Router,
    event_numbers,
    local_times,
    open_run,
    settlement_days,
    virtual_merchants,
)
from seg3b_assets.laws.errors import Seg3BError
from seg3b_assets.laws.zone_clock import pinned_zone
from seg3b_assets_tests.end_to_end.installation import Installation


@pytest.fixture(scope="module")
def tree(coarse: Installation, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The coarse world's seed as one contract tree."""
    root = tmp_path_factory.mktemp("consumed")
    for snapshot in coarse.snapshots().values():
        shutil.copytree(
            snapshot.root, root, dirs_exist_ok=True, ignore=shutil.ignore_patterns("snapshot.json")
        )
    return root


@pytest.fixture(scope="module")
def run(tree: Path) -> PublishedRun:
    return open_run(tree)


@pytest.fixture(scope="module")
def router(run: PublishedRun) -> Router:
    return Router.of(run)


def test_a_run_is_found_by_its_paths(run: PublishedRun, coarse: Installation) -> None:
    assert run.identity.seed == 42
    assert run.path("edge_alias_blob_3B").read_bytes() == coarse.path("edge_alias_blob_3B").read_bytes()


def test_virtual_merchants_have_a_settlement_and_edges(run: PublishedRun) -> None:
    merchants = virtual_merchants(run)
    assert merchants["merchant_id"].is_sorted()
    assert merchants.null_count().sum_horizontal()[0] == 0
    assert merchants["edge_count"].sum() == run.table("edge_catalogue_3B", ["edge_id"]).height


def test_receipts_are_the_catalogues_rows(run: PublishedRun, router: Router) -> None:
    routed = router.route(np.repeat(router.merchant_id, 20))
    catalogue = run.table("edge_catalogue_3B").join(
        run.table("virtual_settlement_3B", ["merchant_id", "tzid_settlement"]), on="merchant_id"
    )
    looked_up = routed.join(catalogue, on=["merchant_id", "edge_id"], how="left", maintain_order="left")
    for field, column in (
        ("ip_country", "country_iso"),
        ("ip_latitude", "lat_deg"),
        ("ip_longitude", "lon_deg"),
        ("tzid_operational", "tzid_operational_right"),
        ("tzid_settlement", "tzid_settlement_right"),
        ("edge_weight", "edge_weight_right"),
    ):
        wanted = looked_up[column]
        assert looked_up[field].cast(wanted.dtype).equals(wanted, check_names=False)


def test_a_pick_does_not_depend_on_what_else_is_drawn(router: Router) -> None:
    merchants = np.repeat(router.merchant_id, 7)
    shuffled = np.random.default_rng(5).permutation(merchants.shape[0])
    numbers = event_numbers(merchants)
    together = router.draw(merchants)
    assert np.array_equal(router.draw(merchants[shuffled], numbers[shuffled]), together[shuffled])
    alone = router.sample(int(router.merchant_id[3]), 1, first_event=4)
    assert alone["edge_id"][0] == router.edges["edge_id"][int(together[3 * 7 + 4])]


def test_event_numbers_count_within_a_merchant_in_the_order_given() -> None:
    assert event_numbers([9, 4, 9, 9, 4]).tolist() == [0, 0, 1, 2, 1]
    assert event_numbers([]).tolist() == []


def test_edges_are_drawn_by_their_weight(router: Router) -> None:
    merchant = int(router.merchant_id[0])
    edges = router.edges.filter(pl.col("merchant_id") == merchant)
    picks = router.sample(merchant, 200_000)["edge_id"].value_counts()
    counted = edges.join(picks, on="edge_id", how="left", maintain_order="left")["count"].fill_null(0)
    heavy = edges["edge_weight"].to_numpy() * 200_000 >= 20
    observed = np.append(counted.to_numpy()[heavy], counted.to_numpy()[~heavy].sum())
    weights = np.append(edges["edge_weight"].to_numpy()[heavy], edges["edge_weight"].to_numpy()[~heavy].sum())
    assert chisquare(observed, 200_000 * weights / weights.sum()).pvalue > 1e-6


def test_ones_own_uniforms_pick_as_the_law_says(router: Router) -> None:
    merchant = router.merchant_id[:1]
    n, prob_q, alias = router.tables.lengths[0], router.tables.prob_q, router.tables.alias
    for u in (1e-12, 0.1234567, 0.5, 0.99, 1 - 2**-53):
        j = int(np.floor(u * n))
        wanted = j if np.floor((u * n - j) * 2.0**32) < prob_q[j] else alias[j]
        assert router.draw(merchant, uniforms=[u]).tolist() == [wanted]


@pytest.mark.parametrize("uniform", [0.0, 1.0, -0.1, float("nan")])
def test_a_uniform_outside_the_open_interval_is_refused(router: Router, uniform: float) -> None:
    with pytest.raises(Seg3BError, match="strictly between 0 and 1"):
        router.draw(router.merchant_id[:1], uniforms=[uniform])


def test_a_merchant_without_edges_is_refused_by_name(router: Router) -> None:
    with pytest.raises(Seg3BError, match=r"at merchant_ids\[1\]: merchant 5"):
        router.draw([int(router.merchant_id[0]), 5])


def test_a_settlement_day_is_the_date_in_the_settlements_zone(router: Router) -> None:
    zones = router.edges["tzid_settlement"].cast(pl.String).unique().sort().to_list()
    seconds = np.random.default_rng(3).integers(1_700_000_000, 1_790_000_000, 400)
    rows = pl.DataFrame({"at": seconds, "tzid": [zones[k % len(zones)] for k in range(400)]}).with_columns(
        pl.from_epoch("at").cast(pl.Datetime("us")).alias("instant")
    )
    wanted = [
        instant.replace(tzinfo=pinned_zone("UTC")).astimezone(pinned_zone(tzid)).replace(tzinfo=None)
        for instant, tzid in zip(rows["instant"], rows["tzid"], strict=True)
    ]
    assert local_times(rows["instant"], rows["tzid"]).to_list() == wanted
    assert settlement_days(rows["instant"], rows["tzid"]).to_list() == [local.date() for local in wanted]


def drop_flag(root: Path) -> None:
    next(root.rglob("3B/validation/*/_passed.flag")).unlink()


def alter_member(root: Path) -> None:
    member = next(root.rglob("s5_realism_results_3B.json"))
    member.write_bytes(member.read_bytes().replace(b"PASS", b"FAIL", 1))


def alter_blob(root: Path) -> None:
    blob = next(root.rglob("edge_alias_blob_3B.bin"))
    data = bytearray(blob.read_bytes())
    data[40] ^= 1
    blob.write_bytes(data)


def second_world(root: Path) -> None:
    receipt = next(root.rglob("s0_gate_receipt_3B.json"))
    other = receipt.parent.with_name("manifest_fingerprint=" + "0" * 64)
    shutil.copytree(receipt.parent, other)


def no_run(root: Path) -> None:
    shutil.rmtree(root / "data")


@pytest.mark.parametrize(
    ("spoil", "code"),
    [
        (drop_flag, "E3B_S5_GATE_MISSING_OR_INVALID"),
        (alter_member, "E3B_S5_FLAG_DIGEST_MISMATCH"),
        (alter_blob, "E3B_S5_DIGEST_COMPONENT_MISMATCH"),
        (second_world, "E3B_S5_IDENTITY_MISMATCH"),
        (no_run, "E3B_S5_INPUT_OPEN_FAILED"),
    ],
)
def test_what_is_not_sealed_is_not_read(
    tree: Path, tmp_path: Path, spoil: Callable[[Path], None], code: str
) -> None:
    copy = Path(shutil.copytree(tree, tmp_path / "copy", ignore=shutil.ignore_patterns("*.jsonl")))
    for path in copy.rglob("*"):
        path.chmod(0o755)
    spoil(copy)
    with pytest.raises(Seg3BError) as refused:
        open_run(copy)
    assert refused.value.code == code


# All that opening a run and drawing from it looks at, by a part of its path.
READ = (
    "s0_gate_receipt_3B.json",
    "sealed_inputs_3B.json",
    "virtual_classification/",
    "virtual_settlement/",
    "edge_catalogue/",
    "edge_merchant_profile_3B",
    "edge_alias_blob_3B.bin",
    "edge_alias_index_3B",
    "virtual_routing_policy_3B.json",
    "virtual_routing_bindings_3B.json",
    "/_passed.flag",
    "s5_manifest_3B.json",
    "s5_rng_summary_3B.json",
    "s5_audit_3B.json",
)


@pytest.mark.parametrize("part", READ)
def test_nothing_is_drawn_from_a_run_of_which_something_is_gone(
    tree: Path, tmp_path: Path, part: str
) -> None:
    copy = Path(shutil.copytree(tree, tmp_path / "copy", ignore=shutil.ignore_patterns("*.jsonl")))
    gone = [path for path in copy.rglob("*") if path.is_file() and part in path.as_posix()]
    assert gone
    for path in gone:
        path.parent.chmod(0o755)
        path.unlink()
    with pytest.raises(Seg3BError) as refused:
        open_run(copy)
    assert refused.value.place and refused.value.remedy


def test_the_command_draws_what_the_library_draws(tree: Path, coarse: Installation, router: Router) -> None:
    merchant = int(router.merchant_id[2])
    wanted = router.sample(merchant, 5)["edge_id"].to_list()
    for where in (("--tree", str(tree)), ("--seed", "42")):
        printed = coarse.seg3b("sample", str(merchant), "-n", "5", *where, "--json").passed()
        assert [event["edge_id"] for event in printed["events"]] == wanted
    listed = coarse.seg3b("sample", "--json").passed()
    assert len(listed["merchants"]) == router.merchant_id.shape[0]


def test_the_command_says_what_it_refuses(coarse: Installation, tmp_path: Path) -> None:
    refused = coarse.seg3b("sample", "5", "--json")
    assert (refused.exit_code, refused.error["place"]) == (3, "merchant_ids[0]: merchant 5")
    assert coarse.seg3b("sample", "none").exit_code == 2
    nothing = coarse.seg3b("sample", "--home", str(tmp_path), "--json")
    assert (nothing.exit_code, nothing.error["code"]) == (3, "E3B_S5_INPUT_OPEN_FAILED")
    assert orjson.loads(nothing.stdout)["error"]["remedy"].startswith("Run it first")
