"""The countries an edge may stand in, and where each is: by its places, or by its tiles where there are no places."""

from __future__ import annotations

from seg3b_assets.inputs.published import Published
from seg3b_assets.inputs.sealed import SealedInputs
from seg3b_assets.policies import CdnCountryWeights
from seg3b_assets.states.s2_edges.shares import Centroids, CountryAtlas, place_centroids
from seg3b_assets.states.s2_edges.surface import SURFACES, TileSurface

GAZETTEER = "settlement_gazetteer"
_COLUMNS = ("country_iso", "lon_deg", "lat_deg", "population")


def read_atlas(
    weights: CdnCountryWeights, inputs: SealedInputs, published: Published, workers: int
) -> tuple[CountryAtlas, Centroids | None]:
    """The atlas, and the centroids it was made from where they are the tiles'.

    Args:
        published: S0 of the lineage, which says who left the prior.

    Raises:
        Seg3BError: ``TILE_SURFACE_INVALID`` for a surface of any country of the prior, without a gazetteer.
    """
    left = published.document("input_findings_3B")["left_prior"]
    if inputs.has(GAZETTEER):
        places = inputs.table(GAZETTEER, "S2", _COLUMNS)
        return CountryAtlas.of(weights, place_centroids(places), left), None
    surface = TileSurface.scan({name: inputs.path(name, "S2") for name in SURFACES})
    countries = sorted(row.country_iso for row in weights.countries if row.country_iso not in left)
    centroids = surface.centroids(countries, workers)
    return CountryAtlas.of(weights, centroids, left), centroids
