"""Which countries a merchant's edges stand in (law section 4): prior, coupling to the settlement, Dirichlet.

Shares live on a grid of 1e-9 as integer masses, rows summing to ``SHARE_UNITS``; everything that comes
out of exp or a gamma quantile is apportioned to that grid before anything else looks at it. Guards are
in ``guards``.
"""

from __future__ import annotations

import math
from collections.abc import Collection
from dataclasses import dataclass
from typing import Final

import numpy as np
import polars as pl
from numpy.typing import NDArray
from scipy.special import gammaincinv

from seg3b_assets.laws.apportionment import apportion_rows
from seg3b_assets.laws.errors import Seg3BError, fail
from seg3b_assets.laws.geography import groups, haversine_km, weighted_centroid
from seg3b_assets.laws.randomness import Stream, country_codes
from seg3b_assets.policies import CdnCountryWeights, EdgeTopology
from seg3b_assets.states.s2_edges.merchants import CLASSES, VirtualMerchants

I64 = NDArray[np.int64]
F64 = NDArray[np.float64]

Centroids = dict[str, tuple[float, float]]

SHARE_UNITS: Final = 10**9


@dataclass(frozen=True)
class CountryAtlas:
    """The countries an edge may stand in, ascending ISO; arrays have shape (countries,).

    Attributes:
        iso: country codes.
        prior: the policy's weights, as they are; brought to 1 again where countries left it.
        region: the policy's region of each country.
        centroid_lon, centroid_lat: where the country is, degrees; NaN for one without a place, or a tile.
    """

    iso: list[str]
    prior: F64
    region: NDArray[np.str_]
    centroid_lon: F64
    centroid_lat: F64

    @classmethod
    def of(
        cls, weights: CdnCountryWeights, centroids: Centroids, left_prior: Collection[str] = ()
    ) -> CountryAtlas:
        """Join the policy's countries with where they are.

        Args:
            centroids: of ``place_centroids``, or of the tile surface where there is no gazetteer.
            left_prior: countries that no edge may stand in, as ``input_findings_3B`` names them.
        """
        rows = sorted(weights.countries, key=lambda row: row.country_iso)
        rows = [row for row in rows if row.country_iso not in left_prior]
        iso = [row.country_iso for row in rows]
        total = math.fsum(row.weight for row in rows) if left_prior else 1.0
        missing = (np.nan, np.nan)
        return cls(
            iso=iso,
            prior=np.array([float(row.weight) / total for row in rows]),
            region=np.array([row.region for row in rows]),
            centroid_lon=np.array([centroids.get(code, missing)[0] for code in iso]),
            centroid_lat=np.array([centroids.get(code, missing)[1] for code in iso]),
        )


def place_centroids(gazetteer: pl.DataFrame) -> Centroids:
    """Population-weighted centroid (lon, lat) of each country's places.

    Args:
        gazetteer: country_iso, lon_deg, lat_deg, population.
    """
    lon, lat = gazetteer["lon_deg"].to_numpy(), gazetteer["lat_deg"].to_numpy()
    # A place of unknown population still says where the country is.
    people = np.maximum(gazetteer["population"].to_numpy(), 1).astype(np.float64)
    return {
        str(country): weighted_centroid(lon[at], lat[at], people[at])
        for country, at in groups(gazetteer["country_iso"].to_numpy().astype("U2"))
    }


def blended_shares(merchants: VirtualMerchants, atlas: CountryAtlas, topology: EdgeTopology) -> I64:
    """Expected shares: (1−λ)·prior + λ·kernel, as masses (merchants, countries).

    kernel(c) ∝ prior(c)^k · exp(−d/τ) · boosts, d in km from the settlement to the country's centroid and
    0 at home; λ and τ per class.

    Raises:
        Seg3BError: ``BUDGET_COUNTRY_WEIGHTS_INVALID`` when a merchant's kernel is zero everywhere.
    """
    law = topology.country_shares
    of_class = [law.by_class[name] for name in CLASSES]
    decay = np.array([row.decay_km for row in of_class])[merchants.virtual_class, None]
    coupling = np.array([row.coupling for row in of_class])[merchants.virtual_class, None]
    home = np.array(atlas.iso)[None, :] == merchants.settlement_country[:, None]
    distance = haversine_km(
        merchants.settlement_lon[:, None],
        merchants.settlement_lat[:, None],
        atlas.centroid_lon[None, :],
        atlas.centroid_lat[None, :],
    )
    nearness = np.where(home, 1.0, np.exp(-np.nan_to_num(distance, nan=np.inf) / decay))
    boost = np.where(
        home, law.same_country_boost, np.where(_same_region(merchants, atlas), law.same_region_boost, 1.0)
    )
    kernel = atlas.prior[None, :] ** law.prior_exponent * nearness * boost
    mass = kernel.sum(axis=1, keepdims=True)
    if (mass <= 0).any():
        raise _no_country(merchants, int(np.argmin(mass[:, 0])))
    return apportion_rows((1.0 - coupling) * atlas.prior[None, :] + coupling * (kernel / mass), SHARE_UNITS)


def _same_region(merchants: VirtualMerchants, atlas: CountryAtlas) -> NDArray[np.bool_]:
    region_of = dict(zip(atlas.iso, atlas.region.tolist(), strict=True))
    region = np.array([region_of.get(str(code), "") for code in merchants.settlement_country], dtype="U64")
    same: NDArray[np.bool_] = atlas.region[None, :] == region[:, None]
    return same


def _no_country(merchants: VirtualMerchants, row: int) -> Seg3BError:
    return fail(
        "kernel_mass_positive",
        "edge_topology.yaml:country_shares",
        "No country keeps any weight for this merchant: raise decay_km or lower coupling.",
        merchant_id=int(merchants.merchant_id[row]),
    )


def drawn_shares(
    blend: I64, concentration: F64, stream: Stream, merchant_id: NDArray[np.uint64], iso: list[str]
) -> I64:
    """Dirichlet(concentration · blend) by gamma quantiles of the addressed uniforms, as masses.

    Args:
        blend: int64 (merchants, countries), masses.
        concentration: float64 (merchants,), κ_class · alpha.
        stream: ``3B_S2_country_alloc``; a country's uniform stays put whatever other countries do.
    """
    shape = concentration[:, None] * (blend / SHARE_UNITS)
    uniform = stream.uniform(merchant_id[:, None], country_codes(iso)[None, :])
    gamma = np.zeros(shape.shape)
    present = shape > 0
    gamma[present] = gammaincinv(shape[present], uniform[present])
    # A row whose every quantile underflows to zero keeps its expectation.
    empty = gamma.sum(axis=1) <= 0
    gamma[empty] = blend[empty]
    return apportion_rows(gamma, SHARE_UNITS)
