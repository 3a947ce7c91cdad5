"""One seed's root: contracts and gates hold, merchants look like trade, sites lie where they say."""

from __future__ import annotations

import json
import re
from typing import Any

import numpy as np
import polars as pl
import pytest
import shapely

from seg3b_assets.contracts import all_contracts
from seg3b_assets.laws.geography import groups
from seg3b_assets.laws.hashing import path_digest, sha256_hex
from seg3b_assets.laws.identity import WorldIdentity
from seg3b_assets.states.s0_gate.bundles import verify_bundle
from seg3b_assets.world import WorldRecipe, describe_world
from seg3b_assets.world.draws import Draws
from seg3b_assets.world.merchants import Trade, draw_trade, merchant_mix
from seg3b_assets.world.published import CERTIFIED
from seg3b_assets_tests.world.conftest import World

MANY = WorldRecipe(merchants=20_000)


def receipt(world: World) -> dict[str, Any]:
    document: dict[str, Any] = json.loads((world.root / "run_receipt.json").read_text())
    return document


def identity(world: World) -> WorldIdentity:
    facts = receipt(world)
    return WorldIdentity(
        facts["seed"], facts["parameter_hash"], facts["manifest_fingerprint"], facts["created_utc"]
    )


@pytest.fixture(scope="module")
def trade(world: World) -> Trade:
    """More merchants than the coarse world has, so that shares can be judged."""
    return draw_trade(sorted(world.countries()), MANY, Draws(42))


@pytest.mark.parametrize("segment", ["1A", "1B", "2A", "3A"])
def test_s0_accepts_the_bundle(world: World, segment: str) -> None:
    who = identity(world)
    folder = world.root / f"data/layer1/{segment}/validation/manifest_fingerprint={who.manifest_fingerprint}"
    gate = verify_bundle(segment, folder, who)
    assert (folder / "_passed.flag").read_bytes() == f"sha256_hex = {gate.sha256_hex}\n".encode()


def test_the_1a_flag_covers_its_index_and_the_1b_flag_does_not(world: World) -> None:
    for segment, itself in (("1A", True), ("1B", False)):
        (folder,) = (world.root / f"data/layer1/{segment}/validation").iterdir()
        listed = [entry["path"] for entry in json.loads((folder / "index.json").read_bytes())]
        assert ("index.json" in listed) is itself
        raw = b"".join((folder / path).read_bytes() for path in sorted(listed))
        assert (folder / "_passed.flag").read_text() == f"sha256_hex = {sha256_hex(raw)}\n"


def test_bundles_certify_every_dataset_by_its_digest(world: World) -> None:
    digests: dict[str, str] = {}
    for segment, datasets in CERTIFIED.items():
        (folder,) = (world.root / f"data/layer1/{segment}/validation").iterdir()
        certified = json.loads((folder / f"certified_datasets_{segment}.json").read_bytes())["datasets"]
        assert sorted(certified) == sorted(datasets)
        digests |= certified
    facts = receipt(world)
    for dataset, digest in digests.items():
        (path,) = [folder for folder in world.root.glob(f"**/{dataset}") if folder.is_dir()]
        while len(children := sorted(path.iterdir())) == 1 and children[0].is_dir():
            path = children[0]
        assert path_digest(path) == digest, dataset
    assert re.fullmatch(r"[a-f0-9]{32}", facts["run_id"])


def test_every_table_keeps_its_contract(world: World) -> None:
    facts = receipt(world)
    for name, contract in all_contracts().items():
        if contract.producer != "upstream" or (
            contract.status == "optional" and name != "settlement_gazetteer"
        ):
            continue
        place = contract.path.format(**facts, version="*", vintage="*").rstrip("/")
        (found,) = world.root.glob(place)  # exactly one version or vintage of each
        if found.suffix == ".json":
            assert contract.check_document(json.loads(found.read_bytes())) == [], name
            continue
        for file in [found] if found.is_file() else sorted(found.rglob("*.parquet")):
            assert contract.check_frame(pl.read_parquet(file, hive_partitioning=False)) == [], file


def test_sites_lie_in_their_zone_and_agree_across_segments(world: World) -> None:
    key = ["merchant_id", "legal_country_iso", "site_order"]
    outlets = world.table("outlet_catalogue")
    sites = world.table("site_locations").join(world.table("site_timezones"), on=key, how="left")
    assert outlets.select(key).cast({"site_order": pl.Int64}).equals(sites.select(key))
    assert sites["tzid"].null_count() == 0
    zones = dict(world.table("tz_world").select("tzid", "geometry").iter_rows())
    lon, lat = sites["lon_deg"].to_numpy(), sites["lat_deg"].to_numpy()
    for zone, at in groups(sites["tzid"].to_numpy().astype("U40")):
        polygon = shapely.from_wkb(zones[str(zone)])
        assert shapely.intersects_xy(polygon, lon[at], lat[at]).all(), zone
    assert world.table("zone_alloc")["zone_site_count"].sum() == outlets.height


def test_merchant_ids_are_scattered_over_the_63_bits_that_ingress_publishes(world: World) -> None:
    ids = world.table("transaction_schema_merchant_ids")["merchant_id"]
    assert ids.is_unique().all()
    assert ids.is_sorted()
    assert ids.min() > 1_000_000
    assert 2**62 < ids.max() < 2**63


def test_home_countries_follow_payments_activity(trade: Trade) -> None:
    home = pl.Series(np.array(trade.countries)[trade.home]).value_counts(sort=True)
    share = {country: count / MANY.merchants for country, count in home.iter_rows()}
    assert list(share)[:2] == ["US", "CN"]
    assert 0.2 < share["US"] < 0.4
    assert sum(share.get(code, 0.0) for code in ("KY", "VG", "GI", "MC", "LI", "BM", "IM", "JE")) < 0.005
    assert len(share) > 100


def test_digital_families_are_an_eighth_and_mostly_card_not_present(trade: Trade) -> None:
    mix = merchant_mix()
    digital = np.isin(trade.mcc, mix.mcc[mix.digital])
    assert 0.11 < digital.mean() < 0.13
    assert trade.card_not_present[digital].mean() > 0.8
    assert trade.card_not_present[~digital].mean() < 0.15
    assert len(np.unique(mix.mcc)) == mix.mcc.size >= 80


def test_outlet_counts_have_a_heavy_tail_and_some_cross_borders(trade: Trade) -> None:
    counts = np.bincount(trade.outlet_merchant)
    pairs = np.unique(trade.outlet_merchant * 1000 + trade.outlet_country) // 1000
    several = (np.bincount(pairs) > 1).mean()
    assert counts.min() == 1
    assert np.median(counts) <= 2
    assert counts.max() > 100
    assert 0.10 < several < 0.15
    digital = np.isin(trade.mcc, merchant_mix().mcc[merchant_mix().digital])
    assert (counts[digital] <= 3).mean() > 0.8


def test_every_merchant_has_an_outlet_at_home(trade: Trade) -> None:
    at_home = trade.outlet_country == trade.home[trade.outlet_merchant]
    assert np.bincount(trade.outlet_merchant, at_home).min() >= 1


def test_another_seed_draws_other_merchants(world: World, other_world: World) -> None:
    ours, theirs = (w.table("transaction_schema_merchant_ids") for w in (world, other_world))
    assert not set(ours["merchant_id"]) & set(theirs["merchant_id"])
    assert receipt(world)["manifest_fingerprint"] != receipt(other_world)["manifest_fingerprint"]
    assert receipt(world)["parameter_hash"] == receipt(other_world)["parameter_hash"]


def test_what_the_seed_does_not_touch_is_linked(world: World, other_world: World) -> None:
    shared = [p.relative_to(world.root) for p in world.root.glob("reference/spatial/**/*.parquet")]
    shared += [p.relative_to(world.root) for p in world.root.glob("data/layer1/1B/tile_*/**/*.parquet")]
    assert len(shared) > 700
    assert all((world.root / path).samefile(other_world.root / path) for path in shared)


def test_a_world_describes_itself(world: World) -> None:
    facts = describe_world(world.root)
    assert facts["merchants"] == 1_500
    assert facts["seed"] == 42
    assert facts["countries"] == len(world.countries())
    assert facts["tiles"] == world.table("tile_index").height
