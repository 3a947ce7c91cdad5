"""The reference tier's measures on the posture they were made to see, each recomputed by another route."""

from __future__ import annotations

import math
from collections import Counter, defaultdict
from itertools import combinations
from typing import Any

import numpy as np
import polars as pl
import pytest
from scipy import optimize, stats
from scipy.spatial.distance import jensenshannon

from seg3b_assets.laws.randomness import Stream
from seg3b_assets.policies.reference_tier import Least, ReferenceTerms
from seg3b_assets.realism.reference_tier import customers, likeness, places, weights
from seg3b_assets.realism.reference_tier.class_bands import class_cells
from seg3b_assets.realism.reference_tier.measure import Scoped
from seg3b_assets.realism.reference_tier.registry import measure_reference
from seg3b_assets.realism.reference_tier.world import ReferenceFrames, ReferenceWorld, reference_world
from seg3b_assets.realism.yardsticks import places as gazetteer
from seg3b_assets_tests.realism.posture import posture_frames

TERMS = ReferenceTerms(
    least=Least(
        merchants=300,
        class_merchants=100,
        home_merchants=20,
        slice_merchants=30,
        same_seat_pairs=30,
        countries=30,
    ),
    sample_merchants=2000,
    permutations=199,
    resamples=500,
    level=0.99,
)
BANDS = {
    "countries_per_merchant_cv": (0.35, None),
    "top1_share_p50": (0.05, 0.30),
    "top1_share_spread": (0.02, None),
    "median_pairwise_js": (0.10, None),
}


@pytest.fixture(scope="module")
def frames() -> ReferenceFrames:
    return posture_frames()


@pytest.fixture(scope="module")
def world(frames: ReferenceFrames) -> ReferenceWorld:
    return reference_world(frames, Stream("realism_sample", 42), TERMS, BANDS)


@pytest.fixture(scope="module")
def measured(world: ReferenceWorld) -> dict[str, Scoped]:
    return measure_reference(world)


@pytest.fixture(scope="module")
def mixes(frames: ReferenceFrames) -> dict[int, dict[str, float]]:
    """Weight by country of each merchant, by plain addition."""
    found: dict[int, dict[str, float]] = defaultdict(lambda: defaultdict(float))
    for merchant, country, weight in frames.edges.select(
        "merchant_id", "country_iso", "edge_weight"
    ).iter_rows():
        found[merchant][country] += weight
    return found


@pytest.fixture(scope="module")
def facts(frames: ReferenceFrames) -> dict[int, dict[str, Any]]:
    joined = frames.virtual.join(frames.merchants, on="merchant_id")
    return {row["merchant_id"]: row for row in joined.iter_rows(named=True)}


def value(measured: dict[str, Scoped], name: str, scope: str = "all") -> float:
    found = measured[name][scope].value
    assert found is not None
    return found


@pytest.mark.parametrize(
    ("name", "scope", "low", "high"),
    [
        ("light_edge_share", "all", 0.47, 0.49),
        ("one_unit_edge_share", "all", 0.24, 0.26),
        ("dust_edge_share", "all", 0.57, 0.59),
        ("rank_size_slope_p50", "all", -4.4, -4.2),
        ("home_share_p50", "all", 0.10, 0.11),
        ("atom_share", "effective_countries", 0.16, 0.19),
        ("tempered_share", "all", 0.16, 0.20),
        ("gravity_users", "all", 0.40, 0.43),
        ("tiny_country_traffic", "all", 145, 190),
        ("no_card_traffic", "all", 0.015, 0.020),
        ("trade_effect", "all", -0.005, 0.005),
        ("same_seat_js_p50", "class OFFSHORE_HUB", 0.035, 0.042),
        ("class_band_misses", "all", 3, 3),
        ("near_town_traffic", "all", 0.85, 0.87),
        ("weight_people_ranks_p50", "all", 0.08, 0.10),
        ("pair_cells_p50", "all", 0.82, 0.84),
        ("weight_address_ranks_p50", "all", 0.69, 0.72),
        ("country_address_ranks", "all", 0.82, 0.87),
        ("outlets_edges_ranks", "all", 0.14, 0.33),
        ("digital_virtual_share", "all", 0.30, 0.40),
        ("card_present_virtual_share", "all", 0.01, 0.02),
        ("larger_places_p50", "all", 0.81, 0.85),
        ("larger_places_p75", "all", 0.94, 0.96),
        ("seated_abroad_share", "all", 0.27, 0.34),
        ("count_weight_gap_p50", "all", 0.0005, 0.0015),
        ("count_weight_correlation", "all", 0.9996, 0.9998),
        ("count_weight_ranks_p50", "all", 0.985, 1.0),
    ],
)
def test_known_answers(measured: dict[str, Scoped], name: str, scope: str, low: float, high: float) -> None:
    """What an expert measured on these outputs with code of their own, to the digits they were told in."""
    assert low <= value(measured, name, scope) <= high


def test_edges_that_carry_nothing(measured: dict[str, Scoped], frames: ReferenceFrames) -> None:
    sizes = Counter(frames.edges["merchant_id"].to_list())
    rows = frames.edges.select("merchant_id", "edge_weight").rows()
    light = sum(weight < 1e-6 - 5e-13 for _, weight in rows)
    unit = sum(round(weight * 10**12) == 1 for _, weight in rows)
    dust = sum(round(weight * 10**12) * 100 * sizes[merchant] < 10**12 for merchant, weight in rows)
    for name, count in (
        ("light_edge_share", light),
        ("one_unit_edge_share", unit),
        ("dust_edge_share", dust),
    ):
        assert value(measured, name) == pytest.approx(count / len(rows), abs=1e-12)


def test_rank_size(measured: dict[str, Scoped], frames: ReferenceFrames) -> None:
    slopes = []
    for weights_of in frames.edges.group_by("merchant_id").agg("edge_weight")["edge_weight"]:
        ordered = sorted(weights_of, reverse=True)
        n = len(ordered)
        ranks = sorted({max(10, round(math.exp(math.log(n / 10) + k * math.log(5) / 24))) for k in range(25)})
        slopes.append(stats.linregress(np.log(ranks), np.log([ordered[rank - 1] for rank in ranks])).slope)
    assert value(measured, "rank_size_slope_p50") == pytest.approx(float(np.median(slopes)), abs=1e-9)


def test_home(
    measured: dict[str, Scoped], mixes: dict[int, dict[str, float]], facts: dict[int, dict[str, Any]]
) -> None:
    home = {m: mixes[m].get(row["home_country_iso"], 0.0) for m, row in facts.items()}
    away = [home[m] for m, row in facts.items() if row["seat_country"] != row["home_country_iso"]]
    assert value(measured, "home_share_p50") == pytest.approx(np.median(list(home.values())), abs=1e-9)
    assert value(measured, "home_share_p25") == pytest.approx(
        np.quantile(list(home.values()), 0.25), abs=1e-9
    )
    assert value(measured, "home_share_abroad_p50") == pytest.approx(np.median(away), abs=1e-9)
    assert value(measured, "homeless_share") == sum(share < 0.05 for share in home.values()) / len(home)
    of_us = [home[m] for m, row in facts.items() if row["home_country_iso"] == "US"]
    assert value(measured, "home_share_group_p50", "home US") == pytest.approx(np.median(of_us), abs=1e-9)


def test_windows_are_those_of_every_pair_of_values(
    world: ReferenceWorld, measured: dict[str, Scoped]
) -> None:
    for name, values in weights.merchant_statistics(world).items():
        for metric, ratio in (("atom_share", 1.005), ("near_atom_share", 1.1)):
            inside = max(
                sum(1 for y in values if x <= y <= x * ratio) if x > 0 else sum(1 for y in values if y == 0)
                for x in values
            )
            assert value(measured, metric, name) == pytest.approx(inside / len(values), abs=1e-12)


def test_gravity_maximises_the_likelihood(world: ReferenceWorld) -> None:
    """The same fit by a quasi-Newton search over the multinomial likelihood, written without its derivatives."""
    rows = world.virtual_class == "OFFSHORE_HUB"
    countries = world.countries
    found = customers.gravity(world, rows)
    assert found is not None
    cells = []
    for row in np.flatnonzero(rows):
        used = np.flatnonzero(world.abroad[row] & (countries.users > 0) & countries.accepts_cards)
        used = used[np.isfinite(countries.centre_lon[used])]
        home = world.home[row]
        km = [
            _great_circle(
                countries.centre_lon[home],
                countries.centre_lat[home],
                countries.centre_lon[k],
                countries.centre_lat[k],
            )
            for k in used
        ]
        x = np.stack(
            [
                np.log(countries.users[used]),
                np.log(np.maximum(km, 50.0)),
                (countries.region[used] == countries.region[home]).astype(float),
            ]
        )
        cells.append((world.share[row, used], x))

    def loss(b: np.ndarray[Any, Any]) -> float:
        return -sum(float((y * (b @ x)).sum() - y.sum() * np.logaddexp.reduce(b @ x)) for y, x in cells)

    best = optimize.minimize(loss, np.array([0.5, -0.5, 0.0]), method="BFGS", options={"gtol": 1e-7})
    assert found.users == pytest.approx(best.x[0], abs=1e-4)
    assert found.distance == pytest.approx(best.x[1], abs=1e-4)


def _great_circle(lon_a: float, lat_a: float, lon_b: float, lat_b: float) -> float:
    """By the angle between unit vectors, not by half-angles."""
    a, b = (
        np.array([math.cos(p) * math.cos(q), math.cos(p) * math.sin(q), math.sin(p)])
        for q, p in ((math.radians(lon_a), math.radians(lat_a)), (math.radians(lon_b), math.radians(lat_b)))
    )
    return 6371.0088 * math.atan2(float(np.linalg.norm(np.cross(a, b))), float(a @ b))


def test_reachable_customers(
    measured: dict[str, Scoped],
    world: ReferenceWorld,
    mixes: dict[int, dict[str, float]],
    facts: dict[int, dict[str, Any]],
    frames: ReferenceFrames,
) -> None:
    assert frames.outlets is not None
    own = defaultdict(set)
    for merchant, country in frames.outlets.select("merchant_id", "country_iso").iter_rows():
        own[merchant].add(country)
    users = dict(zip(world.countries.iso.tolist(), world.countries.users.tolist(), strict=True))
    people = dict(zip(world.countries.iso.tolist(), world.countries.people.tolist(), strict=True))
    traffic: dict[str, float] = defaultdict(float)
    barred = 0.0
    for merchant, mix in mixes.items():
        anchors = {facts[merchant]["home_country_iso"], facts[merchant]["seat_country"]}
        for country, weight in mix.items():
            barred += weight if country in {"KP", "IR", "SY", "CU"} - anchors else 0.0
            traffic[country] += weight if country not in anchors | own[merchant] else 0.0
    tiny = [country for country in users if people[country] < 100_000]
    of_tiny = sum(traffic[c] for c in tiny) / len(mixes) / sum(users[c] for c in tiny)
    busiest = max(traffic[c] / len(mixes) / users[c] for c in users if users[c] >= 0.002)
    assert value(measured, "tiny_country_traffic") == pytest.approx(of_tiny, rel=1e-9)
    assert value(measured, "busiest_country_traffic") == pytest.approx(busiest, rel=1e-9)
    assert value(measured, "no_card_traffic") == pytest.approx(barred / len(mixes), abs=1e-9)
    assert value(measured, "countries_in_use") == frames.edges["country_iso"].n_unique()


def _divergence(p: np.ndarray[Any, Any], q: np.ndarray[Any, Any]) -> float:
    return float(jensenshannon(p, q) ** 2)


def test_the_effect_of_trade_is_that_of_plain_loops(world: ReferenceWorld) -> None:
    found = likeness.trade_effect(world)
    abroad = np.where(world.anchored, 0.0, world.share)
    abroad = abroad / abroad.sum(axis=1, keepdims=True)
    by_stratum = defaultdict(list)
    for row in range(len(world)):
        by_stratum[world.home[row], world.virtual_class[row]].append(row)
    different, same, everything = [], [], []
    for rows in by_stratum.values():
        pairs = list(combinations(rows, 2))
        apart = [_divergence(abroad[a], abroad[b]) for a, b in pairs]
        everything += apart
        for (a, b), js in zip(pairs, apart, strict=True):
            kind = same if world.family[a] == world.family[b] else different
            kind.append(js - sum(apart) / len(apart))
    effect = (np.mean(different) - np.mean(same)) / np.mean(everything)
    assert found.observed.effect == pytest.approx(effect, abs=1e-9)
    assert found.observed.pairs == len(everything)


def test_permutations_keep_every_stratum_its_trades(world: ReferenceWorld) -> None:
    rows = world.sampled
    drawn = list(likeness._permutations(world, rows))
    assert len(drawn) == TERMS.permutations
    assert any((labels != world.family).any() for labels in drawn)
    for labels in drawn[:5]:
        for stratum in np.unique(world.strata):
            of = world.strata == stratum
            assert sorted(labels[of]) == sorted(world.family[of])


def test_seats_and_their_neighbours(world: ReferenceWorld, measured: dict[str, Scoped]) -> None:
    hubs = [row for row in range(len(world)) if world.virtual_class[row] == "OFFSHORE_HUB"]
    pairs = [(a, b) for a, b in combinations(hubs, 2) if world.seat[a] == world.seat[b]]
    apart = np.median([_divergence(world.share[a], world.share[b]) for a, b in pairs])
    assert value(measured, "same_seat_js_p50", "class OFFSHORE_HUB") == pytest.approx(apart, abs=1e-9)
    nearest = [
        min(_divergence(world.share[row], world.share[other]) for other in others)
        for row in range(len(world))
        if (others := [o for o in np.flatnonzero(world.seat == world.seat[row]) if o != row])
    ]
    assert value(measured, "nearest_neighbour_js_p05") == pytest.approx(np.quantile(nearest, 0.05), abs=1e-9)


def test_class_bands_name_the_countries_of_every_class(world: ReferenceWorld) -> None:
    status = {(cell.virtual_class, cell.metric): cell.status for cell in class_cells(world)}
    assert {metric for (_, metric), found in status.items() if found == "FAIL"} == {
        "countries_per_merchant_cv"
    }
    assert len({name for name, _ in status}) == 3
    for (name, metric), found in status.items():
        if metric == "median_pairwise_js":
            assert found == "PASS", name


def test_what_lies_around_an_edge(world: ReferenceWorld) -> None:
    ground, known = places.ground_of(world), gazetteer()
    at = np.random.default_rng(1).choice(world.edge_mass.shape[0], 20, replace=False)
    for edge in at:
        near = np.flatnonzero(np.abs(known.lat - world.edge_lat[edge]) < 0.2)
        km = np.array(
            [
                _great_circle(world.edge_lon[edge], world.edge_lat[edge], known.lon[k], known.lat[k])
                for k in near
            ]
        )
        assert ground.people[edge] == known.people[near[km <= 15.0]].sum()
        assert ground.near_town[edge] == bool((known.people[near[km <= 10.0]] >= 15_000).any())


def test_traffic_near_towns(world: ReferenceWorld, measured: dict[str, Scoped]) -> None:
    ground = places.ground_of(world)
    edges = pl.DataFrame(
        {
            "merchant": world.edge_merchant,
            "country": world.edge_country,
            "home": world.home[world.edge_merchant],
            "seat": world.seat[world.edge_merchant],
            "weight": world.edge_mass,
            "near": ground.near_town,
            "people": ground.people,
        }
    ).with_columns(size=pl.len().over("merchant", "country"))
    parts = {
        "home": pl.col("country") == pl.col("home"),
        "foreign": (pl.col("country") != pl.col("home")) & (pl.col("country") != pl.col("seat")),
        "small pairs": pl.col("size") < 20,
    }
    for name, of in parts.items():
        kept = edges.filter(of)
        share = kept.filter("near")["weight"].sum() / kept["weight"].sum()
        assert value(measured, "near_town_traffic_part", name) == pytest.approx(share, abs=1e-12)
    ranked = [
        stats.spearmanr(of["weight"], of["people"]).statistic
        for of in edges.filter(pl.col("size") >= 20).partition_by("merchant", "country")
        if of["people"].n_unique() > 1 and of["weight"].n_unique() > 1
    ]
    assert value(measured, "weight_people_ranks_p50") == pytest.approx(np.median(ranked), abs=1e-9)


def test_size_and_footprint(
    world: ReferenceWorld,
    measured: dict[str, Scoped],
    frames: ReferenceFrames,
    facts: dict[int, dict[str, Any]],
) -> None:
    assert frames.outlets is not None
    outlets = dict(
        frames.outlets.group_by("merchant_id").agg(pl.col("outlets").cast(pl.Int64).sum()).iter_rows()
    )
    edges = dict(frames.edges.group_by("merchant_id").len().iter_rows())
    ids = sorted(edges)
    expected = stats.spearmanr([outlets[m] for m in ids], [edges[m] for m in ids]).statistic
    assert value(measured, "outlets_edges_ranks") == pytest.approx(expected, abs=1e-9)
    assert measured["footprint_lift"]["all"].n == sum(
        1
        for m in ids
        if set(frames.outlets.filter(pl.col("merchant_id") == m)["country_iso"])
        - {facts[m]["home_country_iso"], facts[m]["seat_country"]}
        and sum(
            facts[o]["home_country_iso"] == facts[m]["home_country_iso"]
            and facts[o]["virtual_class"] == facts[m]["virtual_class"]
            for o in ids
        )
        >= 6
    )


def test_seats_among_places(
    world: ReferenceWorld, measured: dict[str, Scoped], facts: dict[int, dict[str, Any]]
) -> None:
    known = gazetteer()
    larger = []
    for row in facts.values():
        here = np.flatnonzero(known.iso == row["seat_country"])
        km = np.hypot(
            known.lat[here] - row["lat_deg"],
            (known.lon[here] - row["lon_deg"]) * math.cos(math.radians(row["lat_deg"])),
        )
        own = known.people[here[km.argmin()]]
        larger.append(known.people[here][known.people[here] > own].sum() / known.people[here].sum())
    assert value(measured, "larger_places_p50") == pytest.approx(np.median(larger), abs=1e-6)
    assert value(measured, "larger_places_p75") == pytest.approx(np.quantile(larger, 0.75), abs=1e-6)


def test_countries_and_counts(
    measured: dict[str, Scoped], mixes: dict[int, dict[str, float]], frames: ReferenceFrames
) -> None:
    counts: dict[int, Counter[str]] = defaultdict(Counter)
    for merchant, country in frames.edges.select("merchant_id", "country_iso").iter_rows():
        counts[merchant][country] += 1
    gaps, x, y = [], [], []
    for merchant, of in counts.items():
        total = sum(of.values())
        gaps.append(max(abs(of[c] / total - mixes[merchant][c]) for c in of))
        x += [of[c] / total for c in of]
        y += [mixes[merchant][c] for c in of]
    assert value(measured, "count_weight_gap_p50") == pytest.approx(np.median(gaps), abs=1e-9)
    assert value(measured, "count_weight_correlation") == pytest.approx(np.corrcoef(x, y)[0, 1], abs=1e-9)


def test_order_of_rows_changes_nothing(frames: ReferenceFrames, measured: dict[str, Scoped]) -> None:
    shuffled = ReferenceFrames(
        frames.merchants.sample(fraction=1.0, shuffle=True, seed=1),
        frames.virtual.sample(fraction=1.0, shuffle=True, seed=2),
        frames.edges.sample(fraction=1.0, shuffle=True, seed=3),
        None if frames.outlets is None else frames.outlets.sample(fraction=1.0, shuffle=True, seed=4),
    )
    again = measure_reference(reference_world(shuffled, Stream("realism_sample", 42), TERMS, BANDS))
    for name, scopes in measured.items():
        for scope, found in scopes.items():
            assert again[name][scope].value == pytest.approx(found.value, abs=1e-9), name


def test_a_small_world_is_not_judged_by_its_distributions(frames: ReferenceFrames) -> None:
    few = frames.virtual.sort("merchant_id").head(120)
    kept = pl.col("merchant_id").is_in(few["merchant_id"].implode())
    small = ReferenceFrames(frames.merchants, few, frames.edges.filter(kept), None)
    found = measure_reference(reference_world(small, Stream("realism_sample", 42), TERMS, BANDS))
    for name in (
        "atom_share",
        "tempered_share",
        "countries_in_use",
        "trade_effect",
        "closed_gambling_traffic",
    ):
        assert {scope: one.value for scope, one in found[name].items()} == {"all": None}
        assert "120 virtual merchants" in str(found[name]["all"].detail["reason"])
    assert "outlets" in str(found["outlets_edges_ranks"]["all"].detail["reason"])
    assert found["home_share_p50"]["all"].value is not None
