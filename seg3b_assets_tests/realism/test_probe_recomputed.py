"""The traffic tests recomputed: picks one by one from the blob's words, tenths by fractions, bounds by scipy."""

from __future__ import annotations

import datetime as dt
import math
from collections import Counter, defaultdict
from collections.abc import Sequence
from dataclasses import dataclass, replace
from fractions import Fraction
from zoneinfo import ZoneInfo

import numpy as np
import polars as pl
import pytest
from scipy.special import rel_entr

from seg3b_assets.laws.randomness import ROUTING_PROBE, Stream
from seg3b_assets.realism import METRICS, SeedOutputs
from seg3b_assets.realism.population import Population, population_of, published_tables
from seg3b_assets.realism.probe import run_probe
from seg3b_assets_tests.realism.worlds import MASS, SOUND, alias_blob, policies, published

PICKS = 100
POLICIES = policies(picks=PICKS)
SMALL = published(replace(SOUND, per_class=10))
TENTHS = range(1, 10)


def lying(shift: float) -> SeedOutputs:
    """A blob that puts some of the weight on all edges alike: p-values between the bound and 1."""
    whole = SMALL
    even = 1.0 / pl.len().over("merchant_id")
    faulty = whole.edges.select((1 - shift) * pl.col("edge_weight") + shift * even).to_series().to_numpy()
    blob, index = alias_blob(whole.edges, faulty)
    return replace(whole, alias_blob=blob, alias_index=index)


def measured(outputs: SeedOutputs, fields: dict[str, str] | None = None) -> Population:
    policy = POLICIES.virtual_validation
    bound = POLICIES.virtual_routing_fields.model_copy(update=fields or {})
    tallies = run_probe(outputs, published_tables(outputs), policy.probe, bound)
    return replace(population_of(outputs, published_tables(outputs), policy.pair_sample, 1), probe=tallies)


def value(name: str, population: Population) -> float:
    """As computed, before it is snapped."""
    compute = METRICS[name].compute
    assert compute is not None
    found = compute(population).value
    assert found is not None
    return found


@dataclass(frozen=True)
class Edge:
    merchant: int
    event: int
    row: dict[str, object]


def picked(outputs: SeedOutputs) -> list[Edge]:
    """Every pick, by the words of one slice at a time."""
    stream, found = Stream.of(outputs.identity, ROUTING_PROBE), []
    by_merchant: dict[int, list[dict[str, object]]] = defaultdict(list)
    for row in outputs.edges.iter_rows(named=True):
        by_merchant[row["merchant_id"]].append(row)
    for row in outputs.alias_index.filter(pl.col("scope") == "MERCHANT").iter_rows(named=True):
        edges = by_merchant[row["merchant_id"]]
        words = np.frombuffer(
            outputs.alias_blob, "<u4", row["blob_length_bytes"] // 4, row["blob_offset_bytes"]
        )
        for event in range(PICKS):
            place = float(stream.uniform(row["merchant_id"], event)) * len(edges)
            slot = int(place)
            stays = int((place - slot) * 2**32) < words[4 + 2 * slot]
            found.append(Edge(row["merchant_id"], event, edges[slot if stays else int(words[5 + 2 * slot])]))
    return found


def tenths(masses: Sequence[int]) -> list[int]:
    """The tenth of the mass the middle of each cell falls in, heaviest cells first, ties by position."""
    tenth, reached, total = [0] * len(masses), 0, sum(masses)
    for at in sorted(range(len(masses)), key=lambda k: (-masses[k], k)):
        tenth[at] = min(int(10 * (reached + Fraction(masses[at], 2)) / total), 9)
        reached += masses[at]
    return tenth


def bound(count: float, rate: float, n: int) -> float:
    x = count / n
    return min(1.0, 2.0 * math.exp(-n * float(rel_entr(x, rate) + rel_entr(1 - x, 1 - rate))))


def tail_bounds(cells: dict[int, list[int]], counts: dict[int, list[int]]) -> tuple[list[float], list[float]]:
    """Bounds on picks among the heaviest cells, pooled over merchants and for each of them."""
    each: list[float] = []
    pooled_rate, pooled_count = [0.0] * 10, [0] * 10
    for merchant, masses in cells.items():
        tenth = tenths(masses)
        for limit in TENTHS:
            inside = [k for k in range(len(masses)) if tenth[k] < limit]
            rate = sum(masses[k] for k in inside) / MASS
            count = sum(counts[merchant][k] for k in inside)
            each.append(bound(count, rate, PICKS))
            pooled_rate[limit] += rate / len(cells)
            pooled_count[limit] += count
    n = PICKS * len(cells)
    return [bound(pooled_count[limit], pooled_rate[limit], n) for limit in TENTHS], each


def smallest(*families: list[float]) -> float:
    """Bonferroni: families share the rate alike, and so do the tests of a family."""
    return min(1.0, *(len(families) * len(family) * min(family) for family in families))


@pytest.mark.parametrize("shift", [0.0, 0.2, 0.5])
def test_edge_usage_agrees_with_picks_counted_one_by_one(shift: float) -> None:
    outputs = lying(shift)
    masses: dict[int, list[int]] = defaultdict(list)
    counts: dict[int, list[int]] = defaultdict(list)
    times = Counter((pick.merchant, pick.row["edge_id"]) for pick in picked(outputs))
    for row in outputs.edges.iter_rows(named=True):
        masses[row["merchant_id"]].append(round(row["edge_weight"] * MASS))
        counts[row["merchant_id"]].append(times[row["merchant_id"], row["edge_id"]])
    expected = smallest(*tail_bounds(masses, counts))
    assert value("edge_usage_p_value", measured(outputs)) == pytest.approx(expected, rel=1e-9)
    assert (expected < 1e-3) == (shift > 0.0)


@pytest.mark.parametrize("shift", [0.0, 0.4, 0.8])
def test_the_country_mix_agrees_with_picks_counted_one_by_one(shift: float) -> None:
    outputs = lying(shift)
    held: dict[int, dict[str, int]] = defaultdict(Counter)
    for row in outputs.edges.iter_rows(named=True):
        held[row["merchant_id"]][row["country_iso"]] += round(row["edge_weight"] * MASS)
    times = Counter((pick.merchant, str(pick.row["country_iso"])) for pick in picked(outputs))
    masses = {merchant: [mix[iso] for iso in sorted(mix)] for merchant, mix in held.items()}
    counts = {merchant: [times[merchant, iso] for iso in sorted(mix)] for merchant, mix in held.items()}
    n = PICKS * len(held)
    by_country = [
        bound(
            sum(times[merchant, iso] for merchant in held),
            sum(mix[iso] for mix in held.values()) / (MASS * len(held)),
            n,
        )
        for iso in sorted({iso for mix in held.values() for iso in mix})
    ]
    expected = smallest(by_country, *tail_bounds(masses, counts))
    assert value("ip_country_mix_p_value", measured(outputs)) == pytest.approx(expected, rel=1e-9)
    assert (expected < 1.0) == (shift > 0.0)


def test_mismatch_rates_agree_with_receipts_read_one_by_one() -> None:
    outputs = SMALL
    policy = POLICIES.virtual_validation.probe
    cut_at_the_edge = measured(
        outputs,
        {
            "tzid_settlement_source": "edge_catalogue_3B.tzid_operational",
            "ip_latitude_source": "virtual_settlement_3B.lat_deg",
        },
    )
    settled = {row["merchant_id"]: row for row in outputs.settlement.iter_rows(named=True)}
    begins = dt.datetime.fromisoformat(outputs.identity.created_utc[:10] + "T00:00:00+00:00")
    quarters = policy.window_days * 24 * 4
    days = receipts = 0
    for pick in picked(outputs):
        place = settled[pick.merchant]
        instant = begins + dt.timedelta(minutes=15 * (pick.event * quarters // PICKS))
        at_edge = instant.astimezone(ZoneInfo(str(pick.row["tzid_operational"]))).date()
        at_seat = instant.astimezone(ZoneInfo(place["tzid_settlement"])).date()
        days += at_edge != at_seat
        receipts += (
            pick.row["tzid_operational"] != place["tzid_settlement"]
            or pick.row["lat_deg"] != place["lat_deg"]
        )
    n = PICKS * len(settled)
    assert value("settlement_day_mismatch_rate", cut_at_the_edge) == pytest.approx(days / n, abs=1e-9)
    assert value("routing_receipt_mismatch_rate", cut_at_the_edge) == pytest.approx(receipts / n, abs=1e-9)
    assert days and receipts
