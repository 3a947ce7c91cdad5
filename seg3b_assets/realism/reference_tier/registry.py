"""The measures of the reference tier, each with what pins its numbers down. Bounds are the policy's."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from types import MappingProxyType
from typing import Final

from seg3b_assets.realism.reference_tier import class_bands, customers, likeness, places, prevalence, weights
from seg3b_assets.realism.reference_tier.measure import MetricGroup, ReferenceMetric, Scoped
from seg3b_assets.realism.reference_tier.world import ReferenceWorld


def _classified(name: str, definition: str, unit: str = "share") -> ReferenceMetric:
    return ReferenceMetric(name, definition, unit, "S1", "classification")


def _seated(name: str, definition: str, unit: str = "share") -> ReferenceMetric:
    return ReferenceMetric(name, definition, unit, "S1", "settlement")


def _networked(name: str, definition: str, unit: str = "share") -> ReferenceMetric:
    return ReferenceMetric(name, definition, unit, "S2", "topology")


def _weighed(name: str, definition: str, unit: str = "share") -> ReferenceMetric:
    return ReferenceMetric(name, definition, unit, "S2", "weights")


def _placed(name: str, definition: str, unit: str = "share") -> ReferenceMetric:
    return ReferenceMetric(name, definition, unit, "S2", "placement")


def _one(metric: ReferenceMetric, compute: Callable[[ReferenceWorld], Scoped]) -> MetricGroup:
    return MetricGroup(lambda world: (compute(world),), (metric,))


MEASURES: Final = (
    # R01 live edges
    _one(_weighed("light_edge_share", "Edges whose weight is below 10^-6, per edge."), weights.light_edges),
    _one(
        _weighed("one_unit_edge_share", "Edges of the least weight there is, 10^-12, per edge."),
        weights.one_unit_edges,
    ),
    _one(
        _weighed(
            "rank_size_slope_p50",
            "Median over merchants of the least-squares slope of ln weight on ln rank at 25 log-spaced ranks "
            "from a tenth to half of the merchant's edges, from the tenth on.",
            "slope",
        ),
        weights.rank_size,
    ),
    _one(
        _weighed(
            "dust_edge_share",
            "Edges lighter than 1 % of an even share of their merchant's traffic, per edge.",
        ),
        weights.dust_edges,
    ),
    # R02 home market
    _one(
        _networked("home_share_p50", "Median over merchants of the weight in the home country."),
        customers.home_median,
    ),
    _one(
        _networked("home_share_p25", "25 % quantile over merchants of the weight in the home country."),
        customers.home_p25,
    ),
    _one(
        _networked(
            "home_share_abroad_p50", "Median weight in the home country of merchants seated elsewhere."
        ),
        customers.home_median_abroad,
    ),
    _one(
        _networked(
            "homeless_share",
            "Merchants with less than 5 % of their weight in the home country, per merchant.",
        ),
        customers.without_home,
    ),
    _one(
        _networked(
            "home_share_group_p50",
            "Median weight in the home country, within each class and each home country.",
        ),
        customers.home_median_by_group,
    ),
    # R03 atoms
    _one(
        _weighed(
            "atom_share",
            "Largest share of merchants within one window [x, 1.005 x], zeros one window, of: effective "
            "countries, largest country share, home share, overlap with the seat, largest edge, weighted "
            "distance.",
        ),
        weights.atoms,
    ),
    _one(_weighed("near_atom_share", "The same with windows [x, 1.1 x]."), weights.near_atoms),
    _one(
        _networked("tempered_share", "Merchants whose country shares were tempered, per merchant."),
        weights.tempered,
    ),
    _one(
        _networked(
            "capped_share", "Merchants that had a country cut to the largest single share, per merchant."
        ),
        weights.capped,
    ),
    # R04 gravity
    MetricGroup(
        customers.gravities,
        (
            _networked(
                "gravity_users",
                "Elasticity of weight abroad to a country's internet users: conditional Poisson regression "
                "with merchant effects on ln users, ln max(km, 50) from home and same sub-region; home, seat,"
                " own outlets and countries without cards left out, zeros counted.",
                "elasticity",
            ),
            _networked(
                "gravity_distance",
                "Elasticity of weight abroad to distance, from the same fit.",
                "elasticity",
            ),
        ),
    ),
    # R05 reachable customers
    _one(
        _networked(
            "tiny_country_traffic",
            "Mean weight, outside home, seat and own outlets, in countries under 100,000 people, against "
            "their share of internet users.",
            "ratio",
        ),
        customers.tiny_countries,
    ),
    _one(
        _networked(
            "no_card_traffic",
            "Mean weight in countries without card acceptance that are neither home nor seat.",
        ),
        customers.no_card_countries,
    ),
    _one(
        _networked("countries_in_use", "Countries that have an edge.", "countries"),
        customers.countries_in_use,
    ),
    _one(
        _networked(
            "busiest_country_traffic",
            "Largest ratio of mean weight, outside home, seat and own outlets, to share of internet users, "
            "over countries with 0.2 % of the users or more.",
            "ratio",
        ),
        customers.busiest_country,
    ),
    # R06 trade matters
    MetricGroup(
        likeness.trade_measures,
        (
            _networked(
                "trade_effect",
                "Mean divergence of pairs of different trade families less that of pairs of one, each less "
                "the mean of its home country and class, in units of the mean divergence; home and seat left "
                "out.",
                "ratio",
            ),
            _networked(
                "trade_effect_z",
                "How many standard deviations the effect lies above its mean with trades permuted inside home"
                " country and class.",
                "standard deviations",
            ),
        ),
    ),
    _one(
        _networked(
            "closed_gambling_traffic",
            "Weight of gambling in countries closed to it, home and seat left out, against their share of "
            "users.",
            "ratio",
        ),
        likeness.closed_gambling,
    ),
    # R07 no clones
    _one(
        _networked(
            "same_seat_js_p50",
            "Median divergence of country weights over pairs of one class and seat country.",
            "nats",
        ),
        likeness.same_seat_divergence,
    ),
    _one(
        _networked(
            "nearest_neighbour_js_p05",
            "5 % quantile over merchants of the divergence from the most alike merchant of the same seat "
            "country.",
            "nats",
        ),
        likeness.nearest_neighbours,
    ),
    _one(
        _networked(
            "class_band_misses",
            "Stretch bands on countries, heaviest edge and divergence that fail within a class, and "
            "inconclusive ones but for one.",
            "cells",
        ),
        class_bands.band_misses,
    ),
    # R08 fine geography
    MetricGroup(
        places.place_measures,
        (
            _placed(
                "near_town_traffic", "Weight on edges within 10 km of a place of 15,000 people, per weight."
            ),
            _placed(
                "near_town_traffic_part",
                "The same of edges at home, abroad, in merchant-country pairs under 20 edges, and of heaviest"
                " edges.",
            ),
            _placed(
                "near_town_edges_abroad", "Edges abroad within 10 km of a place of 15,000 people, per edge."
            ),
            _placed(
                "weight_people_ranks_p50",
                "Rank correlation of weight and people within 15 km inside a merchant-country pair of 20 "
                "edges or more, median over the pairs.",
                "correlation",
            ),
            _placed(
                "weight_people_ranks_small",
                "The same within pairs of 5 to 19 edges, ranks centred within the pair and pooled.",
                "correlation",
            ),
            _placed(
                "pair_cells_p50",
                "Distinct cells of 0.1 degrees per edge of a pair of 20 edges or more, median.",
            ),
            _placed(
                "country_cells_p50",
                "Distinct cells of 0.1 degrees per edge of a country of 200 edges or more, median.",
            ),
            _placed(
                "weight_address_ranks_p50",
                "Rank correlation of weight and IPv4 addresses over cells of one degree, median over "
                "countries with 200 edges and 10 cells or more.",
                "correlation",
            ),
            _placed(
                "country_address_ranks",
                "Rank correlation of weight and IPv4 addresses over all countries.",
                "correlation",
            ),
        ),
    ),
    # R09 size and footprint
    _one(
        _networked(
            "outlets_edges_ranks", "Rank correlation of outlets and edges over merchants.", "correlation"
        ),
        customers.outlets_and_edges,
    ),
    _one(
        _networked("outlets_edges_ranks_class", "The same within each class.", "correlation"),
        customers.outlets_and_edges_by_class,
    ),
    _one(
        _networked(
            "footprint_lift",
            "Weight where merchants have outlets abroad, against the mean weight there of others of one home "
            "country and class.",
            "ratio",
        ),
        customers.footprint_lift,
    ),
    # R10 who is virtual
    MetricGroup(
        prevalence.prevalence_measures,
        (
            _classified(
                "digital_virtual_share",
                "Virtual merchants among card-not-present merchants of digital trades.",
            ),
            _classified(
                "card_present_virtual_share", "Virtual merchants whose cards are seen, per virtual merchant."
            ),
            _classified(
                "remote_virtual_ranks",
                "Rank correlation over trades of the virtual share of their merchants and the remote share of"
                " their sales.",
                "correlation",
            ),
            _classified("tiny_home_share", "Virtual merchants at home in a country under 100,000 people."),
            _classified(
                "no_card_home_share", "Virtual merchants at home in a country without card acceptance."
            ),
            _classified(
                "low_remote_virtual_share", "Virtual merchants whose trade sells less than 30 % remotely."
            ),
        ),
    ),
    # R11 seats
    MetricGroup(
        places.seat_measures,
        (
            _seated(
                "larger_places_p50", "Median over seats of their country's people who live in larger places."
            ),
            _seated("larger_places_p75", "75 % quantile of the same."),
            _seated(
                "largest_place_excess",
                "Seats in a country's largest place beyond its share of the people and one seat, in standard "
                "deviations of such a count, by country of 30 seats or more.",
                "standard deviations",
            ),
        ),
    ),
    MetricGroup(
        places.seats_abroad,
        (
            _seated("seated_abroad_share", "Merchants seated outside their home country, per merchant."),
            _seated("no_card_seat_share", "Of those, seated in a country without card acceptance."),
            _seated("jurisdiction_seat_share", "Of those, seated where foreigners have a known reason to."),
            _seated("commonest_seat_share", "Of those, seated in the commonest country."),
        ),
    ),
    # R12 countries and counts
    _one(
        _weighed(
            "count_weight_gap_p50",
            "Median over merchants of the largest difference of a country's share of edges and of weight.",
        ),
        weights.count_weight_gap,
    ),
    _one(
        _weighed(
            "count_weight_correlation",
            "Correlation of a country's share of edges and of weight over merchants.",
            "correlation",
        ),
        weights.count_weight_correlation,
    ),
    _one(
        _weighed(
            "count_weight_ranks_p50",
            "Median over merchants of the rank correlation of edges and weight.",
            "correlation",
        ),
        weights.count_weight_ranks,
    ),
)

REFERENCE_METRICS: Final[Mapping[str, ReferenceMetric]] = MappingProxyType(
    {metric.name: metric for measure in MEASURES for metric in measure.metrics}
)


def measure_reference(world: ReferenceWorld) -> dict[str, Scoped]:
    """Every measure of the tier over one seed, by name and scope; not snapped."""
    found: dict[str, Scoped] = {}
    for measure in MEASURES:
        names = [metric.name for metric in measure.metrics]
        found |= dict(zip(names, measure.compute(world), strict=True))
    return found
