"""A run that must be refused: its error, and a home that is as it was before."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

from seg3b_assets.pipeline import Segment
from seg3b_assets_tests.end_to_end.installation import SEED, STATES, Installation
from seg3b_assets_tests.end_to_end.upstream_copies import UpstreamCopy

STRUCTURAL = 3


def refused_run(
    installation: Installation, *, seed: int = SEED, segment: Segment | None = None
) -> dict[str, Any]:
    """The record of the error a run ends in; the home is checked to hold what it held, whole.

    States before the failing one may have published; the failing one and those behind it may not.
    """
    before = installation.condition()
    assert before.heads
    outcome = installation.run(seed=seed, segment=segment)
    error = outcome.error
    assert outcome.exit_code == STRUCTURAL
    assert error["code"].startswith(f"E3B_{error['state']}_")
    assert error["place"]
    assert error["remedy"].endswith(".")
    for said in (error["code"], error["place"], error["remedy"]):
        assert said in outcome.stderr
    assert "Traceback" not in outcome.stderr
    after = installation.condition()
    assert after.heads == before.heads
    assert (after.spoilt, after.leftovers) == ([], [])
    assert after.published_since(before) <= set(STATES[: STATES.index(error["state"])])
    return error


def refused_upstream(installation: Installation, upstream: UpstreamCopy) -> dict[str, Any]:
    """The record of the error that a run over a configured upstream root ends in."""
    return refused_run(replace(installation, upstream=upstream.path))
