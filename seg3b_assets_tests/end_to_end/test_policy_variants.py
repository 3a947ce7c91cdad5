"""Other policies that are valid too: what they may change, what they may not, and that every state copes."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import polars as pl

from seg3b_assets_tests.end_to_end.installation import Installation
from seg3b_assets_tests.policies.spoiling import spoilt

TOPOLOGY = "edge_topology"
NEUTRAL_GUARDS = {
    "sparse_tail_floor": 0,
    "min_support": 1,
    "max_single_country_share": 1,
    "min_effective_country_count": 1,
}


def edit(folder: Path, policy: str, **values: object) -> None:
    """Put values under dotted keys, ``__`` for the dot."""
    path = folder / f"{policy}.yaml"
    for key, value in values.items():
        path.write_bytes(spoilt(path.read_bytes(), key.replace("__", "."), value))


def catalogue(installation: Installation) -> pl.DataFrame:
    return pl.read_parquet(sorted(installation.path("edge_catalogue_3B").iterdir()))


def test_smaller_part_files_hold_the_same_edges(
    empty: Installation, finished: Installation, edited_policies: Path
) -> None:
    edit(edited_policies, TOPOLOGY, publish__edges_per_part=1000)
    other = replace(empty, policies=edited_policies)
    other.run().passed()
    parts = sorted(other.path("edge_catalogue_3B").iterdir())
    heights = [pl.read_parquet(part).height for part in parts]
    assert [part.name for part in parts] == [f"part-{n:05d}.parquet" for n in range(len(parts))]
    assert set(heights[:-1]) == {1000}
    assert catalogue(other).equals(catalogue(finished))
    assert other.digests()["edge_alias_blob_3B"] == finished.digests()["edge_alias_blob_3B"]


def flatten(folder: Path) -> None:
    """Make every merchant alike, as the segment was before it had a posture."""
    guards = {f"country_shares__guards__{name}": value for name, value in NEUTRAL_GUARDS.items()}
    edit(folder, TOPOLOGY, budget__sigma=0, country_shares__profile_noise__sigma=0)
    edit(folder, TOPOLOGY, country_shares__allocation="expected", edge_weights__law="equal")
    edit(folder, TOPOLOGY, **guards)


def test_a_flat_baseline_passes_every_state_where_realism_is_only_observed(
    empty: Installation, edited_policies: Path
) -> None:
    flatten(edited_policies)
    other = replace(empty, policies=edited_policies)
    assert len(other.run().passed()["flag"]) == 64
    profile = pl.read_parquet(other.path("edge_merchant_profile_3B"))
    touched = profile.select(pl.col("^guard_.*$").exclude("guard_sparse_tail").any())
    assert not any(touched.row(0))
    assert profile["alpha"].n_unique() == profile["edge_scale"].n_unique() == 1
    spread = pl.col("edge_weight").max() - pl.col("edge_weight").min()
    assert (catalogue(other).group_by("merchant_id").agg(spread)["edge_weight"] < 1.5e-12).all()


def test_enforced_a_flat_baseline_is_measured_to_s4_and_gets_no_flag(
    installation: Installation, edited_policies: Path
) -> None:
    flatten(edited_policies)
    edit(edited_policies, "virtual_validation", realism_enforcement_mode="enforce")
    blocked = replace(installation, policies=edited_policies)
    before = blocked.condition()
    outcome = blocked.run()
    assert (outcome.exit_code, outcome.error["code"]) == (1, "E3B_S4_REALISM_GATE_BLOCKED")
    assert outcome.error["place"]
    assert outcome.error["remedy"]
    after = blocked.condition()
    assert after.heads == before.heads
    assert (after.spoilt, after.leftovers) == ([], [])
    assert after.published_since(before) == {"S0", "S1", "S2", "S3", "S4"}
    again = blocked.run()
    assert (again.exit_code, again.error) == (1, outcome.error)
