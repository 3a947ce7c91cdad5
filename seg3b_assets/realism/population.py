"""The arrays metrics are computed from: one seed's virtual merchants and their edges, or one class of them.

Derived once from published outputs and sliced by merchant, so that a class is measured by the same code as
the whole. Weights are ``edge_weight`` as stored; sums of weights are sums of integer masses (weight·10¹²),
exact on every machine.
"""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np
import polars as pl
from numpy.typing import NDArray

from seg3b_assets.laws.alias import AliasTables, decoded_masses
from seg3b_assets.laws.alias_slices import parse_slices
from seg3b_assets.laws.apportionment import segment_starts
from seg3b_assets.laws.geography import haversine_km
from seg3b_assets.laws.randomness import REALISM_SAMPLE, Stream
from seg3b_assets.laws.snapping import MASS_UNITS
from seg3b_assets.policies.validation import PairSample
from seg3b_assets.realism.divergence import PairSampling
from seg3b_assets.realism.outputs import SeedOutputs
from seg3b_assets.realism.probe_tallies import ProbeTallies

F64 = NDArray[np.float64]
I64 = NDArray[np.int64]
U64 = NDArray[np.uint64]
BOOL = NDArray[np.bool_]
TEXT = NDArray[np.str_]


@dataclass(frozen=True)
class EdgeFacts:
    """One row per edge, by merchant and edge_id.

    Attributes:
        merchant: row of the edge's merchant in ``MerchantFacts``.
        country: column of the edge's country in ``MerchantFacts.country_mass``.
        mass: edge_weight·10¹² as an integer.
        distance_km: from the merchant's settlement.
        decoding_error: |probability decoded from the published blob − edge_weight|.
    """

    merchant: I64
    country: I64
    mass: I64
    distance_km: F64
    decoding_error: F64


@dataclass(frozen=True)
class MerchantFacts:
    """One row per virtual merchant, ascending id.

    Attributes:
        virtual_class: of the profile.
        edges, countries: how many the merchant has.
        top1_share: largest edge_weight.
        country_mass: int64 (merchants, countries), countries ascending ISO.
        settlement_mass: mass of the edges in the settlement's country; 0 where it is unresolved.
        settlement_unresolved: no polygon covers the settlement.
        settlement_zone, settlement_point: dense codes of tzid_settlement and of the exact coordinate.
    """

    merchant_id: U64
    virtual_class: TEXT
    edges: I64
    countries: I64
    top1_share: F64
    country_mass: I64
    settlement_mass: I64
    settlement_unresolved: BOOL
    settlement_zone: I64
    settlement_point: I64

    def __len__(self) -> int:
        return int(self.merchant_id.shape[0])

    def rows(self, kept: BOOL) -> MerchantFacts:
        return MerchantFacts(**{name: column[kept] for name, column in vars(self).items()})

    @property
    def country_share(self) -> F64:
        """Country weight vectors, float64 (merchants, countries)."""
        return self.country_mass / MASS_UNITS

    @property
    def overlap(self) -> F64:
        """Edge weight in the settlement's country, (merchants,)."""
        return self.settlement_mass / MASS_UNITS


@dataclass(frozen=True)
class Population:
    """Whom a metric is computed over.

    Attributes:
        rows: classification rows: merchant_id, is_virtual, rule_id, rule_version, mcc, channel,
            home_country_iso. A class has its virtual merchants' rows only.
        pairs: how merchant pairs are compared.
        probe: what the routing probe counted, where it ran.
    """

    merchants: MerchantFacts
    edges: EdgeFacts
    rows: pl.DataFrame
    pairs: PairSampling
    probe: ProbeTallies | None = None

    def of_class(self, virtual_class: str) -> Population:
        """The merchants of one virtual class, their edges, rows and picks."""
        kept = self.merchants.virtual_class == virtual_class
        of_edge = kept[self.edges.merchant]
        position = np.cumsum(kept) - 1
        edges = EdgeFacts(**{name: column[of_edge] for name, column in vars(self.edges).items()})
        members = pl.Series(self.merchants.merchant_id[kept], dtype=pl.UInt64)
        return Population(
            merchants=self.merchants.rows(kept),
            edges=replace(edges, merchant=position[edges.merchant]),
            rows=self.rows.filter(pl.col("merchant_id").is_in(members.implode())),
            pairs=self.pairs,
            probe=None if self.probe is None else self.probe.rows(kept, of_edge),
        )

    @property
    def classes(self) -> dict[str, int]:
        """Merchants of each virtual class, by name."""
        names, sizes = np.unique_counts(self.merchants.virtual_class)
        return {str(name): int(size) for name, size in zip(names, sizes, strict=True)}


def published_tables(outputs: SeedOutputs) -> AliasTables:
    """The alias tables of the blob on disk, one per virtual merchant."""
    merchant_id, lengths = np.unique_counts(outputs.edges["merchant_id"].to_numpy())
    return parse_slices(outputs.alias_blob, outputs.alias_index, merchant_id, lengths.astype(np.int64))


def population_of(
    outputs: SeedOutputs, tables: AliasTables, pair_sample: PairSample, workers: int = 2
) -> Population:
    """Derive the arrays of one seed."""
    edges = _edge_facts(outputs, tables)
    columns = ["merchant_id", "mcc", "channel", "home_country_iso"]
    return Population(
        merchants=_merchant_facts(outputs, edges),
        edges=edges,
        rows=outputs.classification.join(outputs.merchants.select(columns), on="merchant_id", how="left"),
        pairs=PairSampling(
            pair_sample.exact_up_to_merchants,
            pair_sample.sampled_pairs,
            Stream.of(outputs.identity, REALISM_SAMPLE),
            workers,
        ),
    )


def edge_masses(weight: F64) -> I64:
    """edge_weight·10¹² as integers: exact for weights on the law's grid."""
    return np.rint(weight * MASS_UNITS).astype(np.int64)


def _edge_facts(outputs: SeedOutputs, tables: AliasTables) -> EdgeFacts:
    edges, settlement = outputs.edges, outputs.settlement
    merchant = np.searchsorted(settlement["merchant_id"].to_numpy(), edges["merchant_id"].to_numpy())
    weight = edges["edge_weight"].to_numpy()
    return EdgeFacts(
        merchant=merchant,
        country=dense_codes(edges["country_iso"]),
        mass=edge_masses(weight),
        distance_km=haversine_km(
            settlement["lon_deg"].to_numpy()[merchant],
            settlement["lat_deg"].to_numpy()[merchant],
            edges["lon_deg"].to_numpy(),
            edges["lat_deg"].to_numpy(),
        ),
        decoding_error=np.abs(decoded_masses(tables) - weight),
    )


def _merchant_facts(outputs: SeedOutputs, edges: EdgeFacts) -> MerchantFacts:
    settlement = outputs.settlement
    merchants = settlement.height
    countries = outputs.edges["country_iso"].unique().sort()
    cell = edges.merchant * len(countries) + edges.country
    shape = (merchants, len(countries))
    in_country = np.bincount(cell, minlength=merchants * len(countries)).reshape(shape)
    per_merchant = np.bincount(edges.merchant, minlength=merchants)
    # Masses are integers below 2^53, so the float sums of bincount are exact.
    mass = np.bincount(cell, weights=edges.mass, minlength=merchants * len(countries)).reshape(shape)
    weight = outputs.edges["edge_weight"].to_numpy()
    top1 = np.maximum.reduceat(weight, segment_starts(per_merchant)) if merchants else np.zeros(0)
    home = settlement["settlement_country"].to_numpy().astype("U2")
    at_home = home[:, None] == countries.to_numpy().astype("U2")[None, :]
    return MerchantFacts(
        merchant_id=settlement["merchant_id"].to_numpy(),
        virtual_class=outputs.profile["virtual_class"].to_numpy().astype("U32"),
        edges=per_merchant,
        countries=(in_country > 0).sum(axis=1),
        top1_share=top1,
        country_mass=mass.astype(np.int64),
        settlement_mass=np.where(at_home, mass, 0.0).sum(axis=1).astype(np.int64),
        settlement_unresolved=home == "",
        settlement_zone=dense_codes(settlement["tzid_settlement"]),
        settlement_point=dense_codes(settlement.select(point=pl.struct("lon_deg", "lat_deg"))["point"]),
    )


def dense_codes(values: pl.Series) -> I64:
    """0-based codes of the distinct values, in ascending order of value."""
    codes: I64 = (values.rank("dense").cast(pl.Int64) - 1).to_numpy()
    return codes
