"""The four gates hold when nothing was touched, and each fault is found by its own rule."""

from __future__ import annotations

import hashlib
from pathlib import Path

import orjson
import pytest

from seg3b_assets.laws.errors import Seg3BError
from seg3b_assets.states.s0_gate.bundles import SEGMENTS, verify_bundle
from seg3b_assets_tests.states.miniature_upstream import (
    WORLD,
    Root,
    bundle_index,
    write,
    write_bundle,
    write_flag,
)

EVERY_SEGMENT = pytest.mark.parametrize("segment", SEGMENTS)


@pytest.fixture
def root(tmp_path: Path) -> Root:
    written = Root(tmp_path)
    for segment in SEGMENTS:
        write_bundle(written, segment)
    return written


def refused(root: Root, segment: str) -> Seg3BError:
    with pytest.raises(Seg3BError) as caught:
        verify_bundle(segment, root.bundle(segment), WORLD)
    assert caught.value.remedy
    assert caught.value.place
    return caught.value


def rewrite_index(root: Root, segment: str, paths: list[str]) -> None:
    """An index that lists ``paths``, digests borrowed where the file does not exist."""
    existing = bundle_index(root, segment, ["a.json"] * len(paths))
    entries = existing if isinstance(existing, list) else existing.get("files") or existing["members"]
    for number, (entry, path) in enumerate(zip(entries, paths, strict=True)):
        entry["path"] = path
        if "logical_id" in entry:
            entry["logical_id"] = f"m{number}"
    write(root.bundle(segment) / "index.json", orjson.dumps(existing))


@EVERY_SEGMENT
def test_an_untouched_bundle_passes(root: Root, segment: str) -> None:
    gate = verify_bundle(segment, root.bundle(segment), WORLD)
    assert gate.flag.read_text() == f"sha256_hex = {gate.sha256_hex}\n"


@EVERY_SEGMENT
def test_a_flag_may_go_without_its_newline(root: Root, segment: str) -> None:
    flag = root.bundle(segment) / "_passed.flag"
    flag.write_bytes(flag.read_bytes().rstrip(b"\n"))
    verify_bundle(segment, root.bundle(segment), WORLD)


@EVERY_SEGMENT
def test_a_flag_with_another_digest_is_a_hash_mismatch(root: Root, segment: str) -> None:
    write_flag(root.bundle(segment), "b" * 64)
    error = refused(root, segment)
    assert error.code == "E3B_S0_UPSTREAM_HASH_MISMATCH"
    assert error.detail["expected"] == "b" * 64
    assert error.detail["found"] != "b" * 64


@EVERY_SEGMENT
def test_a_changed_member_is_a_hash_mismatch(root: Root, segment: str) -> None:
    (root.bundle(segment) / "a.json").write_bytes(b"{ }")
    assert refused(root, segment).code == "E3B_S0_UPSTREAM_HASH_MISMATCH"


@pytest.mark.parametrize("segment", ["2A", "3A"])
def test_a_changed_member_is_named_where_the_index_carries_its_digest(root: Root, segment: str) -> None:
    (root.bundle(segment) / "c.txt").write_bytes(b"\x00\xfe")
    error = refused(root, segment)
    assert error.validator == "member_sha256_hex"
    assert error.place.endswith("c.txt")


@EVERY_SEGMENT
@pytest.mark.parametrize(
    "flag",
    [b"", b"sha256_hex=" + b"a" * 64, b"sha256_hex = " + b"A" * 64, b"sha256_hex = " + b"a" * 64 + b"\n\n"],
)
def test_a_flag_out_of_its_grammar_is_an_invalid_gate(root: Root, segment: str, flag: bytes) -> None:
    (root.bundle(segment) / "_passed.flag").write_bytes(flag)
    assert refused(root, segment).code == "E3B_S0_GATE_MISSING_OR_INVALID"


@EVERY_SEGMENT
@pytest.mark.parametrize("name", ["_passed.flag", "index.json"])
def test_a_bundle_without_flag_or_index_is_an_invalid_gate(root: Root, segment: str, name: str) -> None:
    (root.bundle(segment) / name).unlink()
    error = refused(root, segment)
    assert error.code == "E3B_S0_GATE_MISSING_OR_INVALID"
    assert name in error.place


@EVERY_SEGMENT
def test_a_missing_member_is_named(root: Root, segment: str) -> None:
    (root.bundle(segment) / "a.json").unlink()
    error = refused(root, segment)
    assert error.code == "E3B_S0_UPSTREAM_INDEX_INVALID"
    assert error.detail["missing"] == ["a.json"]


@EVERY_SEGMENT
def test_an_unlisted_file_is_named(root: Root, segment: str) -> None:
    write(root.bundle(segment) / "checks/extra.json", b"{}")
    error = refused(root, segment)
    assert error.code == "E3B_S0_UPSTREAM_INDEX_INVALID"
    assert error.detail["unlisted"] == ["checks/extra.json"]


@EVERY_SEGMENT
@pytest.mark.parametrize(
    "path",
    ["../a.json", "checks/../a.json", "/a.json", "c:a.json", "checks\\b.json", "é.json", "", "./a.json"],
)
def test_a_path_that_could_leave_the_bundle_is_refused(root: Root, segment: str, path: str) -> None:
    rewrite_index(root, segment, [path, "checks/b.json", "c.txt"])
    assert refused(root, segment).code == "E3B_S0_UPSTREAM_INDEX_INVALID"


@EVERY_SEGMENT
def test_a_path_listed_twice_is_refused(root: Root, segment: str) -> None:
    rewrite_index(root, segment, ["a.json", "a.json", "checks/b.json", "c.txt"])
    assert refused(root, segment).code == "E3B_S0_UPSTREAM_INDEX_INVALID"


@EVERY_SEGMENT
def test_a_link_out_of_the_bundle_is_refused(root: Root, segment: str, tmp_path: Path) -> None:
    outside = write(tmp_path / "outside.json", (root.bundle(segment) / "a.json").read_bytes())
    member = root.bundle(segment) / "a.json"
    member.unlink()
    member.symlink_to(outside)
    error = refused(root, segment)
    assert error.code == "E3B_S0_UPSTREAM_INDEX_INVALID"
    assert error.validator == "index_link"


@EVERY_SEGMENT
def test_a_dangling_link_is_a_missing_member(root: Root, segment: str) -> None:
    member = root.bundle(segment) / "a.json"
    member.unlink()
    member.symlink_to("nothing.json")
    assert refused(root, segment).detail["missing"] == ["a.json"]


@EVERY_SEGMENT
@pytest.mark.parametrize("index", [b"{", b"7", b"{}", b"[]", b'[{"path":"a.json"}]'])
def test_an_index_of_another_shape_is_refused(root: Root, segment: str, index: bytes) -> None:
    (root.bundle(segment) / "index.json").write_bytes(index)
    assert refused(root, segment).code == "E3B_S0_UPSTREAM_INDEX_INVALID"


@EVERY_SEGMENT
def test_a_flag_cannot_be_a_member_of_its_own_bundle(root: Root, segment: str) -> None:
    rewrite_index(root, segment, ["_passed.flag", "a.json", "checks/b.json", "c.txt"])
    assert refused(root, segment).code == "E3B_S0_UPSTREAM_INDEX_INVALID"


def test_an_index_of_another_world_is_an_identity_mismatch(root: Root) -> None:
    index = root.bundle("3A") / "index.json"
    index.write_bytes(index.read_bytes().replace(b"2" * 64, b"3" * 64))
    assert refused(root, "3A").code == "E3B_S0_IDENTITY_MISMATCH"


@pytest.mark.parametrize("segment", ["1A", "1B"])
def test_an_index_that_lists_itself_counts(root: Root, segment: str) -> None:
    folder = root.bundle(segment)
    names = ["a.json", "checks/b.json", "c.txt", "index.json"]
    write(folder / "index.json", orjson.dumps(bundle_index(root, segment, names)))
    assert refused(root, segment).code == "E3B_S0_UPSTREAM_HASH_MISMATCH"
    write_flag(folder, _digest_of([folder / name for name in sorted(names)]))
    verify_bundle(segment, folder, WORLD)


def _digest_of(files: list[Path]) -> str:
    return hashlib.sha256(b"".join(file.read_bytes() for file in files)).hexdigest()


def test_the_3a_flag_follows_logical_ids_not_paths(root: Root) -> None:
    folder = root.bundle("3A")
    index = orjson.loads((folder / "index.json").read_bytes())
    by_id = sorted(index["members"], key=lambda member: member["logical_id"])
    by_path = sorted(index["members"], key=lambda member: member["path"])
    assert by_id != by_path
    verify_bundle("3A", folder, WORLD)
