"""Digests and canonical bytes (law section 0): the only place that hashes or writes JSON.

Formulas: UER(s) = LE32(byte length) ‖ UTF-8. A directory's digest is SHA-256 over
UER(relative POSIX path) ‖ LE64 size ‖ bytes, per file, in path order.
"""

from __future__ import annotations

import hashlib
import os
import re
from pathlib import Path
from typing import Any

import orjson

from seg3b_assets.laws.plain_files import files_below, open_plain

_CHUNK = 1 << 20
_FLAG = re.compile(rb"sha256_hex = ([a-f0-9]{64})\n?")
_FLAG_BYTES = 78


def canonical_json(value: Any) -> bytes:
    """Sorted keys, separators ``,`` and ``:``, UTF-8, no trailing newline."""
    return orjson.dumps(value, option=orjson.OPT_SORT_KEYS)


def indented_json(value: Any) -> bytes:
    """Canonical JSON for people: indented by two, one newline at the end (the routing policy's form)."""
    return orjson.dumps(value, option=orjson.OPT_SORT_KEYS | orjson.OPT_INDENT_2 | orjson.OPT_APPEND_NEWLINE)


def sha256_hex(data: bytes | memoryview) -> str:
    return hashlib.sha256(data).hexdigest()


def sha256_raw(data: bytes | memoryview) -> bytes:
    return hashlib.sha256(data).digest()


def sha256_json(value: Any) -> str:
    """Hex SHA-256 of the canonical JSON of ``value``."""
    return sha256_hex(canonical_json(value))


def uer(text: str) -> bytes:
    raw = text.encode()
    return len(raw).to_bytes(4, "little") + raw


def le64(value: int) -> bytes:
    return value.to_bytes(8, "little")


def file_digest(path: Path) -> str:
    """Hex SHA-256 of the bytes of one file."""
    with open_plain(path) as handle:
        return hashlib.file_digest(handle, "sha256").hexdigest()


def directory_digest(root: Path) -> str:
    """Hex digest of a folder: names, sizes and bytes of every file in it."""
    digest = hashlib.sha256()
    for relative in files_below(root):
        digest.update(uer(relative))
        with open_plain(root / relative) as handle:
            digest.update(le64(os.fstat(handle.fileno()).st_size))
            while chunk := handle.read(_CHUNK):
                digest.update(chunk)
    return digest.hexdigest()


def path_digest(path: Path) -> str:
    """Digest of a dataset on disk, a file or a folder."""
    return directory_digest(path) if path.is_dir() else file_digest(path)


def stated_digest(flag: Path) -> str | None:
    """The bundle digest a ``_passed.flag`` states; None for a file that is no flag."""
    with open_plain(flag) as handle:
        matched = _FLAG.fullmatch(handle.read(_FLAG_BYTES + 1))
    return matched[1].decode() if matched else None
