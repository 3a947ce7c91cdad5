"""Runs in which S2 lies about networks: budgets, shares, guards, weights, tiles, points, zones."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from typing import Any

import numpy as np

from seg3b_assets.laws import randomness
from seg3b_assets.policies import VIRTUAL_CLASSES
from seg3b_assets_tests.faults.fault import Fault
from seg3b_assets_tests.faults.lies import changed, lie

_S2 = "seg3b_assets.states.s2_edges"


def forged_network_faults() -> Iterator[Fault]:
    """Topology and placement."""
    yield from _topology()
    yield from _placement()


def _topology() -> Iterator[Fault]:
    counts, guards, weight = "S2.country_counts", "S2.profile_guards", "S2.edge_weight"
    budget, draws = "S2.profile_budget", "S2.profile_draws"
    yield lie(
        "an edge more for a merchant",
        budget,
        f"{_S2}.topology:edge_budgets",
        changed(lambda budgets: budgets + (np.arange(budgets.shape[0]) == 0)),
        counts,
        weight,
    )
    yield lie(
        "another alpha",
        draws,
        f"{_S2}.topology:truncated_lognormal",
        changed(lambda values: values + 1e-9),
        counts,
        weight,
        guards,
        budget,
    )
    yield lie(
        "shares without a pull to the settlement",
        counts,
        f"{_S2}.topology:blended_shares",
        _prior_alone,
        weight,
        guards,
    )
    yield lie(
        "shares as expected, not drawn",
        counts,
        f"{_S2}.topology:drawn_shares",
        lambda true: lambda blend, *rest: blend,
        weight,
        guards,
    )
    yield lie(
        "an edge moved to another country", counts, f"{_S2}.topology:allot_slots", _one_country_more, weight
    )
    yield lie(
        "no tempering",
        counts,
        f"{_S2}.guards:temper",
        lambda true: lambda masses, least: (masses, np.zeros(masses.shape[0], bool)),
        weight,
        guards,
    )
    yield lie(
        "a cap of a third of the policy's",
        counts,
        f"{_S2}.guards:cap_country",
        lambda true: lambda masses, cap: true(masses, cap // 3),
        weight,
        guards,
    )
    yield lie(
        "no sparse tail dropped",
        counts,
        f"{_S2}.guards:drop_sparse_tail",
        lambda true: lambda masses, floor: (masses, np.zeros(masses.shape[0], bool)),
        weight,
        guards,
    )
    yield lie(
        "guards that say they touched nobody",
        guards,
        f"{_S2}.topology:guard_shares",
        changed(
            lambda shares: replace(
                shares,
                tempering=np.zeros_like(shares.tempering),
                sparse_tail=np.zeros_like(shares.sparse_tail),
            )
        ),
    )
    yield lie("weights drawn again", weight, f"{_S2}.state:edge_masses", changed(_masses_rolled))
    yield lie("equal weights", weight, f"{_S2}.state:edge_masses", _equal_masses)
    yield lie("a unit of mass traded", weight, f"{_S2}.state:edge_masses", changed(_unit_traded))
    yield lie(
        "every merchant compact",
        "S2.profile_class",
        f"{_S2}.state:describe_merchants",
        changed(lambda merchants: replace(merchants, virtual_class=np.full_like(merchants.virtual_class, 2))),
        counts,
        weight,
        guards,
        budget,
    )
    yield lie(
        "every merchant large",
        "S2.profile_class",
        f"{_S2}.state:describe_merchants",
        changed(lambda merchants: replace(merchants, size_bucket=np.full_like(merchants.size_bucket, 2))),
        counts,
        weight,
        budget,
    )


def _prior_alone(true: Any) -> Any:
    def blended(merchants: Any, atlas: Any, topology: Any) -> Any:
        law = topology.country_shares
        alone = {name: law.by_class[name].model_copy(update={"coupling": 0.0}) for name in VIRTUAL_CLASSES}
        shares = law.model_copy(update={"by_class": law.by_class.model_copy(update=alone)})
        return true(merchants, atlas, topology.model_copy(update={"country_shares": shares}))

    return blended


def _one_country_more(true: Any) -> Any:
    def allot(merchant_id: Any, iso: Any, masses: Any, budgets: Any) -> Any:
        from seg3b_assets.laws.apportionment import apportion_exact  # noqa: PLC0415 - the forger's own sums

        shares = masses.copy()
        rows, columns = shares.shape
        counts = apportion_exact(shares.ravel(), np.full(rows, columns), budgets).reshape(rows, columns)
        richest, poorest = (
            int(np.argmax(counts[0])),
            int(np.argmin(np.where(counts[0] > 0, counts[0], 10**9))),
        )
        step = 10**9 // int(budgets[0])
        shares[0, richest] -= step
        shares[0, poorest] += step
        return true(merchant_id, iso, shares, budgets)

    return allot


def _masses_rolled(masses: Any) -> Any:
    """The first merchant's two first edges exchange their masses."""
    rolled = masses.copy()
    rolled[[0, 1]] = rolled[[1, 0]]
    return rolled


def _equal_masses(true: Any) -> Any:
    def masses(edges: Any, tile_weight: Any, law: Any, stream: Any) -> Any:
        return true(edges, tile_weight, law.model_copy(update={"law": "equal"}), stream)

    return masses


def _unit_traded(masses: Any) -> Any:
    traded = masses.copy()
    traded[int(np.argmax(traded[:20]))] -= 1
    traded[int(np.argmin(traded[:20]))] += 1
    return traded


def _placement() -> Iterator[Fault]:
    tile, point, zone = "S2.edge_tile", "S2.edge_point", "S2.edge_zone"
    philox, candidate = "S2.jitter.philox", "S2.jitter.candidate"
    jitter = (
        philox,
        candidate,
        "S2.jitter.accepted",
        "S2.jitter.accounting",
        "S2.jitter.sequence",
        "S2.jitter.tile",
        "S2.jitter.zone",
        "S2.trace.accounting",
        "S2.trace.counter",
        "S2.trace.sequence",
        "S2.trace.totals",
        "S2.summary",
        point,
        zone,
        "S2.edge_in_tile",
        "S2.edge_in_country",
    )
    replayed = ("S2.edge_weight",)
    yield lie(
        "tiles drawn from another stream",
        tile,
        f"{_S2}.state:EDGE_TILE_ASSIGN",
        lambda true: "edge_tile_assign_2",
        "S2.tile_assign.tile",
        "S2.tile_assign.schema",
        "S2.trace.schema",
        "S2.tile_assign.identity",
        "S2.s2_summary_3B.contract",
        *jitter,
        *replayed,
    )
    yield lie(
        "jitter from another stream",
        philox,
        f"{_S2}.state:EDGE_JITTER",
        lambda true: randomness.REALISM_SAMPLE,
        *jitter,
        "S2.s2_summary_3B.contract",
    )
    yield lie(
        "candidates a hair aside",
        candidate,
        f"{_S2}.placement:wrap_longitude",
        changed(lambda lon: np.nextafter(lon, 0.0)),
        *jitter,
    )
    yield lie(
        "a point rejected that lies in its country",
        "S2.jitter.accepted",
        f"{_S2}.state:place",
        _rejecting_one,
        *jitter,
    )
    yield lie(
        "every zone nudged",
        zone,
        f"{_S2}.state:resolve_zones",
        changed(lambda zones: replace(zones, source=np.full_like(zones.source, "NUDGE"))),
        "S2.jitter.zone",
        "S2.summary",
    )
    yield lie("a zone of the neighbour", zone, f"{_S2}.state:resolve_zones", changed(_first_zone_for_all))


def _rejecting_one(true: Any) -> Any:
    def place(edges: Any, tiles: Any, polygons: Any, stream: Any, attempts: int) -> Any:
        class Choosy:
            asked = False

            def covers(self, country: str, lon: Any, lat: Any) -> Any:
                covered = polygons.covers(country, lon, lat)
                if not self.asked and covered.any():
                    self.asked = True
                    covered[int(np.argmax(covered))] = False
                return covered

        return true(edges, tiles, Choosy(), stream, attempts)

    return place


def _first_zone_for_all(zones: Any) -> Any:
    tzid = zones.tzid.copy()
    tzid[5] = next(name for name in tzid if name != tzid[5])
    return replace(zones, tzid=tzid)
