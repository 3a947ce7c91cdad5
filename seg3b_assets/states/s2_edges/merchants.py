"""Who the merchant is: virtual class and size bucket, from data (law section 4).

OFFSHORE_HUB, HYBRID_FOOTPRINT, REGIONAL_COMPACT, first match wins; SMALL, MEDIUM, LARGE from outlet and
zone counts at the policy's thresholds.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

import numpy as np
import polars as pl
from numpy.typing import NDArray

from seg3b_assets.policies import EdgeTopology

CLASSES: Final = ("OFFSHORE_HUB", "HYBRID_FOOTPRINT", "REGIONAL_COMPACT")
BUCKETS: Final = ("SMALL", "MEDIUM", "LARGE")


@dataclass(frozen=True)
class VirtualMerchants:
    """The virtual merchants, ascending merchant_id; every array has shape (merchants,).

    Attributes:
        merchant_id: uint64.
        settlement_lon, settlement_lat: degrees.
        settlement_country: iso2 of the country S1 settled the merchant in, "" where no polygon covers it.
        virtual_class: index into ``CLASSES``; size_bucket: index into ``BUCKETS``.
    """

    merchant_id: NDArray[np.uint64]
    settlement_lon: NDArray[np.float64]
    settlement_lat: NDArray[np.float64]
    settlement_country: NDArray[np.str_]
    virtual_class: NDArray[np.int64]
    size_bucket: NDArray[np.int64]

    def __len__(self) -> int:
        return int(self.merchant_id.shape[0])


def describe_merchants(
    classification: pl.DataFrame,
    settlement: pl.DataFrame,
    footprint: pl.DataFrame,
    countries: pl.DataFrame,
    topology: EdgeTopology,
) -> VirtualMerchants:
    """Class and size of every virtual merchant.

    Args:
        classification: merchant_id, is_virtual, virtual_mode, home_country_iso.
        settlement: merchant_id, lon_deg, lat_deg. countries: merchant_id, settlement_country_iso.
        footprint: merchant_id, outlets, outlet_countries, zones (merchants without outlets may be absent).
    """
    rows = (
        classification.filter(pl.col("is_virtual"))
        .select("merchant_id", "virtual_mode", "home_country_iso")
        .join(settlement.select("merchant_id", "lon_deg", "lat_deg"), on="merchant_id", how="inner")
        .join(countries, on="merchant_id", how="left")
        .join(footprint, on="merchant_id", how="left")
        .with_columns(pl.col("outlets", "outlet_countries", "zones").fill_null(0))
        .sort("merchant_id")
    )
    lon, lat = rows["lon_deg"].to_numpy(), rows["lat_deg"].to_numpy()
    country = rows["settlement_country_iso"].fill_null("").to_numpy().astype("U2")
    home = rows["home_country_iso"].to_numpy().astype("U2")
    offshore = (country != home) | np.isin(country, topology.classification_of_merchants.hub_jurisdictions)
    hybrid = (rows["virtual_mode"].to_numpy() == "HYBRID") | (rows["outlet_countries"].to_numpy() > 1)
    return VirtualMerchants(
        merchant_id=rows["merchant_id"].to_numpy(),
        settlement_lon=lon,
        settlement_lat=lat,
        settlement_country=country,
        virtual_class=np.select([offshore, hybrid], [0, 1], 2).astype(np.int64),
        size_bucket=_size_bucket(rows["outlets"].to_numpy(), rows["zones"].to_numpy(), topology),
    )


def _size_bucket(
    outlets: NDArray[np.int64], zones: NDArray[np.int64], topology: EdgeTopology
) -> NDArray[np.int64]:
    sizes = topology.size_buckets
    large = (outlets >= sizes.large.outlets) | (zones >= sizes.large.zones)
    medium = (outlets >= sizes.medium.outlets) | (zones >= sizes.medium.zones)
    return np.select([large, medium], [2, 1], 0).astype(np.int64)


def outlet_footprint(outlets: pl.DataFrame, zones: pl.DataFrame) -> pl.DataFrame:
    """Outlets, countries with outlets, and zones per merchant.

    Args:
        outlets: merchant_id, legal_country_iso, one row per outlet.
        zones: merchant_id, tzid, one row per merchant, country and zone.
    """
    by_outlet = outlets.group_by("merchant_id").agg(
        outlets=pl.len().cast(pl.Int64),
        outlet_countries=pl.col("legal_country_iso").n_unique().cast(pl.Int64),
    )
    by_zone = zones.group_by("merchant_id").agg(zones=pl.col("tzid").n_unique().cast(pl.Int64))
    return by_outlet.join(by_zone, on="merchant_id", how="full", coalesce=True).with_columns(
        pl.col("outlets", "outlet_countries", "zones").fill_null(0)
    )
