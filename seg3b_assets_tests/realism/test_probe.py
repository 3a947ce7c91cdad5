"""The routing probe: quiet on a faithful blob, loud on a blob that lies, exact about receipts and days."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace

import numpy as np
import polars as pl
import pytest

from seg3b_assets.laws.errors import Seg3BError
from seg3b_assets.laws.randomness import ROUTING_PROBE, Stream
from seg3b_assets.realism import METRICS, SeedOutputs
from seg3b_assets.realism import probe as probe_module
from seg3b_assets.realism.measurement import Measurement
from seg3b_assets.realism.population import population_of, published_tables
from seg3b_assets.realism.probe import RoutingProbe, run_probe
from seg3b_assets_tests.realism.worlds import alias_blob, identity, policies, published

POLICIES = policies(picks=300)
FAITHFUL = published()


def probed(
    outputs: SeedOutputs, fields: dict[str, str] | None = None, picks: int = 300
) -> dict[str, Measurement]:
    policy = policies(picks).virtual_validation
    bound = POLICIES.virtual_routing_fields.model_copy(update=fields or {})
    tables = published_tables(outputs)
    tallies = run_probe(outputs, tables, policy.probe, bound)
    population = replace(population_of(outputs, tables, policy.pair_sample, 1), probe=tallies)
    return {name: metric.measure(population) for name, metric in METRICS.items() if metric.artefacts}


def value(measured: dict[str, Measurement], name: str) -> float:
    found = measured[name].value
    assert found is not None
    return found


def reweighted(weights: Callable[[pl.DataFrame], pl.Expr]) -> SeedOutputs:
    """The catalogue as it was, and a blob packed from other weights."""
    other = FAITHFUL.edges.select(weights(FAITHFUL.edges)).to_series().to_numpy()
    blob, index = alias_blob(FAITHFUL.edges, other)
    return replace(FAITHFUL, alias_blob=blob, alias_index=index)


def test_a_faithful_blob_raises_no_alarm_on_any_of_many_streams() -> None:
    for seed in range(12):
        measured = probed(replace(FAITHFUL, identity=identity(seed)))
        assert value(measured, "edge_usage_p_value") > 1e-3
        assert value(measured, "ip_country_mix_p_value") > 1e-3
        assert value(measured, "settlement_day_mismatch_rate") == 0.0
        assert value(measured, "routing_receipt_mismatch_rate") == 0.0
        assert measured["edge_usage_p_value"].n == 120 * 300


def test_picks_are_counted_once_and_follow_the_weights() -> None:
    policy = POLICIES.virtual_validation.probe
    tallies = run_probe(FAITHFUL, published_tables(FAITHFUL), policy, POLICIES.virtual_routing_fields)
    weights = FAITHFUL.edges["edge_weight"].to_numpy()
    per_merchant = pl.Series(tallies.edge_picks).to_frame("n").with_columns(FAITHFUL.edges["merchant_id"])
    assert (per_merchant.group_by("merchant_id").sum()["n"] == 300).all()
    heavy = weights > 0.05
    assert tallies.edge_picks[heavy].sum() / (300 * weights[heavy].sum()) == pytest.approx(1.0, abs=0.05)


def test_chunks_do_not_show(monkeypatch: pytest.MonkeyPatch) -> None:
    whole = probed(FAITHFUL)
    monkeypatch.setattr(probe_module, "_PICKS_PER_CHUNK", 1000)
    assert probed(FAITHFUL) == whole


def test_weights_that_are_ignored_are_noticed() -> None:
    measured = probed(reweighted(lambda _: 1.0 / pl.len().over("merchant_id")))
    assert value(measured, "edge_usage_p_value") < 1e-7


def test_slots_in_another_order_are_noticed() -> None:
    measured = probed(reweighted(lambda _: pl.col("edge_weight").reverse().over("merchant_id")))
    assert value(measured, "edge_usage_p_value") < 1e-7
    assert value(measured, "ip_country_mix_p_value") < 1e-7


def test_a_country_that_is_boosted_is_noticed() -> None:
    boosted = pl.col("edge_weight") * pl.when(pl.col("country_iso").str.starts_with("AA")).then(4).otherwise(
        1
    )
    measured = probed(reweighted(lambda _: boosted / boosted.sum().over("merchant_id")))
    assert value(measured, "ip_country_mix_p_value") < 1e-7


def test_one_merchant_with_a_wrong_table_is_noticed_among_many() -> None:
    wrong = pl.col("merchant_id") == FAITHFUL.settlement["merchant_id"][60]
    measured = probed(
        reweighted(
            lambda _: (
                pl.when(wrong)
                .then(pl.col("edge_weight").reverse().over("merchant_id"))
                .otherwise("edge_weight")
            )
        ),
        picks=600,
    )
    assert value(measured, "edge_usage_p_value") < 1e-7


def test_a_settlement_day_cut_in_the_edges_zone_breaks_the_rule_exactly() -> None:
    measured = probed(FAITHFUL, {"tzid_settlement_source": "edge_catalogue_3B.tzid_operational"})
    rate = value(measured, "settlement_day_mismatch_rate")
    lawful = probed(FAITHFUL)["settlement_day_mismatch_rate"].detail["picks_on_another_day_than_the_edge"]
    assert rate == pytest.approx(lawful, abs=1e-9) and rate > 0.1
    # The receipt carries a zone that is not its settlement's, wherever the two differ.
    assert value(measured, "routing_receipt_mismatch_rate") > 0.5


def test_a_receipt_with_the_settlements_place_contradicts_the_catalogue() -> None:
    measured = probed(FAITHFUL, {"ip_latitude_source": "virtual_settlement_3B.lat_deg"})
    assert value(measured, "routing_receipt_mismatch_rate") > 0.9
    assert value(measured, "settlement_day_mismatch_rate") == 0.0


def test_a_field_bound_to_nothing_a_receipt_can_carry_is_refused() -> None:
    for name, anchor in (
        ("ip_country_source", "edge_catalogue_3B.country"),
        ("tzid_operational_source", "edge_catalogue_3B.country_iso"),
        ("ip_latitude_source", "edge_catalogue_3B.edge_id"),
    ):
        with pytest.raises(Seg3BError) as refused:
            probed(FAITHFUL, {name: anchor})
        assert refused.value.code == "E3B_S4_FIELD_BINDING_INVALID"
        assert refused.value.place == f"virtual_routing_fields.yaml:{name}"


def test_receipts_come_from_the_addressed_stream_and_carry_their_edge() -> None:
    probe = RoutingProbe.of(
        FAITHFUL,
        published_tables(FAITHFUL),
        POLICIES.virtual_validation.probe,
        POLICIES.virtual_routing_fields,
    )
    receipts = probe.receipts(np.array([3, 7]))
    assert receipts.height == 600
    row = receipts.row(300 + 17, named=True)
    merchant = FAITHFUL.settlement["merchant_id"][7]
    edges = FAITHFUL.edges.filter(pl.col("merchant_id") == merchant)
    assert (row["merchant_id"], row["event"]) == (merchant, 17)
    uniform = float(Stream.of(FAITHFUL.identity, ROUTING_PROBE).uniform(merchant, 17))
    slot = int(uniform * edges.height)
    words = np.frombuffer(
        FAITHFUL.alias_blob, "<u4", offset=int(FAITHFUL.alias_index["blob_offset_bytes"][7])
    )
    stays = int((uniform * edges.height - slot) * 2**32) < words[4 + 2 * slot]
    expected = edges.row(slot if stays else int(words[5 + 2 * slot]), named=True)
    assert row["edge_id"] == expected["edge_id"]
    assert row["ip_country"] == expected["country_iso"]
    assert (row["ip_latitude"], row["ip_longitude"]) == (expected["lat_deg"], expected["lon_deg"])
    assert row["tzid_operational"] == expected["tzid_operational"]
    assert row["tzid_settlement"] == FAITHFUL.settlement["tzid_settlement"][7]


def test_the_probe_draws_no_uniform_of_the_routers_stream() -> None:
    router = POLICIES.route_rng.substream_label
    merchants, events = FAITHFUL.settlement["merchant_id"].to_numpy()[:, None], np.arange(300)[None, :]
    ours, theirs = (
        Stream.of(FAITHFUL.identity, label).uniform(merchants, events) for label in (ROUTING_PROBE, router)
    )
    assert np.intersect1d(ours, theirs).size == 0
    assert router == "cdn_edge_pick"


def test_power_and_false_alarm_rate_are_stated() -> None:
    for name, found in probed(FAITHFUL).items():
        if METRICS[name].family in ("IP_COUNTRY_MIX", "EDGE_USAGE_VS_WEIGHT"):
            assert found.detail["false_alarm_rate"] == 1e-7
            assert 0.0 <= found.detail["power"] <= 1.0
            assert 0.0 < found.detail["smallest_shift_noticed"] < 1.0


def test_a_fault_of_the_smallest_shift_noticed_is_noticed() -> None:
    """Simulated routers that commit the named fault on that share of the picks; the stated power is 0.99."""
    shift = probed(FAITHFUL)["edge_usage_p_value"].detail["smallest_shift_noticed"]
    even = 1.0 / pl.len().over("merchant_id")
    faulty = reweighted(lambda _: (1 - shift) * pl.col("edge_weight") + shift * even)
    values = [
        value(probed(replace(faulty, identity=identity(seed))), "edge_usage_p_value") for seed in range(8)
    ]
    assert max(values) < 1e-7
