"""Every merchant's network drawn again before it has places (law section 4): shares, guards, counts, weights.

A network whose edges, logs, tables and digests all agree is still forged when the draws give another one. Guards
are one operation here: some cells are held at a value, the rest share what is left, until nothing moves.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Final

import numpy as np
import polars as pl
from numpy.typing import NDArray
from scipy.special import gammaincinv

from seg3b_assets.audit.checks import check
from seg3b_assets.audit.draws import Draws
from seg3b_assets.audit.input_findings import left_prior
from seg3b_assets.audit.largest_remainder import run_of, run_sums, share_out, share_out_rows
from seg3b_assets.audit.ledger import EdgeLedger
from seg3b_assets.audit.placement import Placement
from seg3b_assets.audit.profile import GUARDS, distances_km, merchant_draws
from seg3b_assets.audit.surface import Centroids, no_tile_centroids, tile_centroids
from seg3b_assets.audit.tree import AuditContext
from seg3b_assets.laws.geography import groups, weighted_centroid
from seg3b_assets.laws.randomness import COUNTRY_ALLOC, WEIGHT_SHAPE
from seg3b_assets.laws.snapping import MASS_UNITS, SCALAR_UNITS
from seg3b_assets.policies.edge_topology import CountryShares
from seg3b_assets.policies.edge_topology import Guards as GuardLaw

I64 = NDArray[np.int64]
F64 = NDArray[np.float64]
BOOL = NDArray[np.bool_]

COUNTS: Final = "S2.country_counts"
WEIGHTS: Final = "S2.edge_weight"
GUARD_FLAGS: Final = "S2.profile_guards"
SHARE_UNITS: Final = 10**9
_TEMPER_STEPS: Final = 2**20
# A step of the centroids' grid, 1e-9 degrees, in radians.
_CENTROID_SLACK: Final = 2e-11
_CANCELLED: Final = 1e-12
_NOWHERE: Final = (np.nan, np.nan)
_GAZETTEER: Final = ["country_iso", "lon_deg", "lat_deg", "population"]


@dataclass(frozen=True)
class _Networks:
    """Shares as the law draws them.

    Attributes:
        iso: countries, ascending. masses: int64 (merchants, countries), guarded shares.
        touched: bool (merchants,) by guard.
    """

    iso: list[str]
    masses: I64
    touched: Mapping[str, BOOL]


class _NoCountryError(ValueError):
    """Merchants to whom every country is infinitely far, of which no run is made: how many, and the first."""

    def __init__(self, merchants: int, first: int) -> None:
        super().__init__(merchants, first)
        self.merchants, self.first = merchants, first


def audit_networks(
    context: AuditContext,
    ledger: EdgeLedger,
    placement: Placement | None,
    catalogue: pl.DataFrame,
    profile: pl.DataFrame | None,
    facts: pl.DataFrame | None,
) -> None:
    """Edges per country, guard flags and weights of every merchant.

    Args:
        facts: merchant_id, country, lon_deg, lat_deg, virtual_class of the merchants, as derived from data.
    """
    centroids = _country_centroids(context)
    known = facts is not None and np.array_equal(facts["merchant_id"].to_numpy(), ledger.merchants)
    if centroids is None or facts is None or not known:
        reason = "gazetteer, merchants or their settlements are not at hand"
        context.findings.skip(reason, COUNTS, WEIGHTS, GUARD_FLAGS)
        return
    try:
        networks = _draw(context, facts, centroids)
    except _NoCountryError as error:
        first = {"reason": "no country keeps any weight", "merchant_id": error.first}
        context.findings.fail(COUNTS, error.merchants, first)
        context.findings.skip("a merchant's country shares cannot be derived", WEIGHTS, GUARD_FLAGS)
        return
    sound = _counts(context, ledger, networks)
    _flags(context, ledger, networks, profile)
    if placement is None or not placement.drawn.all():
        context.findings.skip("not every edge's tile is known", WEIGHTS)
        return
    _weights(context, ledger, networks, placement, catalogue, sound)


def _draw(context: AuditContext, facts: pl.DataFrame, centroids: Centroids) -> _Networks:
    """Blend, Dirichlet, guards."""
    policies = context.tree.policies
    law = policies.edge_topology.country_shares
    left = left_prior(context)
    countries = sorted(policies.cdn_country_weights.countries, key=lambda row: row.country_iso)
    countries = [row for row in countries if row.country_iso not in left]
    iso = [row.country_iso for row in countries]
    ids = facts["merchant_id"].to_numpy()
    if not ids.size:
        none = np.zeros(0, bool)
        return _Networks(iso, np.zeros((0, len(iso)), np.int64), dict.fromkeys(GUARDS, none))
    region = np.array([row.region for row in countries])
    prior = np.array([float(row.weight) for row in countries])
    if left:
        prior = prior / math.fsum(prior.tolist())
    east, north = np.array([centroids.get(code, _NOWHERE) for code in iso]).T
    lon, lat = (facts[name].to_numpy()[:, None] for name in ("lon_deg", "lat_deg"))
    blend = _blend(facts, iso, prior, region, distances_km(context, COUNTS, lon, lat, east, north), law)
    drawn = blend
    if law.allocation == "dirichlet":
        kappa = _by_class(facts, law, "concentration")
        alpha = merchant_draws(context, ids)["alpha"]
        shape = (kappa * alpha)[:, None] * (blend / SHARE_UNITS)
        codes = np.array([256 * ord(code[0]) + ord(code[1]) for code in iso], np.uint64)
        uniform = Draws(context, COUNTRY_ALLOC, COUNTS).uniform(ids[:, None], codes[None, :])
        gamma = np.where(shape > 0, gammaincinv(np.where(shape > 0, shape, 1.0), uniform), 0.0)
        # Where every quantile underflows the expectation stands.
        gamma = np.where((gamma.sum(axis=1) > 0)[:, None], gamma, blend)
        drawn = _shares(gamma)
    masses, touched = guarded(drawn, blend, law.guards)
    return _Networks(iso, masses, touched)


def _by_class(facts: pl.DataFrame, law: CountryShares, key: str) -> F64:
    return np.array([float(getattr(law.by_class[name], key)) for name in facts["virtual_class"].to_list()])


def _country_centroids(context: AuditContext) -> Centroids | None:
    """Where each country is: by its places; by its tiles in a world without a gazetteer. None where nobody knows."""
    gazetteer = context.input_table("settlement_gazetteer", _GAZETTEER)
    if gazetteer is None:
        return tile_centroids(context) if context.lawfully_without("settlement_gazetteer") else None
    no_tile_centroids(context)
    lon, lat = gazetteer["lon_deg"].to_numpy(), gazetteer["lat_deg"].to_numpy()
    people = np.maximum(gazetteer["population"].to_numpy(), 1).astype(np.float64)
    found: Centroids = {}
    for code, at in groups(gazetteer["country_iso"].to_numpy().astype("U2")):
        found[str(code)] = weighted_centroid(lon[at], lat[at], people[at])
        _centroid_again(context, str(code), found[str(code)], (lon[at], lat[at], people[at]))
    return found


def _centroid_again(
    context: AuditContext, code: str, found: tuple[float, float], places: tuple[F64, F64, F64]
) -> None:
    """The places pull evenly to both sides of the centroid: no part of the weighted sum of vectors lies across it."""
    (east, north), (lon, lat, people) = np.radians(found), places
    along, up = np.radians(lon) - east, np.radians(lat)
    side, level = np.cos(up) * np.sin(along), np.cos(up) * np.cos(along)
    across, above, towards = (
        float((people * part).sum())
        for part in (
            side,
            np.sin(up) * np.cos(north) - level * np.sin(north),
            np.sin(up) * np.sin(north) + level * np.cos(north),
        )
    )
    # Where places all but cancel out, what is left has no direction worth a name.
    slack = _CENTROID_SLACK * towards + _CANCELLED * float(people.sum())
    if not max(abs(across), abs(above)) <= slack:
        example = {"country_iso": code, "centroid": list(found), "route": "sideways pull of the places"}
        context.findings.fail(COUNTS, 1, example)


def _blend(
    facts: pl.DataFrame,
    iso: list[str],
    prior: F64,
    region: NDArray[np.str_],
    distance: F64,
    law: CountryShares,
) -> I64:
    """(1 − λ)·prior + λ·kernel, kernel ∝ prior^k · exp(−d/τ) · boosts, as masses (merchants, countries)."""
    decay, coupling = (_by_class(facts, law, key)[:, None] for key in ("decay_km", "coupling"))
    home = facts["country"].to_numpy().astype("U2")[:, None] == np.array(iso)[None, :]
    distance = np.where(home, 0.0, np.nan_to_num(distance, nan=np.inf))
    region_of = dict(zip(iso, region.tolist(), strict=True))
    of_home = np.array([region_of.get(code, "") for code in facts["country"].to_list()], dtype=region.dtype)
    boost = np.where(of_home[:, None] == region[None, :], law.same_region_boost, 1.0)
    boost = np.where(home, law.same_country_boost, boost)
    kernel = prior[None, :] ** law.prior_exponent * np.exp(-distance / decay) * boost
    mass = kernel.sum(axis=1, keepdims=True)
    without = ~(mass[:, 0] > 0)
    if without.any():
        raise _NoCountryError(int(without.sum()), int(facts["merchant_id"][int(np.argmax(without))]))
    return _shares((1.0 - coupling) * prior[None, :] + coupling * (kernel / mass))


def _shares(weights: NDArray[Any]) -> I64:
    """Each row of weights (merchants, countries) in ``SHARE_UNITS``."""
    return share_out_rows(weights, np.full(weights.shape[0], SHARE_UNITS))


def guarded(masses: I64, blend: I64, law: GuardLaw) -> tuple[I64, dict[str, BOOL]]:
    """Shares (merchants, countries) after the four guards, and whom each touched."""
    floor, cap = (
        round(share * SHARE_UNITS) for share in (law.sparse_tail_floor, law.max_single_country_share)
    )
    touched: dict[str, BOOL] = {}
    # A merchant with nothing above the floor keeps its largest.
    bound = np.minimum(masses.max(axis=1, keepdims=True), floor)
    touched["sparse_tail"] = np.asarray(((masses > 0) & (masses < bound)).any(axis=1))
    masses = _share_out(np.where(masses >= bound, masses, 0), np.zeros_like(masses, bool), 0)
    masses, touched["min_support"] = _widened(masses, blend, law.min_support, max(floor, 1))
    touched["country_cap"] = np.asarray((masses > cap).any(axis=1))
    held = np.zeros_like(masses, bool)
    while (over := (masses > cap) & ~held).any():
        held |= over
        masses = _share_out(masses, held, cap)
    touched["tempering"] = ~_diverse(masses, law.min_effective_country_count)
    masses = masses.copy()
    lacking = np.flatnonzero(touched["tempering"])
    masses[lacking] = _tempered(masses[lacking], law.min_effective_country_count)
    return masses, touched


def _share_out(masses: I64, held: BOOL, value: int) -> I64:
    """``held`` cells at ``value``; the others share the rest in proportion, rows summing to ``SHARE_UNITS``."""
    room = SHARE_UNITS - value * held.sum(axis=1)
    return np.where(held, value, share_out_rows(np.where(held, 0, masses), room))


def _widened(masses: I64, blend: I64, support: int, floor: int) -> tuple[I64, BOOL]:
    """Further countries by blend, descending, each at the floor, until a merchant has ``support`` of them."""
    lacking = support - (masses > 0).sum(axis=1)
    outside = np.where(masses > 0, -1, blend)
    rank = np.argsort(np.argsort(-outside, axis=1, kind="stable"), axis=1, kind="stable")
    held = (rank < lacking[:, None]) & (outside > 0)
    touched: BOOL = lacking > 0
    at = np.flatnonzero(touched)
    some, fixed = masses[at], held[at]
    while at.size:
        shared = _share_out(some, fixed, floor)
        # The largest stays free, or nothing would take up what is left.
        sunk = (some > 0) & ~fixed & (shared < floor)
        sunk &= shared < np.where(fixed, 0, shared).max(axis=1, keepdims=True)
        if not sunk.any():
            break
        fixed = fixed | sunk
    widened = masses.copy()
    if at.size:
        widened[at] = shared
    return widened, touched


def _diverse(masses: I64, least: float) -> BOOL:
    enough: BOOL = float(SHARE_UNITS) ** 2 / (masses * masses).sum(axis=1) >= least
    return enough


def _tempered(masses: I64, least: float) -> I64:
    """p^t at the largest multiple t of 2⁻²⁰ that is diverse enough, found bit by bit from above."""
    share = masses / SHARE_UNITS
    steps = np.zeros(masses.shape[0], np.int64)

    def powered(at: I64) -> I64:
        power = np.power(np.maximum(share, 1e-300), (at / _TEMPER_STEPS)[:, None])
        return _shares(np.where(share > 0, power, 0.0))

    bit = _TEMPER_STEPS // 2
    while bit and masses.size:
        tried = steps + bit
        steps = np.where(_diverse(powered(tried), least), tried, steps)
        bit //= 2
    return powered(steps) if masses.size else masses


@check(
    "S2.country_counts", "§4 country shares", "edges fall over other countries than shares and guards give"
)
def _counts(context: AuditContext, ledger: EdgeLedger, networks: _Networks) -> BOOL:
    """Edges per country by largest remainder of the merchant's edges; which merchants (merchants,) have them."""
    wanted = share_out_rows(networks.masses, ledger.lengths)
    found, strangers = _found_counts(ledger, networks.iso)
    differs: BOOL = (found != wanted).any(axis=1) | strangers

    def example(row: int) -> dict[str, object]:
        name: dict[str, object] = {"merchant_id": int(ledger.merchants[row])}
        if not (found[row] != wanted[row]).any():
            return {**name, "reason": "edges in a country the policy gives no weight"}
        at = int(np.argmax(found[row] != wanted[row]))
        counts = {"expected": int(wanted[row, at]), "found": int(found[row, at])}
        return {**name, "country_iso": networks.iso[at], **counts}

    context.findings.rows(COUNTS, differs, example)
    sound: BOOL = ~differs
    return sound


def _found_counts(ledger: EdgeLedger, iso: list[str]) -> tuple[I64, BOOL]:
    """Edges per merchant and country of ``iso``, and merchants with edges anywhere else."""
    column_of = {code: column for column, code in enumerate(iso)}
    column = np.array([column_of.get(code, -1) for code in ledger.iso], np.int64)[ledger.country]
    merchant = run_of(ledger.lengths)
    found = np.zeros((ledger.merchants.shape[0], len(iso)), np.int64)
    np.add.at(found, (merchant[column >= 0], column[column >= 0]), 1)
    strangers = np.zeros(ledger.merchants.shape[0], bool)
    strangers[merchant[column < 0]] = True
    return found, strangers


@check("S2.profile_guards", "§4 country shares", "a flag is not what the guards did to the drawn shares")
def _flags(
    context: AuditContext, ledger: EdgeLedger, networks: _Networks, profile: pl.DataFrame | None
) -> None:
    if profile is None:
        context.findings.skip("the profile is not at hand", GUARD_FLAGS)
        return
    drawn = pl.DataFrame(
        {"merchant_id": ledger.merchants}
        | {f"guard_{name}": pl.Series(networks.touched[name], dtype=pl.Boolean) for name in GUARDS}
    )
    both = profile.join(drawn, on="merchant_id", how="inner", suffix="_drawn", maintain_order="left")
    flags = [f"guard_{name}" for name in GUARDS]
    expected = both.select(pl.col(f"{flag}_drawn").alias(flag) for flag in flags)
    context.findings.compare(GUARD_FLAGS, both, expected)


@check("S2.edge_weight", "§4 weights", "the weight is not that of the draw, though weights still sum to 1")
def _weights(
    context: AuditContext,
    ledger: EdgeLedger,
    networks: _Networks,
    placement: Placement,
    catalogue: pl.DataFrame,
    sound: BOOL,
) -> None:
    """Masses of the merchants whose edges stand where they should; the others are another check's finding."""
    at = np.flatnonzero(sound[run_of(ledger.lengths)])
    expected = _masses(context, ledger, networks, placement, sound)
    row = ledger.row[at]
    weight = catalogue["edge_weight"].to_numpy()[np.maximum(row, 0)]
    found = np.rint(np.where(np.isfinite(weight), weight, -1.0) * MASS_UNITS)
    context.findings.rows(
        WEIGHTS,
        (row >= 0) & (found != expected),
        lambda edge: {
            **ledger.name(int(at[edge])),
            "expected": int(expected[edge]) / MASS_UNITS,
            "found": str(weight[edge]),
        },
    )


def _masses(
    context: AuditContext, ledger: EdgeLedger, networks: _Networks, placement: Placement, sound: BOOL
) -> I64:
    """Of the edges of ``sound`` merchants: 1 each, then largest remainder of share · draw within the country."""
    at, lengths = np.flatnonzero(sound[run_of(ledger.lengths)]), ledger.lengths[sound]
    if not at.size:
        return np.zeros(0, np.int64)
    law = context.tree.policies.edge_topology.edge_weights
    rest = MASS_UNITS - lengths
    if law.law == "equal":
        return 1 + share_out(np.ones(at.shape[0]), lengths, rest)
    country, merchant = ledger.country[at], run_of(ledger.lengths)[at]
    starts = np.flatnonzero(
        np.diff(merchant, prepend=-1).astype(bool) | np.diff(country, prepend=-1).astype(bool)
    )
    cells = np.diff(np.append(starts, at.shape[0]))
    group = run_of(cells)
    tile = placement.tile_weight[at]
    heaviest = np.maximum.reduceat(tile, starts)[group]
    tilt = (tile / np.maximum(heaviest, 1)) ** law.tile_population_exponent
    uniform = Draws(context, WEIGHT_SHAPE, WEIGHTS).uniform(ledger.merchant_id[at], ledger.address[at])
    drawn = np.rint(gammaincinv(law.concentration, uniform) * tilt * SCALAR_UNITS).astype(np.int64)
    drawn = np.where(run_sums(drawn, cells)[group] == 0, 1, drawn)
    of_country = run_sums(drawn, cells).astype(np.float64)
    share = _surviving_shares(ledger, networks)[merchant[starts], _columns(ledger, networks)[country[starts]]]
    quota = (share.astype(np.float64) / SHARE_UNITS)[group] * (drawn / of_country[group])
    return 1 + share_out(quota, lengths, rest)


def _columns(ledger: EdgeLedger, networks: _Networks) -> I64:
    """Column of each of the ledger's countries; 0 for one the policy lacks, whose merchants are left out."""
    column_of = {code: column for column, code in enumerate(networks.iso)}
    return np.array([column_of.get(code, 0) for code in ledger.iso], np.int64)


def _surviving_shares(ledger: EdgeLedger, networks: _Networks) -> I64:
    """Shares once the countries left without an edge have lost theirs."""
    found, _ = _found_counts(ledger, networks.iso)
    return _shares(np.where(found > 0, networks.masses, 0))
