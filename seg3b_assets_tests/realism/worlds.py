"""Small made-up seeds for the realism tests: a sound one that passes every gate, knobs that break one thing.

Deterministic and stratified: every virtual class holds the same quantiles of every attribute, so a class
measures what the whole does and a knob moves one metric only.
"""

from __future__ import annotations

import hashlib
from dataclasses import dataclass, replace
from functools import cache
from pathlib import Path

import numpy as np
import polars as pl
from scipy.stats import norm

from seg3b_assets.laws.alias import build_tables, encode_slice, quantise
from seg3b_assets.laws.apportionment import apportion, segment_ids, segment_starts
from seg3b_assets.laws.identity import RunIdentity
from seg3b_assets.policies import VIRTUAL_CLASSES, PolicySet
from seg3b_assets.realism import SeedOutputs
from seg3b_assets.realism.contract_run import run_contract
from seg3b_assets.realism.outputs import DRAWN_FROM
from seg3b_assets.realism.policy_reading import load_policies
from seg3b_assets.states.s4_contract.declarations import declare_tests
from seg3b_assets.states.s4_contract.state import contract_table, terms_table

ZONES = (
    "Africa/Lagos",
    "America/Bogota",
    "America/New_York",
    "America/Santiago",
    "Asia/Kathmandu",
    "Asia/Kolkata",
    "Asia/Tokyo",
    "Australia/Lord_Howe",
    "Europe/Berlin",
    "Europe/London",
    "Pacific/Auckland",
    "Pacific/Honolulu",
)
MASS = 10**12


def identity(seed: int = 42) -> RunIdentity:
    return RunIdentity(
        seed=seed,
        parameter_hash="ab" * 32,
        manifest_fingerprint=hashlib.sha256(b"world %d" % seed).hexdigest(),
        created_utc="2026-03-08T09:10:11.121314Z",
        sealed_inputs_digest="cd" * 32,
    )


@cache
def policies(picks: int = 200) -> PolicySet:
    """The shipped policies in enforce mode, with a short probe and few resamples to keep the tests quick."""
    shipped = load_policies(Path(__file__).parents[2] / "policies")
    validation, certification = shipped.virtual_validation, shipped.certification
    return replace(
        shipped,
        virtual_validation=validation.model_copy(
            update={
                "realism_enforcement_mode": "enforce",
                "probe": validation.probe.model_copy(update={"picks_per_merchant": picks, "window_days": 3}),
            }
        ),
        certification=certification.model_copy(
            update={"confidence": certification.confidence.model_copy(update={"bootstrap_resamples": 400})}
        ),
    )


@dataclass(frozen=True)
class Shape:
    """Knobs of a made-up seed.

    Attributes:
        per_class: merchants of each virtual class.
        edges_sigma, countries_sigma: spread (log) of edges and countries per merchant.
        home: ends of the overlap's range; home_absent: share of merchants without an edge at home.
        top1: ends of the heaviest edge's range; None spreads weights evenly.
        common_mix: None for a mix of one's own, else the mass left for one's own countries.
        spacing_deg: distance between neighbouring countries.
        rules: rules that decide; blank_rate: share of rows without rule and version.
        one_zone: share of settlements put in one zone; shared_points: groups of merchants on one coordinate.
        virtual_rate: virtual rows per row.
    """

    per_class: int = 40
    edges_sigma: float = 0.55
    countries_sigma: float = 0.5
    home: tuple[float, float] = (0.10, 0.25)
    home_absent: float = 0.0
    low_home_share: float = 0.0
    top1: tuple[float, float] | None = (0.06, 0.14)
    common_mix: float | None = None
    spacing_deg: float = 6.0
    rules: int = 7
    blank_ids: float = 0.0
    blank_versions: float = 0.0
    one_zone: float = 0.0
    shared_points: tuple[int, ...] = ()
    virtual_rate: float = 0.04


SOUND = Shape()
COUNTRIES = 60
_ISO = [f"{chr(65 + i // 26)}{chr(65 + i % 26)}" for i in range(COUNTRIES)]


def _quantiles(shape: Shape, step: int) -> np.ndarray:
    """(i + ½)/n in another order per attribute, the same in every class; step is coprime to n."""
    k = np.arange(shape.per_class)
    one = ((k * step + step // 2) % shape.per_class + 0.5) / shape.per_class
    return np.repeat(one, len(VIRTUAL_CLASSES))


def _between(ends: tuple[float, float], at: np.ndarray) -> np.ndarray:
    return ends[0] + (ends[1] - ends[0]) * at


def _mixes(shape: Shape) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Country shares (merchants, COUNTRIES), each merchant's home and the country of its heaviest edge."""
    merchants = shape.per_class * len(VIRTUAL_CLASSES)
    count = np.clip(np.rint(9 * np.exp(shape.countries_sigma * norm.ppf(_quantiles(shape, 7)))), 4, 35)
    share = np.zeros((merchants, COUNTRIES))
    home = np.arange(merchants) % COUNTRIES
    anchor = (home + 3) % COUNTRIES
    if shape.common_mix is not None:
        home, anchor = home % 5, (home + 1) % 5
        share[:, :5] = (1.0 - shape.common_mix) / 5
        tail = shape.common_mix
    else:
        share[np.arange(merchants), anchor] = 0.30
        wanted = _between(shape.home, _quantiles(shape, 11))
        wanted[_quantiles(shape, 11) < shape.low_home_share] = 0.05
        wanted[_quantiles(shape, 11) < shape.home_absent] = 0.0
        share[np.arange(merchants), home] = wanted
    for m in range(merchants):
        own = (home[m] + 5 + 2 * np.arange(int(count[m]))) % COUNTRIES
        own = own[share[m, own] == 0]
        own = own[own != home[m]]
        parts = 0.8 ** np.arange(own.shape[0])
        left = tail if shape.common_mix is not None else 1.0 - share[m].sum()
        share[m, own] = left * parts / parts.sum()
    return share, home, anchor


def _edges(shape: Shape) -> tuple[pl.DataFrame, np.ndarray]:
    share, home, anchor = _mixes(shape)
    merchants = share.shape[0]
    budget = np.rint(110 * np.exp(shape.edges_sigma * norm.ppf(_quantiles(shape, 3)))).astype(np.int64)
    cells = share > 0
    lengths = cells.sum(axis=1)
    budget = np.maximum(budget, lengths + 5)
    counts = np.zeros_like(share, dtype=np.int64)
    counts[cells] = 1 + apportion(share[cells], lengths, budget - lengths)
    counts[np.arange(merchants), anchor] = np.maximum(counts[np.arange(merchants), anchor], 2)
    flat = counts.ravel()
    cell = segment_ids(flat)
    merchant, country = cell // COUNTRIES, cell % COUNTRIES
    first = np.arange(cell.shape[0]) == segment_starts(flat)[cell]
    weight = (share.ravel() / np.maximum(flat, 1))[cell]
    if shape.top1 is not None:
        top = _between(shape.top1, _quantiles(shape, 13))[merchant]
        at_anchor = country == anchor[merchant]
        rest = share.ravel()[cell] - top
        weight = np.where(at_anchor & first, top, weight)
        weight = np.where(at_anchor & ~first, rest / (flat[cell] - 1).clip(1), weight)
    per_merchant = np.bincount(merchant)
    mass = 1 + apportion(weight, per_merchant, MASS - per_merchant)
    seq = np.arange(cell.shape[0]) - segment_starts(per_merchant)[merchant]
    lon, lat = _place(shape, country)
    frame = pl.DataFrame(
        {
            "merchant_id": (1000 + merchant).astype(np.uint64),
            "edge_id": [
                hashlib.sha256(b"%d|%d" % (m, s)).hexdigest()[:16] for m, s in zip(merchant, seq, strict=True)
            ],
            "country_iso": np.array(_ISO)[country],
            "lat_deg": lat + 0.01 * (seq % 50),
            "lon_deg": lon + 0.01 * (seq % 70),
            "tzid_operational": np.array(ZONES)[country % len(ZONES)],
            "edge_weight": mass / MASS,
        }
    )
    return frame.sort("merchant_id", "edge_id"), home


def _place(shape: Shape, country: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    return (country % 10 - 4.5) * shape.spacing_deg + 10.0, (country // 10 - 2.5) * shape.spacing_deg * 0.8


def _settlement(shape: Shape, home: np.ndarray) -> pl.DataFrame:
    merchants = home.shape[0]
    lon, lat = _place(shape, home)
    lon, lat = lon + 0.001 * np.arange(merchants), lat + 0.0
    start = 0
    for size in shape.shared_points:
        lon[start : start + size], lat[start : start + size] = lon[start], lat[start]
        start += size
    zone = np.array(ZONES)[np.arange(merchants) // len(VIRTUAL_CLASSES) % len(ZONES)]
    zone = np.where(_quantiles(shape, 17) < shape.one_zone, ZONES[0], zone)
    if shape.one_zone:
        zone = np.where((_quantiles(shape, 17) >= shape.one_zone) & (zone == ZONES[0]), ZONES[1], zone)
    return pl.DataFrame(
        {
            "merchant_id": (1000 + np.arange(merchants)).astype(np.uint64),
            "lat_deg": lat,
            "lon_deg": lon,
            "tzid_settlement": zone,
            "coord_source_id": pl.repeat(DRAWN_FROM, merchants, dtype=pl.String, eager=True),
            "settlement_country": np.array(_ISO)[home],
        }
    )


def alias_blob(edges: pl.DataFrame, weight: np.ndarray | None = None) -> tuple[bytes, pl.DataFrame]:
    """Blob and index of a catalogue, or of other weights for the same edges."""
    ids, lengths = np.unique_counts(edges["merchant_id"].to_numpy())
    lengths = lengths.astype(np.int64)
    values = edges["edge_weight"].to_numpy() if weight is None else weight
    tables = build_tables(quantise(values, lengths, 32), lengths, 32)
    starts = segment_starts(lengths)
    slices = [
        encode_slice(tables.prob_q[a : a + n], tables.alias[a : a + n])
        for a, n in zip(starts, lengths, strict=True)
    ]
    sizes = np.array([len(part) for part in slices], np.int64)
    index = pl.DataFrame(
        {
            "scope": ["MERCHANT"] * len(ids),
            "merchant_id": ids,
            "blob_offset_bytes": segment_starts(sizes),
            "blob_length_bytes": sizes,
            "edge_count_total": lengths,
            "alias_table_length": lengths,
        },
        schema_overrides={"scope": pl.String},
    )
    total = pl.DataFrame({"scope": ["GLOBAL"], "blob_length_bytes": [int(sizes.sum())]})
    return b"".join(slices), pl.concat([index, total], how="diagonal")


@cache
def published(shape: Shape = SOUND, seed: int = 42) -> SeedOutputs:
    """What S1 to S3 published, before S4."""
    edges, home = _edges(shape)
    settlement = _settlement(shape, home)
    merchants, rows = settlement.height, round(settlement.height / shape.virtual_rate)
    ids = np.concatenate([settlement["merchant_id"].to_numpy(), 50_000 + np.arange(rows - merchants)]).astype(
        np.uint64
    )
    # A blank version falls on other rows than a blank rule, and neither on a virtual one.
    position = (np.arange(rows) - merchants) / max(rows - merchants, 1)
    rule = np.char.add("RULE_", (np.arange(rows) // len(VIRTUAL_CLASSES) % shape.rules).astype(str))
    blank_id = (position >= 0) & (position < shape.blank_ids * rows / (rows - merchants))
    blank_version = position >= 1 - shape.blank_versions * rows / (rows - merchants)
    classification = pl.DataFrame(
        {
            "merchant_id": ids,
            "is_virtual": np.arange(rows) < merchants,
            "rule_id": pl.Series(rule).set(pl.Series(blank_id), "  "),
            "rule_version": pl.Series(["1.0.0"] * rows).set(pl.Series(blank_version), ""),
        }
    )
    blob, index = alias_blob(edges)
    return SeedOutputs(
        identity=identity(seed),
        merchants=pl.DataFrame(
            {
                "merchant_id": ids,
                "mcc": (4800 + np.arange(rows) % 5).astype(np.int32),
                "channel": np.where(np.arange(rows) % 3 == 0, "card_present", "card_not_present"),
                "home_country_iso": np.array(_ISO)[np.arange(rows) % 7],
            }
        ),
        classification=classification,
        settlement=settlement,
        profile=settlement.select("merchant_id").with_columns(
            virtual_class=pl.Series(list(VIRTUAL_CLASSES) * shape.per_class, dtype=pl.String)
        ),
        edges=edges,
        alias_index=index,
        alias_blob=blob,
    )


def with_contract(outputs: SeedOutputs, rules: PolicySet) -> SeedOutputs:
    """The same seed after S4: its contract declared and run."""
    tests = declare_tests(rules.virtual_validation)
    world = outputs.identity.manifest_fingerprint
    contract, terms = contract_table(tests, world), terms_table(tests, world)
    results = run_contract(outputs, contract, terms, rules, workers=1)
    return replace(outputs, contract=contract, terms=terms, results=results)


@cache
def enforced(shape: Shape = SOUND, seed: int = 42) -> SeedOutputs:
    """A seed after S4, under ``policies()``."""
    return with_contract(published(shape, seed), policies())
