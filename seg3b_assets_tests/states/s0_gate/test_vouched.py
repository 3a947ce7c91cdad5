"""Whose rows a dataset's are, and who vouches for its bytes: said by upstream, and held against each other at S0."""

from __future__ import annotations

import hashlib
import shutil
from collections.abc import Callable
from pathlib import Path

import orjson
import polars as pl
import pytest

from seg3b_assets.contracts import contract
from seg3b_assets.laws.errors import Seg3BError
from seg3b_assets.laws.hashing import canonical_json, path_digest
from seg3b_assets.realism.policy_reading import load_policies
from seg3b_assets.states.s0_gate import SealedWorld, seal
from seg3b_assets.states.s0_gate.bundles import SEGMENTS, verify_bundle
from seg3b_assets.states.s0_gate.upstream import locate
from seg3b_assets.states.s0_gate.vouched import unvouched, vouched
from seg3b_assets.store.digest_cache import DigestCache
from seg3b_assets_tests.states.miniature_upstream import POLICIES, Root, write_bundle, write_root

OTHER = "f" * 64


@pytest.fixture
def root(tmp_path: Path) -> Root:
    return write_root(tmp_path / "upstream")


def sealed(root: Root) -> SealedWorld:
    return seal(root.path, load_policies(POLICIES), DigestCache(root.path.parent / "digests.json", False))


def refused(root: Root) -> Seg3BError:
    with pytest.raises(Seg3BError) as caught:
        sealed(root)
    return caught.value


def place(root: Root, dataset_id: str) -> Path:
    found = locate(contract(dataset_id), root.path, root.world)
    assert found is not None
    return found


def with_column(root: Root, dataset_id: str, name: str, value: pl.Expr) -> Path:
    location = place(root, dataset_id)
    file = next(location.glob("*.parquet")) if location.is_dir() else location
    pl.read_parquet(file, glob=False, hive_partitioning=False).with_columns(value.alias(name)).write_parquet(
        file
    )
    return file


@pytest.mark.parametrize(
    ("dataset_id", "column", "value", "found"),
    [
        ("outlet_catalogue", "global_seed", pl.lit(7, pl.UInt64), 7),
        ("outlet_catalogue", "global_seed", pl.lit(7, pl.Int64), 7),
        ("outlet_catalogue", "manifest_fingerprint", pl.lit(OTHER), OTHER),
        ("site_locations", "manifest_fingerprint", pl.lit(OTHER), OTHER),
        ("site_timezones", "seed", pl.lit(41, pl.UInt64), 41),
        ("zone_alloc", "seed", pl.lit(None, pl.UInt64), None),
        ("zone_alloc", "manifest_fingerprint", pl.lit(OTHER).cast(pl.Categorical), OTHER),
        ("zone_alloc", "parameter_hash", pl.lit(OTHER), OTHER),
    ],
)
def test_a_column_that_repeats_the_path_must_say_what_it_says(
    root: Root, dataset_id: str, column: str, value: pl.Expr, found: object
) -> None:
    file = with_column(root, dataset_id, column, value)
    error = refused(root)
    assert (error.code, error.place) == ("E3B_S0_IDENTITY_MISMATCH", f"{file}:{column}")
    assert error.detail["found"] == [found]
    assert error.detail["expected"] in {*vars(root.world).values()}


def test_one_row_of_another_world_is_enough(root: Root) -> None:
    with_column(
        root,
        "zone_alloc",
        "manifest_fingerprint",
        pl.when(pl.int_range(pl.len()) == 0)
        .then(pl.lit(OTHER))
        .otherwise(pl.lit(root.world.manifest_fingerprint)),
    )
    assert refused(root).detail["found"] == [OTHER]


@pytest.mark.parametrize("dtype", [pl.UInt64, pl.Int64, pl.Int32])
def test_the_same_seed_in_another_integer_type_is_the_same(root: Root, dtype: pl.DataType) -> None:
    with_column(root, "zone_alloc", "seed", pl.lit(root.world.seed, dtype))
    assert sealed(root).world == root.world


def by_folder(location: Path) -> str:
    return path_digest(location)


def by_bytes(location: Path) -> str:
    return hashlib.sha256(b"".join(path.read_bytes() for path in sorted(location.glob("*")))).hexdigest()


def certify(root: Root, segment: str, name: str, document: object) -> None:
    shutil.rmtree(root.bundle(segment))
    write_bundle(root, segment, {name: canonical_json(document)})


@pytest.mark.parametrize("count", [by_folder, by_bytes])
@pytest.mark.parametrize("shape", ["datasets", "evidence"])
def test_a_certified_dataset_must_have_the_certified_bytes(
    root: Root, count: Callable[[Path], str], shape: str
) -> None:
    location = place(root, "zone_alloc")
    digest = count(location)
    row = {"logical_id": "zone_alloc", "sha256_hex": digest}
    certify(
        root,
        "3A",
        "said.json",
        {"datasets": {"zone_alloc": digest}} if shape == "datasets" else {"evidence": [row]},
    )
    sealed(root)
    (location / "part-00001.parquet").write_bytes(next(location.glob("*")).read_bytes())
    error = refused(root)
    assert (error.code, error.validator) == ("E3B_S0_UPSTREAM_HASH_MISMATCH", "certified_dataset")
    assert error.detail["logical_id"] == "zone_alloc"
    assert error.detail["expected"] == digest
    assert str(error.detail["certified_by"]).endswith("said.json")


@pytest.mark.parametrize(
    "document", [[1], {"datasets": 3}, {"datasets": {"zone_alloc": "none"}}, {"evidence": [3]}]
)
def test_members_of_other_shapes_certify_nothing(root: Root, document: object) -> None:
    certify(root, "3A", "said.json", document)
    sealed(root)


def test_a_dataset_of_one_file_may_be_certified_by_its_folder(root: Root) -> None:
    certify(
        root,
        "1B",
        "said.json",
        {"datasets": {"world_countries": path_digest(place(root, "world_countries").parent)}},
    )
    sealed(root)


def test_for_whose_bytes_nobody_speaks_is_known(root: Root) -> None:
    certify(root, "2A", "said.json", {"datasets": {"tz_world": path_digest(place(root, "tz_world"))}})
    rows = sealed(root).sealed_inputs
    gates = [verify_bundle(segment, root.bundle(segment), root.world) for segment in SEGMENTS]
    left = unvouched(vouched(gates), rows)
    assert "tz_world" not in left
    assert {"outlet_catalogue", "zone_alloc", "run_receipt"} <= set(left)


@pytest.mark.parametrize("at", ["receipt", "index"])
def test_a_repeated_key_is_refused_by_name(root: Root, at: str) -> None:
    if at == "receipt":
        path = root.path / "run_receipt.json"
        path.write_bytes(path.read_bytes().replace(b'"seed":42', b'"seed":42,"seed":42'))
    else:
        path = root.bundle("2A") / "index.json"
        path.write_bytes(path.read_bytes().replace(b'{"files":', b'{"files":[],"files":', 1))
    error = refused(root)
    assert "there more than once" in str(error.detail["reason"])
    assert str(path) == error.place
    orjson.loads(path.read_bytes())
