"""A merchant's edges do not depend on whose edges are drawn beside it, before it, or in the same process."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, fields, replace

import numpy as np
import polars as pl
import pytest
from numpy.typing import NDArray
from polars.testing import assert_frame_equal

from seg3b_assets.inputs.published import Published
from seg3b_assets.laws.randomness import EDGE_JITTER, EDGE_TILE_ASSIGN, WEIGHT_SHAPE, Stream
from seg3b_assets.pipeline.segment import default_segment, seal_seed, upstream_root
from seg3b_assets.progress import SILENT
from seg3b_assets.settings import Settings
from seg3b_assets.states.context import Lanes, StateContext
from seg3b_assets.states.s2_edges.catalogue import PlacedEdges, build_catalogue
from seg3b_assets.states.s2_edges.edges import allot_slots
from seg3b_assets.states.s2_edges.evidence import jitter_lines, tile_assign_lines
from seg3b_assets.states.s2_edges.merchants import VirtualMerchants
from seg3b_assets.states.s2_edges.placement import Attempts, place, resolve_zones
from seg3b_assets.states.s2_edges.state import _Inputs, _read_inputs
from seg3b_assets.states.s2_edges.surface import SURFACES, TileSurface
from seg3b_assets.states.s2_edges.topology import draw_topology
from seg3b_assets.states.s2_edges.weights import edge_masses
from seg3b_assets.store import Staging
from seg3b_assets.world import WorldRecipe
from seg3b_assets_tests.end_to_end.installation import RESOLUTION, SEED, Installation

Rows = NDArray[np.int64]


@dataclass(frozen=True)
class EdgeDrawing:
    """S2's own functions over the finished home's inputs, for any of its merchants."""

    context: StateContext
    inputs: _Inputs
    budgets: NDArray[np.int64]

    def draw(self, rows: Rows) -> tuple[PlacedEdges, Attempts]:
        """The edges of these merchants alone, given the budgets the whole population gave them."""
        context, policies = self.context, self.context.policies
        merchants = of_rows(self.inputs.merchants, rows)
        drawn = draw_topology(context.identity, merchants, self.inputs.atlas, policies.edge_topology)
        slots = allot_slots(
            merchants.merchant_id, self.inputs.atlas.iso, drawn.guarded.masses, self.budgets[rows]
        )
        surface = TileSurface.scan({name: context.inputs.path(name, "S2") for name in SURFACES})
        words = Stream.of(context.identity, EDGE_TILE_ASSIGN).words(slots.merchant_id, slots.address)[0]
        tiles = surface.pick(slots, words, 1, lambda _: None)
        jitter = Stream.of(context.identity, EDGE_JITTER)
        attempts = place(
            slots, tiles, self.inputs.polygons, jitter, policies.edge_topology.placement.max_attempts
        )
        lon, lat = attempts.lon[attempts.accepted], attempts.lat[attempts.accepted]
        zones = resolve_zones(slots, lon, lat, self.inputs.zones, 1)
        weights = Stream.of(context.identity, WEIGHT_SHAPE)
        mass = edge_masses(slots, tiles.weight, policies.edge_topology.edge_weights, weights)
        return PlacedEdges(slots, tiles, lon, lat, zones, mass), attempts

    def catalogue(self, placed: PlacedEdges) -> pl.DataFrame:
        version = self.context.policies.cdn_country_weights.version
        return build_catalogue(placed, self.context.identity, version)


def of_rows(merchants: VirtualMerchants, rows: Rows) -> VirtualMerchants:
    return VirtualMerchants(
        **{field.name: getattr(merchants, field.name)[rows] for field in fields(VirtualMerchants)}
    )


@pytest.fixture(scope="module")
def drawing(finished: Installation, tmp_path_factory: pytest.TempPathFactory) -> Iterator[EdgeDrawing]:
    settings = replace(
        Settings.from_environment(home=finished.home, policies=finished.policies, cache=finished.cache),
        recipe=WorldRecipe(resolution_deg=RESOLUTION, merchants=finished.merchants),
        upstream=None,
    )
    segment = default_segment()
    sealed = seal_seed(segment, settings, upstream_root(settings, SEED, SILENT))
    published = Published("S2", finished.snapshots().values(), segment.contracts)
    out = Staging(tmp_path_factory.mktemp("staged"), "S2", sealed.identity, segment.contracts)
    context = StateContext(
        sealed.identity, sealed.policies, sealed.inputs, published, out, Lanes("S2"), SILENT, 1
    )
    budgets = published.table("edge_merchant_profile_3B")["edge_budget"].to_numpy()
    yield EdgeDrawing(context, _read_inputs(context), budgets)
    out.close()


@pytest.fixture(scope="module")
def catalogue(finished: Installation) -> pl.DataFrame:
    return pl.read_parquet(sorted(finished.path("edge_catalogue_3B").iterdir()))


def test_a_merchant_alone_has_the_edges_it_has_among_others(
    drawing: EdgeDrawing, catalogue: pl.DataFrame
) -> None:
    for row in (0, len(drawing.inputs.merchants) - 1):
        placed, _ = drawing.draw(np.array([row]))
        alone = drawing.catalogue(placed)
        among = catalogue.filter(pl.col("merchant_id") == int(drawing.inputs.merchants.merchant_id[row]))
        assert_frame_equal(alone.select(among.columns), among, check_exact=True)


def test_ranges_drawn_last_to_first_give_the_published_catalogue_and_evidence(
    drawing: EdgeDrawing, catalogue: pl.DataFrame, finished: Installation
) -> None:
    ranges = np.array_split(np.arange(len(drawing.inputs.merchants)), 3)
    drawn = [drawing.draw(rows) for rows in reversed(ranges)][::-1]
    together = pl.concat(drawing.catalogue(placed) for placed, _ in drawn)
    assert_frame_equal(together.select(catalogue.columns), catalogue, check_exact=True)
    identity = drawing.context.identity
    jitter = b"".join(b"".join(jitter_lines(placed, tried, identity)) for placed, tried in drawn)
    assert jitter == finished.path("rng_event_edge_jitter_3B").read_bytes()
    assigned = b"".join(b"".join(tile_assign_lines(placed, identity)) for placed, _ in drawn)
    assert assigned == finished.path("rng_event_edge_tile_assign_3B").read_bytes()
