"""Whatever a consumer's answer depends on is held against the seal before it is used, and the seal against a flag."""

from __future__ import annotations

import shutil
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import orjson
import polars as pl
import pytest

from seg3b_assets.consume import PublishedRun, Router, open_run
from seg3b_assets.consume.seal import ROUTED
from seg3b_assets.laws.errors import Seg3BError
from seg3b_assets_tests.end_to_end.installation import Installation


@pytest.fixture(scope="module")
def tree(finished: Installation, tmp_path_factory: pytest.TempPathFactory) -> Path:
    root = tmp_path_factory.mktemp("sealed") / "tree"
    finished.seg3b("export", "heads", str(root), "--seed", "42", "--json").passed()
    return root


@pytest.fixture(scope="module")
def run(tree: Path) -> PublishedRun:
    return open_run(tree)


@pytest.fixture
def copy(tree: Path, tmp_path: Path) -> Path:
    return Path(shutil.copytree(tree, tmp_path / "tree"))


def refusal(tree: Path, **options: str) -> str:
    with pytest.raises(Seg3BError) as refused:
        Router.of(open_run(tree, **options))
    return refused.value.code.partition("_S5_")[2] or refused.value.code


def leaves(value: Any, path: tuple[str | int, ...] = ()) -> Iterator[tuple[str | int, ...]]:
    inside = (
        value.items() if isinstance(value, dict) else enumerate(value) if isinstance(value, list) else None
    )
    if inside is None or not value:
        yield path
        return
    for key, one in inside:
        yield from leaves(one, (*path, key))


def changed(value: Any, path: tuple[str | int, ...]) -> Any:
    """The document with another value there, of the same kind."""
    if path:
        copied = value.copy()
        copied[path[0]] = changed(value[path[0]], path[1:])
        return copied
    if isinstance(value, bool) or value is None:
        return not value
    if isinstance(value, int | float):
        return value + 1
    if isinstance(value, str):
        return ("1" if value[:1] == "0" else "0") + value[1:]
    return [value]


def documents(run: PublishedRun) -> Iterator[Path]:
    """Every JSON file on which an answer rests: what is routed, and the bundle that seals it."""
    yield from (path for name in ROUTED if (path := run.path(name)).suffix == ".json")
    yield from sorted(run.path("validation_bundle_3B").glob("*.json"))


def test_every_field_of_every_document_that_is_read(run: PublishedRun, tree: Path, copy: Path) -> None:
    tried = 0
    for path in documents(run):
        if path.name == "index.json":
            continue  # lists the members for people; what they are, the flag says
        target = copy / path.relative_to(tree)
        genuine = path.read_bytes()
        document = orjson.loads(genuine)
        for field in leaves(document):
            target.write_bytes(orjson.dumps(changed(document, field), option=orjson.OPT_SORT_KEYS))
            assert refusal(copy), (path.name, field)
            tried += 1
        target.write_bytes(genuine)
    assert tried > 300
    assert open_run(copy).flag == run.flag


def test_every_column_of_every_table_that_is_read(run: PublishedRun, tree: Path, copy: Path) -> None:
    for name in ROUTED:
        path = run.path(name)
        files = sorted(path.glob("*.parquet")) if path.is_dir() else [path]
        for file in (one for one in files if one.suffix == ".parquet"):
            frame = pl.read_parquet(file, glob=False, hive_partitioning=False)
            target = copy / file.relative_to(tree)
            for column in frame.columns:
                other = frame.with_columns(pl.col(column).shift(1))
                if other.equals(frame):  # nothing but nulls
                    other = frame.with_columns(pl.lit("x").alias(column))
                other.write_parquet(target)
                assert refusal(copy) == "DIGEST_COMPONENT_MISMATCH", (name, column)
            shutil.copyfile(file, target)
    assert open_run(copy).flag == run.flag


def test_one_bit_of_the_alias_tables(run: PublishedRun, tree: Path, copy: Path) -> None:
    target = copy / run.path("edge_alias_blob_3B").relative_to(tree)
    data = bytearray(target.read_bytes())
    data[len(data) // 2] ^= 1
    target.write_bytes(data)
    assert refusal(copy) == "DIGEST_COMPONENT_MISMATCH"


def test_a_run_is_the_one_expected_or_refused(tree: Path, run: PublishedRun) -> None:
    assert run.flag is not None
    for flag in (run.flag, f"sha256_hex = {run.flag}\n"):
        assert open_run(tree, expect=flag).identity == run.identity
    assert refusal(tree, expect="0" * 64) == "FLAG_DIGEST_MISMATCH"
    for nonsense in ("", run.flag[:-1], run.flag.upper(), f"{run.flag}x"):
        assert refusal(tree, expect=nonsense) == "INPUT_SCHEMA_MISMATCH"


STRANGE: dict[str, Callable[[Path], None]] = {
    "a pipe": lambda path: __import__("os").mkfifo(path),
    "a device": lambda path: path.symlink_to("/dev/zero"),
    "a folder in itself": lambda path: path.symlink_to("."),
}


@pytest.mark.parametrize("put", STRANGE.values(), ids=STRANGE)
def test_what_is_no_file_is_refused_wherever_it_lies(
    run: PublishedRun, tree: Path, copy: Path, put: Callable[[Path], None]
) -> None:
    places = [run.path(name) for name in ROUTED] + [
        run.path("validation_bundle_3B") / name for name in ("_passed.flag", "s5_manifest_3B.json")
    ]
    for place in places:
        target, kept = copy / place.relative_to(tree), copy / "kept"
        there = target.exists()
        if there:
            target.rename(kept)
        put(target)
        assert refusal(copy)
        target.unlink()
        if there:
            kept.rename(target)
    assert open_run(copy).flag == run.flag


def test_what_a_file_manager_leaves_in_a_bundle_is_none_of_it(
    run: PublishedRun, tree: Path, copy: Path
) -> None:
    (copy / run.path("validation_bundle_3B").relative_to(tree) / ".DS_Store").write_bytes(b"x")
    assert open_run(copy).flag == run.flag
