"""Regular files and nothing else: what is none is told at once, whoever asks."""

from __future__ import annotations

import os
import socket
import tracemalloc
from collections.abc import Callable
from pathlib import Path
from types import SimpleNamespace

import pytest

from seg3b_assets.laws import plain_files
from seg3b_assets.laws.hashing import directory_digest, file_digest, stated_digest
from seg3b_assets.laws.plain_files import (
    DEEPEST,
    OutOfReachError,
    Reach,
    StrangeFileError,
    bytes_below,
    files_below,
    open_plain,
    read_plain,
    walk_below,
)


def pipe(path: Path) -> None:
    os.mkfifo(path)


def device(path: Path) -> None:
    path.symlink_to("/dev/zero")


def linked_pipe(path: Path) -> None:
    os.mkfifo(path.with_name("elsewhere"))
    path.symlink_to(path.with_name("elsewhere"))


def listener(path: Path) -> None:
    with socket.socket(socket.AF_UNIX) as unix:
        unix.bind(str(path))


STRANGE = [pipe, device, linked_pipe, listener]
DOORS = [open_plain, read_plain, file_digest, stated_digest]


@pytest.mark.parametrize("make", STRANGE)
@pytest.mark.parametrize("door", DOORS)
def test_what_is_no_file_is_refused_without_waiting(
    tmp_path: Path, make: Callable[[Path], None], door: Callable[[Path], object]
) -> None:
    make(tmp_path / "x")
    with pytest.raises(StrangeFileError, match="neither a file nor a folder"):
        door(tmp_path / "x")


@pytest.mark.parametrize("make", STRANGE)
def test_nor_is_it_listed_or_hashed_in_a_folder(tmp_path: Path, make: Callable[[Path], None]) -> None:
    (tmp_path / "data").mkdir()
    make(tmp_path / "data" / "x")
    for door in (files_below, directory_digest):
        with pytest.raises(StrangeFileError, match="neither a file nor a folder"):
            door(tmp_path / "data")


def test_a_folder_is_no_file_and_a_link_is_none_where_none_may_be(tmp_path: Path) -> None:
    (tmp_path / "file").write_bytes(b"x")
    (tmp_path / "link").symlink_to(tmp_path / "file")
    with pytest.raises(StrangeFileError, match="a folder"):
        open_plain(tmp_path)
    with open_plain(tmp_path / "link") as file:
        assert file.read() == b"x"
    with pytest.raises(StrangeFileError, match="a link"):
        open_plain(tmp_path / "link", follow=False)


def test_a_document_is_read_to_its_bound_and_no_further(tmp_path: Path) -> None:
    (tmp_path / "file").write_bytes(b"123456")
    assert read_plain(tmp_path / "file", 6) == b"123456"
    with pytest.raises(StrangeFileError, match="larger than 5 bytes"):
        read_plain(tmp_path / "file", 5)


def test_a_folder_that_holds_itself_has_no_end_and_is_refused(tmp_path: Path) -> None:
    (tmp_path / "a" / "b").mkdir(parents=True)
    (tmp_path / "a" / "b" / "again").symlink_to(tmp_path / "a")
    (tmp_path / "a" / "b" / "and").symlink_to(".")
    with pytest.raises(StrangeFileError, match="above itself"):
        files_below(tmp_path)


def test_a_folder_shown_twice_is_listed_twice(tmp_path: Path) -> None:
    (tmp_path / "a").mkdir()
    (tmp_path / "a" / "x").write_bytes(b"x")
    (tmp_path / "b").symlink_to("a")
    assert files_below(tmp_path) == ["a/x", "b/x"]


def test_folders_may_be_deep_and_not_bottomless(tmp_path: Path) -> None:
    deep = tmp_path.joinpath(*["d"] * DEEPEST)
    deep.mkdir(parents=True)
    (deep / "x").write_bytes(b"")
    assert files_below(tmp_path) == ["d/" * DEEPEST + "x"]
    (deep / "d").mkdir()
    (deep / "d" / "d").mkdir()
    with pytest.raises(StrangeFileError, match="deeper"):
        files_below(tmp_path)


def test_a_name_that_is_no_text_is_named_as_such(tmp_path: Path) -> None:
    try:
        os.close(os.open(os.fsencode(tmp_path) + b"/\xff", os.O_CREAT))
    except OSError:
        pytest.skip("this file system takes no such name")
    with pytest.raises(StrangeFileError, match="not UTF-8"):
        files_below(tmp_path)


def test_a_link_to_nothing_is_nothing_to_read(tmp_path: Path) -> None:
    (tmp_path / "x").symlink_to("gone")
    with pytest.raises(StrangeFileError):
        files_below(tmp_path)
    with pytest.raises(FileNotFoundError):
        open_plain(tmp_path / "x")


def test_reach_is_what_was_named_through_any_number_of_links(tmp_path: Path) -> None:
    root, shared, private = (tmp_path / name for name in ("root", "shared", "private"))
    for folder in (root / "data", shared, private):
        folder.mkdir(parents=True)
    (shared / "x").write_bytes(b"x")
    (private / "secret").write_bytes(b"s")
    (root / "data" / "own").write_bytes(b"o")
    (root / "data" / "x").symlink_to(shared / "x")
    Reach.of(root, shared, None).require(root / "data")
    with pytest.raises(OutOfReachError, match="leads out") as alone:
        Reach.of(root).require(root / "data")
    assert (alone.value.filename, alone.value.target) == (str(root / "data" / "x"), shared / "x")
    # Through a folder that may be read to one that may not.
    (shared / "folder").symlink_to(private)
    (root / "data" / "folder").symlink_to(shared / "folder")
    with pytest.raises(OutOfReachError):
        Reach.of(root, shared).require(root / "data")


def test_a_folder_beside_one_that_may_be_read_is_not_below_it(tmp_path: Path) -> None:
    (tmp_path / "root").mkdir()
    (tmp_path / "root-private").write_bytes(b"s")
    (tmp_path / "root" / "x").symlink_to(tmp_path / "root-private")
    with pytest.raises(OutOfReachError):
        Reach.of(tmp_path / "root").require(tmp_path / "root" / "x")


@pytest.mark.parametrize("target", ["link", "./link", "link/further", "one"])
def test_a_link_that_leads_in_a_circle_is_no_file_and_no_folder(tmp_path: Path, target: str) -> None:
    (tmp_path / "link").symlink_to(target)
    (tmp_path / "one").symlink_to("link")
    with pytest.raises(StrangeFileError, match="neither a file nor a folder"):
        files_below(tmp_path)
    assert list(walk_below(tmp_path)) == [(tmp_path, [], ["link", "one"])]


def test_bytes_are_counted_of_what_lies_there_itself(tmp_path: Path) -> None:
    (tmp_path / "a").mkdir()
    (tmp_path / "a" / "x").write_bytes(b"12345")
    (tmp_path / "y").symlink_to("/dev/zero")
    (tmp_path / "z").symlink_to(tmp_path / "a")
    os.mkfifo(tmp_path / "p")
    assert bytes_below(tmp_path) == 5
    assert bytes_below(tmp_path / "nowhere") == 0


def test_a_bound_far_above_a_file_costs_nothing(tmp_path: Path) -> None:
    (tmp_path / "file").write_bytes(b"x" * 100)
    tracemalloc.start()
    try:
        assert len(read_plain(tmp_path / "file", 8 << 30)) == 100
        assert tracemalloc.get_traced_memory()[1] < 1 << 20
    finally:
        tracemalloc.stop()


def test_a_large_file_of_holes_is_none(tmp_path: Path) -> None:
    holes = tmp_path / "holes"
    with holes.open("wb") as file:
        file.write(b"PAR1")
        file.truncate(10 << 30)
        file.seek(-4, os.SEEK_END)
        file.write(b"PAR1")
    with pytest.raises(OSError, match="bytes of which"):
        open_plain(holes)
    with holes.open("r+b") as file:  # small enough to be read, whatever it is
        file.truncate(1 << 20)
    with open_plain(holes) as file:
        assert file.read(4) == b"PAR1"


def test_where_blocks_are_not_counted_data_is_looked_for(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(plain_files, "_LARGE", 1 << 20)
    filled = tmp_path / "filled"
    filled.write_bytes(os.urandom(2 << 20))
    told = filled.stat()
    uncounted = SimpleNamespace(st_mode=told.st_mode, st_size=told.st_size, st_blocks=0)
    monkeypatch.setattr(plain_files.os, "fstat", lambda handle: uncounted)
    with open_plain(filled) as file:
        assert len(file.read(3 << 20)) == 2 << 20


def test_a_walk_follows_no_link_and_ends_where_no_dataset_is_as_deep(tmp_path: Path) -> None:
    (tmp_path / "a/b").mkdir(parents=True)
    (tmp_path / "a/file").touch()
    (tmp_path / "link").symlink_to("a")
    assert list(walk_below(tmp_path)) == [
        (tmp_path, ["a", "link"], []),
        (tmp_path / "a", ["b"], ["file"]),
        (tmp_path / "a/b", [], []),
    ]
    (tmp_path / "a/b" / "/".join("d" * (DEEPEST + 1))).mkdir(parents=True)
    with pytest.raises(StrangeFileError, match="deeper than"):
        list(walk_below(tmp_path))
