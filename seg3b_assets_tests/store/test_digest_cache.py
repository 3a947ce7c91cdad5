"""The digest cache never returns a digest of other bytes than are there."""

from __future__ import annotations

import os
import time
from pathlib import Path

import orjson
import pytest

from seg3b_assets.laws import hashing
from seg3b_assets.laws.hashing import directory_digest, file_digest, sha256_hex
from seg3b_assets.store import DigestCache
from seg3b_assets.store import digest_cache as module

LONG_AGO = 1_600_000_000


@pytest.fixture(autouse=True)
def settled(monkeypatch: pytest.MonkeyPatch) -> None:
    """Let a file written a moment ago count as settled: ctime cannot be set back."""
    monkeypatch.setattr(module, "RACY_NS", 0)
    time.sleep(0.01)


@pytest.fixture
def read(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """Paths whose bytes were read."""
    paths: list[str] = []

    def counted(path: Path) -> str:
        paths.append(path.name)
        return hashing.file_digest(path)

    monkeypatch.setattr(module, "file_digest", counted)
    return paths


def _written(path: Path, content: bytes) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(content)
    os.utime(path, (LONG_AGO, LONG_AGO))
    time.sleep(0.02)  # the clock of file stamps ticks every few milliseconds
    return path


def test_a_file_is_read_once_also_by_the_next_process(tmp_path: Path, read: list[str]) -> None:
    path, kept = _written(tmp_path / "a", b"one"), tmp_path / "cache" / "digests.json"
    first = DigestCache(kept)
    assert first.file(path) == first.file(path) == sha256_hex(b"one")
    first.save()
    assert DigestCache(kept).file(path) == sha256_hex(b"one")
    assert read == ["a"]


def test_a_change_of_size_time_or_inode_is_noticed(tmp_path: Path) -> None:
    path, cache = _written(tmp_path / "a", b"one"), DigestCache(tmp_path / "digests.json")
    cache.file(path)
    _written(path, b"longer")
    assert cache.file(path) == sha256_hex(b"longer")
    _written(path, b"LONGER")  # same size, and the time set back to what it was
    assert cache.file(path) == sha256_hex(b"LONGER")
    _written(tmp_path / "b", b"lOnGeR").rename(path)
    assert cache.file(path) == sha256_hex(b"lOnGeR")


def test_a_folder_is_digested_by_law_and_every_change_in_it_noticed(tmp_path: Path) -> None:
    folder, cache = tmp_path / "tiles", DigestCache(tmp_path / "digests.json")
    _written(folder / "country=FR" / "p", b"1")
    _written(folder / "country=NO" / "p", b"2")
    seen = {cache.directory(folder)}
    assert seen == {directory_digest(folder)}
    for change in (
        lambda: _written(folder / "country=NO" / "p", b"3"),
        lambda: (folder / "country=NO" / "p").rename(folder / "country=NO" / "q"),
        lambda: _written(folder / "new", b""),
        (folder / "country=FR" / "p").unlink,
    ):
        change()
        digest = cache.directory(folder)
        assert digest == directory_digest(folder)
        assert digest not in seen
        seen.add(digest)


def test_a_file_changed_a_moment_ago_is_not_remembered(tmp_path: Path, monkeypatch, read: list[str]) -> None:
    monkeypatch.setattr(module, "RACY_NS", 2_000_000_000)
    path, cache = _written(tmp_path / "a", b"one"), DigestCache(tmp_path / "digests.json")
    cache.file(path)
    cache.file(path)
    assert read == ["a", "a"]


def test_disabled_reads_everything_and_saves_nothing(tmp_path: Path, read: list[str]) -> None:
    path, kept = _written(tmp_path / "a", b"one"), tmp_path / "digests.json"
    cache = DigestCache(kept, enabled=False)
    assert cache.file(path) == cache.file(path) == sha256_hex(b"one")
    cache.save()
    assert read == ["a", "a"]
    assert not kept.exists()


@pytest.mark.parametrize(
    "content",
    [
        b"",
        b"not json",
        b"[]",
        b'{"format":"other","digests":{}}',
        b'{"format":"seg3b.digests.v1","digests":[1]}',
    ],
)
def test_a_corrupt_cache_is_ignored_and_replaced(tmp_path: Path, content: bytes) -> None:
    path, kept = _written(tmp_path / "a", b"one"), tmp_path / "digests.json"
    kept.write_bytes(content)
    cache = DigestCache(kept)
    assert cache.file(path) == sha256_hex(b"one")
    cache.save()
    assert len(orjson.loads(kept.read_bytes())["digests"]) == 1


def test_entries_that_are_not_digests_are_ignored(tmp_path: Path) -> None:
    path, kept = _written(tmp_path / "a", b"one"), tmp_path / "digests.json"
    cache = DigestCache(kept)
    cache.file(path)
    cache.save()
    content = orjson.loads(kept.read_bytes())
    (entry,) = content["digests"]
    content["digests"][entry][1] = "no digest"
    kept.write_bytes(orjson.dumps(content))
    assert DigestCache(kept).file(path) == file_digest(path)


def test_two_processes_learn_from_each_other(tmp_path: Path, read: list[str]) -> None:
    kept = tmp_path / "digests.json"
    a, b = _written(tmp_path / "a", b"1"), _written(tmp_path / "b", b"2")
    first, second = DigestCache(kept), DigestCache(kept)
    first.file(a)
    second.file(b)
    first.save()
    second.save()
    third = DigestCache(kept)
    third.file(a)
    third.file(b)
    assert read == ["a", "b"]


def test_a_missing_input_is_an_os_error(tmp_path: Path) -> None:
    cache = DigestCache(tmp_path / "digests.json")
    with pytest.raises(FileNotFoundError):
        cache.file(tmp_path / "none")
    with pytest.raises(OSError, match="directory"):
        cache.directory(_written(tmp_path / "a", b""))


def test_a_cache_that_cannot_be_saved_is_no_error(tmp_path: Path) -> None:
    blocked = _written(tmp_path / "file", b"")
    cache = DigestCache(blocked / "digests.json")
    cache.file(blocked)
    cache.save()


def test_a_rule_is_asked_once_per_content_and_a_refusal_is_not_remembered(tmp_path: Path) -> None:
    file, asked = _written(tmp_path / "input", b"1"), []

    def judge() -> None:
        asked.append(file.read_text())
        if file.read_text() == "2":
            raise ValueError("not kept")

    def held(rule: str, place: Path = file) -> None:
        cache = DigestCache(tmp_path / "digests.json")
        cache.held(rule, place, judge)
        cache.save()

    held("rule 1")
    held("rule 1")
    assert asked == ["1"]
    held("rule 2")
    held("rule 1", tmp_path)
    assert asked == ["1"] * 3
    file.write_text("2")
    for _ in range(2):
        with pytest.raises(ValueError, match="not kept"):
            held("rule 1")
    assert asked[3:] == ["2", "2"]
    DigestCache(tmp_path / "digests.json", enabled=False).held(
        "other", tmp_path / "input2", lambda: asked.append("3")
    )
    assert asked[-1] == "3"
