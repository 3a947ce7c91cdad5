"""What a run does and writes grows in step with its edges: counted in calls and bytes, not timed."""

from __future__ import annotations

from pathlib import Path

import pytest

from seg3b_assets.audit.verification import verify
from seg3b_assets_tests.end_to_end.installation import Installation
from seg3b_assets_tests.end_to_end.recomputing import Recomputed, counted

pytestmark = pytest.mark.e2e

CALLS_PER_EDGE = 80
CALLS_PER_EVENT = 15
GROWING = (
    "rng_event_edge_tile_assign_3B",
    "rng_event_edge_jitter_3B",
    "rng_trace_log_3B",
    "edge_alias_blob_3B",
)


def test_a_further_edge_costs_a_bounded_number_of_calls(recomputed: Recomputed) -> None:
    small, coarse = recomputed.small, recomputed.coarse
    edges = coarse.record["counts"]["edges"] - small.record["counts"]["edges"]
    assert edges > 20_000
    # Some fifty today, half of them for page headers of tile tables, of which more edges read more; a loop over edges
    # adds its own.
    assert (coarse.calls - small.calls) / edges < CALLS_PER_EDGE


def test_evidence_and_blob_grow_in_step_with_the_edges(finished: Installation, coarse: Installation) -> None:
    def bytes_per_edge(installation: Installation, dataset: str) -> float:
        edges: int = installation.run().passed()["counts"]["edges"]
        return installation.path(dataset).stat().st_size / edges

    for dataset in GROWING:
        assert 0.9 < bytes_per_edge(coarse, dataset) / bytes_per_edge(finished, dataset) < 1.1, dataset


def test_verifying_costs_a_bounded_number_of_calls_per_event(
    finished: Installation, coarse: Installation, tmp_path: Path
) -> None:
    def verified(installation: Installation, name: str) -> tuple[int, int]:
        tree = tmp_path / name
        installation.seg3b("export", "heads", str(tree), "--json").passed()
        found, calls = counted(lambda: verify(tree, installation.policies, workers=1))
        assert found.holds()
        logs = found.report.logs
        return sum(facts.lines for facts in logs.values()), calls

    (few, small), (many, large) = verified(finished, "small"), verified(coarse, "coarse")
    assert many - few > 100_000
    # A digest of each edge and its ids, some half a dozen events an edge; a loop over lines adds its own.
    assert (large - small) / (many - few) < CALLS_PER_EVENT
