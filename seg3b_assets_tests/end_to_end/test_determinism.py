"""The same inputs give the same bytes: in any store, process, processor and process count, in any order."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path

import orjson
import polars as pl
import pytest

from seg3b_assets.realism.policy_reading import load_policies
from seg3b_assets.states.registry import states
from seg3b_assets_tests.end_to_end.installation import Installation, copy_home
from seg3b_assets_tests.end_to_end.upstream_copies import UpstreamCopy

OLD_PROCESSOR = {
    "POLARS_MAX_THREADS": "4",
    "SEG3B_WORKERS": "2",
    "NPY_DISABLE_CPU_FEATURES": "X86_V3 X86_V4 AVX512_ICL AVX512_SPR",
    "GLIBC_TUNABLES": "glibc.cpu.hwcaps=-AVX2,-FMA,-AVX512F,-FMA4",
    "PYTHONHASHSEED": "1",
    "TZ": "Pacific/Kiritimati",
}
ONE_THREAD = {
    "POLARS_MAX_THREADS": "1",
    "OMP_NUM_THREADS": "1",
    "SEG3B_WORKERS": "1",
    "PYTHONHASHSEED": "4242",
    "TZ": "America/Adak",
    "LC_ALL": "C.UTF-8",
    "LANG": "tr_TR.UTF-8",
}
DECISIONS = (
    "virtual_classification_3B",
    "virtual_settlement_3B",
    "edge_catalogue_3B",
    "edge_catalogue_index_3B",
    "edge_merchant_profile_3B",
    "edge_alias_blob_3B",
    "edge_alias_index_3B",
)


def assert_same_outputs(one: Installation, other: Installation) -> None:
    """Keys, the digest of every dataset, and the flag."""
    assert set(one.digests()) == {dataset for state in states() for dataset in state.spec.writes}
    assert other.digests() == one.digests()
    assert other.heads() == one.heads()
    flag = one.path("passed_flag_3B").read_bytes()
    assert other.path("passed_flag_3B").read_bytes() == flag


def test_four_workers_give_the_same_digests(coarse: Installation, tmp_path: Path) -> None:
    copy_home(coarse.home, tmp_path / "home")
    four = replace(coarse, home=tmp_path / "home", variables={"SEG3B_WORKERS": "4"})
    before = four.condition()
    record = four.run("--recompute").passed()
    # Computed over the published snapshots, so other bytes would have been refused; and nothing moved.
    assert not any(state["reused"] for state in record["states"].values())
    assert four.condition() == before


@pytest.mark.parametrize(
    ("world", "variables"),
    [("coarse", OLD_PROCESSOR), ("finished", ONE_THREAD)],
    ids=["old processor", "one worker and thread"],
)
def test_a_fresh_store_in_another_process_on_another_machine_gives_the_same_digests(
    request: pytest.FixtureRequest, tmp_path: Path, world: str, variables: Mapping[str, str]
) -> None:
    here: Installation = request.getfixturevalue(world)
    other = replace(here, home=tmp_path / "home", variables=variables)
    record = other.run_elsewhere("--no-digest-cache").passed()
    assert not any(state["reused"] for state in record["states"].values())
    assert_same_outputs(here, other)


def test_the_masks_of_the_old_processor_are_in_force() -> None:
    probe = (
        "from numpy._core._multiarray_umath import __cpu_features__ as f;"
        "print(any(f.get(n) for n in ('X86_V3', 'X86_V4', 'AVX512_ICL', 'AVX512_SPR')))"
    )
    done = subprocess.run([sys.executable, "-c", probe], env=OLD_PROCESSOR, capture_output=True, check=True)
    assert done.stdout.strip() == b"False"


def test_neither_the_order_of_upstreams_rows_nor_what_no_edge_needs_shows(
    finished: Installation, upstream: UpstreamCopy, tmp_path: Path
) -> None:
    for table in ("transaction_schema_merchant_ids", "outlet_catalogue", "zone_alloc"):
        upstream.change(table, pl.DataFrame.reverse)
    upstream.change("settlement_gazetteer", lambda places: places.sample(fraction=1.0, shuffle=True, seed=5))
    precheck = orjson.loads(finished.path("tile_surface_partition_precheck_3B").read_bytes())
    present = {path.stem[-2:] for path in upstream.dataset("tile_weights").iterdir()}
    # A country of the prior leaves it with its tiles, which moves everybody's shares; one that is not there does not.
    prior = load_policies(finished.policies).cdn_country_weights.countries
    idle = min(present - set(precheck["required"]) - {one.country_iso for one in prior})
    for surface in ("tile_weights", "tile_index", "tile_bounds"):
        upstream.change(surface, pl.DataFrame.reverse, precheck["required"][0])
        upstream.remove(surface, idle)
    other = replace(finished, home=tmp_path / "home", upstream=upstream.path)
    other.run().passed()
    # The inputs' bytes differ, so do the seals, the run_id and whatever carries it; no decision may.
    ours, theirs = finished.digests(), other.digests()
    assert {name for name in DECISIONS if ours[name] != theirs[name]} == set()
