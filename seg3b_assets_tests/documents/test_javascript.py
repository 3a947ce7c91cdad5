"""The decoder in plain JavaScript: what it draws from a sound blob, and what it refuses."""

from __future__ import annotations

import shutil
import struct
import subprocess
from pathlib import Path

import pytest

from seg3b_assets.settings import REPOSITORY

NODE = shutil.which("node")
pytestmark = pytest.mark.skipif(NODE is None, reason="needs node")
ONE = 2**32


def slice_of(*pairs: tuple[int, int], count: int | None = None) -> bytes:
    return struct.pack("<4I", len(pairs) if count is None else count, 32, 0, 0) + b"".join(
        struct.pack("<2I", *pair) for pair in pairs
    )


SOUND = slice_of((ONE // 2, 1), (ONE - 1, 1))


def decoded(tmp_path: Path, blob: bytes, *arguments: str) -> subprocess.CompletedProcess[str]:
    (tmp_path / "blob.bin").write_bytes(blob)
    command = [
        str(NODE),
        str(REPOSITORY / "docs/examples/decode_blob.mjs"),
        str(tmp_path / "blob.bin"),
        *arguments,
    ]
    return subprocess.run(command, capture_output=True, text=True, check=False, timeout=60)


def test_a_sound_blob_is_drawn_from(tmp_path: Path) -> None:
    done = decoded(tmp_path, SOUND + SOUND, "32", "0.1", "0.4", "0.9")
    assert done.stdout.split() == ["0", "1", "1"]
    assert [line.split()[0] for line in decoded(tmp_path, SOUND + SOUND).stdout.splitlines()] == ["0", "32"]


@pytest.mark.parametrize("u", ["0", "1", "-0.1", "1.5", "NaN", "Infinity", "x", ""])
def test_a_pick_outside_its_range_is_refused(tmp_path: Path, u: str) -> None:
    done = decoded(tmp_path, SOUND, "0", u)
    assert done.returncode != 0
    assert "RangeError" in done.stderr
    assert not done.stdout


@pytest.mark.parametrize("offset", ["-8", "4", "1e9", "0.5", "NaN", "32"])
def test_an_offset_where_no_slice_is_is_refused(tmp_path: Path, offset: str) -> None:
    done = decoded(tmp_path, SOUND, offset, "0.5")
    assert done.returncode != 0
    assert "RangeError" in done.stderr


@pytest.mark.parametrize(
    "blob",
    [slice_of((1, 0), count=ONE - 1), slice_of((1, 7)), slice_of(count=0), SOUND[:20]],
    ids=["more edges than bytes", "an alias outside", "no edges", "cut short"],
)
def test_a_blob_that_is_not_whole_is_refused(tmp_path: Path, blob: bytes) -> None:
    for arguments in ((), ("0", "0.5")):
        done = decoded(tmp_path, blob, *arguments)
        assert done.returncode != 0
        assert "RangeError" in done.stderr
