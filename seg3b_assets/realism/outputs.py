"""What realism looks at: the published outputs of one seed, and two facts of its upstream world.

Nothing of a state's inner life is in here; everything can be read back from a snapshot or an export. The
sets must fit together (a settlement, a profile and edges for every virtual merchant): a seed that is not
structurally whole is refused, not scored.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final

import numpy as np
import polars as pl

from seg3b_assets.laws.errors import Seg3BError, fail
from seg3b_assets.laws.geography import CountryPolygons, covering_countries
from seg3b_assets.laws.identity import RunIdentity

if TYPE_CHECKING:
    from seg3b_assets.inputs.published import Published
    from seg3b_assets.inputs.sealed import SealedInputs

STATE: Final = "S4"
# What a settlement's coord_source_id says where its place was drawn.
DRAWN_FROM: Final = "settlement_gazetteer"
COUNTRIES: Final = "virtual_settlement_lineage_3B"

CLASSIFICATION_COLUMNS: Final = ("merchant_id", "is_virtual", "rule_id", "rule_version")
SETTLEMENT_COLUMNS: Final = ("merchant_id", "lat_deg", "lon_deg", "tzid_settlement", "coord_source_id")
EDGE_COLUMNS: Final = (
    "merchant_id",
    "edge_id",
    "country_iso",
    "lat_deg",
    "lon_deg",
    "tzid_operational",
    "edge_weight",
)
PROFILE_COLUMNS: Final = ("merchant_id", "virtual_class")
MERCHANT_COLUMNS: Final = ("merchant_id", "mcc", "channel", "home_country_iso")


@dataclass(frozen=True)
class SeedOutputs:
    """One seed's published outputs, in contract order.

    Attributes:
        identity: seed, upstream identity, run_id.
        merchants: upstream's merchants: ``MERCHANT_COLUMNS``.
        classification: ``CLASSIFICATION_COLUMNS``, one row per merchant.
        settlement: ``SETTLEMENT_COLUMNS`` and settlement_country, the country S1 settled the merchant in, "" where
            no polygon covers an ingested point.
        profile: ``PROFILE_COLUMNS``, one row per virtual merchant.
        edges: ``EDGE_COLUMNS``, sorted by merchant_id, edge_id.
        alias_index: ``edge_alias_index_3B``. alias_blob: the file's bytes.
        contract, terms, results: ``virtual_validation_contract_3B``, ``virtual_validation_terms_3B`` and
            ``virtual_validation_results_3B``, whole; None before S4 has published them.
        countries: the upstream's country polygons, for maps; None where nobody draws one.
    """

    identity: RunIdentity
    merchants: pl.DataFrame
    classification: pl.DataFrame
    settlement: pl.DataFrame
    profile: pl.DataFrame
    edges: pl.DataFrame
    alias_index: pl.DataFrame
    alias_blob: bytes
    contract: pl.DataFrame | None = None
    terms: pl.DataFrame | None = None
    results: pl.DataFrame | None = None
    countries: CountryPolygons | None = None

    def __post_init__(self) -> None:
        virtual = self.classification.filter(pl.col("is_virtual"))["merchant_id"].to_numpy()
        for dataset, frame in (
            ("virtual_settlement_3B", self.settlement),
            ("edge_merchant_profile_3B", self.profile),
            ("edge_catalogue_3B", self.edges),
        ):
            ids = frame["merchant_id"].to_numpy()
            found = np.unique(ids) if dataset == "edge_catalogue_3B" else ids
            if not np.array_equal(found, virtual):
                raise _not_whole(
                    dataset, {"virtual_merchants": virtual.shape[0], "in_dataset": found.shape[0]}
                )

    @property
    def settlements_drawn(self) -> int:
        """Settlements whose place S1 drew, because upstream gives no coordinate for the merchant."""
        return int((self.settlement["coord_source_id"] == DRAWN_FROM).sum())


def read_outputs(identity: RunIdentity, published: Published, inputs: SealedInputs) -> SeedOutputs:
    """Read a seed's outputs; contract and results where this lineage has them.

    Args:
        published: snapshots of S1 to S3, and of S4 when it has run.
        inputs: for transaction_schema_merchant_ids and world_countries.
    """
    countries = inputs.table("world_countries", STATE, ["country_iso", "geom"])
    polygons = CountryPolygons.from_wkb(countries["country_iso"].to_list(), countries["geom"].to_list())

    def whole(dataset_id: str) -> pl.DataFrame | None:
        return published.table(dataset_id) if published.has(dataset_id) else None

    return SeedOutputs(
        identity=identity,
        merchants=inputs.table("transaction_schema_merchant_ids", STATE, list(MERCHANT_COLUMNS)),
        classification=published.table("virtual_classification_3B", list(CLASSIFICATION_COLUMNS)),
        settlement=located(published, polygons),
        profile=published.table("edge_merchant_profile_3B", list(PROFILE_COLUMNS)),
        edges=published.table("edge_catalogue_3B", list(EDGE_COLUMNS)),
        alias_index=published.table("edge_alias_index_3B"),
        alias_blob=published.path("edge_alias_blob_3B").read_bytes(),
        contract=whole("virtual_validation_contract_3B"),
        terms=whole("virtual_validation_terms_3B"),
        results=whole("virtual_validation_results_3B"),
        countries=polygons,
    )


def located(published: Published, polygons: CountryPolygons) -> pl.DataFrame:
    """``SETTLEMENT_COLUMNS`` and settlement_country, "" where no polygon covers an ingested point.

    A lineage from before S1 said so has it by the first polygon, in ISO order, that covers the point.
    """
    settlement = published.table("virtual_settlement_3B", list(SETTLEMENT_COLUMNS))
    if not published.has(COUNTRIES):
        lon, lat = settlement["lon_deg"].to_numpy(), settlement["lat_deg"].to_numpy()
        country = covering_countries(polygons, lon, lat)
        return settlement.with_columns(settlement_country=pl.Series(country, dtype=pl.String))
    return with_countries(settlement, published.table(COUNTRIES, ["merchant_id", "settlement_country_iso"]))


def with_countries(settlement: pl.DataFrame, countries: pl.DataFrame) -> pl.DataFrame:
    """The settlements with settlement_country.

    Args:
        countries: merchant_id, settlement_country_iso.
    """
    known = countries.select("merchant_id", settlement_country=pl.col("settlement_country_iso").fill_null(""))
    joined = settlement.join(known, on="merchant_id", how="left", maintain_order="left")
    return joined.with_columns(pl.col("settlement_country").fill_null(""))


def _not_whole(dataset: str, detail: dict[str, Any]) -> Seg3BError:
    return fail(
        "one_set_of_virtual_merchants",
        dataset,
        "Run the seed from S1: the outputs are not of one lineage, and realism scores whole seeds only.",
        **detail,
    )
