"""The report's sections in order: from the verdict to the bytes it rests on."""

from __future__ import annotations

from functools import partial
from typing import Final

from seg3b_assets.realism.report import (
    alias_plots,
    map_plots,
    network_plots,
    prevalence_plots,
    settlement_plots,
)
from seg3b_assets.realism.report.canvas import drawing
from seg3b_assets.realism.report.certainty_sections import (
    confidence_section,
    runtime_section,
    stability_section,
)
from seg3b_assets.realism.report.comparison_section import comparison_section, policy_section
from seg3b_assets.realism.report.content import Section
from seg3b_assets.realism.report.figures import Draw
from seg3b_assets.realism.report.gate_section import gate_section
from seg3b_assets.realism.report.material import ReportMaterial
from seg3b_assets.realism.report.provenance_section import provenance_section
from seg3b_assets.realism.report.summary_section import summary_section

_PREVALENCE: Final = (
    prevalence_plots.by_channel,
    prevalence_plots.by_mcc,
    prevalence_plots.by_country,
    prevalence_plots.by_mcc_and_channel,
)
_SETTLEMENT: Final = (
    map_plots.settlement_map,
    settlement_plots.duplicates,
    settlement_plots.zones,
    settlement_plots.overlap_by_country,
)
_NETWORKS: Final = (
    network_plots.distributions,
    network_plots.profiles,
    network_plots.country_profile,
    map_plots.edge_density,
    network_plots.distances,
)
_ALIAS: Final = (alias_plots.lengths, alias_plots.decoding, alias_plots.errors)


def _plots(name: str, title: str, lead: str, draws: tuple[Draw, ...], material: ReportMaterial) -> Section:
    return Section(name, title, [lead, *(draw(material) for draw in draws)])


_SECTIONS: Final = (
    summary_section,
    gate_section,
    comparison_section,
    stability_section,
    confidence_section,
    runtime_section,
    partial(_plots, "prevalence", "Who is virtual", "Which merchants the rules made virtual.", _PREVALENCE),
    partial(
        _plots, "settlement", "Where they settle", "The legal anchor of each virtual merchant.", _SETTLEMENT
    ),
    partial(_plots, "networks", "Their networks", "The edges each merchant's traffic comes from.", _NETWORKS),
    partial(
        _plots, "alias", "What a router draws", "The alias tables, decoded from the published blob.", _ALIAS
    ),
    policy_section,
    provenance_section,
)


def sections(material: ReportMaterial) -> list[Section]:
    """Every section, its plots drawn."""
    with drawing():
        return [section(material) for section in _SECTIONS]
