"""Which frames there are, and how they stand in ``3B_validation_plots_seed_<seed>.json``: lists by column."""

from __future__ import annotations

from collections.abc import Mapping
from types import MappingProxyType
from typing import Any, Final

import polars as pl

from seg3b_assets.laws.alias import AliasTables
from seg3b_assets.realism.outputs import SeedOutputs
from seg3b_assets.realism.plots import edges, land, merchants, places, prevalence
from seg3b_assets.realism.population import Population

PlotFrames = Mapping[str, pl.DataFrame]

PLOT_FRAMES: Final[Mapping[str, pl.Schema]] = MappingProxyType(
    {
        "virtual_rate_by_mcc_channel": prevalence.MCC_CHANNEL,
        "settlement_points": places.POINTS,
        "settlement_zones": places.ZONES,
        "settlement_countries": places.COUNTRIES,
        "merchants": merchants.MERCHANTS,
        "merchant_profiles": merchants.PROFILES,
        "profile_bands": merchants.BANDS,
        "country_profile": merchants.COUNTRY_PROFILE,
        "edge_density": edges.DENSITY,
        "edge_distances": edges.DISTANCES,
        "edge_decoding": edges.DECODING,
        "edge_decoding_errors": edges.ERRORS,
        "land": land.LAND,
    }
)


def plot_frames(outputs: SeedOutputs, population: Population, tables: AliasTables) -> PlotFrames:
    """Every frame of one seed, each with the columns ``PLOT_FRAMES`` declares; empty where there is nothing.

    Args:
        tables: decoded from the published blob.
    """
    frames = {
        "virtual_rate_by_mcc_channel": prevalence.rate_by_mcc_channel(population.rows),
        "settlement_points": places.settlement_points(outputs.settlement),
        "settlement_zones": places.settlement_zones(outputs.settlement),
        "settlement_countries": places.settlement_countries(outputs.settlement, population.merchants),
        "merchants": merchants.merchant_facts(population.merchants, tables),
        "merchant_profiles": merchants.profiles(population.merchants),
        "profile_bands": merchants.profile_bands(population.merchants),
        "country_profile": merchants.country_profile(outputs.edges, population),
        "edge_density": edges.density(outputs.edges),
        "edge_distances": edges.distances(population.edges),
        "edge_decoding": edges.decoding(population.edges, tables),
        "edge_decoding_errors": edges.decoding_errors(population.edges),
        "land": land.land_outline(outputs.countries),
    }
    return {
        name: frame.select(list(PLOT_FRAMES[name])).cast(PLOT_FRAMES[name]) for name, frame in frames.items()
    }


def read_frames(record: Mapping[str, Mapping[str, Any]]) -> PlotFrames:
    """The frames of a document's ``plots``."""
    return {name: pl.DataFrame(dict(record[name]), schema=PLOT_FRAMES[name]) for name in PLOT_FRAMES}
