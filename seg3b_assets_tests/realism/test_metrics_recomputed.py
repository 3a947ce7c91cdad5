"""Every metric of the registry, recomputed by plain loops over rows, on small random seeds."""

from __future__ import annotations

import math
import statistics
from collections import Counter, defaultdict
from dataclasses import replace
from itertools import combinations
from typing import Any

import numpy as np
import polars as pl
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from seg3b_assets.policies import VIRTUAL_CLASSES
from seg3b_assets.realism import METRICS, SeedOutputs, measure
from seg3b_assets.realism.registry import SEED_METRICS
from seg3b_assets_tests.realism.worlds import MASS, ZONES, alias_blob, identity, policies, published

POLICY = policies().virtual_validation
ISO = ["AT", "BR", "CA", "DE", "EE", "FR"]


def random_seed(seed: int, merchants: int, others: int) -> SeedOutputs:
    """A seed with no structure at all, gaps, ties and blanks included."""
    rng = np.random.default_rng(seed)
    ids = np.sort(rng.choice(10**9, merchants + others, replace=False)).astype(np.uint64)
    virtual = np.zeros(ids.size, bool)
    virtual[rng.choice(ids.size, merchants, replace=False)] = True
    of_merchant = np.repeat(ids[virtual], rng.integers(1, 9, merchants))
    masses = []
    for m in ids[virtual]:
        cuts = np.sort(rng.choice(MASS - 1, int((of_merchant == m).sum()) - 1, replace=False)) + 1
        masses += np.diff([0, *cuts, MASS]).tolist()
    n = of_merchant.size
    edges = pl.DataFrame(
        {
            "merchant_id": of_merchant,
            "edge_id": [f"{k:016x}" for k in range(n)],
            "country_iso": rng.choice(ISO[:5], n),
            "lat_deg": rng.uniform(-90, 90, n),
            "lon_deg": rng.uniform(-180, 180, n),
            "tzid_operational": rng.choice(ZONES, n),
            "edge_weight": np.array(masses) / MASS,
        }
    )
    blob, index = alias_blob(edges)
    return SeedOutputs(
        identity=identity(seed),
        merchants=pl.DataFrame(
            {
                "merchant_id": rng.permutation(ids),
                "mcc": rng.integers(5810, 5813, ids.size),
                "channel": rng.choice(["card_present", "card_not_present"], ids.size),
                "home_country_iso": rng.choice(ISO, ids.size),
            }
        ),
        classification=pl.DataFrame(
            {
                "merchant_id": ids,
                "is_virtual": virtual,
                "rule_id": rng.choice(["A", "B", "C", " ", ""], ids.size),
                "rule_version": rng.choice(["1.0.0", "  "], ids.size),
            }
        ),
        settlement=pl.DataFrame(
            {
                "merchant_id": ids[virtual],
                "lat_deg": rng.choice([1.0, 2.0, 3.5], merchants),
                "lon_deg": rng.choice([10.0, -0.0, 0.0], merchants),
                "tzid_settlement": rng.choice(ZONES[:3], merchants),
                "settlement_country": rng.choice([*ISO, ""], merchants),
            }
        ),
        profile=pl.DataFrame(
            {"merchant_id": ids[virtual], "virtual_class": rng.choice(VIRTUAL_CLASSES, merchants)}
        ),
        edges=edges,
        alias_index=index,
        alias_blob=blob,
    )


def chord_km(lat_a: float, lon_a: float, lat_b: float, lon_b: float) -> float:
    """Distance by the angle between two unit vectors, not by the haversine."""

    def vector(lat: float, lon: float) -> np.ndarray:
        a, b = math.radians(lat), math.radians(lon)
        return np.array([math.cos(a) * math.cos(b), math.cos(a) * math.sin(b), math.sin(a)])

    one, two = vector(lat_a, lon_a), vector(lat_b, lon_b)
    return 6371.0088 * math.atan2(float(np.linalg.norm(np.cross(one, two))), float(one @ two))


def divergence(p: dict[str, float], q: dict[str, float]) -> float:
    total = 0.0
    for country in {*p, *q}:
        a, b = p.get(country, 0.0), q.get(country, 0.0)
        middle = (a + b) / 2
        total += (a * math.log(a / middle) if a else 0.0) / 2 + (b * math.log(b / middle) if b else 0.0) / 2
    return total


def decoded(outputs: SeedOutputs, merchant: int) -> list[float]:
    """Slot probabilities of one merchant, read pair by pair."""
    row = outputs.alias_index.filter(pl.col("merchant_id") == merchant).row(0, named=True)
    raw = outputs.alias_blob[row["blob_offset_bytes"] : row["blob_offset_bytes"] + row["blob_length_bytes"]]
    words = [int.from_bytes(raw[k : k + 4], "little") for k in range(0, len(raw), 4)]
    length, mass = words[0], [0.0] * words[0]
    for slot in range(length):
        accept, other = words[4 + 2 * slot] / 2**32, words[5 + 2 * slot]
        mass[slot] += (1.0 if other == slot else accept) / length
        mass[other] += (0.0 if other == slot else 1.0 - accept) / length
    return mass


def recomputed(outputs: SeedOutputs) -> dict[str, float]:
    edges: dict[int, list[dict[str, Any]]] = defaultdict(list)
    for row in outputs.edges.iter_rows(named=True):
        edges[row["merchant_id"]].append(row)
    settled = {row["merchant_id"]: row for row in outputs.settlement.iter_rows(named=True)}
    counts = [len(rows) for rows in edges.values()]
    reach = [len({row["country_iso"] for row in rows}) for rows in edges.values()]
    top = sorted(max(row["edge_weight"] for row in rows) for rows in edges.values())
    mixes: list[dict[str, float]] = []
    overlap, distances, weighted = [], [], []
    for merchant, rows in edges.items():
        mix: dict[str, float] = defaultdict(float)
        place = settled[merchant]
        for row in rows:
            mix[row["country_iso"]] += row["edge_weight"]
            far = chord_km(place["lat_deg"], place["lon_deg"], row["lat_deg"], row["lon_deg"])
            distances.append(far)
            weighted.append((far, round(row["edge_weight"] * MASS)))
        mixes.append(mix)
        overlap.append(mix.get(place["settlement_country"], 0.0))
    rows = outputs.classification.to_dicts()
    virtual = [row["rule_id"].strip() for row in rows if row["is_virtual"]]
    deciding = Counter(rule for rule in virtual if rule)
    points = Counter((row["lat_deg"], row["lon_deg"]) for row in settled.values())
    zones = Counter(row["tzid_settlement"] for row in settled.values())
    js = [divergence(p, q) for p, q in combinations(mixes, 2)]
    country_tops = [max(mix.values()) for mix in mixes]
    return {
        "edges_per_merchant_cv": statistics.pstdev(counts) / statistics.fmean(counts),
        "countries_per_merchant_cv": statistics.pstdev(reach) / statistics.fmean(reach),
        "top1_share_p50": statistics.median(top),
        "median_pairwise_js": statistics.median(js),
        "settlement_overlap_median": statistics.median(overlap),
        "settlement_overlap_p75": interpolated(overlap, 0.75),
        "settlement_distance_median_km": statistics.median(distances),
        "rule_id_non_null_rate": sum(bool(row["rule_id"].strip()) for row in rows) / len(rows),
        "rule_version_non_null_rate": sum(bool(row["rule_version"].strip()) for row in rows) / len(rows),
        "active_rule_id_count": sum(times >= 0.01 * len(virtual) for times in deciding.values()),
        "alias_max_abs_delta": max(
            abs(p - row["edge_weight"])
            for merchant, of in edges.items()
            for p, row in zip(decoded(outputs, merchant), of, strict=True)
        ),
        "settlement_tzid_top1_share": max(zones.values()) / len(settled),
        "settlement_unique_coord_ratio": len(points) / len(settled),
        "settlement_duplicate_exposure": sum(n for n in points.values() if n > 1) / len(settled),
        "virtual_rate": len(virtual) / len(rows),
        "top1_share_p10": interpolated(top, 0.1),
        "top1_share_p90": interpolated(top, 0.9),
        "top1_share_spread": interpolated(top, 0.9) - interpolated(top, 0.1),
        "top1_country_share_p10": interpolated(country_tops, 0.1),
        "top1_country_share_p50": statistics.median(country_tops),
        "top1_country_share_p90": interpolated(country_tops, 0.9),
        "edges_per_merchant_median": statistics.median(counts),
        "settlement_distance_weighted_median_km": halfway(weighted),
        "settlement_distance_p90_km": interpolated(distances, 0.9),
        "settlement_unresolved_count": sum(row["settlement_country"] == "" for row in settled.values()),
    }


def halfway(rows: list[tuple[float, int]]) -> float:
    """The value at which half of the mass is reached; the mean of two when one ends exactly there."""
    rows = sorted(rows)
    total, reached = sum(mass for _, mass in rows), 0
    for place, (value, mass) in enumerate(rows):
        reached += mass
        if 2 * reached == total:
            return (value + rows[place + 1][0]) / 2
        if 2 * reached > total:
            return value
    raise AssertionError("no mass")


def interpolated(values: list[float], level: float) -> float:
    ordered, position = sorted(values), level * (len(values) - 1)
    low = int(position)
    return ordered[low] + (position - low) * (ordered[min(low + 1, len(ordered) - 1)] - ordered[low])


@settings(max_examples=25, deadline=None)
@given(st.integers(0, 10**6), st.integers(2, 9), st.integers(1, 12))
def test_every_metric_agrees_with_plain_loops(seed: int, merchants: int, others: int) -> None:
    outputs = random_seed(seed, merchants, others)
    found, expected = measure(outputs, POLICY, workers=1), recomputed(outputs)
    measured = {metric.name for metric in SEED_METRICS if metric.compute is not None}
    assert measured == expected.keys()
    for name, value in expected.items():
        # Distances are published to the millimetre.
        allowed = 1.1e-6 if METRICS[name].unit == "km" else 1.1e-9
        assert found.value(name) == pytest.approx(value, abs=allowed), name


def test_a_class_measures_what_a_seed_of_that_class_alone_would() -> None:
    outputs = random_seed(11, 40, 20)
    found = measure(outputs, POLICY, workers=1)
    assert sum(found.class_sizes.values()) == 40
    for name in VIRTUAL_CLASSES:
        members = outputs.profile.filter(pl.col("virtual_class") == name)["merchant_id"]
        alone = SeedOutputs(
            identity=outputs.identity,
            merchants=outputs.merchants,
            classification=outputs.classification.filter(pl.col("merchant_id").is_in(members.implode())),
            settlement=outputs.settlement.filter(pl.col("merchant_id").is_in(members.implode())),
            profile=outputs.profile.filter(pl.col("merchant_id").is_in(members.implode())),
            edges=(own := outputs.edges.filter(pl.col("merchant_id").is_in(members.implode()))),
            alias_index=(made := alias_blob(own))[1],
            alias_blob=made[0],
        )
        of_alone = measure(alone, POLICY, workers=1).overall
        for metric, measurement in found.by_class[name].items():
            assert measurement == of_alone[metric], metric


def test_metrics_lie_on_their_grids_and_threads_do_not_show() -> None:
    outputs = published()
    one, two = (measure(outputs, POLICY, workers) for workers in (1, 3))
    assert one.overall == two.overall
    for name, found in one.overall.items():
        if found.value is not None:
            grid = METRICS[name].grid
            assert round(found.value * grid) / grid == found.value


def test_a_seed_without_virtual_merchants_has_no_values_but_its_rates() -> None:
    whole = published()
    none = whole.edges.head(0)
    empty = replace(
        whole,
        classification=whole.classification.with_columns(is_virtual=pl.lit(False)),
        settlement=whole.settlement.head(0),
        profile=whole.profile.head(0),
        edges=none,
        alias_index=alias_blob(none)[1],
        alias_blob=b"",
    )
    found = measure(empty, POLICY, workers=1)
    known = {name for name, measurement in found.overall.items() if measurement.value is not None}
    assert known == {"rule_id_non_null_rate", "rule_version_non_null_rate", "virtual_rate"}
    assert found.value("virtual_rate") == 0.0
    assert found.by_class == {}


def test_rates_by_attribute_add_up_to_the_virtual_rate() -> None:
    outputs = random_seed(2, 9, 30)
    found = measure(outputs, POLICY, workers=1)
    for label, column in (("mcc", "mcc"), ("channel", "channel"), ("country", "home_country_iso")):
        table = found.virtual_rates[label]
        assert sum(row["virtual"] for row in table) == 9
        assert sum(row["rows"] for row in table) == 39
        assert [row["value"] for row in table] == sorted(set(outputs.merchants[column].to_list()))
        assert all(
            row["virtual_rate"] == pytest.approx(row["virtual"] / row["rows"], abs=1e-9) for row in table
        )


def test_the_registry_says_why_a_metric_is_looked_at_and_what_a_gate_on_it_cannot_see() -> None:
    for metric in SEED_METRICS:
        assert metric.purpose.endswith(".") and len(metric.purpose) > 20, metric.name
        assert len(metric.blind_to) > 20 and not metric.blind_to.endswith("."), metric.name
        assert metric.family or metric.compute is None, metric.name


def test_the_registry_says_what_each_metric_is() -> None:
    for metric in METRICS.values():
        assert metric.definition.endswith(".") and len(metric.definition) > 30
        assert metric.unit and metric.lane and metric.state in {"S1", "S2", "S3", "S4"}
        assert metric.datasets and all("." in field for field in metric.fields)
