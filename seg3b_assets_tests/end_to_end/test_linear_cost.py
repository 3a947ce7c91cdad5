"""What a run does and writes grows in step with its edges: counted in calls and bytes, not timed."""

from __future__ import annotations

from seg3b_assets_tests.end_to_end.installation import Installation
from seg3b_assets_tests.end_to_end.recomputing import Recomputed

CALLS_PER_EDGE = 80
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
    # Some thirty today, most of them a digest each in S2 and in the audit; a loop over edges adds its own.
    assert (coarse.calls - small.calls) / edges < CALLS_PER_EDGE


def test_evidence_and_blob_grow_in_step_with_the_edges(finished: Installation, coarse: Installation) -> None:
    def bytes_per_edge(installation: Installation, dataset: str) -> float:
        edges: int = installation.run().passed()["counts"]["edges"]
        return installation.path(dataset).stat().st_size / edges

    for dataset in GROWING:
        assert 0.9 < bytes_per_edge(coarse, dataset) / bytes_per_edge(finished, dataset) < 1.1, dataset
