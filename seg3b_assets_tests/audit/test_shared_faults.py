"""Faults in code that states and audit could share are refused: nine, each put wherever anybody holds the function.

The audit judges alias tables, apportionment and zones by routes of its own. Whoever brings it back to the states' code
makes these runs pass.
"""

from __future__ import annotations

import os
import shutil
import sys
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import replace
from pathlib import Path
from typing import Any
from unittest import mock

import numpy as np
import polars as pl
import pytest
import shapely

from seg3b_assets.laws import alias, apportionment, geography, polygons, randomness, zones
from seg3b_assets.laws.apportionment import rank_in_segment, segment_ids, segment_sums
from seg3b_assets.laws.errors import Seg3BError
from seg3b_assets.laws.zones import NUDGE, OVERRIDE, POLYGON, ZoneResolver
from seg3b_assets.pipeline.seed_run import SeedRun
from seg3b_assets.realism import order_statistics
from seg3b_assets.settings import Settings
from seg3b_assets_tests.end_to_end.upstream_copies import UpstreamCopy
from seg3b_assets_tests.faults.specimen import SEED, Specimen, small_policies

# Countries whose policy names a zone, where polygons decide nothing.
PIERCED = ("FR", "IN", "JP", "NL")
HOLE_DEG, APART_DEG, NUDGE_DEG = 0.08, 0.25, 0.1


@pytest.fixture(scope="module")
def sealed(tmp_path_factory: pytest.TempPathFactory) -> Settings:
    """The small world with zones full of small holes, sealed: a tenth of some countries' edges need a nudge."""
    folder = tmp_path_factory.mktemp("pierced")
    specimen = Specimen(folder / "tree", folder)
    nudge = small_policies(specimen.policies) / "tz_nudge.yaml"
    nudge.write_text(nudge.read_text().replace("epsilon_deg: 0.002", f"epsilon_deg: {NUDGE_DEG}"))
    copy = UpstreamCopy.of(specimen.upstream, folder / "world")
    copy.change("tz_world", pierced)
    settings = replace(specimen.settings(folder / "home"), upstream=copy.path)
    SeedRun(settings, SEED).run(until="S0")
    return settings


@pytest.fixture(scope="module")
def drawn(sealed: Settings, tmp_path_factory: pytest.TempPathFactory) -> Settings:
    """The same with its edges drawn: what a fault of S3 begins with."""
    home = shutil.copytree(sealed.home, tmp_path_factory.mktemp("drawn") / "home", copy_function=os.link)
    settings = replace(sealed, home=Path(home))
    SeedRun(settings, SEED).run(until="S2")
    return settings


@pytest.fixture(scope="module")
def sealed_equal(sealed: Settings, tmp_path_factory: pytest.TempPathFactory) -> Settings:
    """The same, with edges of equal weight: nothing but ties."""
    folder = tmp_path_factory.mktemp("equal")
    policies = Path(shutil.copytree(sealed.policies, folder / "policies"))
    topology = policies / "edge_topology.yaml"
    topology.write_text(topology.read_text().replace("  law: dirichlet", "  law: equal"))
    settings = replace(sealed, policies=policies, home=folder / "home")
    SeedRun(settings, SEED).run(until="S0")
    return settings


def pierced(table: pl.DataFrame) -> pl.DataFrame:
    """The zone table with square holes in the zones of some countries."""
    polygon = shapely.from_wkb(table["geometry"].to_list())
    for row in table["country_iso"].is_in(PIERCED).arg_true():
        west, south, east, north = shapely.bounds(polygon[row])
        x, y = (
            at.ravel()
            for at in np.meshgrid(np.arange(west, east, APART_DEG), np.arange(south, north, APART_DEG))
        )
        holes = shapely.box(x, y, x + HOLE_DEG, y + HOLE_DEG)
        shapely.prepare(polygon[row])
        inside = shapely.contains_properly(polygon[row], holes)
        polygon[row] = shapely.difference(polygon[row], shapely.union_all(holes[inside]))
    return table.with_columns(geometry=pl.Series(shapely.to_wkb(polygon).tolist()))


@contextmanager
def everywhere(changed: Callable[..., Any], true: Callable[..., Any]) -> Iterator[None]:
    """``changed`` in place of a function, in every module that holds it."""
    with ExitStack() as stack:
        for module in [one for name, one in sys.modules.items() if name.startswith("seg3b_assets.")]:
            for name in [name for name, value in vars(module).items() if value is true]:
                stack.enter_context(mock.patch.object(module, name, changed))
        yield


def coarse_thresholds(masses: Any, lengths: Any, bits: int) -> alias.AliasTables:
    """Probabilities scaled by the greatest threshold instead of by 2³²: each is one too low."""
    made = TRUE_TABLES(masses, lengths, bits)
    scaled = np.floor(made.prob_q / 2.0**32 * (2**32 - 1))
    return replace(made, prob_q=np.maximum(scaled, 1).astype(np.uint32))


def spread_upside_down(probabilities: Any, lengths: Any, bits: int) -> Any:
    """What rounding left over goes to the masses that were rounded up."""
    scaled = probabilities * 2.0**bits
    masses = np.rint(scaled).astype(np.int64)
    short = (2**bits - segment_sums(masses, lengths))[segment_ids(lengths)]
    rounded_up = rank_in_segment(masses - scaled, lengths)
    return masses + np.sign(short) * (rounded_up < np.abs(short))


def paired_from_behind(masses: Any, lengths: Any, bits: int) -> alias.AliasTables:
    """The highest small cell meets the highest large one: another table of the very same weights."""
    made = TRUE_TABLES(masses[::-1].copy(), lengths[::-1].copy(), bits)
    own = np.repeat(lengths, lengths) - 1 - made.alias[::-1]
    return alias.AliasTables(lengths, made.prob_q[::-1].copy(), own.astype(np.uint32))


def ties_to_the_later(floors: Any, remainders: Any, lengths: Any, totals: Any) -> Any:
    """Of equal remainders the last is served first."""
    sizes = np.asarray(lengths)
    backwards = TRUE_SETTLE(floors[::-1], remainders[::-1], sizes[::-1], np.asarray(totals)[::-1])
    return backwards[::-1].copy()


def a_unit_for_nothing(floors: Any, remainders: Any, lengths: Any, totals: Any) -> Any:
    """The last unit of each segment goes to its first cell without weight, if it has one."""
    taken, sizes = TRUE_SETTLE(floors, remainders, lengths, totals), np.asarray(lengths)
    starts = np.cumsum(sizes) - sizes
    for start, size in zip(starts.tolist(), sizes.tolist(), strict=True):
        here = slice(start, start + size)
        empty = np.flatnonzero((floors[here] == 0) & (remainders[here] == 0))
        served = np.flatnonzero(taken[here] > floors[here])
        if empty.size and served.size:
            taken[start + served[-1]] -= 1
            taken[start + empty[0]] += 1
    return taken


def rounded_up_then_trimmed(floors: Any, remainders: Any, lengths: Any, totals: Any) -> Any:
    """One more for every cell that has a remainder, then the last ones give back what is too much."""
    raised = floors + (remainders > 0)
    over = segment_sums(raised, lengths) - np.asarray(totals)
    from_behind = rank_in_segment(np.where(remainders > 0, np.arange(floors.shape[0]), -1), lengths)
    return raised - (from_behind < over[segment_ids(lengths)])


def holes_filled(wkb: Any) -> Any:
    """Only the outer rings are read."""
    whole = [
        shapely.multipolygons([shapely.Polygon(part.exterior) for part in shapely.get_parts(one)])
        for one in TRUE_POLYGONS(wkb)
    ]
    return np.array(whole, object)


def axes_exchanged(true: Callable[..., Any]) -> Callable[..., Any]:
    """The point that is looked up north-east of a gap has its latitude for its longitude."""

    def resolve(self: ZoneResolver, country: str, lon: Any, lat: Any, *rest: Any) -> Any:
        tzid, source = true(self, country, lon, lat, *rest)
        at = np.flatnonzero(source == NUDGE)
        found = self._own_cover(country, lat[at] + self.epsilon_deg, lon[at] + self.epsilon_deg)
        lost = found == ""
        tzid[at] = np.where(lost, self.overrides.get(country, ""), found)
        source[at] = np.where(lost, OVERRIDE, NUDGE)
        return tzid, source

    return resolve


def nearest_zone(rows: Any, lon: Any, lat: Any) -> Any:
    """A point that no zone covers is given the nearest one's, as if that covered it."""
    tzid = TRUE_COVER(rows, lon, lat)
    lost = np.flatnonzero(tzid == "")
    if lost.size and rows:
        points = shapely.points(lon[lost], lat[lost])
        away = np.array([shapely.distance(polygon, points) for _, polygon in rows])
        names = np.array([name for name, _ in rows], "U64")[np.argmin(away, axis=0)]
        tzid[lost] = np.where(away.min(axis=0) < 1.0, names, "")
    return tzid


def nine_rounds(key: int, high: Any, low: Any) -> Any:
    """Philox with a round too few."""
    with mock.patch.object(randomness, "ROUNDS", 9):
        return TRUE_ROUNDS(key, high, low)


def on_a_round_earth(*places: Any) -> Any:
    """Distances on a sphere of 6,371 km."""
    return np.round(TRUE_DISTANCE(*places) * (6371.0 / 6371.0088), 6)


def spread_of_a_sample(counts: Any) -> float:
    """A coefficient of variation that divides by n − 1."""
    n = counts.shape[0]
    return TRUE_SPREAD(counts) * float(np.sqrt(n / (n - 1)))


TRUE_ROUNDS, TRUE_DISTANCE = randomness._rounds, geography.haversine_km
TRUE_SPREAD = order_statistics.counts_cv
TRUE_TABLES, TRUE_QUANTISE = alias.build_tables, alias.quantise
TRUE_SETTLE, TRUE_COVER = apportionment.settle, zones.sole_cover
TRUE_POLYGONS = polygons.polygons_of

FAULTS = {
    "thresholds one too low": ("S3.alias_table", TRUE_TABLES, coarse_thresholds),
    "masses spread upside down": ("S3.alias_table", TRUE_QUANTISE, spread_upside_down),
    "cells paired from behind": ("S3.alias_table", TRUE_TABLES, paired_from_behind),
    "a unit for a cell without weight": ("S2.country_counts", TRUE_SETTLE, a_unit_for_nothing),
    "rounded up, then trimmed": ("S2.country_counts", TRUE_SETTLE, rounded_up_then_trimmed),
    "holes ignored": ("S2.edge_zone", TRUE_POLYGONS, holes_filled),
    "the nearest zone": ("S2.edge_zone", TRUE_COVER, nearest_zone),
}

# What the table of docs/independence.md says of the rest that is shared.
SHARED = {
    "a round too few": ("S2.edge_tile", TRUE_ROUNDS, nine_rounds),
    "another radius": ("S2.profile_metrics", TRUE_DISTANCE, on_a_round_earth),
    "another mean of squares": ("S4.results", TRUE_SPREAD, spread_of_a_sample),
}


def attempt(sealed: Settings, folder: Path) -> list[str]:
    """Run what is left of S1 to S5 in a copy of the home; the checks that S5 refused it by."""
    home = shutil.copytree(sealed.home, folder / "home", copy_function=os.link)
    try:
        SeedRun(replace(sealed, home=Path(home)), SEED).run()
    except Seg3BError as refused:
        assert refused.state == "S5"
        return [check["check_id"] for check in refused.detail["checks"]]
    return []


def test_without_a_fault_the_run_is_sealed_and_some_edges_were_nudged(
    drawn: Settings, tmp_path: Path
) -> None:
    assert attempt(drawn, tmp_path) == []
    [parts] = (tmp_path / "home/snapshots/S2").glob("*/data/layer1/3B/edge_catalogue/*/*")
    sources = pl.read_parquet(parts / "*.parquet")["tz_source"]
    assert (sources == NUDGE).sum() >= 5 < (sources == POLYGON).sum()


def test_without_a_fault_the_run_of_equal_weights_is_sealed(sealed_equal: Settings, tmp_path: Path) -> None:
    assert attempt(sealed_equal, tmp_path) == []


@pytest.mark.parametrize("name", FAULTS)
def test_a_fault_that_states_and_audit_share_is_refused(
    sealed: Settings, drawn: Settings, tmp_path: Path, name: str
) -> None:
    check, true, changed = FAULTS[name]
    with everywhere(changed, true):
        assert check in attempt(drawn if check.startswith("S3.") else sealed, tmp_path)


@pytest.mark.e2e
@pytest.mark.parametrize("name", SHARED)
def test_a_fault_of_what_is_shared_is_refused_by_the_second_route(
    sealed: Settings, tmp_path: Path, name: str
) -> None:
    check, true, changed = SHARED[name]
    with everywhere(changed, true):
        assert check in attempt(sealed, tmp_path)


def test_ties_served_from_behind_are_refused(sealed_equal: Settings, tmp_path: Path) -> None:
    with everywhere(ties_to_the_later, TRUE_SETTLE):
        assert "S2.edge_weight" in attempt(sealed_equal, tmp_path)


def test_a_look_up_with_exchanged_axes_is_refused(sealed: Settings, tmp_path: Path) -> None:
    with mock.patch.object(ZoneResolver, "_resolve_in", axes_exchanged(ZoneResolver._resolve_in)):
        assert "S2.edge_zone" in attempt(sealed, tmp_path)
